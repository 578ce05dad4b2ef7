package textfile

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// all reads every record; content has to end.
func all(t *testing.T, content []byte, o *Options) (records [][]string, faults int) {
	t.Helper()
	r, err := New(bytes.NewReader(content), o)
	if errors.Is(err, ErrEncoding) {
		return nil, 1
	}
	if err != nil {
		t.Fatal(err)
	}
	var record Record
	for n := 0; ; n++ {
		err := r.Read(&record)
		if err == io.EOF {
			return records, faults
		}
		if errors.Is(err, ErrEncoding) {
			return records, faults + 1
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > len(content)+1 {
			t.Fatalf("more records than bytes")
		}
		if record.Fault != nil {
			faults++
			continue
		}
		var fields []string
		for _, f := range record.Fields {
			fields = append(fields, string(f.Value))
		}
		records = append(records, fields)
	}
}

// FuzzCSV compares with encoding/csv where both take a file.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"1,one\n2,two\n", "1,\"a,\"\"b\"\"\"\n", "1,\"x\ny\"\r\n", "\"", "a\"b,c\n", " \"a\" ,b", "1,a\rb\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, faults := all(t, content, &Options{Format: CSV, Delimiter: ',', Quote: '"', Null: `\N`, Columns: []string{"a", "b"}, IgnoreBlankLines: true})
		if faults > 0 || bytes.ContainsAny(content, "\r\x00\t ") {
			return // a blank before a quote, NUL and carriage returns mean something else there
		}
		r := csv.NewReader(bytes.NewReader(content))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return // a quote within a value, which COPY takes
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// FuzzDelimited has every option at once, and shows that splitting alone is splitting.
func FuzzDelimited(f *testing.F) {
	for _, text := range []string{"1|one\n2|two\n", "1|a\\|b\\\\c\\\nd\n", "1|'a|b'\n2|\"x\n", "\\N|\\\\N\n", "a\x00b\n"} {
		f.Add([]byte(text), true, true)
	}
	f.Fuzz(func(t *testing.T, content []byte, escape, quotes bool) {
		o := &Options{Delimiter: '|', Null: `\N`, Columns: []string{"a", "b"}, Escape: escape, RemoveQuotes: quotes}
		got, faults := all(t, content, o)
		if escape || quotes || faults > 0 || bytes.ContainsAny(content, "\r\x00") {
			return
		}
		text := strings.TrimSuffix(string(content), "\n")
		if len(content) == 0 {
			return
		}
		var want [][]string
		for line := range strings.SplitSeq(text, "\n") {
			fields := strings.Split(line, "|")
			if len(fields) == 3 && fields[2] == "" {
				fields = fields[:2]
			}
			want = append(want, fields)
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// FuzzJSON compares with encoding/json on a file of one object.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{`{"a": 1, "b": "x"}`, `{"a": {"b": [1, "]"]}}`, `[1, "a"]`, `{"a": "\u00e4\\"}{"b": 2}`, `{"a`, "{\n}", `{"a":1,"a":2}`} {
		f.Add([]byte(text))
	}
	paths, err := PathsOf("s3://", []byte(`{"jsonpaths": ["$.a", "$.b[0].a"]}`), 2, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		columns := []string{"a", "b"}
		all(t, content, &Options{Format: JSON, Columns: columns, Paths: paths})
		got, faults := all(t, content, &Options{Format: JSON, Columns: columns})
		var want map[string]json.RawMessage
		if err := json.Unmarshal(content, &want); err != nil || want == nil || bytes.ContainsAny(content, "\xef\xbf\xbd") {
			return
		}
		if faults > 0 || len(got) != 1 {
			t.Fatalf("got %q, %d faults, want one record", got, faults)
		}
		for i, name := range columns {
			value := string(want[name])
			if value == "null" {
				value = ""
			}
			if got[0][i] != value {
				t.Errorf("%s: got %q, want %q", name, got[0][i], value)
			}
		}
	})
}

// FuzzFixed has widths of characters and other encodings.
func FuzzFixed(f *testing.F) {
	f.Add([]byte("1  äöü \n"), "utf8")
	f.Add([]byte("\xff\xfe1\x00\n\x00"), "utf16")
	f.Add([]byte("1\x00"), "utf16be")
	f.Fuzz(func(t *testing.T, content []byte, encoding string) {
		if !slices.Contains([]string{"", "utf8", "utf16", "utf16le", "utf16be", "iso88591"}, encoding) {
			return
		}
		all(t, content, &Options{Format: FixedWidth, Widths: []int{2, 3}, Null: " ", Encoding: encoding, Columns: []string{"a", "b"}})
	})
}
