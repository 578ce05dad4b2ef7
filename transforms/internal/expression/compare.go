package expression

import (
	"cmp"
	"slices"
	"strings"
)

// compare orders two values of one kind, neither of them null. Where one of two
// numbers is a double, both are.
func compare(m *machine, a, b Value) (int, error) {
	if err := m.spend(1 + min(weight(a), weight(b))); err != nil {
		return 0, err
	}
	switch {
	case a.kind == Number && b.kind == Number:
		return compareNumbers(a, b), nil
	case a.kind&numeric != 0 && b.kind&numeric != 0:
		return cmp.Compare(toDouble(a), toDouble(b)), nil
	case a.kind == b.kind && a.kind == String:
		return strings.Compare(a.s, b.s), nil
	case a.kind == b.kind && a.kind&(Bool|temporal) != 0:
		return cmp.Compare(a.n, b.n), nil
	}
	return 0, mismatch("comparison of %s and %s%s", a.Kind(), b.Kind(), advice(a.kind, b.kind))
}

// advice says how to compare two kinds.
func advice(a, b Kind) string {
	switch both := likely(a) | likely(b); {
	case both == String|Number, both == String|Double:
		return ": make a number of the string by decimal(…), or a string of the number by string(…)"
	case both == temporal:
		return ": make a date of the timestamp by date(…), or a timestamp of the date by timestamp(…)"
	case both == String|Date:
		return ": make a date of the string by date(…)"
	case both == String|Timestamp:
		return ": make a timestamp of the string by timestamp(…)"
	}
	return ""
}

// likely is what a value is most likely where it can be anything of an item: what
// is compared with a date is a string.
func likely(k Kind) Kind {
	if k&document == document {
		return String
	}
	return k
}

// equal reports whether two values are equal: lists and maps by what they hold.
// Values of kinds that can't be compared are an error.
func equal(m *machine, a, b Value) (bool, error) {
	if a.kind != b.kind || a.kind&(List|Map) == 0 {
		c, err := compare(m, a, b)
		return c == 0, err
	}
	if a.kind == List {
		return slicesEqual(m, a.list(), b.list())
	}
	x, y := a.object(), b.object()
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if x[i].name != y[i].name || !same(m, x[i].value, y[i].value) {
			return false, m.spend(0)
		}
	}
	return true, m.spend(len(x))
}

func slicesEqual(m *machine, x, y []Value) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if !same(m, x[i], y[i]) {
			return false, m.spend(0)
		}
	}
	return true, m.spend(len(x))
}

// same is equality of what lists and maps hold: null is the same as null, and
// values of different kinds are just not the same.
func same(m *machine, a, b Value) bool {
	if a.isNull() || b.isNull() {
		return a.isNull() && b.isNull()
	}
	ok, err := equal(m, a, b)
	return ok && err == nil
}

// sortBy sorts values by their keys, stably; null comes last.
func sortBy(m *machine, values, keys []Value, descending bool) ([]Value, error) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	var failed error
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := keys[i], keys[j]
		switch {
		case failed != nil:
			return 0
		case a.isNull() || b.isNull():
			return nullLast(a, b)
		}
		c, err := compare(m, a, b)
		if err != nil {
			failed = err
		}
		if descending {
			return -c
		}
		return c
	})
	out := make([]Value, len(values))
	for i, at := range order {
		out[i] = values[at]
	}
	return out, failed
}

func nullLast(a, b Value) int {
	switch {
	case a.isNull() && b.isNull():
		return 0
	case a.isNull():
		return 1
	}
	return -1
}
