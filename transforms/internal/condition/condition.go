// Package condition compiles expressions over items to the conditions that $expr in a
// pattern holds (package pattern). Their names are document paths and fields of $meta.
//
// Which kinds of events a pattern lets pass has to be known before there is an event,
// so event_name and ttl are tested by fields of the pattern, not by an expression.
package condition

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

var (
	_ pattern.Conditions = Compiler{}
	_ pattern.Condition  = (*Condition)(nil)
	_ pattern.Evaluator  = (*evaluator)(nil)
)

// Compiler compiles conditions.
type Compiler struct{}

var boolean = pipeline.Type{Kind: pipeline.Bool}

// Condition implements pattern.Conditions.
func (Compiler) Condition(text string) (pattern.Condition, []*spec.FieldError) {
	n := &names{}
	e, mistakes := expression.Parse(text, n)
	if e != nil {
		if m := e.Gives(expression.Accepts(boolean), boolean); m != nil {
			mistakes = append(mistakes, m)
		} else if len(n.variables) == 0 {
			mistakes = append(mistakes, &expression.Mistake{Width: utf8.RuneCountInString(text), Message: "it names nothing of the item, so it is the same for every one"})
		}
	}
	if len(mistakes) > 0 {
		fields := make([]*spec.FieldError, len(mistakes))
		for i, m := range mistakes {
			fields[i] = m.Field()
		}
		return nil, fields
	}
	return &Condition{expression: e, variables: n.variables, paths: n.paths}, nil
}

// Condition is a compiled condition. It is read-only once Hide was told of it or not.
type Condition struct {
	expression *expression.Expression
	variables  []variable // by the numbers of the expression
	paths      []decode.Path
}

// variable is where an expression has a value of: $meta, or an item.
type variable struct {
	meta string // the field's name; empty = the item
	slot int    // index into paths
	// parent is where the value around is, of one at an index: an index is in strings and
	// sets too, where no path leads. -1 = it is no such value.
	parent, index int
}

// Paths implements pattern.Condition.
func (c *Condition) Paths() []decode.Path { return c.paths }

// Required implements pattern.Condition.
func (c *Condition) Required() []bool {
	required := make([]bool, len(c.paths))
	for _, v := range c.variables {
		switch {
		case !c.expression.NeedsAll() || v.meta != "":
		case v.parent >= 0:
			required[v.parent] = true
		default:
			required[v.slot] = true
		}
	}
	return required
}

// Meta implements pattern.Condition.
func (c *Condition) Meta() (all []string) {
	for _, v := range c.variables {
		if v.meta != "" {
			all = append(all, pattern.MetaPrefix+v.meta)
		}
	}
	return all
}

// Hide keeps the values out of errors of those conditions of a pattern, which may be nil, that
// look at a path that hides.
func Hide(p *pattern.Pattern, hides func(decode.Path) bool) {
	if p == nil {
		return
	}
	for _, c := range p.Conditions() {
		if c, ok := c.(*Condition); ok && slices.ContainsFunc(c.paths, hides) {
			c.expression.Hide()
		}
	}
}

// NewEvaluator implements pattern.Condition.
func (c *Condition) NewEvaluator(typed bool) pattern.Evaluator {
	return &evaluator{Condition: c, expression: c.expression.Clone(), items: expression.Items{Typed: typed}}
}

// names resolves the names of an expression.
type names struct {
	variables []variable
	paths     []decode.Path
}

// Resolve implements expression.Names.
func (n *names) Resolve(chain decode.Path) (number int, t expression.Type, steps int, mistake *expression.Mistake) {
	if chain[0].Name == strings.TrimSuffix(pattern.MetaPrefix, ".") && !chain[0].IsIndex {
		return n.metadata(chain[:min(2, len(chain))])
	}
	if name := chain[0].Name; name == "$item" || name == "$rest" {
		return 0, expression.Any, 0, &expression.Mistake{Message: name + " is for columns: $expr names attributes of the item by themselves, as in total > 0"}
	}
	v := variable{slot: n.slot(chain), parent: -1}
	if last := len(chain) - 1; last > 0 && chain[last].IsIndex {
		v.parent, v.index = n.slot(chain[:last]), chain[last].Index
	}
	return n.number(v), expression.Document, len(chain), nil
}

// metaTypes are the fields of $meta that an expression may have.
var metaTypes = map[string]expression.Type{
	"event_id":   expression.StringType,
	"table":      expression.StringType,
	"created_at": expression.TimestampType,
	"arrived_at": expression.TimestampType,
}

func (n *names) metadata(chain decode.Path) (number int, t expression.Type, steps int, mistake *expression.Mistake) {
	name := chain.String()
	field := strings.TrimPrefix(name, pattern.MetaPrefix)
	if t, ok := metaTypes[field]; ok && field != name {
		return n.number(variable{meta: field, parent: -1}), t, len(chain), nil
	}
	if name == pattern.MetaPrefix+"event_name" || name == pattern.MetaPrefix+"ttl" {
		return 0, expression.Any, 0, &expression.Mistake{Message: fmt.Sprintf("%[1]s is tested beside $expr, not in it: write %[1]s: […] as a field of the pattern", name)}
	}
	return 0, expression.Any, 0, &expression.Mistake{Message: fmt.Sprintf("unknown metadata %q", name), Name: name, Known: pattern.MetaNames()}
}

// slot returns the index of a path, adding it if it is new.
func (n *names) slot(path decode.Path) int {
	if i := slices.IndexFunc(n.paths, func(p decode.Path) bool { return slices.Equal(p, path) }); i >= 0 {
		return i
	}
	n.paths = append(n.paths, slices.Clone(path))
	return len(n.paths) - 1
}

// number returns the number of a variable, adding it if it is new.
func (n *names) number(v variable) int {
	if i := slices.Index(n.variables, v); i >= 0 {
		return i
	}
	n.variables = append(n.variables, v)
	return len(n.variables) - 1
}

// evaluator computes a condition. One goroutine uses it.
type evaluator struct {
	*Condition
	expression *expression.Expression
	items      expression.Items
}

// Holds implements pattern.Evaluator.
func (e *evaluator) Holds(rec []byte, values []decode.Value, meta *pattern.Meta) (bool, error) {
	e.items.Reset()
	for i, n := range e.expression.Variables() {
		v, err := e.value(&e.variables[n], rec, values, meta)
		if err != nil {
			return false, fmt.Errorf("%s: %s %w", e.expression, e.expression.Name(i), err)
		}
		e.expression.Set(i, v)
	}
	v, err := e.expression.Value()
	if err != nil {
		return false, err
	}
	cell, err := e.expression.Convert(v, boolean)
	return err == nil && !cell.Null && cell.Bits == 1, err
}

func (e *evaluator) value(v *variable, rec []byte, values []decode.Value, meta *pattern.Meta) (expression.Value, error) {
	switch v.meta {
	case "":
	case "event_id":
		return text(meta.EventID), nil
	case "table":
		return text(meta.Table), nil
	case "created_at":
		return instant(meta.Created), nil
	default:
		return instant(meta.Arrived), nil
	}
	value := values[v.slot]
	if value.Kind == decode.Missing && v.parent >= 0 {
		return e.items.Indexed(rec, values[v.parent], v.index)
	}
	return e.items.Value(rec, value)
}

func text(b []byte) expression.Value {
	if b == nil {
		return expression.Value{}
	}
	return expression.TextOf(b)
}

func instant(micros int64) expression.Value {
	if micros == pipeline.NoTime {
		return expression.Value{}
	}
	return expression.TimestampOf(micros)
}
