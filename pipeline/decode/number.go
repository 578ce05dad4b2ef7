package decode

import (
	"bytes"
	"strconv"
)

// maxPlain is the length up to which a normalised number is written without an
// exponent. Any number of DynamoDB with its 38 digits and a usual size fits.
const maxPlain = 64

// decimal is a valid JSON number taken apart: 0.digits × 10^point, with neither
// leading nor trailing zeros in digits. Zero has no digits and no sign.
type decimal struct {
	negative bool
	point    int64
	digits   []byte // shares the text, or scratch
}

// maxExponent bounds exponents, so that sums of them do not overflow. It is far
// beyond what DynamoDB or any column can hold.
const maxExponent = 1 << 40

// parseDecimal takes a valid number apart; scratch is overwritten.
func parseDecimal(scratch, text []byte) decimal {
	var d decimal
	if text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	exponent := int64(0)
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		// A range error leaves the greatest value of the right sign.
		exponent, _ = strconv.ParseInt(string(text[e+1:]), 10, 64)
		exponent = min(max(exponent, -maxExponent), maxExponent)
		text = text[:e]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	d.digits = append(append(scratch[:0], whole...), fraction...)
	d.point = int64(len(whole)) + exponent
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.point--
	}
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		d = decimal{}
	}
	return d
}

// appendNumber appends a valid JSON number in the one spelling that all equal
// numbers share: plain digits without needless zeros, or, longer than maxPlain,
// digits and an exponent.
func appendNumber(dst, text []byte) []byte {
	var scratch [maxPlain]byte
	d := parseDecimal(scratch[:], text)
	n := int64(len(d.digits))
	if n == 0 {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	length := max(n, d.point)
	switch {
	case d.point <= 0:
		length = 2 - d.point + n
	case d.point < n:
		length = n + 1
	}
	if d.negative {
		length++
	}
	switch {
	case length > maxPlain:
		dst = append(append(dst, d.digits...), 'e')
		return strconv.AppendInt(dst, d.point-n, 10)
	case d.point <= 0:
		dst = append(dst, "0."...)
		return append(appendZeros(dst, -d.point), d.digits...)
	case d.point < n:
		dst = append(append(dst, d.digits[:d.point]...), '.')
		return append(dst, d.digits[d.point:]...)
	}
	return appendZeros(append(dst, d.digits...), d.point-n)
}

func appendZeros(dst []byte, n int64) []byte {
	for ; n > 0; n-- {
		dst = append(dst, '0')
	}
	return dst
}

// compareNumbers compares valid JSON numbers by value.
func compareNumbers(a, b []byte) int {
	x, y := parseDecimal(nil, a), parseDecimal(nil, b)
	switch {
	case x.negative != y.negative:
		if x.negative {
			return -1
		}
		return 1
	case x.negative:
		x, y = y, x
	}
	switch {
	case len(x.digits) == 0 || len(y.digits) == 0:
		return len(x.digits) - len(y.digits)
	case x.point != y.point:
		if x.point < y.point {
			return -1
		}
		return 1
	}
	return bytes.Compare(x.digits, y.digits)
}

// scaled returns number × 10^power, cut off at the point; false = it does not
// fit 64 bits.
func scaled(text []byte, power int) (int64, bool) {
	if len(text)+power <= 18 {
		if n, ok := digitsOnly(text); ok {
			for range power {
				n *= 10
			}
			return n, true
		}
	}
	var scratch [maxPlain]byte
	d := parseDecimal(scratch[:], text)
	point := d.point + int64(power)
	if len(d.digits) == 0 || point <= 0 {
		return 0, true
	}
	if point > 19 {
		return 0, false
	}
	var u uint64
	for i := range int(point) {
		c := uint64(0)
		if i < len(d.digits) {
			c = uint64(d.digits[i] - '0')
		}
		u = u*10 + c
	}
	limit := uint64(1)<<63 - 1
	if d.negative {
		limit++
	}
	if u > limit {
		return 0, false
	}
	if d.negative {
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
