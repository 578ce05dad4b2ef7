package decimal

import (
	"math/bits"
	"strconv"
	"unsafe"
)

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

// FromTwos returns the integer that two's complement says.
func FromTwos(hi int64, lo uint64) Integer {
	if hi >= 0 {
		return Integer{hi: uint64(hi), lo: lo}
	}
	low, borrow := bits.Sub64(0, lo, 0)
	high, _ := bits.Sub64(0, uint64(hi), borrow)
	return Integer{negative: true, hi: high, lo: low}
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

// Int64 returns the integer; false = it does not fit 64 bits.
func (n Integer) Int64() (int64, bool) {
	switch {
	case n.hi != 0 || n.lo > 1<<63 || n.lo == 1<<63 && !n.negative:
		return 0, false
	case n.negative:
		return int64(-n.lo), true
	default:
		return int64(n.lo), true
	}
}

// Append appends the integer ÷ 10^scale, with scale fraction digits.
func (n Integer) Append(dst []byte, scale int) []byte {
	if n.negative && n.hi|n.lo != 0 {
		dst = append(dst, '-')
	}
	var all [40]byte // 128 bits have 39 digits
	at := len(all)
	for hi, lo := n.hi, n.lo; hi > 0 || lo > 0; at-- {
		var rest uint64
		hi, lo, rest = divide(hi, lo)
		all[at-1] = '0' + byte(rest)
	}
	whole := max(0, len(all)-at-scale)
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, all[at:at+whole]...)
	if scale > 0 {
		dst = appendZeros(append(dst, '.'), scale-(len(all)-at-whole))
		dst = append(dst, all[at+whole:]...)
	}
	return dst
}

// divide divides by ten.
func divide(hi, lo uint64) (qhi, qlo, rest uint64) {
	qhi, rest = hi/10, hi%10
	qlo, rest = bits.Div64(rest, lo, 10)
	return qhi, qlo, rest
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

// long scales any number; text is without its sign.
func long(n Integer, text []byte, scale, digits int) (Integer, string) {
	whole, fraction, exp, ok := split(text)
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

// Int64 reads an integer; a fraction of zeros and an exponent are allowed.
func Int64(text []byte) (v int64, reason string) {
	n, reason := Scaled(text, 0, 19)
	if reason != "" {
		return 0, reason
	}
	v, ok := n.Int64()
	if !ok {
		return 0, OutOfRange
	}
	return v, ""
}

// Float reads the nearest double. Zero has no sign: equal keys have equal bytes.
func Float(text []byte) (v float64, reason string) {
	if _, _, _, ok := split(text[sign(text):]); !ok {
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
