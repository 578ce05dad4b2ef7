package charset_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/starlift-etl/starlift/pipeline/charset"
)

func TestOther(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "", "ab": "", "code,name": "", "M\xfcnchen": "", "\xef\xbb\xbfa": "", "\x00": "", "a\x00bc": "",
		"\xff\xfe": "UTF-16", "\xff\xfea\x00": "UTF-16", "\xfe\xff\x00a": "UTF-16", "a\x00b\x00": "UTF-16", "\x00a\x00b": "UTF-16",
		"\xff\xfe\x00\x00a\x00\x00\x00": "UTF-32", "\x00\x00\xfe\xff": "UTF-32", "a\x00\x00\x00b": "UTF-32", "\x00\x00\x00a": "UTF-32",
	} {
		if got := charset.Other([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestInvalid: the place of the first byte that is no UTF-8 is found wherever it
// is, also over the end of a block.
func TestInvalid(t *testing.T) {
	for text, want := range map[string]charset.Location{
		"":                  {},
		"aü€😀\r\nb\x00":     {},
		"\ufffd":            {}, // the replacement character itself is one
		"\xfc":              {1, 1},
		"\xef\xbb\xbfa\xfc": {1, 2},
		"ab\nüx\xff\xfe":    {2, 3},
		"a\r\nb\xe2\x82":    {2, 2}, // cut
		"\xed\xa0\x80":      {1, 1}, // half of a surrogate pair
		"\xc0\x80":          {1, 1}, // too long
		"\n\n" + strings.Repeat("€", 1<<16) + "\xe2": {3, 1<<16 + 1},
	} {
		_, at, ok, err := charset.Invalid(strings.NewReader(text))
		if err != nil || ok != (want != charset.Location{}) || at != want {
			t.Errorf("%.20q: %v, %v, %v, want %v", text, at, ok, err, want)
		}
	}
	if b, _, _, _ := charset.Invalid(strings.NewReader("a\xe4b")); b != 0xe4 {
		t.Errorf("byte %#x", b)
	}
	if charset.Other([]byte{byte(utf16.Encode([]rune("a"))[0]), 0, 'b', 0}) != "UTF-16" {
		t.Error("UTF-16 without a mark is not told")
	}
}

func TestColumn(t *testing.T) {
	long := strings.Repeat("ü", 1<<16)
	text := "\xef\xbb\xbfäb\n" + long + "x\nzü\xffy"
	for _, c := range []struct{ line, bytes, want int }{
		{1, 1, 1}, {1, 3, 2}, {1, 4, 3}, {2, 2<<16 + 1, 1<<16 + 1}, {3, 1, 1}, {3, 4, 3}, {3, 5, 4},
	} {
		if got, err := charset.Column(strings.NewReader(text), c.line, c.bytes); err != nil || got != c.want {
			t.Errorf("line %d, byte %d: column %d, %v, want %d", c.line, c.bytes, got, err, c.want)
		}
	}
	if _, err := charset.Column(strings.NewReader(text), 9, 1); err == nil {
		t.Error("a line that is not there has a column")
	}
}
