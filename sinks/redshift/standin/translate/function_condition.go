package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// conditionFunctions are of c_conditional_expressions.
var conditionFunctions = map[string]function{
	"coalesce": {min: 1, max: -1, build: buildList("COALESCE", "coalesce")},
	"isnull":   {min: 2, max: 2, build: buildList("COALESCE", "coalesce")},
	"nvl":      {min: 1, max: -1, build: buildList("COALESCE", "coalesce")},
	"greatest": {min: 1, max: -1, build: buildList("GREATEST", "greatest")},
	"least":    {min: 1, max: -1, build: buildList("LEAST", "least")},
	"nullif":   {min: 2, max: 2, build: buildNullIf},
	"nvl2":     {min: 3, max: 3, build: buildNVL2},
	"decode":   {min: 3, max: -1, build: buildDecode},
}

// buildList is of the functions whose arguments have one type.
func buildList(name, label string) builder {
	return func(t *translator, _ *scope, _ *syntax.Call, args []value) value {
		ty := unifyList(args)
		return value{sql: name + "(" + join(args) + ")", typ: ty, label: label}
	}
}

func buildNullIf(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	typ := args[0].typ
	t := args
	unifyList(t)
	return value{sql: "NULLIF(" + join(t) + ")", typ: typ, label: "nullif"}
}

func buildNVL2(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	typ := unifyList(args[1:])
	sql := "(CASE WHEN " + args[0].sql + " IS NOT NULL THEN " + args[1].sql + " ELSE " + args[2].sql + " END)"
	return value{sql: sql, typ: typ, label: "case"}
}

// buildDecode is DECODE, to which NULL equals NULL (r_DECODE_expression).
func buildDecode(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	x, rest := args[0], args[1:]
	var searches, results []value
	for len(rest) > 1 {
		searches, results = append(searches, rest[0]), append(results, rest[1])
		rest = rest[2:]
	}
	branches := len(results)
	results = append(results, rest...)
	typ := unifyList(results)
	var b strings.Builder
	b.WriteString("(CASE")
	for i := range branches {
		left, right := x, searches[i]
		unify(&left, &right)
		b.WriteString(" WHEN " + left.sql + " IS NOT DISTINCT FROM " + right.sql + " THEN " + results[i].sql)
	}
	if len(results) > branches {
		b.WriteString(" ELSE " + results[branches].sql)
	}
	return value{sql: b.String() + " END)", typ: typ, label: "case"}
}
