package pattern

import "bytes"

// decimal is a number of any length: 0.digits × 10^exp. The digits have no
// zeros at either end; zero has none at all.
type decimal struct {
	negative bool
	digits   []byte
	exp      int
}

// maxExponent bounds exponents, so that adding to them cannot overflow. Digits
// and exponents of real numbers stay far below.
const maxExponent = 1 << 40

// parseDecimal reads a number as JSON writes it. The digits are appended to buf,
// which the decimal shares.
func parseDecimal(text, buf []byte) (d decimal, ok bool) {
	i := 0
	if i < len(text) && text[i] == '-' {
		d.negative = true
		i++
	}
	start := len(buf)
	whole, i := appendDigits(&buf, text, i)
	if whole == 0 {
		return d, false
	}
	if i < len(text) && text[i] == '.' {
		fraction, next := appendDigits(&buf, text, i+1)
		if fraction == 0 {
			return d, false
		}
		i = next
	}
	exp, ok := parseExponent(text[i:])
	if !ok {
		return d, false
	}
	digits := buf[start:]
	trimmed := bytes.TrimLeft(digits, "0")
	d.exp = whole + exp - (len(digits) - len(trimmed))
	d.digits = bytes.TrimRight(trimmed, "0")
	if len(d.digits) == 0 {
		return decimal{}, true
	}
	return d, true
}

// appendDigits appends the digits of text from i on to buf, and returns how many
// there are and where they end.
func appendDigits(buf *[]byte, text []byte, i int) (n, end int) {
	end = i
	for end < len(text) && text[end]-'0' <= 9 {
		end++
	}
	*buf = append(*buf, text[i:end]...)
	return end - i, end
}

// parseExponent reads what follows the digits: nothing, or e and an exponent.
func parseExponent(text []byte) (exp int, ok bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0]|0x20 != 'e' {
		return 0, false
	}
	i, sign := 1, 1
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		if text[i] == '-' {
			sign = -1
		}
		i++
	}
	if i == len(text) {
		return 0, false
	}
	for ; i < len(text); i++ {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		exp = min(exp*10+int(digit), maxExponent)
	}
	return sign * exp, true
}

// Compare compares two numbers, as JSON writes them, by value: -1, 0 or 1 as a
// is less than, equal to or greater than b. What is no number counts as 0.
func Compare(a, b []byte) int {
	x, _ := parseDecimal(a, nil)
	y, _ := parseDecimal(b, nil)
	return x.compare(y)
}

// compare returns -1, 0 or 1 as d is less than, equal to or greater than o.
func (d decimal) compare(o decimal) int {
	if ds, os := d.sign(), o.sign(); ds != os || ds == 0 {
		return ds - os
	}
	c := 0
	switch {
	case d.exp < o.exp:
		c = -1
	case d.exp > o.exp:
		c = 1
	default:
		c = bytes.Compare(d.digits, o.digits)
	}
	if d.negative {
		return -c
	}
	return c
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}
