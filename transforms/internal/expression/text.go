package expression

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Strings are of characters: no function gives a part of one.

var textFunctions = []function{
	{name: "upper", params: takes(String), gives: always(String), call: mapped(strings.ToUpper)},
	{name: "lower", params: takes(String), gives: always(String), call: mapped(strings.ToLower)},
	{name: "trim", params: optionally(takes(String, String)), gives: always(String), call: trim},
	{name: "trimPrefix", params: takes(String, String), gives: always(String), call: func(_ *machine, a []Value) (Value, error) {
		return StringOf(strings.TrimPrefix(a[0].s, a[1].s)), nil
	}},
	{name: "trimSuffix", params: takes(String, String), gives: always(String), call: func(_ *machine, a []Value) (Value, error) {
		return StringOf(strings.TrimSuffix(a[0].s, a[1].s)), nil
	}},
	{name: "hasPrefix", params: takes(String, String), gives: always(Bool), call: func(_ *machine, a []Value) (Value, error) {
		return BoolOf(strings.HasPrefix(a[0].s, a[1].s)), nil
	}},
	{name: "hasSuffix", params: takes(String, String), gives: always(Bool), call: func(_ *machine, a []Value) (Value, error) {
		return BoolOf(strings.HasSuffix(a[0].s, a[1].s)), nil
	}},
	{name: "indexOf", params: takes(String, String), gives: always(Number), call: func(_ *machine, a []Value) (Value, error) {
		return characters(a[0].s, strings.Index(a[0].s, a[1].s)), nil
	}},
	{name: "lastIndexOf", params: takes(String, String), gives: always(Number), call: func(_ *machine, a []Value) (Value, error) {
		return characters(a[0].s, strings.LastIndex(a[0].s, a[1].s)), nil
	}},
	{name: "split", params: optionally(takes(String, String, Number)), gives: alwaysList(String), call: splitting("split", strings.SplitN)},
	{name: "splitAfter", params: optionally(takes(String, String, Number)), gives: alwaysList(String), call: splitting("splitAfter", strings.SplitAfterN)},
	{name: "replace", params: optionally(takes(String, String, String, Number)), gives: always(String), call: replace},
	{name: "repeat", params: takes(String, Number), gives: always(String), call: repeat},
	{name: "join", params: optionally([]param{{kinds: List, elem: anything &^ (List | Map)}, {kinds: String}}), gives: always(String), call: join},
}

func mapped(f func(string) string) func(*machine, []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		if err := m.make(len(a[0].s)); err != nil {
			return Value{}, err
		}
		return StringOf(f(a[0].s)), nil
	}
}

func trim(m *machine, a []Value) (Value, error) {
	if len(a) == 1 {
		return StringOf(strings.TrimSpace(a[0].s)), nil
	}
	// Each character may be looked for among all of the others.
	if err := m.spend(len(a[0].s) / 64 * (len(a[1].s)/64 + 1)); err != nil {
		return Value{}, err
	}
	return StringOf(strings.Trim(a[0].s, a[1].s)), nil
}

// characters turns an offset in bytes into one in characters.
func characters(s string, offset int) Value {
	if offset < 0 {
		return IntOf(-1)
	}
	return IntOf(int64(utf8.RuneCountInString(s[:offset])))
}

func splitting(name string, split func(s, separator string, n int) []string) func(*machine, []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		most := int64(-1)
		if len(a) == 3 {
			var err error
			if most, err = wholeArgument(name, a[2]); err != nil {
				return Value{}, err
			}
		}
		if err := m.spend(strings.Count(a[0].s, a[1].s) + 1); err != nil {
			return Value{}, err
		}
		pieces := split(a[0].s, a[1].s, int(min(max(most, -1), maxText)))
		all := make([]Value, len(pieces))
		for i, p := range pieces {
			all[i] = StringOf(p)
		}
		return listOf(all), nil
	}
}

func replace(m *machine, a []Value) (Value, error) {
	most := int64(-1)
	if len(a) == 4 {
		var err error
		if most, err = wholeArgument("replace", a[3]); err != nil {
			return Value{}, err
		}
	}
	size := int64(len(a[0].s)) + int64(strings.Count(a[0].s, a[1].s)+1)*int64(len(a[2].s))
	if err := m.make(int(min(size, maxText+1))); err != nil {
		return Value{}, err
	}
	return StringOf(strings.Replace(a[0].s, a[1].s, a[2].s, int(min(max(most, -1), maxText)))), nil
}

func repeat(m *machine, a []Value) (Value, error) {
	n, ok := whole(a[1])
	switch {
	case isWhole(a[1]) && (!ok || n > maxText) && sign(a[1]) > 0 && a[0].s != "":
		return Value{}, errText
	case !ok || n < 0:
		return Value{}, fmt.Errorf("repeat wants a whole number from 0, not %s", quote(a[1]))
	case a[0].s == "":
		return a[0], nil
	}
	if err := m.make(int(min(int64(len(a[0].s))*n, maxText+1))); err != nil {
		return Value{}, err
	}
	return StringOf(strings.Repeat(a[0].s, int(n))), nil
}

// join puts the elements of a list together; with a null among them it is null.
func join(m *machine, a []Value) (Value, error) {
	separator := ""
	if len(a) == 2 {
		separator = a[1].s
	}
	var b strings.Builder
	var scratch []byte
	for i, e := range a[0].list() {
		switch {
		case e.isNull():
			return Value{}, nil
		case e.kind&(List|Map) != 0:
			return Value{}, mismatch("join of a list with a %s", e.Kind())
		}
		if i > 0 {
			b.WriteString(separator)
		}
		scratch = e.appendText(scratch[:0])
		if err := m.make(len(scratch) + len(separator) + 1); err != nil {
			return Value{}, err
		}
		b.Write(scratch)
	}
	return StringOf(b.String()), m.spend(len(a[0].list()))
}
