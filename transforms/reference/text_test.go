package reference

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// textJoin joins the text columns code, the key, and name of a file.
func textJoin(t testing.TB, path, delimiter string) *Join {
	t.Helper()
	cfg := config(path, entries("k=code"), entries("name"))
	cfg.Reference.Source.File.Delimiter = delimiter
	j, err := New("j", cfg, []*pipeline.Table{pipelinetest.Table("t", "", "k string")})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	return j
}

func utf16Text(order binary.ByteOrder, text string) string {
	var b bytes.Buffer
	_ = binary.Write(&b, order, utf16.Encode([]rune(text))) // a buffer takes all
	return b.String()
}

func parquetText[T any](t testing.TB, rows ...T) string {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type textRow struct {
	Code string `parquet:"code"`
	Name string `parquet:"name"`
}

type nestedRow struct {
	Code  string `parquet:"code"`
	Name  string `parquet:"name"`
	Plain string `parquet:"a.b"`
	A     struct {
		B string `parquet:"b"`
	} `parquet:"a"`
}

// TestNotUTF8: no file with a text that is not UTF-8 is a reference, wherever the
// text is and whether anybody reads it; the message has its place, in characters.
func TestNotUTF8(t *testing.T) {
	const rows = "code,name,note\n"
	wide := strings.Repeat("ü", 1<<16)
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "\x1f\x8b\x08\x00\x00", "a.csv:1:1: the file is compressed with gzip: unpack it"},
		{"a.ndjson", "\x28\xb5\x2f\xfd\x00", "a.ndjson:1:1: the file is compressed with zstd: unpack it"},
		{"a.csv", rows + "DE,Köln,\nAT,\xd6sterreich,\n", "a.csv:3:4: the byte 0xd6 is not UTF-8: save the file as UTF-8"},
		{"a.csv", rows + "ÄÖ,\xd6,\n", "a.csv:2:4: the byte 0xd6"},
		{"a.csv", rows + "DE,x,\xfc\n", "a.csv:2:6: the byte 0xfc"}, // of a column that nobody reads
		{"a.csv", "code,name,gr\xfc\xdfe\n", "a.csv:1:13: the byte 0xfc"},
		{"a.csv", "\xef\xbb\xbfcode,name\r\nDE,\"a\r\nb\xe9\"\r\n", "a.csv:3:2: the byte 0xe9"},
		{"a.csv", rows + wide + ",\xe2\x82,\n", "a.csv:2:65538: the byte 0xe2"}, // a character that is cut
		{"a.csv", rows + "DE,\xed\xa0\x80,\n", "a.csv:2:4: the byte 0xed"},      // half of a surrogate pair
		{"a.csv", rows + "DE,\xc0\x80,\n", "a.csv:2:4: the byte 0xc0"},
		{"a.csv", rows + "DE,a,\xe2\x82", "a.csv:2:6: the byte 0xe2"},
		{"a.csv", rows + "DE\xff,a\n", "a.csv:2:3: the byte 0xff"}, // whatever else is wrong with the line
		{"a.csv", "\xff\xfe" + utf16Text(binary.LittleEndian, rows), "a.csv:1:1: the file is UTF-16"},
		{"a.csv", "\xfe\xff" + utf16Text(binary.BigEndian, rows), "a.csv:1:1: the file is UTF-16"},
		{"a.csv", utf16Text(binary.LittleEndian, rows), "a.csv:1:1: the file is UTF-16"},
		{"a.csv", utf16Text(binary.BigEndian, rows), "a.csv:1:1: the file is UTF-16"},
		{"b.ndjson", "\xff\xfe" + utf16Text(binary.LittleEndian, `{"code": "a"}`), "b.ndjson:1:1: the file is UTF-16"},
		{"b.ndjson", "{\"code\": \"ü\", \"name\": \"M\xfcnchen\"}\n", "b.ndjson:1:25: the byte 0xfc is not UTF-8"},
		{"b.ndjson", "\xef\xbb\xbf{\"code\": \"a\", \"name\": \"b\"}\n{\"code\": \"b\", \"other\": [\"\xe9\"]}\n", "b.ndjson:2:26: the byte 0xe9"},
		{"b.ndjson", "{\"code\": \"a\", \"n\xe4me\": 1}\n", "b.ndjson:1:17: the byte 0xe4"},
		{"b.ndjson", `{"code": "ä", "name": "\ud800"}`, "b.ndjson:1:24: bad escape: half of a surrogate pair"},
		{"b.ndjson", `{"code": "\udc00\ud800", "name": ""}`, "b.ndjson:1:11: bad escape: half of a surrogate pair"},
		{"c.parquet", parquetText(t, textRow{"a", "b"}, textRow{"b", "\xfc"}), `c.parquet:2: column name: the text "\xfc" is not UTF-8`},
		{"c.parquet", parquetText(t, textRow{"\xff", "b"}), `c.parquet:1: column code: the text "\xff" is not UTF-8`},
	} {
		path := folder(t, c.name)
		write(t, path, c.content, time.Now())
		if err := textJoin(t, path, ",").watch.check(t.Context(), false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: error is %v, want %s", c.content, err, c.want)
		}
	}
}

// TestUTF8: every text in UTF-8 is taken as it is.
func TestUTF8(t *testing.T) {
	for name, content := range map[string]string{
		"a.csv":     "\xef\xbb\xbfcode,name\n😀,ü\u2028\ufffd\x00\n",
		"b.ndjson":  "\xef\xbb\xbf{\"code\": \"\\ud83d\\ude00\", \"name\": \"ü\u2028\ufffd\\u0000\"}\n",
		"c.parquet": parquetText(t, textRow{"😀", "ü\u2028\ufffd\x00"}),
	} {
		path := folder(t, name)
		write(t, path, content, time.Now())
		j := textJoin(t, path, ",")
		if err := j.watch.check(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s := j.watch.current()
		if code, text := s.columns[0].ValueStr(0), s.columns[1].ValueStr(0); code != "😀" || text != "ü\u2028\ufffd\x00" {
			t.Errorf("%s: %q, %q", name, code, text)
		}
	}
}

// TestHeaders: a header that is not clear is refused, and one that names no column
// of the join says which it names.
func TestHeaders(t *testing.T) {
	for _, c := range []struct{ name, delimiter, content, want string }{
		{"a.csv", ",", "code,name,name\na,b,c\n", `a.csv:1:11: the header names "name" twice: fields 2 and 3`},
		{"a.csv", ",", "code,name,x,x\na,b,c,d\n", `a.csv:1:13: the header names "x" twice: fields 3 and 4`},
		{"a.csv", ",", "\xef\xbb\xbf\"code\",ä,name,\"code\"\na,b,c,d\n", `a.csv:1:15: the header names "code" twice: fields 1 and 4`},
		{"a.csv", ",", "Code,Name\na,b\n", `a.csv:1: there is no column "code"; there are "Code", "Name": did you mean "Code"?`},
		{"a.csv", ",", "code, name\na,b\n", `there are "code", " name": did you mean " name"?`},
		{"a.csv", ",", "code;name\na;b\n", `there are "code;name": if the fields stand between ';', write delimiter: ";"`},
		{"a.csv", ",", "code\tname\n", `write delimiter: "\t"`},
		{"a.csv", ";", "code,name\n", `write delimiter: ","`},
		{"a.csv", ";", "sep=;\ncode;name\n", "remove the first line"},
		{"a.csv", ",", "code,name\ra,b\r", `the lines end with carriage returns alone`},
		{"a.csv", ",", "code,name\na,b,c\n", `a.csv:2:5: the line has 3 fields, and the header has 2: put a field that holds ',' in quotes`},
		{"a.csv", ",", "code,name\nä,b\nÄÖ\n", `a.csv:3:1: the line has 1 field, and the header has 2: leave`},
		{"a.csv", ",", "code,name\na,\"x\ny\"\nb,c,d,e\n", `a.csv:4:5: the line has 4 fields, and the header has 2`},
		{"a.csv", ",", "code,name\nä,ö\"x\"\n", `a.csv:2:4: a quote stands inside a field`},
		{"a.csv", ",", "code,name\nä,\"x\"y\n", `a.csv:2:5: a field in quotes is not closed, or goes on behind its closing quote`},
		{"a.csv", ",", "code,name\na,\"x\nb,y\n", `its row begins at line 2`},
		{"c.parquet", ",", parquetText(t, nestedRow{Code: "a"}), `c.parquet: two columns are named "a.b"`},
	} {
		path := folder(t, c.name)
		write(t, path, c.content, time.Now())
		if err := textJoin(t, path, c.delimiter).watch.check(t.Context(), false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: error is %v, want %s", c.content, err, c.want)
		}
	}
	path := folder(t, "a.csv")
	write(t, path, "code,name,,\na,b,,\n", time.Now()) // as spreadsheets write empty columns
	if err := textJoin(t, path, ",").watch.check(t.Context(), false); err != nil {
		t.Errorf("columns without a name: %v", err)
	}
}
