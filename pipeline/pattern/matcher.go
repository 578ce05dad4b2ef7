package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// Matcher matches a pattern against decoded records. One goroutine uses it.
type Matcher struct {
	pattern *Pattern
	slots   []int
	lists   []*decode.Projection

	conditions []evaluator

	rec     []byte
	meta    *Meta
	unknown Unknown
	frames  [][]decode.Value // the values of the pattern's paths: of the item, of an element, of an element in it, …
	text    []byte
	digits  []byte
}

// NewMatcher returns a matcher. slots[i] is the slot of a record's values that
// belongs to Paths()[i]; typed says that the records are DynamoDB JSON.
func (p *Pattern) NewMatcher(slots []int, typed bool) *Matcher {
	m := &Matcher{pattern: p, slots: slots, digits: make([]byte, 0, 64)}
	for _, paths := range p.lists {
		m.lists = append(m.lists, decode.NewProjection(paths, typed))
	}
	for i := range p.conditions {
		c := &p.conditions[i]
		m.conditions = append(m.conditions, evaluator{c, c.NewEvaluator(typed), make([]decode.Value, len(c.slots))})
	}
	return m
}

// Match reports whether the record matches. values are the record's values, by
// slot. An error is a [*ConditionError], or means that a value in rec is broken, which
// does not happen to records that were decoded without one.
func (m *Matcher) Match(rec []byte, values []decode.Value, meta *Meta) (bool, error) {
	m.rec, m.meta = rec, meta
	top := m.elementSlots(0)
	for i, slot := range m.slots {
		top[i] = values[slot]
	}
	return m.conjunction(m.pattern.root, 0)
}

// elementSlots returns the values at a depth of lists within lists.
func (m *Matcher) elementSlots(depth int) []decode.Value {
	if depth == len(m.frames) {
		m.frames = append(m.frames, make([]decode.Value, len(m.pattern.paths)))
	}
	return m.frames[depth]
}

func (m *Matcher) conjunction(c *conjunction, depth int) (bool, error) {
	for i := range c.fields {
		if ok, err := m.field(&c.fields[i], depth); !ok || err != nil {
			return false, err
		}
	}
	for _, choice := range c.choices {
		if ok, err := m.choice(choice, depth); !ok || err != nil {
			return false, err
		}
	}
	for _, i := range c.conditions {
		if ok, err := m.condition(&m.conditions[i]); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (m *Matcher) choice(alternatives []*conjunction, depth int) (bool, error) {
	for _, c := range alternatives {
		if ok, err := m.conjunction(c, depth); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (m *Matcher) field(f *field, depth int) (bool, error) {
	if f.meta != metaNone {
		return m.unknown&UnknownKind != 0 || m.passes(f.tests, m.metaOperand(f.meta)), nil
	}
	v := m.frames[depth][f.slot]
	if m.unknown&UnknownItem != 0 && v.Kind <= decode.Null {
		return true, nil
	}
	if isList(v.Kind) {
		return m.elements(f, v, depth)
	}
	if f.below != nil {
		return m.conjunction(f.below, depth)
	}
	o, err := m.operand(v)
	if err != nil {
		return false, err
	}
	return m.passes(f.tests, o), nil
}

func isList(k decode.Kind) bool {
	return k == decode.List || k == decode.StringSet || k == decode.NumberSet || k == decode.BinarySet
}

var errFound = errors.New("found")

// elements matches the field against each element of a list until one matches.
func (m *Matcher) elements(f *field, list decode.Value, depth int) (bool, error) {
	if f.below == nil && m.passes(f.tests, operand{kind: list.Kind}) {
		return true, nil // exists
	}
	frame := m.elementSlots(depth + 1)
	copy(frame, m.frames[depth])
	empty := true
	err := m.lists[f.list].ScanList(m.rec, list, func(_ int, slots []decode.Value) error {
		empty = false
		for i, slot := range f.uses {
			frame[slot] = slots[i]
		}
		ok, err := m.field(f, depth+1)
		if ok && err == nil {
			return errFound
		}
		return err
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("list: %w", err)
	}
	if !empty || f.below == nil {
		return false, nil
	}
	for _, slot := range f.uses {
		frame[slot] = decode.Value{}
	}
	return m.conjunction(f.below, depth+1)
}

func (m *Matcher) passes(tests []test, v operand) bool {
	for i := range tests {
		if tests[i].passes(v, m.digits) {
			return true
		}
	}
	return false
}

// operand returns the plain value; its text is valid until the next call.
func (m *Matcher) operand(v decode.Value) (operand, error) {
	switch v.Kind {
	case decode.Binary:
		v.Kind = decode.String
		v.Escaped = bytes.IndexByte(v.Raw(m.rec), '\\') >= 0
	case decode.String, decode.Number, decode.Bool:
	default:
		return operand{kind: v.Kind}, nil
	}
	if !v.Escaped {
		return operand{kind: v.Kind, text: v.Raw(m.rec)}, nil
	}
	text, err := decode.AppendText(m.text[:0], m.rec, v)
	if err != nil {
		return operand{}, fmt.Errorf("string: %w", err)
	}
	m.text = text
	return operand{kind: v.Kind, text: text}, nil
}

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

func (m *Matcher) metaOperand(f metaField) operand {
	switch f {
	case metaEventName:
		return textOperand(m.meta.EventName)
	case metaEventID:
		return textOperand(m.meta.EventID)
	case metaTable:
		return textOperand(m.meta.Table)
	case metaCreated:
		return m.timeOperand(m.meta.Created)
	case metaArrived:
		return m.timeOperand(m.meta.Arrived)
	default:
		if m.meta.TTL {
			return operand{kind: decode.Bool, text: textTrue}
		}
		return operand{kind: decode.Bool, text: textFalse}
	}
}

func textOperand(text []byte) operand {
	if text == nil {
		return operand{kind: decode.Missing}
	}
	return operand{kind: decode.String, text: text}
}

// timeOperand gives a time as a string column has it: RFC 3339, UTC, a fraction
// only when there is one.
func (m *Matcher) timeOperand(micros int64) operand {
	if micros == pipeline.NoTime {
		return operand{kind: decode.Missing}
	}
	m.text = time.UnixMicro(micros).UTC().AppendFormat(m.text[:0], "2006-01-02T15:04:05.999999Z07:00")
	return operand{kind: decode.String, text: m.text}
}
