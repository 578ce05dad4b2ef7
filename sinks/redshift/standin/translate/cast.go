package translate

import (
	"fmt"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// shortTypeNames are the names that the catalog has for types: a cast's column is called so.
var shortTypeNames = map[string]string{
	typeSmallint: "int2", typeInteger: "int4", typeBigint: "int8", typeNumeric: "numeric", typeReal: "float4", typeDouble: "float8",
	typeBoolean: "bool", typeChar: "bpchar", typeVarchar: "varchar", typeDate: "date", typeTimestamp: "timestamp",
	typeTimestampTZ: "timestamptz", typeTime: "time", typeTimeTZ: "timetz", typeSuper: "super", typeVarbyte: "varbyte",
	typeGeometry: "geometry", typeGeography: "geography", typeHLL: "hllsketch",
	typeYearMonth: "intervaly2m", typeDaySecond: "intervald2s", typeInterval: "interval",
}

func shortTypeName(ty Type) string { return shortTypeNames[ty.Name] }

// cast is CAST, :: and CONVERT, and TRY_CAST.
func (t *translator) cast(s *scope, e *syntax.Cast) value {
	x := t.expr(s, e.X)
	if t.err != nil {
		return value{}
	}
	if to, ok := leaderCasts[e.To.Name]; ok && !e.To.Array {
		t.leader = append(t.leader, fmt.Sprintf("Type %q not supported.", e.To.Name))
		return value{sql: "(" + x.sql + ")::" + to, label: castLabel(x, e.To.Name)}
	}
	ty := t.typeOf(e.To)
	if e.Try {
		return t.tryCast(x, ty)
	}
	v := t.castTo(x, ty)
	v.label = castLabel(x, shortTypeName(ty))
	return v
}

// castLabel is the name of a cast's column: that of what is cast if it has one.
func castLabel(x value, typeName string) string {
	if x.label != "" && x.label != noLabel {
		return x.label
	}
	return typeName
}

// castTo casts a value as an explicit cast does: to a text it cuts what does not fit,
// without an error and in bytes (r_CAST_function, r_Character_types).
func (t *translator) castTo(x value, ty Type) value {
	if t.err != nil {
		return value{}
	}
	from := x.typ.Name
	switch {
	case ty.Name == typeSuper:
		v := toSuper(x)
		v.label = x.label
		return v
	case ty.isText():
		return t.castText(x, ty)
	case ty.Name == typeBoolean && (from == typeNumeric || x.typ.isFloat() || x.typ.isTime()):
		t.refuseCast(x, ty)
	case ty.Name == typeBoolean && x.typ.isInteger():
		return value{sql: "(" + x.sql + " <> 0)", typ: ty, label: x.label}
	case from == typeBoolean && ty.isInteger():
		x.sql = "CAST(" + x.sql + " AS integer)"
	}
	return value{sql: "CAST(" + x.sql + " AS " + ty.postgres() + ")", typ: ty, label: x.label}
}

func (t *translator) refuseCast(x value, ty Type) {
	t.refuse(codeCannotCoerce, "cannot cast type %s to %s", x.typeName(), ty.Name)
}

func (t *translator) castText(x value, ty Type) value {
	switch x.typ.Name {
	case typeBoolean:
		t.refuseCast(x, ty)
		return value{}
	case typeVarbyte:
		x = value{sql: "rs.varbyte_text(" + x.sql + ")", typ: Type{Name: typeVarchar}, label: x.label}
	}
	sql := x.sql
	if !x.typ.isText() {
		sql = "CAST(" + sql + " AS text)"
	}
	return value{sql: "CAST(" + sql + " AS " + ty.postgres() + ")", typ: ty, label: x.label}
}

// tryCast is TRY_CAST: NULL where a cast fails (r_TRY_CAST).
func (t *translator) tryCast(x value, ty Type) value {
	v := t.castTo(value{sql: "rs.try_cast(CAST(" + x.sql + " AS text), " + literal(ty.postgres()) + ")"}, ty)
	v.label = castLabel(x, shortTypeName(ty))
	return v
}

// toSuper makes a dynamic value of one that is not.
func toSuper(x value) value {
	switch {
	case x.typ.Name == typeSuper:
		return x
	case x.sql == "NULL":
		return value{sql: "NULL::rs.super", typ: Type{Name: typeSuper}}
	case x.typ.Name == "" || x.typ.isText():
		x.sql = "CAST(" + x.sql + " AS text)"
	}
	return value{sql: "rs.to_super(" + x.sql + ")", typ: Type{Name: typeSuper}, label: x.label}
}

// superNumber is the number in a dynamic value, or NULL.
func superNumber(x value) value {
	return value{sql: "rs.super_numeric(" + x.sql + ")", typ: Type{Name: typeNumeric}, label: x.label}
}

// textOf is a value where a text is wanted: a dynamic one is cast, as Redshift does.
func (t *translator) textOf(x value) value {
	if x.typ.Name != typeSuper {
		return x
	}
	return value{sql: "CAST(" + x.sql + " AS text)", typ: Type{Name: typeVarchar}, label: x.label}
}
