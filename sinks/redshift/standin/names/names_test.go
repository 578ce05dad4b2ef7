package names

import (
	"strings"
	"testing"
)

func TestTruncate(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"sales", "sales"},
		{strings.Repeat("a", 127), strings.Repeat("a", 127)},
		{strings.Repeat("a", 128), strings.Repeat("a", 127)},
		{strings.Repeat("a", 126) + "é", strings.Repeat("a", 126)},
		{strings.Repeat("a", 125) + "é", strings.Repeat("a", 125) + "é"},
	} {
		if got := Truncate(c.name); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	if got := Short(strings.Repeat("é", 31)); got != strings.Repeat("é", 31) {
		t.Errorf("a name that fits became %q", got)
	}
	seen := map[string]string{}
	for _, name := range []string{
		strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 127),
		strings.Repeat("é", 40), "a" + strings.Repeat("é", 40), strings.Repeat("日", 30), strings.Repeat("日", 31),
	} {
		short := Short(name)
		if len(short) != 63 || !IsShort(short) {
			t.Errorf("%q has the short form %q of %d bytes", name, short, len(short))
		}
		if other, ok := seen[short]; ok {
			t.Errorf("%q and %q have the same short form", name, other)
		}
		seen[short] = name
		if Short(short) != short {
			t.Errorf("the short form of %q has another one", name)
		}
	}
	short := Short(strings.Repeat("é", 40))
	if i, n := FindShort(`column "` + short + `" does not exist`); i != 8 || n != 63 {
		t.Errorf("found at %d, of %d bytes", i, n)
	}
	if i, _ := FindShort(strings.Repeat("a", 50) + "~1234567890abcdeg" + strings.Repeat("b", 50)); i >= 0 {
		t.Errorf("found at %d", i)
	}
	if IsShort("sales") {
		t.Error("a short name is taken for a short form")
	}
}
