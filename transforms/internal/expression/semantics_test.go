package expression

import (
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// itemNames resolves names to values of an item.
type itemNames struct{ names []string }

// Resolve implements Names.
func (n *itemNames) Resolve(chain decode.Path) (int, Type, int, *Mistake) {
	for i, have := range n.names {
		if have == chain[0].Name {
			return i, Document, 1, nil
		}
	}
	n.names = append(n.names, chain[0].Name)
	return len(n.names) - 1, Document, 1, nil
}

// item is what evaluate knows: JSON by name.
var item = map[string]string{
	"n": "12", "p": "19.99", "big": "9223372036854775807", "huge": "123456789012345678901234567890.5", "tiny": "1e-40",
	"s": `"Köln"`, "digits": `"12"`, "bad": `"x1"`, "when": `"2024-02-29T23:30:00.25+02:00"`, "day": `"2024-02-29"`,
	"tags": `["b", "a", "b"]`, "mixed": `[1, "1", null]`, "lines": `[{"q": 2, "p": 1.10}, {"q": 3}, {"p": 5}]`, "m": `{"b": {"c": [1, 2]}, "a": null}`,
	"ok": "true", "gone": "null",
}

// evaluate returns an expression's value over the item as text, null, or its
// error behind an exclamation mark.
func evaluate(t *testing.T, text string) string {
	t.Helper()
	names := &itemNames{}
	e, mistakes := Parse(text, names)
	if mistakes != nil {
		return "!! " + mistakes[0].Message
	}
	for i, number := range e.Variables() {
		v := Value{}
		if json, ok := item[names.names[number]]; ok {
			var err error
			if v, err = ParseJSON([]byte(json)); err != nil {
				t.Fatal(err)
			}
		}
		e.Set(i, v)
	}
	v, err := e.Value()
	if err != nil {
		return "! " + err.Error()
	}
	return v.Text()
}

// TestValues: functions and operators see values, exact ones, and null as the
// documentation has it. !! is a mistake, ! an error of the value.
func TestValues(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// Numbers.
		{"p * 3", "59.97"}, {"p ** 2", "399.6001"}, {"p in [9.99, 19.99]", "true"}, {"p == 19.990", "true"}, {"big + 1", "9223372036854775808"},
		{"-big - 2", "-9223372036854775809"}, {"big * big / big == big", "true"}, {"huge * 2", "246913578024691357802469135781"}, {"tiny * 10 ** 40", "1"},
		{"int(p) + float(p)", "38.989999999999995"}, {"sum([p, 3])", "22.99"}, {"n / 7 * 7 == n", "true"}, {"9007199254740993 == 9007199254740993.0", "true"},
		{"1_000.50 + .5", "1001"}, {"0x10 + 0b11 + 0o7 + 1e2 + 1E-1", "126.1"}, {"123456789012345678901234567890 + 0", "123456789012345678901234567890"},
		{"0.1000000000000000000000000000001 - 0.1", "0.0000000000000000000000000000001"}, {"4 ** 0.5", "2"}, {"0 ** 0", "1"}, {"(-1) ** 1000000001", "-1"},
		{"1 / 0", "! 1 / 0: division by zero"}, {"n % 0", "! n % 0 with n = 12: division by zero"}, {"0 ** -1", "! 0 ** -1: division by zero"},
		{"-7 % 2.5", "-2"}, {"round(2.5) - round(-2.5)", "6"}, {"mean([1, 2])", "1.5"}, {"median([p, 1, 3])", "3"}, {"max(p, n, tags, 5) > 0 or ok", "! max(p, n, tags, 5) > 0 or ok with p = 19.99, n = 12, tags = [\"b\",\"a\",\"b\"], ok = true: type mismatch: comparison of string and number: make a number of the string by decimal(…), or a string of the number by string(…)"},
		// Null.
		{"gone + 1", "null"}, {"nothing", "null"}, {"(nothing ?? 2) + 1", "3"}, {"m.a", "null"}, {"m.b.c[7]", "null"}, {"m.x.y.z", "null"}, {"n.x", "null"},
		{"len(gone)", "null"}, {"gone ? 1 : 2", "2"}, {"gone == nil and gone == gone", "false"}, {"ok or gone", "null"}, {"(gone ?? nil) or ok", "true"},
		{"sum(lines, .p)", "null"}, {"sum(lines, .p ?? 0)", "6.1"}, {"count(lines, .q > 2)", "1"}, {"[gone ?? nil, 1]", "[null,1]"}, {"type(gone ?? nil)", "null"},
		{"gone == null", "true"}, {"n == null ? 1 : null", "null"},
		// What other languages call otherwise.
		{"Coalesce(n, 1)", "!! unknown function \"Coalesce\": write a ?? b"}, {"n = 12", "!! unexpected \"=\": write == to compare"}, {"n IS nil", "!! unexpected \"IS\": write a == nil"},
		{"concat(\"a\", \"b\")", "!! type mismatch: concat wants a list, not a string: write a + b"}, {"sine(1)", "!! unknown function \"sine\""},
		// Kinds do not mix.
		{"digits + 1", "! digits + 1 with digits = \"12\": type mismatch: + of string and number: make a string of what is none by string(…)"},
		{"digits > 5", "! digits > 5 with digits = \"12\": type mismatch: comparison of string and number: make a number of the string by decimal(…), or a string of the number by string(…)"},
		{"n in [\"12\"]", "! n in [\"12\"] with n = 12: type mismatch: in for a number, of a list of string: make a number of the string by decimal(…), or a string of the number by string(…)"},
		{"n in mixed or 1 in mixed", "true"}, {"decimal(digits) > 5 and int(digits) == 12 and float(digits) == 12", "true"}, {"int(bad)", "! int(bad) with bad = \"x1\": \"x1\" is not a number"},
		{"day > date(\"2024-01-01\")", "!! type mismatch: comparison of plain value and date: make a date of the string by date(…)"}, {"date(day) > date(\"2024-01-01\")", "true"},
		{"1 + \"a\"", "!! type mismatch: + of number and string: make a string of what is none by string(…)"}, {"not 5", "!! type mismatch: not of a number"},
		// Strings are of characters.
		{"s[1]", "ö"}, {"s[-1]", "n"}, {"s[9]", "null"}, {"s[1:3]", "öl"}, {"s[-2:]", "ln"}, {"len(s)", "4"}, {"indexOf(s, \"n\")", "3"}, {"split(s, \"\")", `["K","ö","l","n"]`},
		{"upper(s) + \"!\"", "KÖLN!"}, {`"\xff"`, "ÿ"}, {`fromBase64("/w==")`, "!! fromBase64: the bytes of \"/w==\" are not UTF-8"}, {"reverse(split(s, \"\")) | join()", "nlöK"},
		// Lists and maps.
		{"uniq(tags)", `["b","a"]`}, {"sort(tags)", `["a","b","b"]`}, {"tags[0]", "b"}, {"tags[-1:]", `["b"]`}, {"keys(m)", `["a","b"]`}, {"m.b", `{"c":[1,2]}`}, {"m[\"b\"][\"c\"][1]", "2"},
		{"map(lines, .q ?? #index)", "[2,3,2]"}, {"filter(lines, .q > 1)[0].p", "1.1"}, {"groupBy(lines, .q > 2)", `{"false":[{"p":1.1,"q":2}],"null":[{"p":5}],"true":[{"q":3}]}`},
		{"sortBy(lines, .q, \"desc\")[0].q", "3"}, {"toJSON({z: p, a: [date(day), gone]})", "null"}, {"toJSON({z: p, a: [date(day), nil]})", `{"a":["2024-02-29",null],"z":19.99}`},
		{"fromJSON(toJSON(lines)) == lines", "true"}, {"[1, 2] == [1, 2.0] and {a: 1} != {a: 2}", "true"}, {"find(lines, .q == 3).p", "null"}, {"any(tags, # == \"a\")", "true"},
		{"map(1..3, map(1..#, # * 2))", "[[2],[2,4],[2,4,6]]"}, {"reduce(tags, #acc + #)", "bab"}, {"\"b\" in m", "true"}, {"b in m", "null"},
		// Dates and times.
		{"date(when)", "2024-02-29"}, {"date(timestamp(when), \"Pacific/Auckland\")", "2024-03-01"}, {"timestamp(when)", "2024-02-29T21:30:00.25Z"}, {"hour(timestamp(when), \"Asia/Kolkata\")", "3"},
		{"string(timestamp(day)) + string(date(day))", "2024-02-29T00:00:00Z2024-02-29"}, {"timestamp(day, \"Europe/Berlin\")", "2024-02-28T23:00:00Z"},
		{"unix(timestamp(when)) - unix(timestamp(day))", "77400.25"}, {"timestamp(when) - timestamp(day)", "77400.25"}, {"fromUnix(1.0000005)", "1970-01-01T00:00:01.000001Z"},
		{"timestamp(\"2024-03-31 02:30:00\", \"Europe/Berlin\")", "2024-03-31T01:30:00Z"}, {"timestamp(\"2024-10-27 02:30:00\", \"Europe/Berlin\")", "2024-10-27T00:30:00Z"},
		{"truncate(timestamp(\"2024-10-27T01:40:00Z\"), \"hour\", \"Europe/Berlin\")", "2024-10-27T01:00:00Z"}, {"truncate(timestamp(\"2024-07-01T22:30:00Z\"), \"day\", \"Europe/Berlin\")", "2024-07-01T22:00:00Z"},
		{"truncate(date(\"2024-05-15\"), \"quarter\")", "2024-04-01"}, {"truncate(date(\"2024-03-03\"), \"week\")", "2024-02-26"}, {"date(\"29.02.2024\", \"02.01.2006\")", "2024-02-29"},
		{"timestamp(\"1/2/24 3PM\", \"1/2/06 3PM\", \"America/New_York\")", "2024-01-02T20:00:00Z"}, {"format(timestamp(when), \"Jan 2 15:04\", \"Asia/Tokyo\")", "Mar 1 06:30"},
		{"addMonths(date(\"2024-03-31\"), -13)", "2023-02-28"}, {"addDays(date(\"9999-12-31\"), 1)", "! addDays(date(\"9999-12-31\"), 1): the result is outside of the years 1 to 9999"},
		{"date(timestamp(\"9999-12-31T23:30:00Z\"), \"Asia/Tokyo\")", "! date(timestamp(\"9999-12-31T23:30:00Z\"), \"Asia/Tokyo\"): the result is outside of the years 1 to 9999"},
		{"date(day) + 0.5", "! date(day) + 0.5 with day = \"2024-02-29\": to a date a whole number of days is added, not 0.5"}, {"date(bad)", "! date(bad) with bad = \"x1\": \"x1\" is not a date, as 2006-01-02"},
		{"dayOfWeek(date(\"2024-03-03\")) * 1000 + dayOfYear(date(\"2024-12-31\"))", "7366"}, {"duration(\"-1.5h\")", "-5400"}, {"duration(\"1x\")", "!! \"1x\" is no duration, as 1h30m or 7d: want numbers with d, h, m, s, ms or us"},
	} {
		if got := evaluate(t, c.text); got != c.want {
			t.Errorf("%s is %s, want %s", c.text, got, c.want)
		}
	}
}

// TestBounds: no expression takes long, or much memory, and what goes beyond is
// an error of the value.
func TestBounds(t *testing.T) {
	for text, want := range map[string]string{
		"2 ** 1e9":                               "more than 1,000 digits",
		"2 ** 2 ** 40":                           "more than 1,000 digits",
		"1.0000001 ** 1000000":                   "more than 1,000 digits",
		"2 ** -4000":                             "more than 1,000 digits",
		"10 ** 999 * 10":                         "more than 1,000 digits",
		"1e1001":                                 "more than 1,000 digits",
		"1e-1001":                                "more than 1,000 digits",
		"reduce(1..2000, #acc * 7, 1)":           "more than 1,000 digits",
		"reduce(1..3000, #acc + 1 / (# + 1), 0)": "more than 1,000 digits",
		"1..1e12":                                "more than 1,000,000 steps",
		"map(1..1000, map(1..10000, #))":         "more than 1,000,000 steps",
		"map(1..1000, map(1..900, 7 ** (100 + # % 900)))":                "steps",
		"repeat(\"abc\", 1e9)":                                           "more than 16 MiB",
		"repeat(\"abc\", 1e30)":                                          "more than 16 MiB",
		"reduce(1..100, #acc + #acc, \"abcdefgh\")":                      "",
		"replace(repeat(\"a\", 100000), \"a\", repeat(\"b\", 100000))":   "more than 16 MiB",
		"map(1..1000, repeat(\"a\", 100000))":                            "",
		"join(map(1..1000, repeat(\"a\", 30000)), repeat(\"b\", 60000))": "",
	} {
		began := time.Now()
		got := evaluate(t, text)
		if !strings.HasPrefix(got, "!") || !strings.Contains(got, want) {
			t.Errorf("%s is %s, want %s", text, shorten(got), want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s takes %s", text, took)
		}
	}
	names := &itemNames{}
	for _, text := range []string{"map(1..900, map(1..900, 7 ** 1100))", "reduce(1..40, [#acc, #acc], [s])"} {
		e, mistakes := Parse(text, names)
		if mistakes != nil {
			t.Fatal(mistakes)
		}
		for i := range e.Variables() {
			e.Set(i, StringOf("Köln"))
		}
		v, err := e.Value()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Convert(v, pipeline.Type{Kind: pipeline.String}); err == nil || !strings.Contains(err.Error(), "16 MiB") {
			t.Errorf("%s as text: %v", text, err)
		}
	}
	deeper := listOf(nil)
	for range maxDepth {
		deeper = listOf([]Value{deeper})
	}
	if same, err := equal(&machine{}, deeper, deeper); !same || err != nil || len(appendJSON(nil, deeper)) != 2*maxDepth+2 {
		t.Errorf("a deep list: %v %v", same, err)
	}
	deep := strings.Repeat("(", maxLength/2-10) + "1" + strings.Repeat(")", maxLength/2-10)
	if got := evaluate(t, deep); got != "1" {
		t.Errorf("deep parentheses: %s", got)
	}
	if got := evaluate(t, strings.Repeat("-", maxLength+1)); !strings.Contains(got, "16384 are read") {
		t.Errorf("a long expression: %s", got)
	}
}

// TestResults: what a column takes, and what it gets.
func TestResults(t *testing.T) {
	for _, c := range []struct{ text, typ, want string }{
		{"2.5", "int64", "3"}, {"-2.5", "int64", "-3"}, {"9223372036854775807.4", "int64", "9223372036854775807"}, {"9223372036854775807.5", "int64", "! does not fit int64"},
		{"-9223372036854775808.4", "int64", "-9223372036854775808"}, {"99.995", "decimal(4,2)", "! does not fit decimal(4,2)"}, {"99.994", "decimal(4,2)", "99.99"},
		{"10 ** 37 * 9.99", "decimal(38,0)", "99900000000000000000000000000000000000"}, {"10 ** 38", "decimal(38,0)", "! does not fit"}, {"1 / 3", "decimal(38,38)", "0.33333333333333333333333333333333333333"},
		{"float(0.1) + 0.2", "decimal(10,2)", "0.3"}, {"1 / 3", "double", "0.3333333333333333"}, {"10 ** 400", "double", "! does not fit double"}, {"float(2) ** 2000", "double", "! no number that a double holds"},
		{"date(\"2024-02-29\")", "timestamp", "2024-02-29T00:00:00Z"}, {"timestamp(\"2024-02-29T00:00:00Z\")", "date", "!! write date(…)"}, {"\"a\"", "int64", "!! the result is a string, not int64"},
		{"2147483647.4", "int32", "2147483647"}, {"2147483647.5", "int32", "! does not fit int32"}, {"-2147483649", "int32", "! does not fit int32"}, {"10 ** 30", "int32", "! does not fit int32"}, {"\"a\"", "int32", "!! make a number of the string"},
		{"\"123E4567-e89b-12d3-a456-426614174000\"", "uuid", "123e4567-e89b-12d3-a456-426614174000"}, {"name", "uuid", "! does not fit uuid: it is not a UUID"}, {"1", "uuid", "!! the result is a number, not uuid"}, {"name", "varchar(3)", "Pen"},
		{"name + \"s\"", "varchar(3)", "! does not fit varchar(3): it has 4 characters"}, {"qty", "char(1)", "3"}, {"\"10:00\"", "time", "10:00:00"}, {"1", "time", "!! the result is a number, not time"}, {"\"2024-02-29\"", "timestamptz", "!! write timestamp(…)"},
		{"date(\"2024-02-29\")", "timestamptz", "2024-02-29T00:00:00Z"},
		{"ok ? 1 : \"a\"", "int64", "!! the result is a string"}, {"[1, \"a\", nil]", "string", `[1,"a",null]`}, {"true", "string", "true"}, {"nil", "date", "null"}, {"price", "string", "19.9"},
		{"price / qty", "string", "6.63333333333333333333333333333333333333"}, {"price.x", "string", "!! nothing stands in a number"}, {"nome.x", "string", `!! unknown name "nome.x"`}, {"name[0]", "string", "P"},
		{"name.x", "string", "!! no names stand in a string"}, {"1", "bool", "!! the result is a number, not bool"},
	} {
		typ, err := pipeline.ParseType(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		e, mistakes := Compile(c.text, columns, typ)
		if mistakes != nil {
			got = "!! " + mistakes[0].Message
		} else {
			v, null, err := e.Eval(nil, [][]byte{decimalOf(1990), {3, 0, 0, 0, 0, 0, 0, 0}, nil, append([]byte{3}, "Pen"...), {1}, {31, 0, 0, 0}, nil, decimalOf(5), {7, 0, 0, 0, 0, 0, 0, 0}})
			if got = show(v, null, typ); err != nil {
				got = "! " + err.Error()
			}
		}
		mark, rest, isError := strings.Cut(c.want, "! ")
		if isError && (!strings.HasPrefix(got, mark+"! ") || !strings.Contains(got, rest)) || !isError && got != c.want {
			t.Errorf("%s as %s is %s, want %s", c.text, c.typ, got, c.want)
		}
	}
}
