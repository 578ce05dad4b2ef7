package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// aggregateFunctions are of c_Aggregate_Functions; all are window functions too.
var aggregateFunctions = map[string]function{
	"any_value":       {min: 1, max: 1, kind: aggregate, build: buildAggregate("rs.any_value", givesFirst)},
	"avg":             {min: 1, max: 1, kind: aggregate, takes: "n", build: buildAvg},
	"count":           {min: 0, max: 1, kind: aggregate, gives: givesBigint},
	"grouping":        {min: 1, max: 1, kind: aggregate, build: buildGrouping},
	"grouping_id":     {min: 1, max: -1, kind: aggregate, build: buildGrouping},
	"hll":             {min: 1, max: 1, kind: aggregate, build: buildHLL},
	"listagg":         {min: 1, max: 2, kind: aggregate, takes: "t", build: buildListagg},
	"max":             {min: 1, max: 1, kind: aggregate, gives: givesFirst},
	"median":          {min: 1, max: 1, kind: aggregate, build: buildMedian},
	"min":             {min: 1, max: 1, kind: aggregate, gives: givesFirst},
	"percentile_cont": {min: 1, max: 1, kind: aggregate, build: buildPercentile("percentile_cont")},
	"percentile_disc": {min: 1, max: 1, kind: aggregate, build: buildPercentile("percentile_disc")},
	"stddev":          {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("stddev_samp")},
	"stddev_samp":     {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("stddev_samp")},
	"stddev_pop":      {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("stddev_pop")},
	"sum":             {min: 1, max: 1, kind: aggregate, takes: "n", build: buildSum},
	"var_samp":        {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("var_samp")},
	"var_pop":         {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("var_pop")},
	"variance":        {min: 1, max: 1, kind: aggregate, takes: "n", build: buildDoubleAggregate("var_samp")},
	"bit_and":         {min: 1, max: 1, kind: aggregate, gives: givesFirst},
	"bit_or":          {min: 1, max: 1, kind: aggregate, gives: givesFirst},
	"bool_and":        {min: 1, max: 1, kind: aggregate, gives: givesBoolean},
	"bool_or":         {min: 1, max: 1, kind: aggregate, gives: givesBoolean},
}

// windowFunctions are of c_Window_functions.
var windowFunctions = map[string]function{
	"cume_dist":       {kind: window, gives: givesDouble},
	"dense_rank":      {kind: window, gives: givesBigint},
	"first_value":     {min: 1, max: 1, kind: window, build: buildValue},
	"lag":             {min: 1, max: 2, kind: window, build: buildValue},
	"last_value":      {min: 1, max: 1, kind: window, build: buildValue},
	"lead":            {min: 1, max: 2, kind: window, build: buildValue},
	"nth_value":       {min: 2, max: 2, kind: window, build: buildValue},
	"ntile":           {min: 1, max: 1, kind: window, build: buildNtile},
	"percent_rank":    {kind: window, gives: givesDouble},
	"rank":            {kind: window, gives: givesBigint},
	"ratio_to_report": {min: 1, max: 1, kind: window, takes: "n", build: buildRatio},
	"row_number":      {kind: window, gives: givesBigint},
}

// aggregateSQL writes an aggregate with DISTINCT and OVER.
func (t *translator) aggregateSQL(s *scope, c *syntax.Call, to string, args string) string {
	distinct := ""
	if c.Distinct {
		distinct = "DISTINCT "
	}
	name := t.name(c.Name.Last())
	return to + "(" + distinct + args + ")" + t.over(s, t.functions[name], name, c)
}

func buildAggregate(to string, gives func([]value) Type) builder {
	return func(t *translator, s *scope, c *syntax.Call, args []value) value {
		return value{sql: t.aggregateSQL(s, c, to, join(args)), typ: gives(args)}
	}
}

// buildHLL is HLL(x), an estimate of the number of distinct values (r_HLL_function). Here it
// is exact, as APPROXIMATE COUNT(DISTINCT x) is.
func buildHLL(t *translator, s *scope, c *syntax.Call, args []value) value {
	counted := *c
	counted.Distinct = true
	return value{sql: t.aggregateSQL(s, &counted, "count", args[0].sql), typ: Type{Name: typeBigint}, label: "hll"}
}

// buildMedian is MEDIAN: a decimal of what is no floating point (r_MEDIAN, r_WF_MEDIAN).
func buildMedian(t *translator, s *scope, c *syntax.Call, args []value) value {
	t.partitionOnly(c)
	x := t.accept('n', args[0])
	sql := t.aggregateSQL(s, c, "rs.median", x.sql)
	switch p, scale, ok := x.typ.digits(); {
	case ok:
		ty := Type{Name: typeNumeric, Precision: maxPrecision, Scale: min(scale+1, p)}
		return value{sql: "CAST(" + sql + " AS " + ty.postgres() + ")", typ: ty, label: "median"}
	case x.typ.Name == typeDate:
		return value{sql: "CAST(" + sql + " AS date)", typ: x.typ, label: "median"}
	}
	return value{sql: sql, typ: x.typ, label: "median"}
}

// partitionOnly refuses an order and a frame in the OVER of a function that takes neither.
func (t *translator) partitionOnly(c *syntax.Call) {
	if c.Over != nil && (len(c.Over.OrderBy) > 0 || c.Over.Frame != nil) {
		name := strings.ToUpper(t.name(c.Name.Last()))
		t.refuse(codeNotSupported, "%s window functions do not support ORDER BY or a frame in OVER", name)
	}
}

// buildAvg is AVG: of whole numbers a whole one (r_AVG).
func buildAvg(t *translator, s *scope, c *syntax.Call, args []value) value {
	sql, x := t.aggregateSQL(s, c, "rs.avg", args[0].sql), args[0].typ
	switch {
	case x.isInteger():
		x.Name = typeBigint
	case x.Name == typeNumeric && x.Precision > 0:
		x.Precision = maxPrecision
		sql = "CAST(" + sql + " AS " + x.postgres() + ")"
	case x.Name == typeReal:
		x.Name = typeDouble
	}
	return value{sql: sql, typ: x, label: "avg"}
}

// buildSum is SUM: BIGINT of SMALLINT and INTEGER, NUMERIC(38) of the wider (r_SUM).
func buildSum(t *translator, s *scope, c *syntax.Call, args []value) value {
	sql, x := t.aggregateSQL(s, c, "pg_catalog.sum", args[0].sql), args[0].typ
	switch x.Name {
	case typeSmallint, typeInteger:
		x = Type{Name: typeBigint}
	case typeBigint:
		x = Type{Name: typeNumeric, Precision: maxPrecision}
	case typeNumeric:
		if x.Precision > 0 {
			x.Precision = maxPrecision
		}
	case typeReal:
		x = Type{Name: typeDouble}
		sql = t.aggregateSQL(s, c, "pg_catalog.sum", "CAST("+args[0].sql+" AS double precision)")
	}
	return value{sql: sql, typ: x, label: "sum"}
}

func buildDoubleAggregate(name string) builder {
	return func(t *translator, s *scope, c *syntax.Call, args []value) value {
		sql := t.aggregateSQL(s, c, "pg_catalog."+name, "CAST("+args[0].sql+" AS double precision)")
		return value{sql: sql, typ: Type{Name: typeDouble}}
	}
}

// buildListagg is LISTAGG(x [, delimiter]) [WITHIN GROUP (ORDER BY …)] [OVER (PARTITION BY …)]
// (r_LISTAGG, r_WF_LISTAGG).
func buildListagg(t *translator, s *scope, c *syntax.Call, args []value) value {
	if len(args) == 1 {
		args = append(args, value{sql: "''"})
	}
	// PostgreSQL wants what is ordered by among the arguments of a DISTINCT, as it stands there.
	order := ""
	for i, o := range c.OrderBy {
		x := t.expr(s, o.X).sql
		if x == args[0].sql {
			x = "CAST(" + x + " AS text)"
		}
		order += []string{" ORDER BY ", ", "}[min(i, 1)] + x + direction(o)
	}
	v := value{typ: Type{Name: typeVarchar, Length: maxVarchar}, label: "listagg"}
	args[0].sql, args[1].sql = "CAST("+args[0].sql+" AS text)", "CAST("+args[1].sql+" AS text)"
	if c.Over == nil {
		distinct := ""
		if c.Distinct {
			distinct = "DISTINCT "
		}
		v.sql = "rs.listagg(" + distinct + join(args) + order + ")"
		return v
	}
	t.partitionOnly(c)
	v.sql = "rs.listagg(" + join(args) + ") OVER (" + t.windowSQL(s, c.Over) + order + " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
	return v
}

// buildPercentile is PERCENTILE_CONT and PERCENTILE_DISC, WITHIN GROUP (ORDER BY x): a value
// of x, or a decimal between two unless x is of floating point (r_PERCENTILE_CONT).
func buildPercentile(name string) builder {
	return func(t *translator, s *scope, c *syntax.Call, args []value) value {
		if len(c.OrderBy) != 1 {
			t.refuse(codeSyntax, "%s requires WITHIN GROUP with one ORDER BY expression", strings.ToUpper(name))
			return value{}
		}
		x := t.expr(s, c.OrderBy[0].X)
		v := value{sql: "pg_catalog." + name + "(" + args[0].sql + ") WITHIN GROUP (ORDER BY " + x.sql + direction(c.OrderBy[0]) + ")", typ: x.typ}
		if c.Over != nil {
			t.partitionOnly(c)
			v.sql = t.percentileOver(s, c, name, args[0].sql, x)
		}
		_, scale, ok := x.typ.digits()
		switch {
		case name == "percentile_disc":
		case ok:
			v.typ = Type{Name: typeNumeric, Precision: maxPrecision, Scale: min(scale+1, maxScale)}
			v.sql = "CAST(" + v.sql + " AS " + v.typ.postgres() + ")"
		case x.typ.Name == typeReal:
			v.typ = Type{Name: typeDouble}
		}
		return v
	}
}

// percentileOver is a percentile as a window function, which PostgreSQL has not: it is that
// of an array of the partition's values.
func (t *translator) percentileOver(s *scope, c *syntax.Call, name, p string, x value) string {
	sql := x.sql
	if name == "percentile_cont" {
		sql = "CAST(" + sql + " AS double precision)"
	}
	list := "pg_catalog.array_agg(" + sql + ") OVER (" + t.windowSQL(s, c.Over) + ")"
	return "rs." + name + "(" + list + ", " + p + ", " + boolSQL(c.OrderBy[0].Desc) + ")"
}

// buildValue is LAG, LEAD, FIRST_VALUE, LAST_VALUE and NTH_VALUE. PostgreSQL has them with
// NULLs only: without, they are found in arrays of a frame's values.
func buildValue(t *translator, s *scope, c *syntax.Call, args []value) value {
	name := t.name(c.Name.Last())
	v := value{typ: args[0].typ, label: name}
	over := t.over(s, t.functions[name], name, c)
	if c.IgnoreNulls != "ignore" {
		v.sql = "pg_catalog." + name + "(" + join(args) + ")" + over
		return v
	}
	n := "1"
	if len(args) > 1 {
		n = args[1].sql
	}
	x := args[0].sql
	switch name {
	case "first_value":
		v.sql = "rs.first_nonnull(" + x + ")" + over
	case "last_value":
		v.sql = "rs.last_nonnull(" + x + ")" + over
	case "nth_value":
		v.sql = nonNull(x, over) + "[" + n + "]"
	case "lead":
		v.sql = nonNull(x, t.framed(s, c, "1 FOLLOWING AND UNBOUNDED FOLLOWING")) + "[" + n + "]"
	default:
		before := nonNull(x, t.framed(s, c, "UNBOUNDED PRECEDING AND 1 PRECEDING"))
		v.sql = before + "[pg_catalog.cardinality(" + before + ") + 1 - " + n + "]"
	}
	return v
}

// nonNull is an array of the values of a frame that are not NULL.
func nonNull(x, over string) string {
	return "(pg_catalog.array_remove(pg_catalog.array_agg(" + x + ")" + over + ", NULL))"
}

// framed is the OVER of a call with a frame that it has not.
func (t *translator) framed(s *scope, c *syntax.Call, bounds string) string {
	return " OVER (" + t.windowSQL(s, c.Over) + " ROWS BETWEEN " + bounds + ")"
}

// buildGrouping is GROUPING and GROUPING_ID: a bit for each expression, set where a row is
// not grouped by it (r_GROUP_BY_aggregation-extensions).
func buildGrouping(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "CAST(GROUPING(" + join(args) + ") AS bigint)", typ: Type{Name: typeBigint}}
}

// buildNtile is NTILE, a BIGINT (r_WF_NTILE).
func buildNtile(t *translator, s *scope, c *syntax.Call, args []value) value {
	return value{sql: "CAST(" + t.aggregateSQL(s, c, "pg_catalog.ntile", join(args)) + " AS bigint)", typ: Type{Name: typeBigint}}
}

// buildRatio is RATIO_TO_REPORT: a value beside its partition's sum (r_WF_RATIO_TO_REPORT).
func buildRatio(t *translator, s *scope, c *syntax.Call, args []value) value {
	t.partitionOnly(c)
	x := "CAST(" + args[0].sql + " AS double precision)"
	sql := "(" + x + " / NULLIF(pg_catalog.sum(" + x + ") OVER (" + t.windowSQL(s, c.Over) + "), 0))"
	return value{sql: sql, typ: Type{Name: typeDouble}, label: "ratio_to_report"}
}
