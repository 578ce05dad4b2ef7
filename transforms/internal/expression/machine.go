package expression

import (
	"errors"
	"fmt"
)

// Bounds of one evaluation: what an expression may do, and how much text it may
// make. Neither is near what rows need.
const (
	maxSteps = 1_000_000
	maxText  = 16 << 20
	maxDepth = 20_000
)

var (
	errSteps = errors.New("the expression takes too long: it does more than 1,000,000 steps")
	errText  = errors.New("the expression makes more than 16 MiB of text")
	errDepth = errors.New("lists and maps nest too deeply")
)

// machine holds what one evaluation needs. One goroutine uses it.
type machine struct {
	values  []Value // of the variables
	locals  []Value // of let
	element []element
	stack   []Value // of the arguments of calls
	steps   int
	text    int
}

// element is where a predicate is in its list.
type element struct {
	value, acc Value
	index      int
}

// spend counts steps.
func (m *machine) spend(n int) error {
	if m.steps += n; m.steps > maxSteps {
		return errSteps
	}
	return nil
}

// make counts text before it is made.
func (m *machine) make(n int) error {
	if m.text += n; n > maxText || m.text > maxText {
		return errText
	}
	return m.spend(n / 64)
}

// read counts the text that a function looks through.
func (m *machine) read(args []Value) error {
	n := 1
	for i := range args {
		n += weight(args[i])
	}
	return m.spend(n)
}

// shallow returns a value that an operation gave, or an error when lists nest
// deeper than what walks through them can go.
func shallow(v Value, err error) (Value, error) {
	if v.depth() > maxDepth && err == nil {
		return Value{}, errDepth
	}
	return v, err
}

// weight is how much more than a step it takes to look at a value.
func weight(v Value) int {
	switch {
	case v.kind == String:
		return len(v.s) / 64
	case v.kind == Number && v.ref != nil:
		r := v.rat()
		return (r.Num().BitLen() + r.Denom().BitLen()) / 16
	}
	return 0
}

// code computes a value.
type code func(m *machine) (Value, error)

// errMismatch marks operations on values that they are not for.
var errMismatch = errors.New("type mismatch")

func mismatch(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMismatch, fmt.Sprintf(format, args...))
}
