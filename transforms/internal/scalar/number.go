package scalar

import (
	"math/bits"
	"strconv"
	"unsafe"
)

// Numbers are read from their text by integer arithmetic; nothing is rounded.

// Why a text is not a number of a column.
const (
	NotNumber  = "is not a number"
	OutOfRange = "is out of range"
	NotExact   = "has more fraction digits"
)

// pow10 holds the powers of ten that fit 64 bits.
var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// Integer is a sign and a magnitude of 128 bits.
type Integer struct {
	negative bool
	hi, lo   uint64
}

// Twos returns the integer in two's complement.
func (n Integer) Twos() (hi, lo uint64) {
	if !n.negative {
		return n.hi, n.lo
	}
	lo, borrow := bits.Sub64(0, n.lo, 0)
	hi, _ = bits.Sub64(0, n.hi, borrow)
	return hi, lo
}

// Scaled returns the number × 10^scale, which must be an integer of at most
// digits decimal digits (up to 38). The number is written with an optional
// sign, digits, an optional fraction and an optional exponent. The reason is
// empty if all is well.
func Scaled(text []byte, scale, digits int) (n Integer, reason string) {
	i := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		n.negative = text[0] == '-'
		i = 1
	}
	if len(text)-i > 19 {
		return long(n, text[i:], scale, digits)
	}
	var v uint64
	fraction, seen, point := 0, 0, false
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c-'0' <= 9:
			v = v*10 + uint64(c-'0')
			seen++
			if point {
				fraction++
			}
		case c == '.' && !point && seen > 0:
			point = true
		default:
			return long(n, text[sign(text):], scale, digits)
		}
	}
	if seen == 0 || point && fraction == 0 {
		return n, NotNumber
	}
	return short(n, v, fraction, scale, digits)
}

func sign(text []byte) int {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return 1
	}
	return 0
}

// short scales a number of at most 19 digits that has no exponent.
func short(n Integer, v uint64, fraction, scale, digits int) (Integer, string) {
	if fraction > scale {
		p := pow10[fraction-scale]
		if v%p != 0 {
			return n, NotExact
		}
		n.lo = v / p
	} else {
		n.hi, n.lo = mulPow10(0, v, scale-fraction)
		if v != 0 && decimalDigits(v)+scale-fraction > digits {
			return n, OutOfRange
		}
		return n, ""
	}
	if n.lo != 0 && decimalDigits(n.lo) > digits {
		return n, OutOfRange
	}
	return n, ""
}

// decimalDigits counts the digits of v, which is not 0.
func decimalDigits(v uint64) int {
	d := (bits.Len64(v)*1233)>>12 + 1
	if d <= len(pow10) && v < pow10[d-1] {
		d--
	}
	return d
}

// mulPow10 multiplies by 10^n; what overflows 128 bits is lost.
func mulPow10(hi, lo uint64, n int) (uint64, uint64) {
	for n > 0 {
		step := min(n, len(pow10)-1)
		hi, lo = mulAdd(hi, lo, pow10[step], 0)
		n -= step
	}
	return hi, lo
}

func mulAdd(hi, lo, factor, add uint64) (uint64, uint64) {
	carry, low := bits.Mul64(lo, factor)
	low, c := bits.Add64(low, add, 0)
	return hi*factor + carry + c, low
}

// Digits returns the digits of a number before and behind its point, and its
// exponent; ok = false where the text is none.
func Digits(text []byte) (whole, fraction []byte, exp int, ok bool) {
	return parts(text[sign(text):])
}

// maxExponent bounds exponents so that adding to them cannot overflow.
const maxExponent = 1 << 40

// long scales any number; text is without its sign.
func long(n Integer, text []byte, scale, digits int) (Integer, string) {
	whole, fraction, exp, ok := parts(text)
	if !ok {
		return n, NotNumber
	}
	for len(fraction) > 0 && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	if len(whole) == 0 {
		for len(fraction) > 0 && fraction[0] == '0' {
			fraction = fraction[1:]
			exp--
		}
		if len(fraction) == 0 {
			return Integer{}, ""
		}
		// The fraction's first digits were dropped with the power they had.
		whole, fraction, exp = fraction, nil, exp-len(fraction)
	}
	significant := len(whole) + len(fraction)
	if len(fraction) == 0 {
		for whole[len(whole)-1] == '0' {
			whole = whole[:len(whole)-1]
			exp++
			significant--
		}
	}
	// The digits are an integer now, that is to be multiplied by 10^shift.
	shift := exp - len(fraction) + scale
	if shift < 0 {
		return n, NotExact
	}
	if significant+shift > digits {
		return n, OutOfRange
	}
	for _, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			n.hi, n.lo = mulAdd(n.hi, n.lo, 10, uint64(c-'0'))
		}
	}
	n.hi, n.lo = mulPow10(n.hi, n.lo, shift)
	return n, ""
}

// parts splits a number without sign.
func parts(text []byte) (whole, fraction []byte, exp int, ok bool) {
	whole, text = digits(text)
	if len(whole) == 0 {
		return nil, nil, 0, false
	}
	if len(text) > 0 && text[0] == '.' {
		if fraction, text = digits(text[1:]); len(fraction) == 0 {
			return nil, nil, 0, false
		}
	}
	if len(text) == 0 {
		return whole, fraction, 0, true
	}
	if text[0]|0x20 != 'e' {
		return nil, nil, 0, false
	}
	text = text[1:]
	minus := len(text) > 0 && text[0] == '-'
	power, rest := digits(text[sign(text):])
	if len(power) == 0 || len(rest) > 0 {
		return nil, nil, 0, false
	}
	for _, c := range power {
		exp = min(exp*10+int(c-'0'), maxExponent)
	}
	if minus {
		exp = -exp
	}
	return whole, fraction, exp, true
}

// digits splits text behind its leading digits.
func digits(text []byte) (head, rest []byte) {
	i := 0
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return text[:i], text[i:]
}

// ParseInt64 reads an integer; a fraction of zeros and an exponent are allowed.
func ParseInt64(text []byte) (v int64, reason string) {
	n, reason := Scaled(text, 0, 19)
	if reason != "" {
		return 0, reason
	}
	switch {
	case n.hi != 0 || n.lo > 1<<63 || n.lo == 1<<63 && !n.negative:
		return 0, OutOfRange
	case n.negative:
		return int64(-n.lo), ""
	default:
		return int64(n.lo), ""
	}
}

// ParseDouble reads the nearest double. Zero has no sign: equal keys have equal bytes.
func ParseDouble(text []byte) (v float64, reason string) {
	if _, _, _, ok := parts(text[sign(text):]); !ok {
		return 0, NotNumber
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil {
		return 0, OutOfRange
	}
	if v == 0 {
		v = 0
	}
	return v, ""
}
