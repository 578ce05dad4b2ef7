package translate

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// dateFunctions are of Date_functions_header and the pages below it.
var dateFunctions = map[string]function{
	"add_months":                {min: 2, max: 2, takes: "dn", to: "rs.add_months", gives: givesTimestamp},
	"convert_timezone":          {min: 2, max: 3, build: buildConvertTimezone},
	"date_cmp":                  {min: 2, max: 2, build: buildCompare("date", "date")},
	"date_cmp_timestamp":        {min: 2, max: 2, build: buildCompare("date", "timestamp")},
	"date_cmp_timestamptz":      {min: 2, max: 2, build: buildCompare("date", "timestamptz")},
	"date_part":                 {min: 2, max: 2, takes: "p.", build: buildDatePart},
	"date_part_year":            {min: 1, max: 1, takes: "d", build: buildYear},
	"date_trunc":                {min: 2, max: 2, takes: "p.", build: buildDateTrunc},
	"dateadd":                   {min: 3, max: 3, takes: "pn.", build: buildDateAdd},
	"date_add":                  {min: 3, max: 3, takes: "pn.", build: buildDateAdd},
	"datediff":                  {min: 3, max: 3, takes: "p.", build: buildDateDiff},
	"date_diff":                 {min: 3, max: 3, takes: "p.", build: buildDateDiff},
	"getdate":                   {min: 0, max: 0, build: buildGetdate},
	"interval_cmp":              {min: 2, max: 2, build: buildCompare("interval", "interval")},
	"last_day":                  {min: 1, max: 1, takes: "d", to: "rs.last_day", gives: givesDate},
	"months_between":            {min: 2, max: 2, takes: "d", to: "rs.months_between", gives: givesDouble},
	"next_day":                  {min: 2, max: 2, takes: "dt", to: "rs.next_day", gives: givesDate},
	"sysdate":                   {min: 0, max: 0, build: buildSysdate},
	"timeofday":                 {min: 0, max: 0, gives: givesText},
	"timestamp_cmp":             {min: 2, max: 2, build: buildCompare("timestamp", "timestamp")},
	"timestamp_cmp_date":        {min: 2, max: 2, build: buildCompare("timestamp", "date")},
	"timestamp_cmp_timestamptz": {min: 2, max: 2, build: buildCompare("timestamp", "timestamptz")},
	"timestamptz_cmp":           {min: 2, max: 2, build: buildCompare("timestamptz", "timestamptz")},
	"timestamptz_cmp_date":      {min: 2, max: 2, build: buildCompare("timestamptz", "date")},
	"timestamptz_cmp_timestamp": {min: 2, max: 2, build: buildCompare("timestamptz", "timestamp")},
	"timezone":                  {min: 2, max: 2, takes: "t.", build: buildTimezone},
	"to_date":                   {min: 2, max: 3, takes: "tt.", to: "rs.to_date", gives: givesDate},
	"to_timestamp":              {min: 2, max: 3, takes: "tt.", to: "rs.to_timestamp", gives: givesZoned},
	"current_date":              {min: 0, max: 0, build: buildCurrentDate},
}

// dateParts are the words for the parts of a date (r_Dateparts_for_datetime_functions), by
// what PostgreSQL calls them.
var dateParts = words(map[string][]string{
	"millennium":      {"millennium", "millennia", "mil", "mils"},
	"century":         {"century", "centuries", "c", "cent", "cents"},
	"decade":          {"decade", "decades", "dec", "decs"},
	"epoch":           {"epoch"},
	"year":            {"year", "years", "y", "yr", "yrs"},
	"quarter":         {"quarter", "quarters", "qtr", "qtrs"},
	"month":           {"month", "months", "mon", "mons"},
	"week":            {"week", "weeks", "w"},
	"dow":             {"dayofweek", "dow", "dw", "weekday"},
	"doy":             {"dayofyear", "doy", "dy", "yearday"},
	"day":             {"day", "days", "d"},
	"hour":            {"hour", "hours", "h", "hr", "hrs"},
	"minute":          {"minute", "minutes", "m", "min", "mins"},
	"second":          {"second", "seconds", "s", "sec", "secs"},
	"milliseconds":    {"millisecond", "milliseconds", "ms", "msec", "msecs", "msecond", "mseconds", "millisec", "millisecs", "millisecon"},
	"microseconds":    {"microsecond", "microseconds", "us", "usec", "usecs", "usecond", "useconds", "microsec", "microsecs", "microsecon"},
	"timezone":        {"timezone"},
	"timezone_hour":   {"timezone_hour"},
	"timezone_minute": {"timezone_minute"},
})

func words(lists map[string][]string) map[string]string {
	out := map[string]string{}
	for to, list := range lists {
		for _, w := range list {
			out[w] = to
		}
	}
	return out
}

// datePartName is a date part as an argument: a bare word, or a string.
func (t *translator) datePartName(e syntax.Expr) value {
	var word string
	switch e := e.(type) {
	case *syntax.Ref:
		if len(e.Steps) == 0 {
			word = e.First.Text
		}
	case *syntax.String:
		word = e.Value
	case *syntax.Call:
		// A word that is a function too, as in DATEADD(year, …).
		if len(e.Args) == 0 {
			word = e.Name.Last().Text
		}
	}
	part, ok := dateParts[foldASCII(word)]
	if !ok {
		t.refuse(codeInvalidParameter, "timestamp units %q not recognized", word)
	}
	return value{sql: literal(part), label: part}
}

// timeOf is an argument that is a time: what has no type is a timestamp.
func timeOf(v value) value {
	if v.typ.isTime() || v.typ.isInterval() {
		return v
	}
	return value{sql: "CAST(" + v.sql + " AS timestamp)", typ: Type{Name: typeTimestamp}, label: v.label}
}

// timestampOf makes a timestamp of a date too.
func timestampOf(v value) value {
	if v.typ.Name == typeTimestampTZ || v.typ.Name == typeTime || v.typ.Name == typeTimeTZ {
		return v
	}
	return value{sql: "CAST(" + v.sql + " AS timestamp)", typ: Type{Name: typeTimestamp}, label: v.label}
}

// buildDateAdd is DATEADD: of a date it gives a timestamp (r_DATEADD_function).
func buildDateAdd(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	x := timestampOf(args[2])
	sql := "rs.dateadd(" + args[0].sql + ", CAST(" + args[1].sql + " AS bigint), " + x.sql + ")"
	return value{sql: sql, typ: x.typ, label: "date_add"}
}

// buildDateDiff is DATEDIFF, which counts the boundaries between two times.
func buildDateDiff(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	sql := "rs.datediff(" + args[0].sql + ", " + timestampOf(args[1]).sql + ", " + timestampOf(args[2]).sql + ")"
	return value{sql: sql, typ: Type{Name: typeBigint}, label: "date_diff"}
}

func buildDatePart(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	sql := "rs.date_part(" + args[0].sql + ", " + timeOf(args[1]).sql + ")"
	return value{sql: sql, typ: Type{Name: typeDouble}, label: "date_part"}
}

// datePart is EXTRACT: a whole number of what has no time zone (r_EXTRACT_function).
func (t *translator) datePart(field string, x value) value {
	part, ok := dateParts[foldASCII(field)]
	if !ok {
		t.refuse(codeInvalidParameter, "timestamp units %q not recognized", field)
	}
	x = timeOf(x)
	typ := Type{Name: typeBigint}
	if x.typ.Name == typeTimestampTZ {
		typ.Name = typeDouble
	}
	return value{sql: "rs.extract(" + literal(part) + ", " + x.sql + ")", typ: typ, label: "date_part"}
}

func buildYear(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "CAST(pg_catalog.date_part('year', " + args[0].sql + ") AS integer)", typ: Type{Name: typeInteger}, label: "date_part_year"}
}

// buildDateTrunc is DATE_TRUNC: a timestamp, of a date too.
func buildDateTrunc(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	x := timestampOf(args[1])
	return value{sql: "rs.date_trunc(" + args[0].sql + ", " + x.sql + ")", typ: x.typ, label: "date_trunc"}
}

// buildGetdate is GETDATE: the statement's beginning, in whole seconds (r_GETDATE).
func buildGetdate(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "rs.getdate()", typ: Type{Name: typeTimestamp}, label: "getdate"}
}

// buildSysdate is SYSDATE: the transaction's beginning, in UTC (r_SYSDATE).
func buildSysdate(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "rs.sysdate()", typ: Type{Name: typeTimestamp}, label: "timestamp"}
}

func buildCurrentDate(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "CURRENT_DATE", typ: Type{Name: typeDate}, label: "date"}
}

// buildConvertTimezone is CONVERT_TIMEZONE([from,] to, timestamp) (CONVERT_TIMEZONE.html).
func buildConvertTimezone(t *translator, _ *scope, _ *syntax.Call, args []value) value {
	last := len(args) - 1
	args[last] = timestampOf(args[last])
	for i := range args[:last] {
		args[i] = t.accept('t', args[i])
	}
	return value{sql: "rs.convert_timezone(" + join(args) + ")", typ: Type{Name: typeTimestamp}, label: "convert_timezone"}
}

// buildTimezone is TIMEZONE(zone, time), which is AT TIME ZONE (r_TIMEZONE.html).
func buildTimezone(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	x, typ := timestampOf(args[1]), Type{Name: typeTimestamp}
	if x.typ.Name == typeTimestamp {
		typ.Name = typeTimestampTZ
	}
	return value{sql: "(" + x.sql + " AT TIME ZONE " + args[0].sql + ")", typ: typ, label: "timezone"}
}

// buildCompare is of the functions that compare two times: -1, 0 or 1.
func buildCompare(left, right string) builder {
	return func(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
		a, b := "CAST("+args[0].sql+" AS "+left+")", "CAST("+args[1].sql+" AS "+right+")"
		sql := "(CASE WHEN " + a + " < " + b + " THEN -1 WHEN " + a + " > " + b + " THEN 1 WHEN " + a + " = " + b + " THEN 0 END)"
		return value{sql: sql, typ: Type{Name: typeInteger}}
	}
}
