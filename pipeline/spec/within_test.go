package spec

import (
	"fmt"
	"strings"
	"testing"
)

// TestWithin: a part of a text has its place in the file, however YAML writes it.
func TestWithin(t *testing.T) {
	for _, c := range []struct{ name, value, part string }{
		{"plain", "a + WRONG", "WRONG"},
		{"plain with spaces", "a   +   WRONG", "WRONG"},
		{"plain over lines", "a +\n      b * äö\n      - WRONG", "WRONG"},
		{"plain over a blank line", "a +\n\n      WRONG", "WRONG"},
		{"double quotes", `"\"ä\" + \x41\u00e4\U0001F600 \t\\ WRONG"`, "WRONG"},
		{"double quotes over lines", "\"a + \\\n      b +\n      c + WRONG\"", "WRONG"},
		{"an escaped letter", `"a + \u0057RONG"`, "WRONG"},
		{"single quotes", `'''ä'' + 日本 + WRONG'`, "WRONG"},
		{"single quotes over lines", "'a +\n\n\n      b + WRONG'", "WRONG"},
		{"literal", "|\n      a +\n        b +\n\n      WRONG\n", "WRONG"},
		{"literal with a head", "|2-\n      a +\n      WRONG", "WRONG"},
		{"folded", ">-\n      a +\n      b +\n\n        c +\n      WRONG", "WRONG"},
		{"folded with a comment behind its head", "> # why\n      a + WRONG", "WRONG"},
		{"the last letter", "a + W", "W"},
		{"the first letter", "W + a", "W"},
		{"with an anchor", `&x "a + WRONG"`, "WRONG"},
		{"with a tab", "\"a +\tWRONG\"", "WRONG"},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			file := strings.ReplaceAll("top:\n  key: "+c.value+"\n", "\n", end)
			root, mistakes := parse("f.yaml", []byte(file))
			if len(mistakes) > 0 {
				t.Fatalf("%s: %v", c.name, mistakes)
			}
			n := root.Get("top").Get("key")
			before, _, ok := strings.Cut(n.Text(), c.part)
			if !ok {
				t.Fatalf("%s: %q is not in %q", c.name, c.part, n.Text())
			}
			m := root.Get("top").locate(&FieldError{Path: []string{"key"}, Message: "wrong", Within: Within{From: len([]rune(before)), Width: len(c.part)}})
			line := []rune(strings.Split(strings.ReplaceAll(file, "\r\n", "\n"), "\n")[m.Line-1])
			if got := string(line[m.Column-1:]); !strings.HasPrefix(got, c.part) && !strings.HasPrefix(got, `\u0057RONG`) {
				t.Errorf("%s: the mistake is at %d:%d: %s", c.name, m.Line, m.Column, got)
			}
			if got := strings.Count(m.Excerpt, "^"); got != len(c.part) && got != len(`\u0057RONG`) {
				t.Errorf("%s: %d carets\n%s", c.name, got, m.Excerpt)
			}
		}
	}
}

// TestWithinElsewhere: a text that the file does not have is wrong as a whole.
func TestWithinElsewhere(t *testing.T) {
	root, _ := parse("f.yaml", []byte("key: a + b\nother: [a + b, c + WRONG]\n"))
	n := root.Get("key")
	n.text = "expanded + WRONG" // from a variable
	if m := n.within(Within{From: 11, Width: 5}).Mistake("", ""); m.Line != 1 || m.Column != 6 {
		t.Errorf("a text with variables: %+v", m)
	}
	if m := root.locate(&FieldError{Path: []string{"other", "1"}, Within: Within{From: 4, Width: 5}}); m.Line != 2 || m.Column != 20 {
		t.Errorf("an item of a list: %+v", m)
	}
	for _, w := range []Within{{From: 90, Width: 1}, {From: 0, Width: 900}, {}} {
		if m := root.locate(&FieldError{Path: []string{"other", "0"}, Within: w}); m.Line != 2 || m.Column != 9 {
			t.Errorf("%s: %+v", fmt.Sprint(w), m)
		}
	}
}
