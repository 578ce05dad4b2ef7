package spec

import (
	"strings"
	"testing"
)

// TestColonsInFlow: a colon without a space behind it is a part of a text, in lists in mappings too.
func TestColonsInFlow(t *testing.T) {
	for text, want := range map[string]string{
		"{a: [x:y]}":                             "x:y",
		"{a: [09:30, 10:00]}":                    "09:30 10:00",
		"{a: [2023-12-31T23:00:00Z, bcd]}":       "2023-12-31T23:00:00Z bcd",
		"{a: [CUST:1:2, é:z, 1:2:3:4]}":          "CUST:1:2 é:z 1:2:3:4",
		"{a: [x: y, {x: y}, {x: 1:2}, \"x:y\"]}": "{x} {x} {x} x:y",
		"a: [x:y, x: y]":                         "x:y {x}",
		"a:\n  - x:y\n  - x: y\n":                "x:y {x}",
	} {
		root, mistakes := parse("f.yaml", []byte(text))
		if len(mistakes) > 0 {
			t.Errorf("%s: %v", text, mistakes[0])
			continue
		}
		var have []string
		for _, item := range root.Get("a").items {
			if item.Kind() == Mapping {
				have = append(have, "{"+strings.Join(item.Keys(), " ")+"}")
				continue
			}
			have = append(have, item.Text())
			if item.Kind() != Text || item.at.width < len("x:y") {
				t.Errorf("%s: %s is a %v, %d wide", text, item.Text(), item.Kind(), item.at.width)
			}
		}
		if got := strings.Join(have, " "); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
