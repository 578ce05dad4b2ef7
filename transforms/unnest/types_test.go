package unnest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/scalar"
)

// typeCases convert one value at a time. want is the cell, or begins with "!" and
// is a part of the dead letter's message.
var typeCases = []struct{ column, value, want string }{
	{"{}", `{"S":"a\n\u00e9"}`, `"a\né"`}, {"{}", `{"S":""}`, `""`}, {"{}", `{"N":"1.50"}`, `"1.50"`}, {"{}", `{"N":1.50}`, `"1.50"`},
	{"{}", `{"BOOL":true}`, `"true"`}, {"{}", `{"B":"a\/8="}`, `"a/8="`}, {"{}", `{"NULL":true}`, "null"},
	{"{}", `{"M":{}}`, "!is a map, which only the type json takes"}, {"{}", `{"L":[]}`, "!is a list"}, {"{}", `{"SS":["a"]}`, "!is a string set"},

	{"{type: bool}", `{"BOOL":false}`, "false"}, {"{type: bool}", `{"S":"true"}`, "true"},
	{"{type: bool}", `{"S":"TRUE"}`, "!" + scalar.NotBool}, {"{type: bool}", `{"N":"2"}`, "!" + scalar.NotBool},
	{"{type: bool}", `{"N":"1"}`, "true"}, {"{type: bool}", `{"N":"0.0"}`, "false"}, {"{type: bool}", `{"S":"1"}`, "true"}, {"{type: bool}", `{"S":"0"}`, "false"},
	{"{type: bool}", `{"S":""}`, "!" + scalar.NotBool}, {"{type: bool}", `{"N":"-1"}`, "!" + scalar.NotBool},
	{`{type: bool, true_values: [Y, yes], false_values: ["", N]}`, `{"S":"yes"}`, "true"}, {`{type: bool, true_values: [Y], false_values: [""]}`, `{"S":""}`, "false"},
	{`{type: bool, true_values: [Y]}`, `{"S":"false"}`, "false"}, {`{type: bool, true_values: [Y]}`, `{"S":"y"}`, "!is neither true nor false"},
	{`{type: bool, true_values: ["0"], false_values: ["1"]}`, `{"N":"1"}`, "false"}, {`{type: bool, true_values: [Y]}`, `{"BOOL":true}`, "true"},

	{"{type: int64}", `{"N":"5"}`, "5"}, {"{type: int64}", `{"N":"5.0"}`, "5"}, {"{type: int64}", `{"N":"5e2"}`, "500"},
	{"{type: int64}", `{"S":"-7"}`, "-7"}, {"{type: int64}", `{"S":"+7"}`, "7"}, {"{type: int64}", `{"N":"120E-1"}`, "12"},
	{"{type: int64}", `{"N":"9223372036854775807"}`, "9223372036854775807"}, {"{type: int64}", `{"N":"-9223372036854775808"}`, "-9223372036854775808"},
	{"{type: int64}", `{"N":"9223372036854775808"}`, "!" + decimal.OutOfRange}, {"{type: int64}", `{"N":"5.5"}`, "!" + decimal.NotExact},
	{"{type: int64}", `{"N":"1e125"}`, "!" + decimal.OutOfRange}, {"{type: int64}", `{"N":"1e-130"}`, "!" + decimal.NotExact},
	{"{type: int64}", `{"S":""}`, "!" + decimal.NotNumber}, {"{type: int64}", `{"S":" 1"}`, "!" + decimal.NotNumber}, {"{type: int64}", `{"S":"1."}`, "!" + decimal.NotNumber},
	{"{type: int64}", `{"S":"0x1"}`, "!" + decimal.NotNumber}, {"{type: int64}", `{"BOOL":true}`, "!" + notText}, {"{type: int64}", `{"S":"1e"}`, "!" + decimal.NotNumber},
	{"{type: int64}", `{"N":"0e999999999999999999999"}`, "0"},

	{"{type: int32}", `{"N":"2147483647"}`, "2147483647"}, {"{type: int32}", `{"S":"-2147483648"}`, "-2147483648"}, {"{type: int32}", `{"N":"5e2"}`, "500"},
	{"{type: int32}", `{"N":"2147483648"}`, "!" + decimal.OutOfRange}, {"{type: int32}", `{"N":"-2147483649"}`, "!" + decimal.OutOfRange}, {"{type: int32}", `{"N":"1e30"}`, "!" + decimal.OutOfRange}, {"{type: int32}", `{"N":"5.5"}`, "!" + decimal.NotExact},

	{"{type: uuid}", `{"S":"123E4567-e89b-12d3-A456-426614174000"}`, `"123e4567-e89b-12d3-a456-426614174000"`}, {"{type: uuid}", `{"S":"urn:uuid:123e4567-e89b-12d3-a456-426614174000"}`, "!" + scalar.NotUUID},
	{"{type: uuid}", `{"S":"{123e4567-e89b-12d3-a456-426614174000}"}`, "!" + scalar.NotUUID}, {"{type: uuid}", `{"S":"123e4567e89b12d3a456426614174000"}`, "!" + scalar.NotUUID},
	{"{type: uuid}", `{"S":"123e4567-e89b-12d3-a456-42661417400g"}`, "!" + scalar.NotUUID}, {"{type: uuid}", `{"S":"123e4567-e89b-12d3-a4560426614174000"}`, "!" + scalar.NotUUID}, {"{type: uuid}", `{"S":""}`, "!" + scalar.NotUUID},
	{"{type: uuid}", `{"N":"1"}`, "!" + scalar.NotUUID}, {"{type: uuid, after: 'U#'}", `{"S":"U#00000000-0000-0000-0000-00000000000A"}`, `"00000000-0000-0000-0000-00000000000a"`},

	{"{type: varchar(3)}", `{"S":"äöü"}`, `"äöü"`}, {"{type: varchar(3)}", `{"S":"abcd"}`, "!has 4 characters, and the type takes 3"}, {"{type: varchar(3)}", `{"N":"1.5"}`, `"1.5"`}, {"{type: varchar(3)}", `{"BOOL":true}`, "!has 4 characters"},
	{"{type: varchar(3)}", `{"S":"a\u00e4"}`, `"aä"`}, {"{type: varchar(3)}", `{"S":""}`, `""`}, {"{type: char(3)}", `{"S":"a "}`, `"a "`}, {"{type: char(3)}", `{"S":"ä   "}`, "!has 4 characters"}, {"{type: varchar(4)}", `{"B":"a/8="}`, `"a/8="`},

	{"{type: time}", `{"S":"09:30"}`, `"09:30:00"`}, {"{type: time}", `{"S":"23:59:59.9999990"}`, `"23:59:59.999999"`}, {"{type: time}", `{"S":"24:00:00"}`, "!is not a time of a day"}, {"{type: time}", `{"S":"9:30"}`, "!" + datetime.NotTimeOfDay},
	{"{type: time}", `{"S":"09:30:00.1234567"}`, "!" + datetime.TooFine}, {"{type: time}", `{"N":"930"}`, "!" + datetime.NotTimeOfDay}, {"{type: time, expr: value}", `{"S":"09:30"}`, `"09:30:00"`}, {"{type: time, expr: value}", `{"S":"25:00"}`, "!does not fit time"},
	{"{type: varchar(2), expr: value + 'a'}", `{"S":"x"}`, `"xa"`}, {"{type: varchar(2), expr: value + 'a'}", `{"S":"xy"}`, "!has 3 characters"}, {"{type: int32, expr: value * 2}", `{"N":"1073741824"}`, "!does not fit int32"},
	{"{type: int32, expr: value * 2}", `{"N":"-1073741824"}`, "-2147483648"},

	{"{type: timestamptz}", `{"S":"2022-07-08T23:40:49.123456+02:30"}`, "2022-07-08T21:10:49.123456Z"}, {"{type: timestamptz, format: unix}", `{"N":"1657238400.25"}`, "2022-07-08T00:00:00.25Z"},
	{"{type: timestamptz, zone: Europe/Berlin}", `{"S":"2022-07-08 23:40:49"}`, "2022-07-08T21:40:49Z"}, {"{type: timestamptz}", `{"S":"2022-07-08"}`, "!" + datetime.NotTime},

	{"{type: double}", `{"N":"0.1"}`, "0.1"}, {"{type: double}", `{"S":"1e300"}`, "1e+300"}, {"{type: double}", `{"N":"-0"}`, "0"},
	{"{type: double}", `{"S":"inf"}`, "!" + decimal.NotNumber}, {"{type: double}", `{"S":"1_0"}`, "!" + decimal.NotNumber}, {"{type: double}", `{"S":"1e400"}`, "!" + decimal.OutOfRange},

	{"{type: 'decimal(10,2)'}", `{"N":"221.36"}`, "221.36"}, {"{type: 'decimal(10,2)'}", `{"N":"-0.5"}`, "-0.50"},
	{"{type: 'decimal(10,2)'}", `{"N":"1.2300"}`, "1.23"}, {"{type: 'decimal(10,2)'}", `{"N":"12345678e0"}`, "12345678.00"},
	{"{type: 'decimal(10,2)'}", `{"N":"99999999.99"}`, "99999999.99"}, {"{type: 'decimal(10,2)'}", `{"N":"100000000"}`, "!" + decimal.OutOfRange},
	{"{type: 'decimal(10,2)'}", `{"N":"0.001"}`, "!" + decimal.NotExact}, {"{type: 'decimal(10,2)'}", `{"N":"1e-2"}`, "0.01"},
	{"{type: 'decimal(38,0)'}", `{"N":"` + thirtyEight + `"}`, thirtyEight}, {"{type: 'decimal(38,0)'}", `{"N":"-` + thirtyEight + `"}`, "-" + thirtyEight},
	{"{type: 'decimal(38,38)'}", `{"N":"0.` + thirtyEight + `"}`, "0." + thirtyEight}, {"{type: 'decimal(38,37)'}", `{"N":"1e-37"}`, "0." + strings.Repeat("0", 36) + "1"},
	{"{type: 'decimal(38,0)'}", `{"N":"1e38"}`, "!" + decimal.OutOfRange}, {"{type: 'decimal(38,0)'}", `{"N":"1.5e37"}`, "15" + strings.Repeat("0", 36)},
	{"{type: 'decimal(38,0)'}", `{"S":"00000000000000000000000000000000000000000001"}`, "1"}, {"{type: 'decimal(5,5)'}", `{"N":"0.00001000000000000000000"}`, "0.00001"},

	{"{type: date}", `{"S":"2024-02-29"}`, "2024-02-29"}, {"{type: date}", `{"S":"2023-02-29"}`, "!" + datetime.NoSuchDay},
	{"{type: date}", `{"S":"2022-07-08T23:30:00-02:00"}`, "2022-07-09"}, {"{type: date}", `{"S":"0001-01-01"}`, "0001-01-01"},
	{"{type: date}", `{"S":"9999-12-31"}`, "9999-12-31"}, {"{type: date}", `{"S":"2022-7-8"}`, "!" + datetime.NotDate}, {"{type: date}", `{"S":"2022/07/08"}`, "!" + datetime.NotDate},
	{"{type: date, format: 1/2/06}", `{"S":"1/4/10"}`, "2010-01-04"}, {"{type: date, format: 1/2/06}", `{"S":"13/4/10"}`, "!is not a time in the layout"},
	{"{type: date, format: unix}", `{"N":"-1"}`, "1969-12-31"}, {"{type: date, format: '20060102'}", `{"N":"20220708"}`, "2022-07-08"},

	{"{type: timestamp}", `{"S":"2022-07-08T23:40:49Z"}`, "2022-07-08T23:40:49Z"}, {"{type: timestamp}", `{"S":"2022-07-08 23:40:49"}`, "2022-07-08T23:40:49Z"},
	{"{type: timestamp}", `{"S":"2022-07-08T23:40:49.123456+02:30"}`, "2022-07-08T21:10:49.123456Z"},
	{"{type: timestamp}", `{"S":"1969-12-31T23:59:59.999999000z"}`, "1969-12-31T23:59:59.999999Z"},
	{"{type: timestamp}", `{"S":"2022-07-08T23:40:49.1234567Z"}`, "!" + datetime.TooFine}, {"{type: timestamp}", `{"S":"2022-07-08T23:40:49.0000000000Z"}`, "2022-07-08T23:40:49Z"},
	{"{type: timestamp}", `{"S":"2022-13-24T02:27:41Z"}`, "!" + datetime.NoSuchDay}, {"{type: timestamp}", `{"S":"2022-07-08T24:00:00Z"}`, "!" + datetime.NoSuchDay},
	{"{type: timestamp}", `{"S":"2022-07-08T23:59:60Z"}`, "!" + datetime.NoSuchDay}, {"{type: timestamp}", `{"S":"2022-07-08"}`, "!" + datetime.NotTime},
	{"{type: timestamp}", `{"S":"2022-07-08T23:40:49 Z"}`, "!" + datetime.NotTime}, {"{type: timestamp}", `{"S":"2022-07-08T23:40:49+0200"}`, "!" + datetime.NotTime},
	{"{type: timestamp}", `{"S":"0000-07-08T23:40:49Z"}`, "!" + datetime.NotYear}, {"{type: timestamp}", `{"S":"9999-12-31T23:59:59-01:00"}`, "!" + datetime.NotYear},
	{"{type: timestamp}", `{"N":"1657238400"}`, "!" + datetime.NotTime},
	{"{type: timestamp, precision: truncate}", `{"S":"2022-07-08T23:40:49.123456789Z"}`, "2022-07-08T23:40:49.123456Z"},
	{"{type: timestamp, precision: round}", `{"S":"2022-07-08T23:59:59.9999995+01:00"}`, "2022-07-08T23:00:00Z"},
	{"{type: timestamp, zone: Europe/Berlin}", `{"S":"2022-07-08 23:40:49"}`, "2022-07-08T21:40:49Z"}, {"{type: date, zone: Europe/Berlin}", `{"S":"2022-07-08T23:40:49Z"}`, "2022-07-09"},
	{"{type: timestamp, zone: Europe/Berlin}", `{"S":"2022-03-27T02:30:00"}`, "2022-03-27T01:30:00Z"},
	{"{type: timestamp, format: unix_us}", `{"N":"1657238400000001"}`, "2022-07-08T00:00:00.000001Z"}, {"{type: timestamp, format: unix_us}", `{"S":"1657238400000001.5"}`, "!" + datetime.TooFine},
	{"{type: timestamp, format: unix, precision: truncate}", `{"N":"1.9999999"}`, "1970-01-01T00:00:01.999999Z"},
	{"{type: date}", `{"S":"2022-07-08T23:40:49.123456789Z"}`, "2022-07-08"},
	{"{type: timestamp, format: unix}", `{"N":"1657238400.25"}`, "2022-07-08T00:00:00.25Z"}, {"{type: timestamp, format: unix}", `{"S":"0.0000001"}`, "!" + datetime.TooFine},
	{"{type: timestamp, format: unix_ms}", `{"N":"1657238400001.5"}`, "2022-07-08T00:00:00.0015Z"}, {"{type: timestamp, format: unix}", `{"N":"1e30"}`, "!" + datetime.NotYear},
	{"{type: timestamp, format: unix_ms}", `{"S":"x"}`, "!" + decimal.NotNumber}, {"{type: timestamp, format: 'Jan 2, 2006 3:04PM'}", `{"S":"Jul 8, 2022 5:06PM"}`, "2022-07-08T17:06:00Z"},

	{"{type: binary}", `{"B":"/wA="}`, "ff00"}, {"{type: binary}", `{"S":"/wA="}`, "!" + notBinary}, {"{type: binary}", `{"N":"1"}`, "!" + notBinary}, {"{type: binary}", `{"M":{}}`, "!" + notBinary},

	{"{type: list(string)}", `{"L":[{"S":"a\"\u00e9"},{"N":"1.50"},{"BOOL":true},{"NULL":true},{"B":"a/8="}]}`, `"[\"a\\\"é\",\"1.50\",\"true\",null,\"a/8=\"]"`}, {"{type: list(string)}", `{"SS":["b","a"]}`, `"[\"a\",\"b\"]"`},
	{"{type: list(string)}", `{"L":[]}`, `"[]"`}, {"{type: list(string)}", `{"NULL":true}`, "null"}, {"{type: list(string)}", `{"S":"a"}`, "!\"a\" is a text, not a list or a set"}, {"{type: list(string)}", `{"M":{}}`, "!is a map, not a list or a set"}, {"{type: list(string)}", `{"N":"1"}`, "!is a number, not a list"},
	{"{type: list(string)}", `{"S":"[1, \"x\"]"}`, `"[\"1\",\"x\"]"`}, {"{type: list(string)}", `{"S":"{}"}`, "!is a text, not a list"}, {"{type: list(string)}", `{"L":[{"S":"a"},{"L":[]}]}`, "!has an element that does not fit: number 2 is a list: give the column type json"},
	{"{type: list(int32)}", `{"NS":["10","9","-1"]}`, `"[-1,9,10]"`}, {"{type: list(int32)}", `{"L":[{"S":"5e2"},{"N":"7.0"}]}`, `"[500,7]"`}, {"{type: list(int32)}", `{"L":[{"N":"2147483648"}]}`, "!number 1 " + decimal.OutOfRange}, {"{type: list(int64)}", `{"L":[{"N":"9223372036854775807"}]}`, `"[9223372036854775807]"`},
	{"{type: 'list(decimal(10,2))'}", `{"L":[{"N":"1.5"},{"N":"-0"}]}`, `"[1.50,0.00]"`}, {"{type: 'list(decimal(10,2))'}", `{"L":[{"N":"1.555"}]}`, "!number 1 " + decimal.NotExact}, {"{type: list(double)}", `{"L":[{"N":"0.10"},{"N":"1e300"},{"N":"-0"}]}`, `"[0.1,1e+300,0]"`},
	{"{type: list(bool)}", `{"L":[{"BOOL":true},{"N":"0"}]}`, `"[true,false]"`}, {"{type: list(bool), true_values: [Y], false_values: [N]}", `{"L":[{"S":"Y"},{"S":"N"}]}`, `"[true,false]"`},
	{"{type: list(date)}", `{"L":[{"S":"2024-02-29"}]}`, `"[\"2024-02-29\"]"`}, {"{type: list(date), format: 1/2/06}", `{"L":[{"S":"1/4/10"}]}`, `"[\"2010-01-04\"]"`}, {"{type: list(timestamp), zone: Europe/Berlin}", `{"L":[{"S":"2022-07-08 23:40:49"}]}`, `"[\"2022-07-08T21:40:49Z\"]"`},
	{"{type: list(timestamptz), format: unix}", `{"NS":["1657238400.25"]}`, `"[\"2022-07-08T00:00:00.25Z\"]"`}, {"{type: list(uuid)}", `{"SS":["123E4567-E89B-12D3-A456-426614174000"]}`, `"[\"123e4567-e89b-12d3-a456-426614174000\"]"`}, {"{type: list(uuid)}", `{"SS":["x"]}`, "!number 1 " + scalar.NotUUID},
	{"{type: list(varchar(2))}", `{"SS":["abc"]}`, "!number 1 has 3 characters"}, {"{type: list(time)}", `{"SS":["09:30"]}`, `"[\"09:30:00\"]"`}, {"{type: list(int64), on_error: 'null'}", `{"SS":["x"]}`, "null"}, {"{type: list(string)}", `{"BS":["a/8="]}`, `"[\"a/8=\"]"`},
	{`{type: list(string), expr: 'split(value, ",")'}`, `{"S":"a,b"}`, `"[\"a\",\"b\"]"`}, {`{type: list(int32), expr: 'split(value, ",")'}`, `{"S":"1,2"}`, `"[1,2]"`}, {`{type: list(int32), expr: 'split(value, ",")'}`, `{"S":"1,x"}`, "!number 2 " + decimal.NotNumber},
	{`{type: 'list(decimal(5,2))', expr: 'map(value, # / 3)'}`, `{"NS":["1","2"]}`, `"[0.33,0.67]"`}, {`{type: list(string), expr: "[value, null, 1]"}`, `{"S":"a"}`, `"[\"a\",null,\"1\"]"`}, {`{type: list(int64), expr: value}`, `{"S":"[1]"}`, `"[1]"`}, {`{type: list(int64), expr: value}`, `{"S":"1"}`, "!is a text, not a list"},
	{`{type: list(date), expr: 'map(value, date(#))'}`, `{"SS":["2024-02-29"]}`, `"[\"2024-02-29\"]"`}, {`{type: list(timestamp), format: unix, expr: 'value'}`, `{"NS":["0"]}`, `"[\"1970-01-01T00:00:00Z\"]"`}, {`{type: list(date), format: 1/2/06, expr: 'concat(value, [date("2024-02-29")])'}`, `{"L":[{"S":"1/4/10"}]}`, `"[\"2010-01-04\",\"2024-02-29\"]"`},
	{`{type: list(int64), expr: "value"}`, `{"NULL":true}`, "null"}, {`{type: list(int64), expr: "value"}`, `{"L":[{"M":{}}]}`, "!number 1 "},

	{"{type: json}", `{"M":{"a":{"L":[{"N":"1.0"},{"NULL":true},{"SS":["b","a"]},{"BOOL":true}]}}}`, `"{\"a\":[1.0,null,[\"a\",\"b\"],true]}"`},
	{"{type: json}", `{"S":" {\"a\": [1.0, null, \"\\u00fc\"]}\n"}`, `"{\"a\":[1.0,null,\"\\u00fc\"]}"`}, {"{type: json}", `{"S":"[ ]"}`, `"[]"`},
	{"{type: json}", `{"S":"{\"a\":1} x"}`, `"\"{\\\"a\\\":1} x\""`}, {"{type: json}", `{"S":"12"}`, `"\"12\""`}, {"{type: json}", `{"S":"[1,]"}`, `"\"[1,]\""`},
	{"{type: json}", `{"S":"a\"b"}`, `"\"a\\\"b\""`}, {"{type: json}", `{"N":"1e2"}`, `"1e2"`}, {"{type: json}", `{"NULL":true}`, "null"},

	{"{after: 'a#'}", `{"S":"a#b#c"}`, `"b#c"`}, {"{after: 'a#'}", `{"S":"b#c"}`, "null"}, {"{after: 'a#'}", `{"S":"a#"}`, `""`}, {"{after: '1'}", `{"N":"12"}`, `"2"`},
	{"{after: 'a#'}", `{"S":"\u0061#é"}`, `"é"`}, {"{after: 'a', type: int64}", `{"S":"a12"}`, "12"}, {"{after: 'a'}", `{"BOOL":true}`, "!" + notText},
	{"{after: 'a', type: int64}", `{"S":"ab"}`, "!" + decimal.NotNumber}, {"{after: a}", `{"L":[]}`, "!is a list"},
	{"{split: '#', part: 2}", `{"S":"a#b#c"}`, `"b"`}, {"{split: '#', part: 1}", `{"S":"abc"}`, `"abc"`}, {"{split: '#', part: 3}", `{"S":"a#b#"}`, `""`},
	{"{split: '##', part: 4}", `{"S":"a##b##c"}`, "null"},
	{"{extract: '^C#(.+)$'}", `{"S":"C#12"}`, `"12"`}, {"{extract: '[0-9]+', type: int64}", `{"S":"ab12c"}`, "12"}, {"{extract: 'x(y)?'}", `{"S":"x"}`, "null"}, {"{extract: z}", `{"S":"x"}`, "null"},

	{"{type: int64, on_error: 'null'}", `{"S":"x"}`, "null"},
}

const thirtyEight = "99999999999999999999999999999999999999" // digits

func TestTypes(t *testing.T) {
	for _, c := range typeCases {
		u := compiled(t, "tables: {t: {columns: {v: "+c.column+"}}}")
		b := mapAll(t, u, everything(u), records(cdcFormat, insert(`{"v":`+c.value+`}`)))
		got := strings.Join(dump(b, "t"), "\n")
		want, bad := strings.CutPrefix(c.want, "!")
		if !bad {
			want = "0 upsert " + want
		}
		if bad {
			got = strings.Join(letters(b), "\n")
			if !strings.HasPrefix(got, "bad_value: table t, column v (") || !strings.Contains(got, want) {
				t.Errorf("%s of %s: got %q, want %q", c.column, c.value, got, want)
			}
		} else if got != want {
			t.Errorf("%s of %s: got %s %s, want %s", c.column, c.value, got, letters(b), want)
		}
	}
}

func TestMissingIsNullInEveryType(t *testing.T) {
	for _, typ := range []string{"string", "bool", "int64", "double", "decimal(5,1)", "date", "timestamp", "binary", "json"} {
		u := compiled(t, fmt.Sprintf("tables: {t: {columns: {v: {type: '%s'}, w: {from: 'a.b[2]', type: '%s'}, x: {from: v}}}}", typ, typ))
		b := mapAll(t, u, everything(u), records(cdcFormat, insert(`{"x":{"S":"y"}}`), insert(`{"v":{"NULL":true},"a":{"M":{"b":{"L":[]}}}}`)))
		if got := strings.Join(dump(b, "t"), ";"); got != "0 upsert null null null;1 upsert null null null" {
			t.Errorf("%s: %s %s", typ, got, letters(b))
		}
	}
}

func TestMeta(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		columns:
			event: {from: $meta.event_name}
			id: {from: $meta.event_id, after: e, type: int64}
			table_name: {from: $meta.table}
			ttl: {from: $meta.ttl, type: bool}
			ttl_text: {from: $meta.ttl}
			at: {from: $meta.created_at, type: timestamp}
			at_day: {from: $meta.created_at, type: date}
			at_us: {from: $meta.created_at, type: int64}
			at_text: {from: $meta.created_at}
			arrived: {from: $meta.arrived_at, type: int64}`)
	r := records(cdcFormat, insert(`{}`))
	want := `0 upsert "INSERT" 1 "shop" false "false" 2022-07-08T00:00:00Z 2022-07-08 1657238400000000 "2022-07-08T00:00:00Z" `
	if got := strings.Join(dump(mapAll(t, u, everything(u), r), "t"), ";"); got != want+"null" {
		t.Errorf("got %s", got)
	}
	r.Arrived = []int64{1_657_238_400_000_077}
	f := *cdcFormat
	f.Table = "logical"
	r.Format = &f
	want = strings.Replace(want, "shop", "logical", 1)
	if got := strings.Join(dump(mapAll(t, u, everything(u), r), "t"), ";"); got != want+"1657238400000077" {
		t.Errorf("with arrival and a table name: got %s", got)
	}
}

func TestPlainJSON(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		where: {kind: [a]}
		explode: {from: l, as: e, ordinal: n}
		columns: {v: {type: 'decimal(9,3)'}, deep: {from: o.p}, whole: {from: o, type: json}, e: {}}`)
	b := mapAll(t, u, everything(u), records(jsonFormat, `{"kind":"a","v":1.25,"o":{"p":"x"},"l":["p",2,null]}`))
	got := strings.Join(dump(b, "t"), "\n")
	want := `0 upsert 1.250 "x" "{\"p\":\"x\"}" "p" 1` + "\n" + `0 upsert 1.250 "x" "{\"p\":\"x\"}" "2" 2` + "\n" + `0 upsert 1.250 "x" "{\"p\":\"x\"}" null 3`
	if got != want {
		t.Errorf("got %s %s", got, letters(b))
	}
}

func TestExpressions(t *testing.T) {
	item := `{"i":{"N":"7"},"f":{"N":"64.62"},"s":{"S":"ab"},"b":{"BOOL":true},"l":{"L":[{"N":"1"},{"M":{"x":{"S":"y"}}}]},` +
		`"m":{"M":{"n":{"N":"3"},"o":{"S":"p"}}},"ss":{"SS":["b","a"]},"big":{"N":"12345678901234567.5"},"e":{"N":"1e20"},"value":{"S":"attr"},"raw":{"B":"/wA="}}`
	for _, c := range []struct{ column, want string }{
		{`{from: s, expr: 'upper(value) + "-" + string(i)'}`, `"AB-7"`},
		{`{expr: 'i * 2 + m.n', type: int64}`, "17"}, {`{expr: 'f * 2', type: double}`, "129.24"},
		{`{expr: 'i > 5 ? "many" : "few"'}`, `"many"`}, {`{expr: 'b && missing == nil', type: bool}`, "true"},
		{`{expr: 'missing'}`, "null"}, {`{expr: 'missing?.x ?? "none"'}`, `"none"`}, {`{expr: 'm?.o'}`, `"p"`},
		{`{expr: 'len(l)', type: int64}`, "2"}, {`{expr: 'l[1].x'}`, `"y"`}, {`{expr: 'ss', type: json}`, `"[\"a\",\"b\"]"`},
		{`{expr: 'map(l, type(#) == "number" ? 10 : 20)'}`, `"[10,20]"`}, {`{expr: 'let n = i; n + n', type: int64}`, "14"},
		{`{expr: 'm', type: json}`, `"{\"n\":3,\"o\":\"p\"}"`}, {`{expr: 's', type: json}`, `"\"ab\""`},
		{`{expr: '$meta.event_name + $meta.table'}`, `"INSERTshop"`}, {`{expr: 'date($meta.created_at)', type: timestamp}`, "2022-07-08T00:00:00Z"},
		{`{expr: 'e', type: double}`, "1e+20"}, {`{expr: 'raw'}`, `"/wA="`}, {`{from: f, expr: 'value', type: 'decimal(5,2)'}`, "64.62"},
		{`{expr: 'big'}`, `"12345678901234567.5"`}, {`{expr: 's * 2'}`, "!s * 2 with s = \"ab\": type mismatch: * of string and number"},
		{`{expr: 's', type: int64}`, "!is not a number"}, {`{expr: 's * 2', on_error: 'null'}`, "null"}, {`{expr: 'i / 2', type: int64}`, "4"},
	} {
		u := compiled(t, "tables: {t: {columns: {v: "+c.column+"}}}")
		b := mapAll(t, u, everything(u), records(cdcFormat, insert(item)))
		got, want := strings.Join(dump(b, "t"), "\n"), "0 upsert "+c.want
		if text, bad := strings.CutPrefix(c.want, "!"); bad {
			if got = strings.Join(letters(b), "\n"); !strings.Contains(got, text) {
				t.Errorf("%s: got %s", c.column, got)
			}
		} else if got != want {
			t.Errorf("%s: got %s %s", c.column, got, letters(b))
		}
	}
}
