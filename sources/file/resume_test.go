package file

import (
	"bytes"
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawFile draws a file's content in one of the layouts.
func drawFile(t *rapid.T) (format, content string) {
	n := rapid.IntRange(1, 30).Draw(t, "records")
	between := []string{"\n", "\r\n", "\n\n", "\n \t\n"}
	format = "dynamodb_cdc"
	layout := rapid.SampledFrom([]string{"lines", "json lines", "concatenated", "arrays"}).Draw(t, "layout")
	if layout != "lines" {
		format = "json"
	}
	if layout == "concatenated" || layout == "arrays" {
		between = []string{"", " ", "\n", "\r\n\n", ",", " ,\n"}
	}
	var b strings.Builder
	if rapid.Bool().Draw(t, "mark") {
		b.WriteString("\ufeff")
	}
	open := false
	for i := range n {
		if layout == "arrays" {
			if i > 0 && rapid.IntRange(0, 3).Draw(t, "toggle") == 0 || i == 0 && rapid.Bool().Draw(t, "open") {
				b.WriteString(map[bool]string{false: "[", true: "]"}[open])
				open = !open
			}
		}
		text := rapid.StringOfN(rapid.SampledFrom([]rune(`xyz{}[],"\ é`)), 0, 60, -1).Draw(t, "text")
		fmt.Fprintf(&b, `{"n":%d,"t":%q}`, i, text)
		if i < n-1 || rapid.Bool().Draw(t, "end") {
			b.WriteString(rapid.SampledFrom(between).Draw(t, "between"))
		}
	}
	if open {
		b.WriteString("]\n")
	}
	return format, b.String()
}

// Cut at any record, and read on from the cursor there with blocks of another
// size, a file gives exactly the other records.
func TestResumeAnywhere(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		format, content := drawFile(rt)
		packing := rapid.SampledFrom(packings).Draw(rt, "packing")
		path := write(t, filepath.Join(dir, "f"), pack(t, packing, []byte(content)))
		cfg := Config{Path: path, Format: format}
		block := rapid.IntRange(1, 400)
		whole := readAll(t, cfg, 0, nil)
		if whole.err != nil {
			rt.Fatalf("%q: %v", content, whole.err)
		}
		at := rapid.IntRange(1, len(whole.records)).Draw(rt, "cut")
		first := readSome(t, testSource(t, cfg, block.Draw(rt, "block")), nil, at)
		rest := readAll(t, cfg, block.Draw(rt, "other block"), first.cursors)
		if rest.err != nil {
			rt.Fatalf("%q: %v", content, rest.err)
		}
		if d := cmp.Diff(whole.records, slices.Concat(first.records, rest.records)); d != "" {
			rt.Fatalf("%q cut after %d (-whole +parts):\n%s", content, at, d)
		}
	})
}

// Every cursor of a file is right, not only the one that was drawn.
func TestEveryCursor(t *testing.T) {
	for _, content := range []string{
		"{\"a\":1}\n\r\n{\"a\":2}\r\n\n{\"a\":3}",
		"[{\"a\":1},\n{\"a\":2}] [ {\"a\":3}, {\"a\":4} ] {\"a\":5}\n{\"a\":6}[{\"a\":7}]",
	} {
		for _, packing := range packings {
			path := write(t, filepath.Join(t.TempDir(), "f"), pack(t, packing, []byte(content)))
			cfg := Config{Path: path, Format: "json"}
			whole := readAll(t, cfg, 0, nil)
			for block := 1; block <= len(content)+1; block++ {
				for cut := 1; cut <= len(whole.records); cut++ {
					first := readSome(t, testSource(t, cfg, block), nil, cut)
					rest := readAll(t, cfg, 0, first.cursors)
					if d := cmp.Diff(whole.records, slices.Concat(first.records, rest.records)); rest.err != nil || d != "" {
						t.Fatalf("%s, block %d, cut after %d: error %v (-whole +parts):\n%s", packing, block, cut, rest.err, d)
					}
				}
			}
		}
	}
}

func TestFilesThatChanged(t *testing.T) {
	const old = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"
	tests := []struct {
		name, packing, format string
		before                string
		read                  int // records before the change; -1 = to the end
		after                 string
		want                  []string
		err                   string
	}{
		{name: "grown, read to its end", before: old, read: -1, after: old + "{\"a\":4}\n", want: []string{`{"a":4}`}},
		{name: "grown, read halfway", before: old, read: 2, after: old + "{\"a\":4}\n", want: []string{`{"a":3}`, `{"a":4}`}},
		{name: "grown behind blank lines", before: old + "\n\n", read: -1, after: old + "\n\n{\"a\":4}\n", want: []string{`{"a":4}`}},
		{name: "grown by a line end", before: "{\"a\":1}", read: -1, after: "{\"a\":1}\n", want: nil},
		{name: "grown behind a last line without end", before: "{\"a\":1}", read: -1, after: "{\"a\":1}\r\n{\"a\":2}\n", want: []string{`{"a":2}`}},
		{name: "grown in its last line", before: old + "{\"a\":", read: -1, after: old + "{\"a\":4}\n", err: "read to line 4: its last record had no end then"},
		{name: "grown concatenation", format: "json", before: "{\"a\":1}{\"a\":2}", read: -1, after: "{\"a\":1}{\"a\":2}{\"a\":3}", want: []string{`{"a":3}`}},
		{name: "grown in its last value", format: "json", before: "{\"a\":1}{\"a\":", read: -1, after: "{\"a\":1}{\"a\":2}", err: "its last record had no end then"},
		{name: "shorter", before: old, read: -1, after: "{\"a\":1}\n", err: "read to line 4: it has 8 bytes and had 24"},
		{name: "shorter, read halfway", before: old, read: 1, after: "{\"a\":1}\n{\"a\":2}\n", err: "read to line 2: it has 16 bytes and had 24"},
		{name: "other content", before: old, read: 1, after: strings.ReplaceAll(old, "a", "b"), err: "the first 8 bytes of its content, which were read, are others"},
		{name: "other content, read to its end", before: old, read: -1, after: strings.ReplaceAll(old, "a", "b"), err: "the first 24 bytes of its content, which were read, are others"},
		{name: "compressed, grown", packing: "gzip", before: old, read: -1, after: old + "{\"a\":4}\n", want: []string{`{"a":4}`}},
		{name: "compressed, changed", packing: "gzip", before: old, read: -1, after: strings.ReplaceAll(old, "a", "b"), err: "the first 24 bytes of its content, which were read, are others"},
		{name: "compressed, changed, read halfway", packing: "zstd", before: old, read: 2, after: strings.ReplaceAll(old, "a", "b"), err: "the first 16 bytes of its content, which were read, are others"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			format := stdcmp.Or(tt.format, "dynamodb_cdc")
			path := filepath.Join(t.TempDir(), "f")
			cfg := Config{Path: path, Format: format}
			write(t, path, pack(t, tt.packing, []byte(tt.before)))
			first := readSome(t, testSource(t, cfg, 10), nil, tt.read)
			write(t, path, pack(t, tt.packing, []byte(tt.after)))
			rest := readAll(t, cfg, 0, first.cursors)
			if tt.err != "" {
				wantError(t, rest.err, path+": the file was changed after it had been", tt.err, "starlift reset FILE")
				return
			}
			if d := cmp.Diff(tt.want, rest.texts()); rest.err != nil || d != "" {
				t.Errorf("error %v, records (-want +got):\n%s", rest.err, d)
			}
		})
	}
}

func TestGoneAndNewFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Path: dir + "/*", Format: "json"}
	write(t, filepath.Join(dir, "b"), []byte("{\"b\":1}\n"))
	write(t, filepath.Join(dir, "c"), []byte("{\"c\":1}\n"))
	first := readAll(t, cfg, 0, nil)
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a"), []byte("{\"a\":1}\n"))
	second := readAll(t, cfg, 0, first.cursors)
	if d := cmp.Diff([]string{`{"a":1}`}, second.texts()); second.err != nil || d != "" {
		t.Errorf("error %v, records (-want +got):\n%s", second.err, d)
	}
	first.cursors[filepath.Join(dir, "c")] = []byte("{broken")
	wantError(t, readAll(t, cfg, 0, first.cursors).err, "cursor of "+dir+"/c")
}

// What a splitter finds does not depend on how much of the file it is shown.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"{}\n{}", "[{},[1]]{}", `{"a":"\\"}{`, "\"", "x y", "]", "{\n}\n\n{", "{\"a\":\n{}"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, block uint8) {
		path := write(t, filepath.Join(t.TempDir(), "f"), append([]byte(" "), b...)) // no magic bytes
		for _, format := range []string{"json", "dynamodb_cdc"} {
			cfg := Config{Path: path, Format: format}
			whole, parts := readAll(t, cfg, 0, nil), readAll(t, cfg, int(block)+1, nil)
			if d := cmp.Diff(whole.records, parts.records); d != "" || fmt.Sprint(whole.err) != fmt.Sprint(parts.err) {
				t.Fatalf("%s: errors %v, %v (-whole +parts):\n%s", format, whole.err, parts.err, d)
			}
		}
	})
}

// naiveSplit returns the records of text that is a row of valid JSON values, as a
// parser finds them; ok = it is one.
func naiveSplit(text []byte) (records []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var v json.RawMessage
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return records, true
		case err != nil || v[0] != '{' && v[0] != '[':
			return nil, false
		}
		if !objectsIn(v, &records) {
			return nil, false
		}
	}
}

// objectsIn adds the objects in a value; ok = arrays hold nothing else.
func objectsIn(v json.RawMessage, records *[]string) (ok bool) {
	if v[0] == '{' {
		*records = append(*records, string(v))
		return true
	}
	var all []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &all) != nil {
		return false
	}
	for _, e := range all {
		if !objectsIn(e, records) {
			return false
		}
	}
	return true
}

// Where a parser of JSON finds objects, one after the other or in arrays, they are
// the records.
func FuzzSplitAgainstParser(f *testing.F) {
	for _, seed := range []string{"{}\n{}", "[{},[{\"a\":[1]}]]{}", `{"a":"\\\""}{"b":"}{"}`, "{\n}\n\n{}", "{\"a\":\n{}}{}", "[[[]],{}]", "{\"a\":[\n{},\n[1]]}\n{}"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, block uint8) {
		want, ok := naiveSplit(b)
		if !ok || bytes.Count(b, []byte{'['}) > framesMax || recognised(b) {
			return
		}
		path := write(t, filepath.Join(t.TempDir(), "f"), append([]byte(" "), b...))
		s := readAll(t, Config{Path: path, Format: "dynamodb_cdc", MaxRecord: 1 << 20}, int(block)+1, nil)
		if d := cmp.Diff(want, s.texts()); s.err != nil || d != "" {
			t.Fatalf("%q: error %v (-want +got):\n%s", b, s.err, d)
		}
	})
}

// recognised reports whether text has members that change records are unwrapped by.
func recognised(b []byte) bool {
	for _, name := range []string{"ecords", "ata", "kinesis", "detail", `\u`} {
		if bytes.Contains(b, []byte(name)) {
			return true
		}
	}
	return false
}
