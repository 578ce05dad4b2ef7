package expression

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// function is one that expressions can call. A null argument makes its result
// null, but for those that take any.
type function struct {
	name string
	call func(args ...any) (any, error)
}

var functions = []function{
	{"$add", operator("+")}, {"$subtract", operator("-")}, {"$multiply", operator("*")},
	{"$divide", operator("/")}, {"$remainder", operator("%")},
	{"$less", comparison(func(c int) bool { return c < 0 })}, {"$lessEqual", comparison(func(c int) bool { return c <= 0 })},
	{"$greater", comparison(func(c int) bool { return c > 0 })}, {"$greaterEqual", comparison(func(c int) bool { return c >= 0 })},
	{"$equal", comparison(func(c int) bool { return c == 0 })}, {"$notEqual", comparison(func(c int) bool { return c != 0 })},
	{"$negate", func(args ...any) (any, error) { return operator("-")(0, args[0]) }},
	{"$truth", truth}, {"$not", not},
	{"abs", absolute}, {"round", rounded}, {"floor", floor}, {"ceil", ceiling},
	{"min", extreme(-1)}, {"max", extreme(1)},
	{"year", datePart("year")}, {"quarter", datePart("quarter")}, {"month", datePart("month")}, {"day", datePart("day")},
}

func isFunction(name string) bool {
	return slices.ContainsFunc(functions, func(f function) bool { return f.name == name })
}

var errDivision = errors.New("division by zero")

func mismatch(what string, args ...any) error {
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = kindOf(a)
	}
	return fmt.Errorf("%w: %s of %s", errMismatch, what, strings.Join(kinds, " and "))
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case *big.Rat, big.Rat, int, int64:
		return "number"
	case float64:
		return "double"
	case string:
		return "string"
	case bool:
		return "bool"
	case day:
		return "date"
	case instant:
		return "timestamp"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// exact returns an exact number.
func exact(v any) (*big.Rat, bool) {
	switch n := v.(type) {
	case *big.Rat:
		return n, true
	case big.Rat: // the operator ?? takes what a pointer points to
		return &n, true
	case int:
		return new(big.Rat).SetInt64(int64(n)), true
	case int64:
		return new(big.Rat).SetInt64(n), true
	}
	return nil, false
}

// double returns any number as a double.
func double(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	if r, ok := exact(v); ok {
		f, _ := r.Float64()
		return f, true
	}
	return 0, false
}

func operator(op string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		a, b := args[0], args[1]
		if a == nil || b == nil {
			return nil, nil
		}
		x, exactX := exact(a)
		y, exactY := exact(b)
		if exactX && exactY {
			return exactly(op, x, y)
		}
		if s, ok := a.(string); ok && op == "+" {
			if t, ok := b.(string); ok {
				return s + t, nil
			}
		}
		f, okF := double(a)
		g, okG := double(b)
		if !okF || !okG {
			return nil, mismatch(op, a, b)
		}
		return inexactly(op, f, g)
	}
}

func exactly(op string, x, y *big.Rat) (any, error) {
	z := new(big.Rat)
	switch op {
	case "+":
		return z.Add(x, y), nil
	case "-":
		return z.Sub(x, y), nil
	case "*":
		return z.Mul(x, y), nil
	}
	if y.Sign() == 0 {
		return nil, errDivision
	}
	z.Quo(x, y)
	if op == "%" { // with the sign of the dividend, as SQL has it
		whole := new(big.Int).Quo(z.Num(), z.Denom())
		z.Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(whole)))
	}
	return z, nil
}

func inexactly(op string, f, g float64) (any, error) {
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	}
	if g == 0 {
		return nil, errDivision
	}
	if op == "%" {
		return math.Mod(f, g), nil
	}
	return f / g, nil
}

// compare orders two values of one kind.
func compare(a, b any) (int, error) {
	x, exactX := exact(a)
	y, exactY := exact(b)
	if exactX && exactY {
		return x.Cmp(y), nil
	}
	f, okF := double(a)
	g, okG := double(b)
	if okF && okG {
		switch {
		case f < g:
			return -1, nil
		case f > g:
			return 1, nil
		}
		return 0, nil
	}
	switch v := a.(type) {
	case string:
		if w, ok := b.(string); ok {
			return strings.Compare(v, w), nil
		}
	case bool:
		if w, ok := b.(bool); ok {
			return number(v) - number(w), nil
		}
	case day:
		if w, ok := b.(day); ok {
			return int(v) - int(w), nil
		}
	case instant:
		if w, ok := b.(instant); ok {
			return new(big.Int).Sub(big.NewInt(int64(v)), big.NewInt(int64(w))).Sign(), nil
		}
	}
	return 0, mismatch("comparison", a, b)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func comparison(is func(c int) bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil || args[1] == nil {
			return nil, nil
		}
		c, err := compare(args[0], args[1])
		if err != nil {
			return nil, err
		}
		return is(c), nil
	}
}

func truth(args ...any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return nil, mismatch("condition", args[0])
}

func not(args ...any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return nil, nil
	case bool:
		return !v, nil
	}
	return nil, mismatch("not", args[0])
}

func arguments(name string, least, most int, args []any) error {
	if len(args) < least || len(args) > most {
		return fmt.Errorf("%w: %s takes %d to %d arguments, not %d", errMismatch, name, least, most, len(args))
	}
	return nil
}

func absolute(args ...any) (any, error) {
	if err := arguments("abs", 1, 1, args); err != nil || args[0] == nil {
		return nil, err
	}
	if x, ok := exact(args[0]); ok {
		return new(big.Rat).Abs(x), nil
	}
	if f, ok := args[0].(float64); ok {
		return math.Abs(f), nil
	}
	return nil, mismatch("abs", args[0])
}

// scaled applies a rounding of integers at a number of decimal places.
func scaled(name string, round func(*big.Rat) *big.Int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if err := arguments(name, 1, 2, args); err != nil || args[0] == nil {
			return nil, err
		}
		places := 0
		if len(args) == 2 {
			n, ok := args[1].(int)
			if !ok || n < 0 || n > 38 {
				return nil, mismatch(name+" to places", args[1])
			}
			places = n
		}
		x, ok := exact(args[0])
		if f, isDouble := args[0].(float64); isDouble {
			if x = new(big.Rat).SetFloat64(f); x == nil {
				return f, nil // infinite, or not a number
			}
			ok = true
		}
		if !ok {
			return nil, mismatch(name, args[0])
		}
		unit := new(big.Rat).SetInt(power(places))
		z := new(big.Rat).SetInt(round(new(big.Rat).Mul(x, unit)))
		return z.Quo(z, unit), nil
	}
}

var (
	rounded = scaled("round", nearest)
	floor   = scaled("floor", func(x *big.Rat) *big.Int { return new(big.Int).Div(x.Num(), x.Denom()) })
	ceiling = scaled("ceil", func(x *big.Rat) *big.Int {
		n := new(big.Int).Neg(x.Num())
		return n.Neg(n.Div(n, x.Denom()))
	})
)

func extreme(sign int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if len(args) == 0 {
			return nil, fmt.Errorf("%w: min and max want arguments", errMismatch)
		}
		best := args[0]
		for _, a := range args {
			if a == nil {
				return nil, nil
			}
			c, err := compare(a, best)
			if err != nil {
				return nil, err
			}
			if c*sign > 0 {
				best = a
			}
		}
		return best, nil
	}
}

func datePart(part string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if err := arguments(part, 1, 1, args); err != nil || args[0] == nil {
			return nil, err
		}
		t, ok := timeOf(args[0])
		if !ok {
			return nil, mismatch(part, args[0])
		}
		switch part {
		case "year":
			return t.Year(), nil
		case "quarter":
			return (int(t.Month()) + 2) / 3, nil
		case "month":
			return int(t.Month()), nil
		}
		return t.Day(), nil
	}
}
