package expression

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// listColumns are columns of lists with what they hold.
var listColumns = map[string][2]string{
	"tags": {"list(string)", `["new",null,"a\"b"]`}, "prices": {"list(decimal(10,2))", `[19.90,5.00]`}, "days": {"list(date)", `["2024-02-29","2023-12-31"]`},
	"seen": {"list(timestamp)", `["2024-02-29T10:00:00.5Z",null]`}, "rates": {"list(double)", `[0.1,1e+300]`}, "flags": {"list(bool)", `[true,false]`}, "none": {"list(int64)", `[]`}, "bad": {"list(date)", `["x"]`}, "broken": {"list(int64)", `[1`},
}

// TestListColumns: a column of lists is a list of its elements' kind, and a list fills one whose elements it fits.
func TestListColumns(t *testing.T) {
	names := []string{"tags", "prices", "days", "seen", "rates", "flags", "none", "bad", "broken"}
	var types []pipeline.Type
	var values [][]byte
	for _, n := range names {
		typ, err := pipeline.ParseType(listColumns[n][0])
		if err != nil {
			t.Fatal(err)
		}
		types, values = append(types, typ), append(values, packed.AppendBytes(nil, []byte(listColumns[n][1])))
	}
	find := func(name string) (int, pipeline.Type, bool) {
		for i, n := range names {
			if n == name {
				return i, types[i], true
			}
		}
		return 0, pipeline.Type{}, false
	}
	for _, c := range []struct{ text, typ, want string }{
		{"len(tags)", "int64", "3"}, {"tags[0] + tags[2]", "string", `newa"b`}, {"max(prices)", "decimal(10,2)", "19.9"}, {"days[0] > days[1]", "bool", "true"}, {"seen[0]", "timestamp", "2024-02-29T10:00:00.5Z"}, {"rates[0] * 2", "double", "0.2"},
		{"any(flags, #)", "bool", "true"}, {"len(none)", "int64", "0"}, {"tags", "list(string)", listColumns["tags"][1]}, {"prices", "list(decimal(10,2))", listColumns["prices"][1]}, {"days", "list(date)", listColumns["days"][1]},
		{"seen", "list(timestamp)", listColumns["seen"][1]}, {"rates", "list(double)", listColumns["rates"][1]}, {"flags", "list(bool)", listColumns["flags"][1]}, {"none", "list(int64)", "[]"},
		{"map(prices, # / 3)", "list(decimal(10,2))", "[6.63,1.67]"}, {"prices", "list(int32)", "[20,5]"}, {"prices", "list(string)", `["19.9","5"]`}, {"days", "list(timestamptz)", `["2024-02-29T00:00:00Z","2023-12-31T00:00:00Z"]`}, {`[nil, "x"]`, "list(varchar(1))", `[null,"x"]`},
		{`["xy"]`, "list(varchar(1))", "!element 1: "}, {"[1, 2 ** 40]", "list(int32)", "!element 2: "}, {"bad", "list(date)", "!element 1 of the list is not a date"}, {"broken[0]", "int64", "!broken: the list is not JSON"},
		{"prices", "list(date)", "?an element of the result is a number, not date"}, {"tags", "list(date)", "?an element of the result is a string, not date"}, {"len(tags)", "list(int64)", "?the result is a number, not list(int64)"}, {"tags", "string", `["new",null,"a\"b"]`},
	} {
		typ, err := pipeline.ParseType(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		e, mistakes := Compile(c.text, find, typ)
		if want, wrong := strings.CutPrefix(c.want, "?"); wrong || mistakes != nil {
			if !wrong || len(mistakes) != 1 || !strings.Contains(mistakes[0].Message, want) {
				t.Errorf("%s as %s: %v, want %s", c.text, c.typ, mistakes, c.want)
			}
			continue
		}
		got, null, err := e.Eval(nil, values)
		if want, wrong := strings.CutPrefix(c.want, "!"); wrong || err != nil {
			if err == nil || !wrong || !strings.Contains(err.Error(), want) {
				t.Errorf("%s as %s: %v, want %s", c.text, c.typ, err, c.want)
			}
			continue
		}
		text := ""
		if typ.Kind == pipeline.List {
			cursor := packed.Cursor{B: got}
			text = string(cursor.Bytes())
		} else {
			text = show(got, null, typ)
		}
		if text != c.want {
			t.Errorf("%s as %s is %s, want %s", c.text, c.typ, text, c.want)
		}
	}
}
