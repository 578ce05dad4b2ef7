package dynamodbtest

import (
	"strconv"
	"strings"
)

// number is a decimal number: 0.digits × 10^exponent, with neither first nor last digit 0; zero has none.
type number struct {
	negative bool
	digits   string
	exponent int
}

// The bounds of numbers: 38 digits, from 1E-130 to 9.9…E+125.
const (
	maxDigits   = 38
	maxExponent = 126
	minExponent = -129
)

// parseNumber reads a number by the service's rules.
func parseNumber(text string) (n number, err error) {
	rest, negative := strings.CutPrefix(text, "-")
	if !negative {
		rest = strings.TrimPrefix(rest, "+")
	}
	mantissa, power := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		if power, err = strconv.Atoi(rest[i+1:]); err != nil {
			return n, notNumeric(text)
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return n, notNumeric(text)
	}
	significant := strings.TrimLeft(digits, "0")
	n = number{negative: negative, digits: strings.TrimRight(significant, "0"), exponent: len(whole) + power - (len(digits) - len(significant))}
	switch {
	case n.digits == "":
		return number{}, nil
	case len(n.digits) > maxDigits:
		return n, invalid("Attempting to store more than 38 significant digits in a Number")
	case n.exponent > maxExponent:
		return n, invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case n.exponent < minExponent:
		return n, invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return n, nil
}

func notNumeric(text string) error {
	return invalid("The parameter cannot be converted to a numeric value: %s", text)
}

// String writes a number as the service does: without an exponent, and without zeros that say nothing.
func (n number) String() string {
	sign := ""
	if n.negative {
		sign = "-"
	}
	switch {
	case n.digits == "":
		return "0"
	case n.exponent <= 0:
		return sign + "0." + strings.Repeat("0", -n.exponent) + n.digits
	case n.exponent >= len(n.digits):
		return sign + n.digits + strings.Repeat("0", n.exponent-len(n.digits))
	default:
		return sign + n.digits[:n.exponent] + "." + n.digits[n.exponent:]
	}
}

// normalNumber is the text by which the service knows a number.
func normalNumber(text string) (string, error) {
	n, err := parseNumber(text)
	return n.String(), err
}

// numberSize is what a number counts for.
func numberSize(text string) int {
	n, err := parseNumber(text)
	if err != nil || n.digits == "" {
		return 1
	}
	size := (len(n.digits)+1)/2 + 1
	if n.negative {
		size++
	}
	return size
}

// sortable returns bytes that are ordered as numbers are.
func (n number) sortable() string {
	if n.digits == "" {
		return "1"
	}
	b := make([]byte, 0, len(n.digits)+3)
	b = append(b, '2', byte(n.exponent-minExponent))
	b = append(b, n.digits...)
	if !n.negative {
		return string(b)
	}
	b[0] = '0'
	for i := 1; i < len(b); i++ {
		b[i] = ^b[i]
	}
	return string(append(b, 0xff))
}
