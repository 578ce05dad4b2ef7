package load_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// TestTextValues has a field a line, and what a column makes of it.
func TestTextValues(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	for _, test := range []struct {
		column  load.Column
		options load.CopyOptions
		// values go to what stands beside them: a value, or a code and a reason.
		values map[string]string
	}{
		{col("c", schema.Smallint), load.CopyOptions{}, map[string]string{
			"32767": "32767", "-32768": "-32768", "+5": "5", " 7 ": "7", "007": "7", "": `\N`,
			"32768": "1222 Overflow (Short valid range -32768 to 32767)", "1.0": "1207 Invalid digit, Value '.', Pos 1, Type: Short",
			"-": "1207 Invalid digit, Value '-', Pos 0, Type: Short", "1e3": "1207 Invalid digit, Value 'e', Pos 1, Type: Short",
		}},
		{col("c", schema.Integer), load.CopyOptions{}, map[string]string{
			"2147483647": "2147483647", "-2147483649": "1222 Overflow (Integer valid range -2147483648 to 2147483647)", "1 2": "1207 Invalid digit, Value ' ', Pos 1, Type: Integer",
		}},
		{col("c", schema.Bigint), load.CopyOptions{}, map[string]string{
			"9223372036854775807": "9223372036854775807", "9223372036854775808": "1222 Overflow (Long valid range",
		}},
		{col("c", schema.Numeric, 8, 2), load.CopyOptions{}, map[string]string{
			"20.259": "20.25", "-20.259": "-20.25", "1": "1", ".5": "0.5", "1.": "1", "000123456.789": "123456.78", "0": "0", "-0.001": "-0.00",
			"1234567": "1204 Overflow for NUMERIC(8,2)", "1e5": "1207 Invalid digit, Value 'e', Pos 1, Type: Decimal", ".": "1209 Invalid decimal value '.'", "1.2.3": "1207 Invalid digit, Value '.', Pos 3",
			"NaN": "1207 Invalid digit, Value 'N', Pos 0, Type: Decimal",
		}},
		{col("c", schema.Numeric, 8, 2), text(load.TextOptions{RoundDecimals: true}), map[string]string{
			"20.259": "20.26", "20.254": "20.25", "-20.255": "-20.26", "9.999": "10.00", "999999.994": "999999.99",
			"999999.995": "1204 Overflow for NUMERIC(8,2)", "0.005": "0.01",
		}},
		{col("c", schema.Numeric, 38, 0), load.CopyOptions{}, map[string]string{
			strings.Repeat("9", 38): strings.Repeat("9", 38), "1" + strings.Repeat("0", 38): "1204 Overflow for NUMERIC(38,0)", "1.9": "1",
		}},
		{col("c", schema.Numeric, 19, 4), load.CopyOptions{}, map[string]string{
			"922337203685477.5807": "922337203685477.5807", "-922337203685477.58079": "-922337203685477.5807", "922337203685477.5808": "1204 Overflow for NUMERIC(19,4)",
			"922337203685478": "1204 Overflow for NUMERIC(19,4)", "922337203685477": "922337203685477", "0.1": "0.1",
		}},
		{col("c", schema.Real), load.CopyOptions{}, map[string]string{
			"1.5": "1.5", "1e10": "1e+10", "NaN": "NaN", "1e39": "1204 Overflow, Type: Float", "x": "1208 Invalid digit, Value 'x', Pos 0, Type: Float", "1_0": "1208 Invalid digit, Value '_'", "0x1p1": "1208 Invalid digit, Value 'x', Pos 1",
		}},
		{col("c", schema.Double), load.CopyOptions{}, map[string]string{"0.1": "0.1", "-1e300": "-1e+300", "1,5": "1208 Invalid digit, Value ',', Pos 1, Type: Double", "1e400": "1204 Overflow"}},
		{col("c", schema.Boolean), load.CopyOptions{}, map[string]string{
			"t": "t", "TRUE": "t", "1": "t", "yes": "t", "Y": "t", "f": "f", "false": "f", "0": "f", "no": "f", "": `\N`, "2": "1210 Unknown boolean format", "on": "1210",
		}},
		{col("c", schema.Varchar, 4), load.CopyOptions{}, map[string]string{
			"äö": "äö", "äöü": "1204 String length exceeds DDL length", "abcde": "1204", "a\xc3": "1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: c3 (error 1)",
			"\xa4": "1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: a4 (error 3)", "\xed\xa0\x80": "1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ed a0 80 (error 4)",
			"\xe2\x82x": "1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: e2 82 (error 2)",
		}},
		{col("c", schema.Varchar, 4), text(load.TextOptions{TruncateColumns: true}), map[string]string{"äöü": "äö", "abcde": "abcd", "aäöü": "aä"}},
		{col("c", schema.Varchar, 4), load.CopyOptions{AcceptInvalid: true}, map[string]string{"a\xff\xfe": "a??", "\xed\xa0\x80": "???"}},
		{col("c", schema.Varchar, 4), load.CopyOptions{AcceptInvalid: true, Replacement: '^'}, map[string]string{"a\xff": "a^"}},
		{col("c", schema.Char, 4), load.CopyOptions{AcceptInvalid: true}, map[string]string{
			"abc": "abc", "ä": "1220 Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 a4", "abcde": "1204",
		}},
		{col("c", schema.Varbyte, 2), load.CopyOptions{}, map[string]string{
			"ff0A": `\\xff0A`, "f": "1207 Invalid hexadecimal value", "xx": "1207 Invalid digit, Value 'x', Pos 0, Type: Varbyte", "ffffff": "1204",
		}},
		{col("c", schema.Super), load.CopyOptions{}, map[string]string{
			`{"a": 1}`: `{"a":1}`, `[1, 2.50]`: `[1,2.50]`, `"x"`: `"x"`, "1": "1", "": `\N`, `{a}`: "1224 Invalid JSON format.", "x": "1224", `1 2`: "1224",
		}},
		{notNull(col("c", schema.Integer)), load.CopyOptions{}, map[string]string{"": "1213 Missing data for not-null field", `\N`: "1213"}},
		{notNull(col("c", schema.Varchar)), load.CopyOptions{}, map[string]string{`\N`: "1213 Missing data for not-null field"}},
	} {
		for value, want := range test.values {
			name := fmt.Sprintf("%s %q", test.column.Type, value)
			checkValue(t, c, name, test.column, test.options, value, want)
		}
	}
}

// checkValue loads one field, the only one of a file with a delimiter that no value has.
func checkValue(t *testing.T, c *cloud, name string, column load.Column, o load.CopyOptions, value, want string) {
	t.Helper()
	key := fmt.Sprintf("%x", name)
	c.put(key, value+"\n")
	o.Columns, o.Source, o.MaxError = []load.Column{column}, "s3://lake/"+key, 2
	o.Text.Delimiter = 2
	rows, result, err := c.copy(o)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got := strings.TrimSuffix(rows, "\n")
	if len(result.Errors) == 1 {
		got = fmt.Sprintf("%d %s", result.Errors[0].Code, result.Errors[0].Reason)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		return
	}
	if got != want {
		t.Errorf("%s: got %s, want %s", name, got, want)
	}
}

func TestTextTimes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	date, at, zoned := col("c", schema.Date), col("c", schema.Timestamp), col("c", schema.TimestampTZ)
	for _, test := range []struct {
		column  load.Column
		options load.TextOptions
		values  map[string]string
	}{
		{date, load.TextOptions{}, map[string]string{
			"2024-02-29": "2024-02-29", "2024-02-29 10:00:00": "2024-02-29", "0001-01-01": "0001-01-01", "294276-12-31": "294276-12-31",
			"2023-02-29": "1205", "2024-1-1": "1205 Invalid Date Format - length must be 10 or more", "20240229": "1205 Invalid Date Format", "2024/02/29": "1205 Invalid date format or value [YYYY-MM-DD]",
			"00/00/00 00:00:00": "1205", "2024-13-01": "1205", "0000-01-01": "1205", "2024-02-29x": "1205",
		}},
		{date, load.TextOptions{AcceptAnyDate: true}, map[string]string{"00/00/00 00:00:00": `\N`, "2024-02-29": "2024-02-29"}},
		{date, load.TextOptions{DateFormat: "MM/DD/YYYY"}, map[string]string{"02/29/2024": "2024-02-29", "2/9/2024": "2024-02-09", "2024-02-29": "1205 Invalid date format or value [MM/DD/YYYY]"}},
		{date, load.TextOptions{DateFormat: "DD-MON-YY"}, map[string]string{"29-Feb-24": "2024-02-29", "01-jan-70": "1970-01-01"}},
		{date, load.TextOptions{DateFormat: "YYYYMMDD"}, map[string]string{"20240229": "2024-02-29", "2024229": "1205"}},
		{date, load.TextOptions{DateFormat: "MM.DD.YYYY HH:MI:SS"}, map[string]string{"02.29.2024 10:11:12": "2024-02-29"}},
		{date, load.TextOptions{DateFormat: "auto"}, map[string]string{
			"J2451187": "1999-01-08", "Jan-08-95 BC": "1995-01-08 BC", "19960108": "1996-01-08", "960108": "1996-01-08", "1996.008": "1996-01-08",
			"January 8, 1999": "1999-01-08", "1/8/1999": "1999-01-08", "1999-Jan-08": "1999-01-08", "08-Jan-1999": "1999-01-08", "J2345678 04:05:06.789": "1710-02-23",
			"1999-01-08T10:00:00Z": "1999-01-08", "17.12.1997": "1997-12-17", "x": "1205 Invalid date format or value [auto]", "1996.367": "1205",
		}},
		{at, load.TextOptions{}, map[string]string{
			"2024-02-29 23:59:59": "2024-02-29 23:59:59", "2024-02-29 23:59:59.1234567": "2024-02-29 23:59:59.123456", "2024-02-29": "2024-02-29 00:00:00",
			"2024-02-29T23:59:59Z": "1206 Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]", "2024-02-29 25:00:00": "1206", "x": "1206", "1709251199": "1206",
		}},
		{at, load.TextOptions{TimeFormat: "auto"}, map[string]string{
			"2019-02-11T05:09:12.195Z": "2019-02-11 05:09:12.195000", "19960108 040809": "1996-01-08 04:08:09", "960108 040809": "1996-01-08 04:08:09",
			"1996-01-08 04:05:06.789": "1996-01-08 04:05:06.789000", "17 Dec 07:37:16 1997 PST": "1997-12-17 07:37:16", "12/17/1997 07:37:16.00 PST": "1997-12-17 07:37:16",
			"1997-12-17 07:37:16-08": "1997-12-17 07:37:16", "12.17.1997 07:37:16.00 PST": "1997-12-17 07:37:16", "1997-12-17 7:37:16 PM": "1997-12-17 19:37:16",
			"2024-02-29": "2024-02-29 00:00:00", "2024-02-29T": "1206", "2024-02-29 99": "1206", "2024-02-29 10:00:00 XYZ": "1206", "": `\N`,
		}},
		{zoned, load.TextOptions{}, map[string]string{
			"2024-02-29 23:59:59": "2024-02-29 23:59:59+00", "2024-02-29 23:59:59-08:00": "2024-03-01 07:59:59+00", "2024-02-29 23:59:59+0530": "2024-02-29 18:29:59+00",
			"2024-02-29T23:59:59Z": "1206",
		}},
		{zoned, load.TextOptions{TimeFormat: "auto"}, map[string]string{"17 Dec 07:37:16 1997 PST": "1997-12-17 15:37:16+00", "2019-02-11T05:09:12.195+01:00": "2019-02-11 04:09:12.195000+00"}},
		{at, load.TextOptions{TimeFormat: "epochsecs"}, map[string]string{"1709251199": "2024-02-29 23:59:59", "-1": "1969-12-31 23:59:59", "0.5": "1970-01-01 00:00:00.500000", "x": "1206 Invalid timestamp format or value [epochsecs]", "--1": "1206", "99999999999999999": "1206"}},
		{zoned, load.TextOptions{TimeFormat: "epochmillisecs"}, map[string]string{"1709251199123": "2024-02-29 23:59:59.123000+00"}},
		{at, load.TextOptions{TimeFormat: "MM.DD.YYYY HH:MI:SS"}, map[string]string{"02.29.2024 23:59:59": "2024-02-29 23:59:59", "02.29.2024 23:59:59.5": "2024-02-29 23:59:59.500000", "02.29.2024": "2024-02-29 00:00:00", "02.30.2024 00:00:00": "1206"}},
		{at, load.TextOptions{TimeFormat: "YYYY-MM-DDTHH:MI:SS"}, map[string]string{"2024-02-29T23:59:59": "2024-02-29 23:59:59"}},
		{at, load.TextOptions{TimeFormat: "MM/DD/YY HH12:MI AM"}, map[string]string{"02/29/24 11:59 PM": "2024-02-29 23:59:00", "02/29/24 12:00 am": "2024-02-29 00:00:00", "02/29/24 13:00 PM": "1206"}},
		{at, load.TextOptions{AcceptAnyDate: true}, map[string]string{"00/00/00 00:00:00": `\N`}},
		{col("c", schema.Time), load.TextOptions{}, map[string]string{"10:11:12.5": "10:11:12.500000", "10:11": "10:11:00", "25:00:00": "1206 Invalid timestamp format or value [HH24:MI:SS]"}},
		{col("c", schema.TimeTZ), load.TextOptions{}, map[string]string{"10:11:12-08": "10:11:12-08:00", "10:11:12": "10:11:12+00:00"}},
	} {
		for value, want := range test.values {
			name := fmt.Sprintf("%s %s %s %v %q", test.column.Type, test.options.DateFormat, test.options.TimeFormat, test.options.AcceptAnyDate, value)
			checkValue(t, c, name, test.column, text(test.options), value, want)
		}
	}
}

func TestTypesThatAreNotLoaded(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("any", "x\n")
	for _, kind := range []schema.Kind{schema.Geometry, schema.Geography, schema.HLLSketch, schema.IntervalYearToMonth, schema.IntervalDayToSecond} {
		_, _, err := c.copy(load.CopyOptions{Columns: []load.Column{col("g", kind)}, Source: "s3://lake/any"})
		wantError(t, err, "0A000", fmt.Sprintf(`COPY into column "g" of type %s is not supported`, kind), "")
	}
	_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/any", Text: load.TextOptions{DateFormat: "YYYY-QQ"}})
	wantError(t, err, "22023", `"QQ"`, "")
}
