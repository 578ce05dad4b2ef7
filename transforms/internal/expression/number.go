package expression

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// Numbers are rational. Those whose numerator and denominator fit 64 bits, as
// nearly all do, are computed without taking memory; others are big.Rat.

// maxDigits bounds the digits of a number before and behind its point.
const maxDigits = 1000

var (
	errDigits   = errors.New("has more than 1,000 digits")
	errLong     = errors.New("the result has more than 1,000 digits")
	errDivision = errors.New("division by zero")
	errRange    = errors.New("the result is no number that a double holds")
)

var powers = func() (all [39]*big.Int) {
	all[0] = big.NewInt(1)
	for i := 1; i < len(all); i++ {
		all[i] = new(big.Int).Mul(all[i-1], big.NewInt(10))
	}
	return all
}()

var smallPowers = func() (all [19]int64) {
	all[0] = 1
	for i := 1; i < len(all); i++ {
		all[i] = all[i-1] * 10
	}
	return all
}()

// power returns ten to the n, of 0 to 38.
func power(n int) *big.Int { return powers[n] }

var limit = new(big.Int).Exp(big.NewInt(10), big.NewInt(maxDigits), nil)

// ratio returns a small number.
func ratio(n, d int64) Value { return Value{kind: Number, n: n, d: d} }

// ofRat returns a number, or an error when it has too many digits.
func ofRat(r *big.Rat) (Value, error) {
	if r.Num().IsInt64() && r.Denom().IsInt64() {
		return ratio(r.Num().Int64(), r.Denom().Int64()), nil
	}
	if r.Num().CmpAbs(limit) >= 0 || r.Denom().Cmp(limit) > 0 {
		return Value{}, errLong
	}
	return Value{kind: Number, ref: r}, nil
}

// NumberOf reads a number. An error says why it is none that is computed with.
func NumberOf(text []byte) (Value, error) {
	if n, ok := shortInt(text); ok {
		return IntOf(n), nil
	}
	var scratch [64]byte
	d, ok := decimal.Parse(scratch[:], text)
	if !ok {
		return Value{}, errors.New(decimal.NotNumber)
	}
	decimals := len(d.Digits) - d.Point
	if d.Point > maxDigits || decimals > maxDigits {
		return Value{}, errDigits
	}
	if len(d.Digits) <= 18 && decimals <= 18 && d.Point <= 18 {
		n := int64(0)
		for _, c := range d.Digits {
			n = n*10 + int64(c-'0')
		}
		if d.Negative {
			n = -n
		}
		if decimals < 0 {
			return IntOf(n * smallPowers[-decimals]), nil
		}
		return ratio(n, smallPowers[decimals]), nil
	}
	n, _ := new(big.Int).SetString(string(d.Digits), 10)
	if d.Negative {
		n.Neg(n)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(decimals, -decimals))), nil)
	if decimals < 0 {
		return ofRat(new(big.Rat).SetInt(n.Mul(n, unit)))
	}
	return ofRat(new(big.Rat).SetFrac(n, unit))
}

// shortInt reads up to 18 digits with a minus.
func shortInt(text []byte) (n int64, ok bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

func addInt(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// small reports that both are small numbers.
func small(a, b Value) bool { return a.ref == nil && b.ref == nil }

func add(a, b Value) (Value, error) {
	if small(a, b) {
		if a.d == b.d {
			if n, ok := addInt(a.n, b.n); ok {
				return ratio(n, a.d), nil
			}
		} else if n, m, d, ok := common(a, b); ok {
			if sum, ok := addInt(n, m); ok {
				return ratio(sum, d), nil
			}
		}
	}
	return ofRat(new(big.Rat).Add(a.rat(), b.rat()))
}

// common brings two small numbers to one denominator.
func common(a, b Value) (n, m, d int64, ok bool) {
	switch {
	case b.d%a.d == 0:
		n, ok = mulInt(a.n, b.d/a.d)
		return n, b.n, b.d, ok
	case a.d%b.d == 0:
		m, ok = mulInt(b.n, a.d/b.d)
		return a.n, m, a.d, ok
	}
	n, ok1 := mulInt(a.n, b.d)
	m, ok2 := mulInt(b.n, a.d)
	d, ok3 := mulInt(a.d, b.d)
	return n, m, d, ok1 && ok2 && ok3
}

func negate(a Value) (Value, error) {
	if a.ref == nil && a.n != math.MinInt64 {
		return ratio(-a.n, a.d), nil
	}
	return ofRat(new(big.Rat).Neg(a.rat()))
}

func subtract(a, b Value) (Value, error) {
	if small(a, b) && b.n != math.MinInt64 {
		return add(a, ratio(-b.n, b.d))
	}
	return ofRat(new(big.Rat).Sub(a.rat(), b.rat()))
}

func multiply(a, b Value) (Value, error) {
	if small(a, b) {
		n, ok1 := mulInt(a.n, b.n)
		d, ok2 := mulInt(a.d, b.d)
		if ok1 && ok2 {
			return ratio(n, d), nil
		}
	}
	return ofRat(new(big.Rat).Mul(a.rat(), b.rat()))
}

func divide(a, b Value) (Value, error) {
	if sign(b) == 0 {
		return Value{}, errDivision
	}
	if small(a, b) && b.n != math.MinInt64 && a.n != math.MinInt64 {
		n, d := b.d, b.n
		if d < 0 {
			n, d = -n, -d
		}
		num, ok1 := mulInt(a.n, n)
		den, ok2 := mulInt(a.d, d)
		if ok1 && ok2 {
			return ratio(num, den), nil
		}
	}
	return ofRat(new(big.Rat).Quo(a.rat(), b.rat()))
}

// remainder has the sign of the dividend, as SQL has it.
func remainder(a, b Value) (Value, error) {
	if sign(b) == 0 {
		return Value{}, errDivision
	}
	if small(a, b) {
		if n, m, d, ok := common(a, b); ok {
			if m == -1 {
				return ratio(0, 1), nil
			}
			return ratio(n%m, d), nil
		}
	}
	q := new(big.Rat).Quo(a.rat(), b.rat())
	whole := new(big.Rat).SetInt(new(big.Int).Quo(q.Num(), q.Denom()))
	return ofRat(whole.Sub(a.rat(), whole.Mul(b.rat(), whole)))
}

func sign(a Value) int {
	if r, ok := a.ref.(*big.Rat); ok {
		return r.Sign()
	}
	switch {
	case a.n < 0:
		return -1
	case a.n > 0:
		return 1
	}
	return 0
}

func compareNumbers(a, b Value) int {
	if small(a, b) {
		if n, m, _, ok := common(a, b); ok {
			switch {
			case n < m:
				return -1
			case n > m:
				return 1
			}
			return 0
		}
	}
	return a.rat().Cmp(b.rat())
}

// raise returns a to the power of b, which is whole.
func raise(a, b Value) (Value, error) {
	exponent, fits := whole(b)
	r := a.rat()
	switch {
	case sign(b) == 0:
		return IntOf(1), nil
	case sign(a) == 0 && sign(b) < 0:
		return Value{}, errDivision
	case r.IsInt() && r.Num().IsInt64() && (r.Num().Int64() == 1 || r.Num().Int64() == 0):
		return a, nil
	case r.IsInt() && r.Num().IsInt64() && r.Num().Int64() == -1:
		if b.rat().Num().Bit(0) == 0 {
			return IntOf(1), nil
		}
		return a, nil
	}
	// The greater of both has at least two bits: it grows by one with each factor.
	longest := max(r.Num().BitLen(), r.Denom().BitLen())
	times := magnitude(exponent)
	if !fits || uint64(longest-1)*min(maxDigits*4, times) > uint64(limit.BitLen()) {
		return Value{}, errLong
	}
	e := new(big.Int).SetUint64(times)
	n, d := new(big.Int).Exp(r.Num(), e, nil), new(big.Int).Exp(r.Denom(), e, nil)
	if sign(b) < 0 {
		n, d = d, n
	}
	return ofRat(new(big.Rat).SetFrac(n, d))
}

// whole returns a number that is whole and fits 64 bits.
func whole(v Value) (n int64, ok bool) {
	switch {
	case v.kind != Number:
		return 0, false
	case v.ref == nil:
		return v.n / v.d, v.n%v.d == 0
	}
	r := v.rat()
	return r.Num().Int64(), r.IsInt() && r.Num().IsInt64()
}

// isWhole reports whether a number has no fraction.
func isWhole(v Value) bool { return v.ref == nil && v.n%v.d == 0 || v.ref != nil && v.rat().IsInt() }

// nearest rounds to an integer, half away from zero.
func nearest(x *big.Rat) *big.Int {
	n := new(big.Int).Lsh(x.Num(), 1)
	d := x.Denom()
	if x.Sign() < 0 {
		n.Sub(n, d)
	} else {
		n.Add(n, d)
	}
	return n.Quo(n, new(big.Int).Lsh(d, 1))
}

// nearestInt rounds a number × 10^scale to an integer, half away from zero;
// false = it does not fit 64 bits that way.
func nearestInt(v Value, scale int) (int64, bool) {
	if v.ref != nil || scale >= len(smallPowers) {
		return 0, false
	}
	hi, lo := bits.Mul64(magnitude(v.n), uint64(smallPowers[scale]))
	d := uint64(v.d)
	if hi >= d {
		return 0, false
	}
	q, rest := bits.Div64(hi, lo, d)
	if rest >= d-rest {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if v.n < 0 {
		return -int64(q), true
	}
	return int64(q), true
}

// toDouble returns any number as a double.
func toDouble(v Value) float64 {
	if v.kind == Double {
		return v.double()
	}
	if v.ref == nil && v.d == 1 {
		return float64(v.n)
	}
	f, _ := v.rat().Float64()
	return f
}

// finite returns a double, or an error when it is none that a column holds.
func finite(f float64) (Value, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return Value{}, errRange
	}
	if f == 0 {
		f = 0 // without a sign
	}
	return doubleOf(f), nil
}

// exactly returns the number that a double is.
func exactly(f float64) Value {
	v, _ := ofRat(new(big.Rat).SetFloat64(f)) // of at most 1,074 bits behind its point
	return v
}

// median returns the middle of sorted numbers, or the mean of both.
func median(sorted []Value) (Value, error) {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2], nil
	}
	sum, err := arithmetic("+", sorted[n/2-1], sorted[n/2])
	if err != nil {
		return Value{}, err
	}
	return arithmetic("/", sum, IntOf(2))
}

// arithmetic computes with two numbers; where one is a double, as doubles do.
func arithmetic(op string, a, b Value) (Value, error) {
	if a.kind == Double || b.kind == Double || op == "**" && !isWhole(b) {
		return inexact(op, toDouble(a), toDouble(b))
	}
	switch op {
	case "+":
		return add(a, b)
	case "-":
		return subtract(a, b)
	case "*":
		return multiply(a, b)
	case "/":
		return divide(a, b)
	case "%":
		return remainder(a, b)
	default:
		return raise(a, b)
	}
}

func inexact(op string, f, g float64) (Value, error) {
	switch op {
	case "+":
		return finite(f + g)
	case "-":
		return finite(f - g)
	case "*":
		return finite(f * g)
	case "**":
		return finite(math.Pow(f, g))
	}
	if g == 0 {
		return Value{}, errDivision
	}
	if op == "%" {
		return finite(math.Mod(f, g))
	}
	return finite(f / g)
}

// literal reads a number as an expression writes it: 0x, 0b and 0o stand before
// other bases.
func literal(text string) (Value, error) {
	if len(text) > 2 && text[0] == '0' && strings.ContainsRune("xXbBoO", rune(text[1])) {
		n, ok := new(big.Int).SetString(text, 0)
		if !ok {
			return Value{}, errors.New(decimal.NotNumber)
		}
		return ofRat(new(big.Rat).SetInt(n))
	}
	if text[0] == '.' {
		text = "0" + text
	}
	if whole, rest, ok := strings.Cut(text, "."); ok && (rest == "" || rest[0]|0x20 == 'e') {
		text = whole + rest
	}
	return NumberOf([]byte(text))
}
