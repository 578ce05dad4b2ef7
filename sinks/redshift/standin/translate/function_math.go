package translate

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// mathFunctions are of Math_functions and the pages below it.
var mathFunctions = map[string]function{
	"abs":      {min: 1, max: 1, takes: "n", gives: givesFirst},
	"acos":     {min: 1, max: 1, takes: "n", gives: givesDouble},
	"asin":     {min: 1, max: 1, takes: "n", gives: givesDouble},
	"atan":     {min: 1, max: 1, takes: "n", gives: givesDouble},
	"atan2":    {min: 2, max: 2, takes: "n", gives: givesDouble},
	"cbrt":     {min: 1, max: 1, takes: "n", gives: givesDouble},
	"ceil":     {min: 1, max: 1, takes: "n", gives: givesWhole},
	"ceiling":  {min: 1, max: 1, takes: "n", gives: givesWhole},
	"cos":      {min: 1, max: 1, takes: "n", gives: givesDouble},
	"cot":      {min: 1, max: 1, takes: "n", gives: givesDouble},
	"degrees":  {min: 1, max: 1, takes: "n", gives: givesDouble},
	"dexp":     {min: 1, max: 1, takes: "n", build: buildDouble("exp")},
	"dlog1":    {min: 1, max: 1, takes: "n", build: buildDouble("ln")},
	"dlog10":   {min: 1, max: 1, takes: "n", build: buildDouble("log")},
	"exp":      {min: 1, max: 1, takes: "n", build: buildDouble("exp")},
	"floor":    {min: 1, max: 1, takes: "n", gives: givesWhole},
	"ln":       {min: 1, max: 1, takes: "n", build: buildDouble("ln")},
	"log":      {min: 1, max: 2, takes: "n", build: buildLog},
	"mod":      {min: 2, max: 2, takes: "n", gives: func(a []value) Type { return wider(a[0].typ, a[1].typ) }},
	"pi":       {min: 0, max: 0, gives: givesDouble},
	"pow":      {min: 2, max: 2, takes: "n", build: buildDouble("power")},
	"power":    {min: 2, max: 2, takes: "n", build: buildDouble("power")},
	"radians":  {min: 1, max: 1, takes: "n", gives: givesDouble},
	"random":   {min: 0, max: 0, gives: givesDouble},
	"round":    {min: 1, max: 2, takes: "n", build: buildRound("round")},
	"sign":     {min: 1, max: 1, takes: "n", build: buildSign},
	"sin":      {min: 1, max: 1, takes: "n", gives: givesDouble},
	"sqrt":     {min: 1, max: 1, takes: "n", build: buildDouble("sqrt")},
	"tan":      {min: 1, max: 1, takes: "n", gives: givesDouble},
	"to_hex":   {min: 1, max: 1, build: buildToHex},
	"trunc":    {min: 1, max: 2, build: buildTrunc},
	"truncate": {min: 1, max: 2, build: buildTrunc},
}

// givesWhole is of CEIL and FLOOR: a numeric keeps its type without its fraction.
func givesWhole(args []value) Type {
	ty := args[0].typ
	if ty.Name == typeNumeric && ty.Precision > 0 {
		ty.Precision, ty.Scale = min(max(ty.Precision-ty.Scale+1, 1), maxPrecision), 0
	}
	return ty
}

// buildDouble is a function that computes with double precision whatever it is given.
func buildDouble(name string) builder {
	return func(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
		for i := range args {
			args[i].sql = "CAST(" + args[i].sql + " AS double precision)"
		}
		return value{sql: "pg_catalog." + name + "(" + join(args) + ")", typ: Type{Name: typeDouble}}
	}
}

// buildSign is SIGN, of the type of its argument (r_SIGN).
func buildSign(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	sql, typ := "pg_catalog.sign("+args[0].sql+")", args[0].typ
	if typ.isInteger() {
		sql = "CAST(" + sql + " AS " + typ.Name + ")"
	}
	return value{sql: sql, typ: typ}
}

// buildLog is LOG: of base 10, or LOG(base, x).
func buildLog(t *translator, s *scope, c *syntax.Call, args []value) value {
	if len(args) == 1 {
		return buildDouble("log")(t, s, c, args)
	}
	return value{sql: "CAST(pg_catalog.log(CAST(" + args[0].sql + " AS numeric), CAST(" + args[1].sql + " AS numeric)) AS double precision)", typ: Type{Name: typeDouble}}
}

// buildRound is ROUND and TRUNC of numbers. PostgreSQL rounds double precision to a number
// of digits only as numeric.
func buildRound(name string) builder {
	return func(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
		x := args[0]
		if x.typ.isFloat() && len(args) > 1 {
			sql := "CAST(pg_catalog." + name + "(CAST(" + x.sql + " AS numeric), " + args[1].sql + ") AS double precision)"
			return value{sql: sql, typ: Type{Name: typeDouble}}
		}
		return value{sql: "pg_catalog." + name + "(" + join(args) + ")", typ: x.typ}
	}
}

// buildTrunc is TRUNC of a number, or of a time: then it is a date (r_TRUNC, r_TRUNC_date).
func buildTrunc(t *translator, s *scope, c *syntax.Call, args []value) value {
	if args[0].typ.isTime() {
		return value{sql: "CAST(" + args[0].sql + " AS date)", typ: Type{Name: typeDate}, label: "trunc"}
	}
	args[0] = t.accept('n', args[0])
	v := buildRound("trunc")(t, s, c, args)
	v.label = "trunc"
	return v
}

// buildToHex is TO_HEX of a number or of VARBYTE.
func buildToHex(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	name := "pg_catalog.to_hex"
	if args[0].typ.Name == typeVarbyte {
		name = "rs.to_hex"
	}
	return value{sql: name + "(" + join(args) + ")", typ: Type{Name: typeVarchar}, label: "to_hex"}
}
