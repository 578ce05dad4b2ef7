package expression

import (
	"fmt"
	"math"
	"math/big"
)

var numberFunctions = []function{
	{name: "abs", params: takes(numeric), gives: sameAs(0), call: absolute},
	{name: "round", params: optionally(takes(numeric, Number)), gives: always(Number), call: rounding("round", nearest)},
	{name: "floor", params: optionally(takes(numeric, Number)), gives: always(Number), call: rounding("floor", floor)},
	{name: "ceil", params: optionally(takes(numeric, Number)), gives: always(Number), call: rounding("ceil", ceiling)},
	{name: "bitand", params: takes(Number, Number), gives: always(Number), call: bitwise("bitand", func(x, y int64) int64 { return x & y })},
	{name: "bitor", params: takes(Number, Number), gives: always(Number), call: bitwise("bitor", func(x, y int64) int64 { return x | y })},
	{name: "bitxor", params: takes(Number, Number), gives: always(Number), call: bitwise("bitxor", func(x, y int64) int64 { return x ^ y })},
	{name: "bitnand", params: takes(Number, Number), gives: always(Number), call: bitwise("bitnand", func(x, y int64) int64 { return x &^ y })},
	{name: "bitnot", params: takes(Number), gives: always(Number), call: bitnot},
	{name: "bitshl", params: takes(Number, Number), gives: always(Number), call: bitshift("bitshl", shiftLeft)},
	{name: "bitshr", params: takes(Number, Number), gives: always(Number), call: bitshift("bitshr", func(x int64, n uint) (int64, bool) { return x >> n, true })},
	{name: "bitushr", params: takes(Number, Number), gives: always(Number), call: bitshift("bitushr", func(x int64, n uint) (int64, bool) { return int64(uint64(x) >> n), true })},
}

func absolute(_ *machine, a []Value) (Value, error) {
	if a[0].kind == Double {
		return finite(math.Abs(a[0].double()))
	}
	if sign(a[0]) < 0 {
		return negate(a[0])
	}
	return a[0], nil
}

// maxPlaces is how many decimals a number is rounded to.
const maxPlaces = 38

// rounding applies a rounding to integers at a number of decimal places.
func rounding(name string, round func(*big.Rat) *big.Int) func(*machine, []Value) (Value, error) {
	return func(_ *machine, a []Value) (Value, error) {
		places := int64(0)
		if len(a) == 2 {
			var ok bool
			if places, ok = whole(a[1]); !ok || places < 0 || places > maxPlaces {
				return Value{}, fmt.Errorf("%s wants 0 to %d decimals, not %s", name, maxPlaces, quote(a[1]))
			}
		}
		x := a[0]
		if x.kind == Double {
			// What is meant is what is written: 0.15, not the nearest double below.
			var err error
			if x, err = NumberOf(appendDouble(nil, x.double())); err != nil {
				return Value{}, err
			}
		}
		unit := new(big.Rat).SetInt(power(int(places)))
		z := new(big.Rat).SetInt(round(unit.Mul(x.rat(), unit)))
		return ofRat(z.Quo(z, new(big.Rat).SetInt(power(int(places)))))
	}
}

func floor(x *big.Rat) *big.Int { return new(big.Int).Div(x.Num(), x.Denom()) }

func ceiling(x *big.Rat) *big.Int {
	n := new(big.Int).Neg(x.Num())
	return n.Neg(n.Div(n, x.Denom()))
}

func bitwise(name string, f func(x, y int64) int64) func(*machine, []Value) (Value, error) {
	return func(_ *machine, a []Value) (Value, error) {
		x, err := wholeArgument(name, a[0])
		if err != nil {
			return Value{}, err
		}
		y, err := wholeArgument(name, a[1])
		return IntOf(f(x, y)), err
	}
}

func bitnot(_ *machine, a []Value) (Value, error) {
	x, err := wholeArgument("bitnot", a[0])
	return IntOf(^x), err
}

func bitshift(name string, f func(x int64, n uint) (int64, bool)) func(*machine, []Value) (Value, error) {
	return func(_ *machine, a []Value) (Value, error) {
		x, err := wholeArgument(name, a[0])
		if err != nil {
			return Value{}, err
		}
		n, ok := whole(a[1])
		if !ok || n < 0 || n > 63 {
			return Value{}, fmt.Errorf("%s wants 0 to 63 bits, not %s", name, quote(a[1]))
		}
		y, ok := f(x, uint(n))
		if !ok {
			return Value{}, fmt.Errorf("%s of %d by %d has more than 64 bits", name, x, n)
		}
		return IntOf(y), nil
	}
}

func shiftLeft(x int64, n uint) (int64, bool) { return x << n, x<<n>>n == x }
