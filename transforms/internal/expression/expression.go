package expression

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/starlift-etl/starlift/pipeline"
)

// Expression is a compiled expression. One goroutine uses it.
type Expression struct {
	text    string
	result  Type
	run     code
	numbers []int    // of the variables, as the resolver gave them
	names   []string // of the variables
	lenient bool     // it says itself what null means
	open    bool     // something in it can be of any kind
	hidden  bool     // its values are masked

	// Of one over columns.
	typ     pipeline.Type
	columns []pipeline.Type // of the variables

	machine machine
	scratch []byte
}

// Parse compiles an expression. The errors are all its mistakes.
func Parse(text string, names Names) (*Expression, []*Mistake) {
	tree, source, mistake := parse(text)
	if mistake != nil {
		return nil, []*Mistake{mistake}
	}
	c := &compiler{source: source, names: names}
	n := c.compile(tree)
	if len(c.mistakes) > 0 {
		return nil, c.mistakes
	}
	return &Expression{
		text: text, result: n.typ, run: n.run, numbers: c.numbers, names: c.shown, lenient: c.lenient, open: c.open,
		machine: machine{values: make([]Value, len(c.numbers))},
	}, nil
}

// Gives checks that the result can be of one of the kinds, and, where all kinds
// in the expression are known, of no others. It returns what is wrong.
func (e *Expression) Gives(kinds Kind, t pipeline.Type) *Mistake {
	if e.open && e.result.may(kinds) || e.result.sure(kinds) {
		return e.givesElements(kinds, t)
	}
	return &Mistake{Width: utf8.RuneCountInString(e.text), Message: fmt.Sprintf("type mismatch: the result is a %s, not %s%s", e.result.kinds&^(kinds|Null), t, e.instead(t))}
}

// givesElements is Gives for the elements of a list. What else than a list gives one may give an element.
func (e *Expression) givesElements(kinds Kind, t pipeline.Type) *Mistake {
	if t.Kind != pipeline.List || e.result.kinds&List == 0 || e.result.elem == nil {
		return nil
	}
	kinds, elem := kinds&^List|Accepts(t.Element()), e.result.element()
	if e.open && elem.may(kinds) || elem.sure(kinds) {
		return nil
	}
	return &Mistake{Width: utf8.RuneCountInString(e.text), Message: fmt.Sprintf("type mismatch: an element of the result is a %s, not %s", elem.kinds&^(kinds|Null), t.Element())}
}

// instead says how to get the type.
func (e *Expression) instead(t pipeline.Type) string {
	switch {
	case e.result.kinds == Timestamp && t.Base() == pipeline.Date:
		return ": write date(…)"
	case e.result.kinds == String && (t.Base() == pipeline.Int64 || t.Base() == pipeline.Decimal):
		return ": make a number of the string by decimal(…)"
	case e.result.kinds == String && t.Base() == pipeline.Double:
		return ": make a double of the string by float(…)"
	case e.result.kinds == String && (t.Base() == pipeline.Date || t.Base() == pipeline.Timestamp):
		return fmt.Sprintf(": write %s(…)", pipeline.Type{Kind: t.Base()})
	}
	return ""
}

// String returns the expression's text.
func (e *Expression) String() string { return e.text }

// NeedsAll reports whether the result is null where one of the variables is.
func (e *Expression) NeedsAll() bool { return !e.lenient }

// Hide keeps the values that it is computed of, and its result, out of errors.
func (e *Expression) Hide() { e.hidden = true }

// Hidden reports whether its values are kept out of errors.
func (e *Expression) Hidden() bool { return e.hidden }

// Clone returns the same expression for another goroutine.
func (e *Expression) Clone() *Expression {
	c := *e
	c.machine, c.scratch = machine{values: make([]Value, len(e.numbers))}, nil
	return &c
}

// Variables returns the numbers of the variables, in the order of Set.
func (e *Expression) Variables() []int { return e.numbers }

// Name returns the name of a variable.
func (e *Expression) Name(i int) string { return e.names[i] }

// Set gives a variable its value, which has to stay until the result
// has been used.
func (e *Expression) Set(i int, v Value) { e.machine.values[i] = v }

// reuseText takes the memory of a cell's text back.
func (e *Expression) reuseText(c Cell) {
	if cap(c.Text) > cap(e.scratch) && cap(c.Text) <= maxKept {
		e.scratch = c.Text
	}
}

// maxKept is how much memory for text an expression keeps.
const maxKept = 1 << 20

// Convert converts a result to a cell of the type.
func (e *Expression) Convert(v Value, t pipeline.Type) (Cell, error) {
	c, err := cell(e.scratch, v, t)
	if err != nil {
		return Cell{}, e.explain(err)
	}
	e.reuseText(c)
	return c, nil
}

// Value returns the result. An error says what fails, with the values that it
// fails for.
func (e *Expression) Value() (Value, error) {
	m := &e.machine
	if !e.lenient {
		for i := range m.values {
			if m.values[i].isNull() {
				return Value{}, nil
			}
		}
	}
	m.steps, m.text = 0, 0
	v, err := e.run(m)
	if err != nil {
		return Value{}, e.explain(err)
	}
	return v, nil
}

// explain says which values an error is about.
func (e *Expression) explain(err error) error {
	if e.hidden {
		return fmt.Errorf("%s, of masked values: it can't be computed, or does not fit", e.text)
	}
	var parts []string
	for i, name := range e.names {
		parts = append(parts, fmt.Sprintf("%s = %s", name, quote(e.machine.values[i])))
	}
	with := ""
	if parts != nil {
		with = " with " + strings.Join(parts, ", ")
	}
	return fmt.Errorf("%s%s: %w", e.text, with, err)
}

// Eval appends the packed result to dst, of an expression over columns and their
// packed values. An error says that the result does not fit the type, or that
// something was divided by zero.
func (e *Expression) Eval(dst []byte, values [][]byte) (result []byte, null bool, err error) {
	for i, n := range e.numbers {
		if e.machine.values[i], err = unpack(values[n], e.columns[i]); err != nil {
			return dst, false, fmt.Errorf("%s: %w", e.names[i], err)
		}
	}
	v, err := e.Value()
	if err != nil {
		return dst, false, err
	}
	c, err := e.Convert(v, e.typ)
	if err != nil || c.Null {
		return dst, c.Null, err
	}
	return c.pack(dst, e.typ), false, nil
}

// Uses returns the indexes of the values that the expression uses, sorted.
func (e *Expression) Uses() []int {
	all := slices.Clone(e.numbers)
	slices.Sort(all)
	return all
}

// textOf returns bytes as a string that shares their memory.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
