package values

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
)

func TestStripJSON(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a":"x\u0000y"}`: `{"a":"xy"}`, `"\u0000\u0000"`: `""`, `"\\u0000"`: `"\\u0000"`, `"\\\u0000"`: `"\\"`, `"\u00001"`: `"1"`, `"\n\"\u0000"`: `"\n\""`, `1`: `1`,
		`{"k\u0000":1}`: `{"k":1}`,
	} {
		if got := StripJSON(doc); got != want {
			t.Errorf("%s becomes %s, want %s", doc, got, want)
		}
		if why := ScanJSON("it", StripJSON(doc), false, func(string) string { return "" }); why != "" {
			t.Errorf("%s %s", want, why)
		}
	}
}

// TestIsASCII: the quick look at texts is right for each byte at each place.
func TestIsASCII(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				text := []byte(strings.Repeat("z", n))
				text[at] = byte(c)
				b := array.NewStringBuilder(memory.DefaultAllocator)
				b.Append(string(text))
				a := b.NewStringArray()
				if got, want := IsASCII(a), c > 0 && c < 128; got != want {
					t.Fatalf("byte %d at %d of %d: %t", c, at, n, got)
				}
				a.Release()
				b.Release()
			}
		}
	}
}
