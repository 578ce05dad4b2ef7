package pattern

import (
	"bytes"
	"errors"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// toyConditions compiles the toy language of naiveExpr: a path of names, and true where
// it leads to true. "$meta.table" is true of the table t.
type toyConditions struct{}

func (toyConditions) Condition(text string) (Condition, []*spec.FieldError) {
	if text == "$meta.table" {
		return &toyCondition{}, nil
	}
	path, err := decode.ParsePath(text)
	if err != nil {
		return nil, []*spec.FieldError{{Message: err.Error()}}
	}
	return &toyCondition{path}, nil
}

type toyCondition struct{ path decode.Path }

func (c *toyCondition) Paths() []decode.Path {
	if c.path == nil {
		return nil
	}
	return []decode.Path{c.path}
}

func (c *toyCondition) Required() []bool { return []bool{true}[:len(c.Paths())] }

func (c *toyCondition) Meta() []string {
	if c.path == nil {
		return []string{"$meta.table"}
	}
	return nil
}

func (c *toyCondition) NewEvaluator(bool) Evaluator { return c }

var errToy = errors.New("the value is broken")

func (c *toyCondition) Holds(rec []byte, values []decode.Value, meta *Meta) (bool, error) {
	if c.path == nil {
		return string(meta.Table) == "t", nil
	}
	if values[0].Kind == decode.String && strings.Contains(string(values[0].Raw(rec)), "broken") {
		return false, errToy
	}
	return values[0].Kind == decode.Bool && bytes.Equal(values[0].Raw(rec), textTrue), nil
}
