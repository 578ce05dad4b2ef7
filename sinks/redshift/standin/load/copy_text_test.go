package load_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// textCase is a text file, how it is loaded, and the rows or the one load error it gives.
type textCase struct {
	name    string
	content string
	options load.CopyOptions
	want    string
	// code is of the first load error, and reason is in it.
	code   int
	reason string
}

// run loads each case with MAXERROR 100.
func run(t *testing.T, cases []textCase) {
	t.Helper()
	c := newCloud(t, load.Options{})
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			c.put(t.Name(), test.content)
			o := test.options
			o.Source, o.MaxError = "s3://lake/"+t.Name(), 100
			if o.Columns == nil {
				o.Columns = idAndName()
			}
			rows, result, err := c.copy(o)
			if err != nil || rows != test.want || result.Rows != int64(strings.Count(test.want, "\n")) {
				t.Errorf("got %q, %d rows, %v, want %q", rows, result.Rows, err, test.want)
			}
			if test.code == 0 {
				if len(result.Errors) > 0 {
					t.Errorf("load errors: %+v", result.Errors)
				}
				return
			}
			if len(result.Errors) == 0 || result.Errors[0].Code != test.code || !strings.Contains(result.Errors[0].Reason, test.reason) {
				t.Errorf("load errors: %+v, want %d %s", result.Errors, test.code, test.reason)
			}
			if result.Failed != int64(len(result.Errors)) {
				t.Errorf("%d rows failed, with %d errors", result.Failed, len(result.Errors))
			}
		})
	}
}

// text is a COPY with options of text files.
func text(o load.TextOptions) load.CopyOptions { return load.CopyOptions{Text: o} }

func csv(o load.TextOptions) load.CopyOptions { return load.CopyOptions{Format: load.CSV, Text: o} }

func TestDelimited(t *testing.T) {
	t.Parallel()
	run(t, []textCase{
		{"pipes", "1|one\n2|two\n", load.CopyOptions{}, "1\tone\n2\ttwo\n", 0, ""},
		{"no line feed at the end", "1|one\n2|two", load.CopyOptions{}, "1\tone\n2\ttwo\n", 0, ""},
		{"windows", "1|one\r\n2|two\r\n", load.CopyOptions{}, "1\tone\n2\ttwo\n", 0, ""},
		{"tabs", "1\tone\n", text(load.TextOptions{Delimiter: '\t'}), "1\tone\n", 0, ""},
		{"a control character", "1\x01one\n", text(load.TextOptions{Delimiter: 1}), "1\tone\n", 0, ""},
		{"a delimiter at the end", "1|one|\n2|two|\n", load.CopyOptions{}, "1\tone\n2\ttwo\n", 0, ""},
		{"backslashes are what they are", `1|a\b` + "\n", load.CopyOptions{}, `1` + "\t" + `a\\b` + "\n", 0, ""},
		{"NULL", "\\N|\\N\n", load.CopyOptions{}, "\\N\t\\N\n", 0, ""},
		{"NULL AS", "x|x\n1|\\N\n", text(load.TextOptions{Null: "x", NullSet: true}), "\\N\t\\N\n1\t\\\\N\n", 0, ""},
		{"NULL AS nothing", "1|\n", text(load.TextOptions{NullSet: true}), "1\t\\N\n", 0, ""},
		{"NULL AS NUL", "1|\x00\n", text(load.TextOptions{Null: `\0`, NullSet: true}), "1\t\\N\n", 0, ""},
		{"NUL in a text", "1|a\x00\n", text(load.TextOptions{Null: `\000`, NullSet: true}), "", 1218, "Invalid null byte - field longer than 1 byte"},
		{"NUL ends a record", "1|one\x00\n2|two\n", load.CopyOptions{}, "1\tone\n2\ttwo\n", 0, ""},
		{"NUL within a record", "1|\x00,x\n2|two\n", load.CopyOptions{}, "2\ttwo\n", 1216, "Missing newline: Unexpected character 0x2c found at location 3"},
		{"a carriage return alone", "1|one\r2|two\n3|c\n", load.CopyOptions{}, "3\tc\n", 1216, "Missing newline: Unexpected character 0x32 found at location 6"},
		{"empty", "|\n", load.CopyOptions{}, "\\N\t\n", 0, ""},
		{"EMPTYASNULL", "|\n", text(load.TextOptions{EmptyAsNull: true}), "\\N\t\\N\n", 0, ""},
		{"blank", " | \n", load.CopyOptions{}, "\\N\t \n", 0, ""},
		{"BLANKSASNULL", " | \n1|\n", text(load.TextOptions{BlanksAsNull: true}), "\\N\t\\N\n1\t\n", 0, ""},
		{"TRIMBLANKS", "1| a  \n", text(load.TextOptions{TrimBlanks: true}), "1\t a\n", 0, ""},
		{"too few", "1\n2|b\n", load.CopyOptions{}, "2\tb\n", 1214, "Delimiter not found"},
		{"FILLRECORD", "1\n2|b\n", load.CopyOptions{FillRecord: true}, "1\t\n2\tb\n", 0, ""},
		{"FILLRECORD EMPTYASNULL", "1\n", load.CopyOptions{FillRecord: true, Text: load.TextOptions{EmptyAsNull: true}}, "1\t\\N\n", 0, ""},
		{"FILLRECORD NOT NULL", "1\n", load.CopyOptions{FillRecord: true, Columns: []load.Column{col("a", schema.Integer), notNull(col("b", schema.Integer))}}, "", 1213, "Missing data for not-null field"},
		{"too many", "1|one|x\n2|b\n", load.CopyOptions{}, "2\tb\n", 1202, "Extra column(s) found"},
		{"a blank line", "1|a\n\n2|b\n", load.CopyOptions{}, "1\ta\n2\tb\n", 1214, "Delimiter not found"},
		{"IGNOREBLANKLINES", "\n1|a\n\n\r\n2|b\n\n", text(load.TextOptions{IgnoreBlankLines: true}), "1\ta\n2\tb\n", 0, ""},
		{"IGNOREHEADER", "a|b\n-\n1|a\n", text(load.TextOptions{IgnoreHeader: 2}), "1\ta\n", 0, ""},
		{"IGNOREHEADER of more lines", "a|b\n", text(load.TextOptions{IgnoreHeader: 2}), "", 0, ""},
		{"ESCAPE", "1|a\\|b\\\\c\\\nd\\012\n", text(load.TextOptions{Escape: true}), "1\ta|b\\\\c\\nd012\n", 0, ""},
		{"ESCAPE of NULL", "\\N|\\\\N\n", text(load.TextOptions{Escape: true}), "\\N\t\\N\n", 0, ""},
		{"ESCAPE before a line's end that is escaped", "1|a\\\\\n2|b\n", text(load.TextOptions{Escape: true}), "1\ta\\\\\n2\tb\n", 0, ""},
		{"REMOVEQUOTES", "1|\"a|b\"\n2|'it's'\n3|'say \"x\"'\n4|x'\n5|''\n", text(load.TextOptions{RemoveQuotes: true}), "1\ta|b\n2\tit's\n3\tsay \"x\"\n4\tx'\n5\t\n", 0, ""},
		{"REMOVEQUOTES without an end", "1|'a\n2|b\n", text(load.TextOptions{RemoveQuotes: true}), "2\tb\n", 1214, "Delimited value missing end quote"},
		{"REMOVEQUOTES ESCAPE", `1|'a\'b'` + "\n", text(load.TextOptions{RemoveQuotes: true, Escape: true}), "1\ta'b\n", 0, ""},
		{"quotes without REMOVEQUOTES", "1|\"a\"\n", load.CopyOptions{}, "1\t\"a\"\n", 0, ""},
		{"UTF-16", "\xff\xfe" + utf16le("1|grüß\U0001F600\n"), text(load.TextOptions{Encoding: "utf16"}), "1\tgrüß\U0001F600\n", 0, ""},
		{"UTF-16 without a mark", utf16le("1|a\n"), text(load.TextOptions{Encoding: "utf16"}), "", 1221, "encoding"},
		{"UTF-16LE", utf16le("1|a\n"), text(load.TextOptions{Encoding: "utf16le"}), "1\ta\n", 0, ""},
		{"UTF-16BE with another mark", "\xff\xfe" + utf16le("1|a\n"), text(load.TextOptions{Encoding: "utf16be"}), "", 1221, "encoding"},
		{"ISO 8859-1", "1|gr\xfc\xdf\n", text(load.TextOptions{Encoding: "iso88591"}), "1\tgrüß\n", 0, ""},
		{"a bad value", "1|one\nx|two\n", load.CopyOptions{}, "1\tone\n", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"},
		{"too long for a record", "1|one\n" + strings.Repeat("x", 4<<20+1000) + "\n2|two\n", load.CopyOptions{}, "1\tone\n2\ttwo\n", 1216, "more than 4194304 bytes"},
	})
}

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	run(t, []textCase{
		{"plain", "1,one\n2,two\r\n", csv(load.TextOptions{}), "1\tone\n2\ttwo\n", 0, ""},
		{"quotes", "1,\"a,\"\"b\"\"\"\n\"2\",\"x\ny\"\n", csv(load.TextOptions{}), "1\ta,\"b\"\n2\tx\\ny\n", 0, ""},
		{"QUOTE", "1,'a,\"b'\n", csv(load.TextOptions{Quote: '\''}), "1\ta,\"b\n", 0, ""},
		{"DELIMITER", "1;one\n", csv(load.TextOptions{Delimiter: ';'}), "1\tone\n", 0, ""},
		{"blanks around quotes", "1,  \"a\"  \n", csv(load.TextOptions{}), "1\ta\n", 0, ""},
		{"blanks that are the value", "1, a \n", csv(load.TextOptions{}), "1\t a \n", 0, ""},
		{"tabs as delimiters", "1\t\"a\"\n", csv(load.TextOptions{Delimiter: '\t'}), "1\ta\n", 0, ""},
		{"a quote within a value", "1,a\"b\n", csv(load.TextOptions{}), "1\ta\"b\n", 0, ""},
		{"backslashes", `1,"a\"` + "\n", csv(load.TextOptions{}), "1\ta\\\\\n", 0, ""},
		{"NULL", "1,\\N\n", csv(load.TextOptions{}), "1\t\\N\n", 0, ""},
		{"NULL in quotes is a text", "1,\"\\N\"\n", csv(load.TextOptions{}), "1\t\\\\N\n", 0, ""},
		{"EMPTYASNULL", "1,\n2,\"\"\n", csv(load.TextOptions{EmptyAsNull: true}), "1\t\\N\n2\t\n", 0, ""},
		{"text behind a quote", "1,\"a\"b\n2,c\n", csv(load.TextOptions{}), "2\tc\n", 1214, "Invalid quote formatting for CSV"},
		{"no end quote", "1,a\n2,\"b\n", csv(load.TextOptions{}), "1\ta\n", 1214, "Invalid quote formatting for CSV"},
		{"IGNOREHEADER over lines", "\"a\nb\",c\n1,x\n", csv(load.TextOptions{IgnoreHeader: 1}), "1\tx\n", 0, ""},
		{"too few", "1\n", csv(load.TextOptions{}), "", 1214, "Delimiter not found"},
		{"too many", "1,2,3\n", csv(load.TextOptions{}), "", 1202, "Extra column(s) found"},
		{"a delimiter at the end", "1,2,\n", csv(load.TextOptions{}), "", 1202, "Extra column(s) found"},
		{"a carriage return alone", "1,a\rb\n", csv(load.TextOptions{}), "", 1216, "Missing newline: Unexpected character 0x62"},
		{"a carriage return in quotes", "1,\"a\rb\"\n", csv(load.TextOptions{}), "1\ta\\rb\n", 0, ""},
	})
}

func TestFixedWidth(t *testing.T) {
	t.Parallel()
	fixed := func(o load.TextOptions) load.CopyOptions {
		o.Widths = []int{3, 4}
		return load.CopyOptions{Format: load.FixedWidth, Text: o}
	}
	run(t, []textCase{
		{"plain", "1  one \n  2two \n", fixed(load.TextOptions{}), "1\tone \n2\ttwo \n", 0, ""},
		{"characters", "1  äöü \n", fixed(load.TextOptions{TrimBlanks: true}), "1\täöü\n", 0, ""},
		{"the last one shorter", "1  on\n", fixed(load.TextOptions{}), "1\ton\n", 0, ""},
		{"NULL AS", "1  -   \n", fixed(load.TextOptions{Null: "-", NullSet: true}), "1\t\\N\n", 0, ""},
		{"too short", "1  \n", fixed(load.TextOptions{}), "", 1203, "fewer columns"},
		{"too long", "1  fourx\n", fixed(load.TextOptions{}), "", 1202, "Extra column(s) found"},
	})
	c := newCloud(t, load.Options{})
	c.put("x", "1")
	_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x", Format: load.FixedWidth, Text: load.TextOptions{Widths: []int{1}}})
	wantError(t, err, "22023", "FIXEDWIDTH has 1 columns, and 2 are loaded", "")
}

func TestJSON(t *testing.T) {
	t.Parallel()
	as := func(paths string, columns ...load.Column) load.CopyOptions {
		return load.CopyOptions{Format: load.JSON, Columns: columns, Text: load.TextOptions{JSONPaths: paths}}
	}
	id, name, doc := col("id", schema.Integer), col("name", schema.Varchar, 20), col("doc", schema.Super)
	run(t, []textCase{
		{"auto", `{"id": 1, "name": "one", "more": 2}{"name":"two","id":2}` + "\n\n" + `{ }`, as("auto", id, name), "1\tone\n2\ttwo\n\\N\t\\N\n", 0, ""},
		{"over lines", "{\n \"id\": 1,\n \"name\": \"a\"\n}\n{\"id\": 2}", as("", id, name), "1\ta\n2\t\\N\n", 0, ""},
		{"escapes", `{"id": 1, "name": "a\n\t\"\\\u00e4\ud83d\ude00"}`, as("auto", id, name), "1\ta\\n\\t\"\\\\ä\U0001F600\n", 0, ""},
		{"names have their case", `{"ID": 1, "name": "a"}`, as("auto", id, name), "\\N\ta\n", 0, ""},
		{"auto ignorecase", `{"ID": 1, "Name": "a"}`, as("auto ignorecase", id, name), "1\ta\n", 0, ""},
		{"null and empty", `{"id": null, "name": ""}`, as("auto", id, name), "\\N\t\n", 0, ""},
		{"objects as texts", `{"id": 1, "name": {"a": [1, 2]}}`, as("auto", id, name), "1\t{\"a\": [1, 2]}\n", 0, ""},
		{"SUPER", `{"id": 1, "doc": {"b": 1.50, "a": ["x", null]}}{"id": 2, "doc": "text"}{"id":3,"doc":null}`, as("auto", id, doc),
			"1\t{\"b\":1.50,\"a\":[\"x\",null]}\n2\t\"text\"\n3\t\\N\n", 0, ""},
		{"noshred", `{"b": 1, "a": {"x": "\n"}} [1, 2]`, as("noshred", doc), "{\"b\":1,\"a\":{\"x\":\"\\\\n\"}}\n[1,2]\n", 0, ""},
		{"booleans", `{"id": 1, "name": true}{"id": true, "name": "x"}`, as("auto", id, name), "1\ttrue\n", 1207, "Invalid digit, Value 't', Pos 0, Type: Integer"},
		{"an array", "[1, \"a\"]\n{\"id\": 1}", as("auto", id, name), "1\t\\N\n", 1216, "Invalid JSONPath format: Member is not an object."},
		{"a number", "1\n{\"id\": 1}", as("auto", id, name), "1\t\\N\n", 1216, "Invalid JSON format. Invalid value."},
		{"malformed", `{"id": 1,}` + "\n" + `{"id": 2}`, as("auto", id, name), "2\t\\N\n", 1216, "Invalid JSON format."},
		{"not closed", `{"id": 2}{"id": 1`, as("auto", id, name), "2\t\\N\n", 1216, "Unexpected end of the file"},
		{"a quote is not closed", "{\"id\": \"1}\n{\"id\": 2}", as("auto", id, name), "2\t\\N\n", 1216, "A string is not closed"},
		{"invalid UTF-8", "{\"id\": 1, \"name\": \"a\xff\\n\"}{\"id\": 2}", as("auto", id, name), "2\t\\N\n", 1220, "Bad UTF8 hex sequence: ff (error 3)"},
		{"NULL AS", `{"id": "\\N", "name": "\\N"}`, as("auto", id, name), "\\N\t\\N\n", 0, ""},
		{"too long for a record", `{"id": 1, "name": "` + strings.Repeat("x", 4<<20) + "\"}\n{\"id\": 2}", as("auto", id, name), "2\t\\N\n", 1216, "more than 4194304 bytes"},
	})
}

func TestJSONPaths(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("data", `{"id": 7, "store": {"book": {"title": "T"}}, "location": [10, {"x": "y"}], "": 1}`+"\n")
	c.put("arrays", `[1, "a"] [2, "b"]`)
	columns := func(n int) (list []load.Column) {
		for i := range n {
			list = append(list, col(fmt.Sprintf("c%d", i), schema.Varchar, 100))
		}
		return list
	}
	for name, test := range map[string]struct {
		data, paths string
		columns     int
		want        string // or the error's message
	}{
		"brackets":            {"data", `{"jsonpaths": ["$['id']", "$['store']['book']['title']", "$['location'][0]", "$[\"location\"][1]", "$['none']"]}`, 5, "7\tT\t10\t{\"x\": \"y\"}\t\\N\n"},
		"dots":                {"data", `{"jsonpaths": ["$.id", "$.store.book.title", "$.location[1].x", "$.location[2]", "$.id.x", "$.store[0]"]}`, 6, "7\tT\ty\t\\N\t\\N\t\\N\n"},
		"arrays":              {"arrays", `{"jsonpaths": ["$[1]", "$[0]"]}`, 2, "a\t1\nb\t2\n"},
		"other name":          {"data", `{"paths": ["$.id"]}`, 1, "\\N\n"},
		"number of columns":   {"data", `{"jsonpaths": ["$.id"]}`, 2, "Number of jsonpaths and the number of columns should match. JSONPath size: 1, Number of columns in table or column list: 2"},
		"both notations":      {"data", `{"jsonpaths": ["$.store['book']"]}`, 1, "bracket notation and dot notation are mixed"},
		"no root":             {"data", `{"jsonpaths": ["id"]}`, 1, "it does not begin with $"},
		"a negative index":    {"data", `{"jsonpaths": ["$.location[-1]"]}`, 1, "an index is no number"},
		"a wildcard":          {"data", `{"jsonpaths": ["$.location[*]"]}`, 1, "an index is no number"},
		"a name without dots": {"data", `{"jsonpaths": ["$id"]}`, 1, "unexpected"},
		"no JSON":             {"data", `$.id`, 1, "Invalid JSONPath format"},
	} {
		t.Run(name, func(t *testing.T) {
			c.put("paths/"+name, test.paths)
			rows, _, err := c.copy(load.CopyOptions{Columns: columns(test.columns), Source: "s3://lake/" + test.data, Format: load.JSON,
				Text: load.TextOptions{JSONPaths: "s3://lake/paths/" + name}})
			if strings.HasSuffix(test.want, "\n") {
				if err != nil || rows != test.want {
					t.Errorf("got %q, %v, want %q", rows, err, test.want)
				}
				return
			}
			wantError(t, err, "XX000", test.want, "code:      8001")
		})
	}
	for word, want := range map[string]string{"noshred": "loads one column of type SUPER", "automatic": "Invalid JSON option"} {
		_, _, err := c.copy(load.CopyOptions{Columns: columns(1), Source: "s3://lake/data", Format: load.JSON, Text: load.TextOptions{JSONPaths: word}})
		wantError(t, err, "22023", want, "")
	}
	_, _, err := c.copy(load.CopyOptions{Columns: columns(1), Source: "s3://lake/data", Format: load.JSON, Text: load.TextOptions{JSONPaths: "s3://lake/none"}})
	wantError(t, err, "XX000", "S3ServiceException:The specified key does not exist.", "S3 key being read : s3://lake/none")
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("x", "1|one\nbad|two\n3|this is too long\n4|four\n\n")
	o := load.CopyOptions{Table: "f_sale", Columns: idAndName(), Source: "s3://lake/x", MaxError: 4}
	rows, result, err := c.copy(o)
	if err != nil || rows != "1\tone\n4\tfour\n" || result.Rows != 2 || result.Failed != 3 {
		t.Errorf("got %q, %+v, %v", rows, result, err)
	}
	want := []load.LoadError{
		{File: "s3://lake/x", Line: 2, Column: "id", Type: "int4", Length: "0", RawLine: "bad|two", RawValue: "bad", Code: 1207, Reason: "Invalid digit, Value 'b', Pos 0, Type: Integer"},
		{File: "s3://lake/x", Line: 3, Column: "name", Type: "varchar", Length: "10", RawLine: "3|this is too long", RawValue: "this is too long", Code: 1204, Reason: "String length exceeds DDL length"},
		{File: "s3://lake/x", Line: 5, Column: "id", Type: "int4", Length: "0", Code: 1214, Reason: "Delimiter not found"},
	}
	if !reflect.DeepEqual(result.Errors, want) {
		t.Errorf("got\n%+v\nwant\n%+v", result.Errors, want)
	}
	for limit, failed := range map[int]int64{0: 1, 1: 1, 3: 3} {
		o.MaxError = limit
		_, result, err := c.copy(o)
		wantError(t, err, "XX000", "Load into table 'f_sale' failed.  Check 'stl_load_errors' system table for details.", "")
		if result.Failed != failed || len(result.Errors) != int(failed) {
			t.Errorf("MAXERROR %d: %+v", limit, result)
		}
	}
	o.MaxError, o.IgnoreAllErrors = 0, true
	if _, result, err = c.copy(o); err != nil || result.Failed != 3 {
		t.Errorf("IGNOREALLERRORS: %+v, %v", result, err)
	}
	o.IgnoreAllErrors, o.NoLoad, o.MaxError = false, true, 10
	if rows, result, err = c.copy(o); err != nil || rows != "" || result.Rows != 2 || result.Failed != 3 {
		t.Errorf("NOLOAD: %q, %+v, %v", rows, result, err)
	}
	serverless := newCloud(t, load.Options{Serverless: true})
	serverless.put("x", "bad|two\n")
	_, _, err = serverless.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x"})
	wantError(t, err, "XX000", "Load into table 't' failed.  Check 'sys_load_error_detail' system table for details.", "")
}
