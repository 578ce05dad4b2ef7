package file

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What holds no records is refused by its name, wherever it is found.
func TestFilesThatAreNoRecords(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar, "items.json")
	copy(tar[tarAt:], "ustar\x0000")
	for _, c := range []struct{ name, content, want string }{
		{"parquet", "PAR1\x15\x04", "a Parquet file, which the file source does not read: write it as JSON"},
		{"ion", "$ion_1_0 {Item:{id:1}}\n", "in Amazon Ion"},
		{"binary ion", "\xe0\x01\x00\xea\xee", "export the table again as DYNAMODB_JSON"},
		{"zip", "PK\x03\x04\x14\x00", "a zip archive"},
		{"xz", "\xfd7zXZ\x00\x00\x04", "compressed by xz"},
		{"lz4", "\x04\x22\x4d\x18\x64", "compressed by lz4"},
		{"snappy", "\xff\x06\x00\x00sNaPpY\x01", "compressed by snappy"},
		{"7z", "7z\xbc\xaf\x27\x1c\x00", "a 7-Zip archive"},
		{"compress", "\x1f\x9d\x90abcd", "compressed by compress"},
		{"tar", string(tar), "a tar archive"},
		{"utf-16", "\xff\xfe{\x00}\x00", "in UTF-16"},
		{"utf-16 without mark", "{\x00\"\x00a\x00", "in UTF-16 or UTF-32"},
		{"xml", "\n<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML or HTML"},
		{"csv", "id,name\n1,a\n2,b\n", "CSV"},
		{"csv with quotes", "\"id\";\"name\"\r\n\"1\";\"a\"\r\n", "CSV"},
	} {
		for _, format := range []string{"dynamodb_cdc", "json"} {
			dir := t.TempDir()
			path := write(t, filepath.Join(dir, "f"), []byte(c.content))
			wantError(t, readAll(t, Config{Path: path, Format: format}, 0, nil).err, path+": this is ", c.want)
			path = write(t, filepath.Join(dir, "f.gz"), gzipOf(t, []byte(c.content)))
			wantError(t, readAll(t, Config{Path: path, Format: format}, 0, nil).err, path+": this is a compressed file whose content is ", c.want)
		}
		r := newRig(t, Config{Path: write(t, filepath.Join(t.TempDir(), "f"), []byte(c.content))})
		wantError(t, r.tryPoll(), c.want)
	}
	path := write(t, filepath.Join(t.TempDir(), "f"), gzipOf(t, gzipOf(t, []byte("{}\n"))))
	wantError(t, readAll(t, Config{Path: path, Format: "json"}, 0, nil).err, "compressed by gzip once more")
	for _, text := range []string{"nonsense\n{\"a\":1}\n", "a,b\n{\"a\":1}\n", "a,b\nc\n", "null\n", `{"a":"<,\n,"}` + "\n{}\n"} {
		path := write(t, filepath.Join(t.TempDir(), "f"), []byte(text))
		if s := readAll(t, Config{Path: path, Format: "json"}, 0, nil); s.err != nil || len(s.records) == 0 {
			t.Errorf("%q: %d records, error %v", text, len(s.records), s.err)
		}
	}
}

func TestBzip2(t *testing.T) {
	const packed = "QlpoOTFBWSZTWSKd4ukAAAZZgAAQEAAwECAAAAogADEMCBKAeonCJoaL4u5IpwoSBFO8XSBCWmg5MUFZJlNZuXcU1QAAA1mAABAQAAgQIAAACiAAIgNlCGARSh8XckU4UJC5dxTV"
	content, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "f.bz2"), content)
	cfg := Config{Path: path, Format: "json"}
	first := readSome(t, testSource(t, cfg, 10), nil, 2)
	rest := readAll(t, cfg, 0, first.cursors)
	want := []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}
	if d := cmp.Diff(want, append(first.texts(), rest.texts()...)); rest.err != nil || d != "" {
		t.Errorf("error %v, records (-want +got):\n%s", rest.err, d)
	}
	write(t, path, content[:len(content)-8])
	s := readAll(t, cfg, 0, nil)
	wantError(t, s.err, path, "cut short or damaged in line 4")
	if d := cmp.Diff(want, s.texts()); d != "" {
		t.Errorf("records before the damage (-want +got):\n%s", d)
	}
}
