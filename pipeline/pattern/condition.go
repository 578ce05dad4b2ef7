package pattern

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Conditions compiles the expressions that $expr holds.
type Conditions interface {
	// Condition returns the compiled expression, or all that is wrong with it; the
	// paths of the errors start at the expression.
	Condition(text string) (Condition, []*spec.FieldError)
}

// Condition is a compiled expression that is true, false or null of a record. It may be
// shared.
type Condition interface {
	// Paths returns the paths of the values that it looks at, without repetitions.
	Paths() []decode.Path
	// Required reports, by path, whether it is true of nothing in which the path leads
	// to nothing.
	Required() []bool
	// Meta returns the names of the metadata that it looks at, as $meta.table. It never
	// looks at event_name or ttl: what kinds of changes match is known without computing.
	Meta() []string
	// NewEvaluator returns what computes it for one goroutine. typed says that the
	// records are DynamoDB JSON.
	NewEvaluator(typed bool) Evaluator
}

// Evaluator computes a condition. One goroutine uses it.
type Evaluator interface {
	// Holds reports whether the condition is true of the record; values has the value
	// at each of its paths. An error says what can't be computed.
	Holds(rec []byte, values []decode.Value, meta *Meta) (bool, error)
}

// ConditionError says that a condition can't be computed for an item.
type ConditionError struct{ Err error }

func (e *ConditionError) Error() string { return fmt.Sprintf("$expr: %v", e.Err) }

// Unwrap returns the cause.
func (e *ConditionError) Unwrap() error { return e.Err }

// boundCondition is a condition of a pattern, and where it finds its values.
type boundCondition struct {
	Condition
	slots []int // indexes into Pattern.paths
}

// Conditions returns the conditions of the pattern, as its compiler returned them.
func (p *Pattern) Conditions() []Condition {
	all := make([]Condition, len(p.conditions))
	for i := range p.conditions {
		all[i] = p.conditions[i].Condition
	}
	return all
}

// condition compiles what $expr holds. It returns its index, or nothing when it is wrong.
func (c *compiler) condition(at []string, prefix decode.Path, v any) []int {
	text, ok := v.(string)
	switch {
	case len(prefix) > 0:
		c.mistake(at, "$expr is about the item, not about what is at %s: write it at the top of the pattern, or in a $or or $and there", prefix)
		return nil
	case !ok:
		c.mistake(at, `$expr takes an expression, as in $expr: "total > paid", not %s`, describe(v))
		return nil
	case c.language == nil:
		c.mistake(at, "$expr is about items, and a filter of rows sees columns: write expr beside where, or all of the condition in it")
		return nil
	}
	compiled, mistakes := c.language.Condition(text)
	for _, m := range mistakes {
		m.Path = append(slices.Clone(at), m.Path...)
		c.mistakes = append(c.mistakes, m)
	}
	if compiled == nil {
		return nil
	}
	bound := boundCondition{Condition: compiled}
	for _, path := range compiled.Paths() {
		bound.slots = append(bound.slots, c.slot(path))
	}
	c.conditions = append(c.conditions, bound)
	return []int{len(c.conditions) - 1}
}

// evaluator is a condition that a matcher computes.
type evaluator struct {
	*boundCondition
	Evaluator
	values []decode.Value
}

// condition reports whether a condition is true of the item. Where a value that it looks
// at is not known, it counts as true.
func (m *Matcher) condition(e *evaluator) (bool, error) {
	if m.unknown&UnknownKind != 0 && len(e.Meta()) > 0 {
		return true, nil
	}
	for i, slot := range e.slots {
		e.values[i] = m.frames[0][slot]
		if m.unknown&UnknownItem != 0 && e.values[i].Kind <= decode.Null {
			return true, nil
		}
	}
	holds, err := e.Holds(m.rec, e.values, m.meta)
	if err != nil {
		return false, &ConditionError{err}
	}
	return holds, nil
}
