package decimal

import (
	"bytes"
	"strconv"
)

// Number is a number of any length taken apart: 0.Digits × 10^Point, without
// zeros at either end of Digits. Zero has no digits, no point and no sign.
type Number struct {
	Negative bool
	Point    int
	Digits   []byte // shares the text, or scratch
}

// maxExponent bounds exponents so that adding to them cannot overflow. It is far
// beyond what DynamoDB or any column can hold.
const maxExponent = 1 << 40

// Parse takes a number apart. The digits of one with a fraction are put
// together in scratch, which is overwritten. ok = false where the text is no number.
func Parse(scratch, text []byte) (n Number, ok bool) {
	whole, fraction, exponent, ok := split(text[sign(text):])
	if !ok {
		return Number{}, false
	}
	n = Number{Negative: text[0] == '-', Point: len(whole) + exponent, Digits: whole}
	if len(fraction) > 0 {
		n.Digits = append(append(scratch[:0], whole...), fraction...)
	}
	zeros := 0
	for zeros < len(n.Digits) && n.Digits[zeros] == '0' {
		zeros++
	}
	end := len(n.Digits)
	for end > zeros && n.Digits[end-1] == '0' {
		end--
	}
	if zeros == end {
		return Number{}, true
	}
	n.Digits, n.Point = n.Digits[zeros:end], n.Point-zeros
	return n, true
}

// Sign returns -1, 0 or 1.
func (n Number) Sign() int {
	switch {
	case len(n.Digits) == 0:
		return 0
	case n.Negative:
		return -1
	default:
		return 1
	}
}

// Compare returns -1, 0 or 1 as n is less than, equal to or greater than o.
func (n Number) Compare(o Number) int {
	if a, b := n.Sign(), o.Sign(); a != b || a == 0 {
		return min(1, max(-1, a-b))
	}
	c := 0
	switch {
	case n.Point < o.Point:
		c = -1
	case n.Point > o.Point:
		c = 1
	default:
		c = bytes.Compare(n.Digits, o.Digits)
	}
	if n.Negative {
		return -c
	}
	return c
}

// Compare compares two numbers by value: -1, 0 or 1 as a is less than, equal to
// or greater than b. What is no number counts as 0.
func Compare(a, b []byte) int {
	var one, two [MaxPlain]byte
	x, _ := Parse(one[:], a)
	y, _ := Parse(two[:], b)
	return x.Compare(y)
}

// MaxPlain is the length up to which Append writes a number without an
// exponent. Any number of DynamoDB with its 38 digits and a usual size fits.
const MaxPlain = 64

// Append appends a number in the one spelling that all equal numbers share:
// plain digits without needless zeros, or, longer than 64 characters, digits and
// an exponent. The text has to be a number.
func Append(dst, text []byte) []byte {
	var scratch [MaxPlain]byte
	d, _ := Parse(scratch[:], text)
	n := len(d.Digits)
	if n == 0 {
		return append(dst, '0')
	}
	length := max(n, d.Point)
	switch {
	case d.Point <= 0:
		length = 2 - d.Point + n
	case d.Point < n:
		length = n + 1
	}
	if d.Negative {
		dst = append(dst, '-')
		length++
	}
	switch {
	case length > MaxPlain:
		dst = append(append(dst, d.Digits...), 'e')
		return strconv.AppendInt(dst, int64(d.Point-n), 10)
	case d.Point <= 0:
		dst = append(dst, "0."...)
		return append(appendZeros(dst, -d.Point), d.Digits...)
	case d.Point < n:
		dst = append(append(dst, d.Digits[:d.Point]...), '.')
		return append(dst, d.Digits[d.Point:]...)
	}
	return appendZeros(append(dst, d.Digits...), d.Point-n)
}

func appendZeros(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, '0')
	}
	return dst
}

// Cut returns a number × 10^power, cut off at the point; false = it does not fit
// 64 bits. The text has to be a number.
func Cut(text []byte, power int) (int64, bool) {
	if len(text)+power <= 18 {
		if n, ok := digitsOnly(text); ok {
			for range power {
				n *= 10
			}
			return n, true
		}
	}
	var scratch [MaxPlain]byte
	d, _ := Parse(scratch[:], text)
	point := d.Point + power
	if len(d.Digits) == 0 || point <= 0 {
		return 0, true
	}
	if point > 19 {
		return 0, false
	}
	var u uint64
	for i := range point {
		c := uint64(0)
		if i < len(d.Digits) {
			c = uint64(d.Digits[i] - '0')
		}
		u = u*10 + c
	}
	limit := uint64(1)<<63 - 1
	if d.Negative {
		limit++
	}
	if u > limit {
		return 0, false
	}
	if d.Negative {
		return -int64(u), true
	}
	return int64(u), true
}

// digitsOnly reads at most 18 digits, and nothing else.
func digitsOnly(text []byte) (int64, bool) {
	n := int64(0)
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// sign returns the length of the sign that text begins with.
func sign(text []byte) int {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return 1
	}
	return 0
}

// split splits a number without sign.
func split(text []byte) (whole, fraction []byte, exponent int, ok bool) {
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
		exponent = min(exponent*10+int(c-'0'), maxExponent)
	}
	if minus {
		exponent = -exponent
	}
	return whole, fraction, exponent, true
}

// digits splits text behind its leading digits.
func digits(text []byte) (head, rest []byte) {
	i := 0
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return text[:i], text[i:]
}
