package expression

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

var conversions = []function{
	{name: "string", params: takes(anything), gives: always(String), call: func(m *machine, a []Value) (Value, error) {
		s := a[0].Text()
		return StringOf(s), m.make(len(s))
	}},
	{name: "int", params: takes(numeric | String), gives: always(Number), call: toInt},
	{name: "decimal", params: takes(numeric | String), gives: always(Number), call: toDecimal},
	{name: "float", params: takes(numeric | String), gives: always(Double), call: toFloat},
	{name: "type", params: takes(anything), gives: always(String), nulls: true, call: func(_ *machine, a []Value) (Value, error) {
		return StringOf(a[0].Kind().String()), nil
	}},
	{name: "toJSON", params: takes(anything), gives: always(String), call: func(m *machine, a []Value) (Value, error) {
		s := string(appendJSON(nil, a[0]))
		return StringOf(s), m.make(len(s))
	}},
	{name: "fromJSON", params: takes(String), gives: func([]node) Type { return Document }, call: fromJSON},
	{name: "toBase64", params: takes(String), gives: always(String), call: func(m *machine, a []Value) (Value, error) {
		return StringOf(base64.StdEncoding.EncodeToString([]byte(a[0].s))), m.make(2 * len(a[0].s))
	}},
	{name: "fromBase64", params: takes(String), gives: always(String), call: fromBase64},
}

// toDecimal returns the exact number of a number or its text: of a double, what
// is written of it.
func toDecimal(_ *machine, a []Value) (Value, error) {
	switch v := a[0]; v.kind {
	case Number:
		return v, nil
	case Double:
		return NumberOf(appendDouble(nil, v.double()))
	default:
		n, err := NumberOf([]byte(v.s))
		if err != nil {
			return Value{}, fmt.Errorf("%s %w", quote(v), err)
		}
		return n, nil
	}
}

// toInt cuts the fraction off.
func toInt(m *machine, a []Value) (Value, error) {
	v, err := toDecimal(m, a)
	if err != nil {
		return Value{}, err
	}
	if v.ref == nil {
		return IntOf(v.n / v.d), nil
	}
	r := v.rat()
	return ofRat(new(big.Rat).SetInt(new(big.Int).Quo(r.Num(), r.Denom())))
}

func toFloat(_ *machine, a []Value) (Value, error) {
	if a[0].kind != String {
		return finite(toDouble(a[0]))
	}
	f, reason := decimal.Float([]byte(a[0].s))
	if reason != "" {
		return Value{}, fmt.Errorf("%s %s", quote(a[0]), reason)
	}
	return doubleOf(f), nil
}

func fromJSON(m *machine, a []Value) (Value, error) {
	if err := m.make(8 * len(a[0].s)); err != nil { // values are larger than their text
		return Value{}, err
	}
	v, err := ParseJSON([]byte(a[0].s))
	if err != nil {
		return Value{}, fmt.Errorf("fromJSON: %s %w", quote(a[0]), err)
	}
	return v, nil
}

func fromBase64(m *machine, a []Value) (Value, error) {
	b, err := base64.StdEncoding.DecodeString(a[0].s)
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("fromBase64: %s is not base64", quote(a[0]))
	case !utf8.Valid(b):
		return Value{}, fmt.Errorf("fromBase64: the bytes of %s are not UTF-8", quote(a[0]))
	}
	return StringOf(string(b)), m.make(len(b))
}
