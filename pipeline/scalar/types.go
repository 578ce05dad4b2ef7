package scalar

import (
	"errors"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// ParseType reads the type of a column, which stands at a path of a node; the
// mistake says what may be meant.
func ParseType(text string, path ...string) (pipeline.Type, *spec.FieldError) {
	t, err := pipeline.ParseType(text)
	if err == nil {
		return t, nil
	}
	mistake := &spec.FieldError{Path: path, Message: err.Error(), Hint: pipeline.TypeAdvice(text)}
	if mistake.Hint == "" && errors.Is(err, pipeline.ErrUnknownType) {
		mistake.Name, mistake.Known = text, strings.Split(pipeline.TypeNames, ", ")
	}
	return t, mistake
}

// Joined reports whether values of two types can be held against each other: those of one base that are written
// in one way.
func Joined(a, b pipeline.Type) bool {
	formed := func(t pipeline.Type) bool { return t.Kind == pipeline.UUID || t.Kind == pipeline.Time }
	return a == b || a.Base() == b.Base() && a.Precision == b.Precision && a.Scale == b.Scale && !formed(a) && !formed(b)
}

// Holds reports whether columns of a type hold each value of another type, with which they can be held against each
// other.
func Holds(t, other pipeline.Type) bool {
	switch t.Kind {
	case pipeline.Int32:
		return other.Kind == pipeline.Int32
	case pipeline.VarChar, pipeline.Char:
		return (other.Kind == pipeline.VarChar || other.Kind == pipeline.Char) && other.Length <= t.Length
	}
	return Joined(t, other)
}
