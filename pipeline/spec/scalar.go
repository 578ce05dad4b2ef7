package spec

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
)

var (
	numberPattern = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	basedPattern  = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+)$`)
)

// plainKind returns the kind of a scalar without quotes, by YAML 1.2's core
// schema: on, off, yes and no are texts, and so are dates.
func plainKind(text string) NodeKind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if len(text) <= 4096 && (numberPattern.MatchString(text) || basedPattern.MatchString(text)) {
		return Number
	}
	return Text
}

// leadingZero reports a number that people write as text: a postcode, a code.
func leadingZero(text string) bool {
	text = strings.TrimLeft(text, "+-")
	return len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9'
}

// jsonNumber writes a YAML number as JSON does, all its digits kept.
func jsonNumber(text string) json.Number {
	if basedPattern.MatchString(text) {
		if n, ok := new(big.Int).SetString(text, 0); ok {
			return json.Number(n.String())
		}
	}
	sign := ""
	if text[0] == '+' || text[0] == '-' {
		sign, text = strings.TrimPrefix(text[:1], "+"), text[1:]
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	if strings.HasPrefix(mantissa, ".") {
		mantissa = "0" + mantissa
	}
	mantissa = strings.TrimSuffix(mantissa, ".")
	if whole, frac, ok := strings.Cut(mantissa, "."); ok {
		mantissa = trimZeros(whole) + "." + frac
	} else {
		mantissa = trimZeros(mantissa)
	}
	if hasExponent {
		mantissa += "e" + exponent
	}
	return json.Number(sign + mantissa)
}

// trimZeros removes leading zeros but the last.
func trimZeros(digits string) string {
	if t := strings.TrimLeft(digits, "0"); t != "" {
		return t
	}
	return "0"
}
