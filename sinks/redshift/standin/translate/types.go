package translate

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// The names of Redshift's types (c_Supported_data_types), and of those that the leader
// node has besides, in its catalog.
const (
	typeSmallint    = "smallint"
	typeInteger     = "integer"
	typeBigint      = "bigint"
	typeNumeric     = "numeric"
	typeReal        = "real"
	typeDouble      = "double precision"
	typeBoolean     = "boolean"
	typeChar        = "character"
	typeVarchar     = "character varying"
	typeDate        = "date"
	typeTimestamp   = "timestamp without time zone"
	typeTimestampTZ = "timestamp with time zone"
	typeTime        = "time without time zone"
	typeTimeTZ      = "time with time zone"
	typeSuper       = "super"
	typeVarbyte     = "binary varying"
	typeGeometry    = "geometry"
	typeGeography   = "geography"
	typeHLL         = "hllsketch"
	typeYearMonth   = "interval year to month"
	typeDaySecond   = "interval day to second"
	// typeInterval is of values only: no column has it.
	typeInterval = "interval"
	typeUnknown  = "unknown"
	// arraySuffix is of the types of arrays, which only the leader node has: columns of the
	// catalog and what some of its functions give.
	arraySuffix = "[]"
)

func isArray(t Type) bool { return strings.HasSuffix(t.Name, arraySuffix) }

// The bounds of the types' arguments.
const (
	maxVarchar       = 65535
	maxChar          = 4096
	maxVarbyte       = 16777216
	maxModifier      = 10485760 // PostgreSQL's; as a VARBYTE's it stands for maxVarbyte
	defaultVarbyte   = 64000
	defaultText      = 256
	maxPrecision     = 38
	maxScale         = 37
	defaultPrecision = 18
)

// synonyms are the words for each type.
var synonyms = map[string]string{
	"smallint": typeSmallint, "int2": typeSmallint,
	"integer": typeInteger, "int": typeInteger, "int4": typeInteger,
	"bigint": typeBigint, "int8": typeBigint,
	"decimal": typeNumeric, "numeric": typeNumeric, "dec": typeNumeric,
	"real": typeReal, "float4": typeReal,
	"double precision": typeDouble, "float8": typeDouble, "float": typeDouble,
	"boolean": typeBoolean, "bool": typeBoolean,
	"character": typeChar, "char": typeChar, "nchar": typeChar, "bpchar": typeChar, "national character": typeChar, "national char": typeChar,
	"character varying": typeVarchar, "varchar": typeVarchar, "nvarchar": typeVarchar, "text": typeVarchar,
	"char varying": typeVarchar, "national character varying": typeVarchar, "national char varying": typeVarchar, "nchar varying": typeVarchar,
	"date":      typeDate,
	"timestamp": typeTimestamp, "timestamp without time zone": typeTimestamp,
	"timestamptz": typeTimestampTZ, "timestamp with time zone": typeTimestampTZ,
	"time": typeTime, "time without time zone": typeTime,
	"timetz": typeTimeTZ, "time with time zone": typeTimeTZ,
	"super":   typeSuper,
	"varbyte": typeVarbyte, "varbinary": typeVarbyte, "binary varying": typeVarbyte,
	"geometry": typeGeometry, "geography": typeGeography, "hllsketch": typeHLL,
	"interval": typeInterval,
}

// leaderTypes are types of PostgreSQL 8.0 that the leader node has for its catalog. No
// column of a table may have one of them, serial and arrays least of all
// (c_unsupported-postgresql-datatypes).
var leaderTypes = map[string]bool{
	"bytea": true, "inet": true, "cidr": true, "macaddr": true, "bit": true, "bit varying": true, "varbit": true,
	"serial": true, "serial4": true, "serial8": true, "bigserial": true, "money": true,
	"point": true, "line": true, "lseg": true, "box": true, "path": true, "polygon": true, "circle": true,
	"oid": true, "tid": true, "xid": true, "cid": true, "name": true, "abstime": true, "reltime": true, "tinterval": true,
	"regclass": true, "regtype": true, "regproc": true, "regprocedure": true, "regoper": true, "regoperator": true,
	"refcursor": true, "oidvector": true, "int2vector": true, "aclitem": true, "\"char\"": true, "unknown": true,
}

// leaderCasts are the types of leaderTypes that an expression may be cast to.
var leaderCasts = map[string]string{
	"oid": "oid", "name": "name", "regclass": "regclass", "regtype": "regtype", "regproc": "regproc",
	"\"char\"": `"char"`, "abstime": "timestamp", "xid": "xid",
}

// columnType is the type of a column, which must be one that tables may have.
func (t *translator) columnType(column string, ty syntax.Type) Type {
	name, known := synonyms[ty.Name]
	switch {
	case ty.Array && (known || leaderTypes[ty.Name]):
		if !known {
			name = ty.Name
		}
		t.refuse(codeNotSupported, "Column %q has unsupported type %q.", column, name+"[]")
	case !known && leaderTypes[ty.Name]:
		t.refuse(codeNotSupported, "Column %q has unsupported type %q.", column, ty.Name)
	case name == typeInterval && ty.Fields == "":
		t.refuse(codeNotSupported, "Column %q has unsupported type %q.", column, name)
	}
	return t.typeOf(ty)
}

// typeOf is a type that is written in a statement.
func (t *translator) typeOf(ty syntax.Type) Type {
	name, ok := synonyms[ty.Name]
	if !ok {
		t.refuseAt(ty.Pos, codeUndefinedObject, "type %q does not exist", ty.Name)
		return Type{}
	}
	if ty.Array {
		t.refuseAt(ty.Pos, codeNotSupported, "type %q is not supported", name+"[]")
		return Type{}
	}
	switch name {
	case typeNumeric:
		return t.numericType(ty)
	case typeChar:
		n := 1
		if ty.Name == "bpchar" {
			n = defaultText
		}
		return t.sizedType(name, ty, n, maxChar)
	case typeVarchar:
		return t.sizedType(name, ty, defaultText, maxVarchar)
	case typeVarbyte:
		return t.sizedType(name, ty, defaultVarbyte, maxVarbyte)
	case typeDouble:
		return t.floatType(ty)
	case typeInterval:
		return t.intervalType(ty)
	case typeTime, typeTimeTZ, typeTimestamp, typeTimestampTZ:
		// A precision is parsed and has no effect.
		t.checkArgs(ty, 1)
	default:
		t.checkArgs(ty, 0)
	}
	return Type{Name: name}
}

func (t *translator) checkArgs(ty syntax.Type, most int) {
	if len(ty.Args) > most {
		t.refuseAt(ty.Pos, codeSyntax, "type %q does not take so many arguments", ty.Name)
	}
}

// sizedType is a type with a length in bytes.
func (t *translator) sizedType(name string, ty syntax.Type, without, most int) Type {
	t.checkArgs(ty, 1)
	if len(ty.Args) == 0 {
		return Type{Name: name, Length: without}
	}
	if ty.Args[0] == "max" {
		return Type{Name: name, Length: most}
	}
	n, err := strconv.Atoi(ty.Args[0])
	switch {
	case ty.Name == "text":
		t.refuseAt(ty.Pos, codeSyntax, `syntax error at or near "("`)
	case err == nil && n < 1:
		t.refuseAt(ty.Pos, codeInvalidParameter, "length for type %s must be at least 1", name)
	case err != nil || n > most:
		t.refuseAt(ty.Pos, codeInvalidParameter, "length for type %s cannot exceed %d", name, most)
	}
	return Type{Name: name, Length: n}
}

func (t *translator) numericType(ty syntax.Type) Type {
	t.checkArgs(ty, 2)
	out := Type{Name: typeNumeric, Precision: defaultPrecision}
	if len(ty.Args) > 0 {
		p, err := strconv.Atoi(ty.Args[0])
		if err != nil || p < 1 || p > maxPrecision {
			t.refuseAt(ty.Pos, codeInvalidParameter, "NUMERIC precision %s must be between 1 and %d", ty.Args[0], maxPrecision)
		}
		out.Precision = p
	}
	if len(ty.Args) > 1 {
		s, err := strconv.Atoi(ty.Args[1])
		if err != nil || s < 0 || s > out.Precision || s > maxScale {
			t.refuseAt(ty.Pos, codeInvalidParameter, "NUMERIC scale %s must be between 0 and precision %d", ty.Args[1], min(out.Precision, maxScale))
		}
		out.Scale = s
	}
	return out
}

func (t *translator) floatType(ty syntax.Type) Type {
	if len(ty.Args) == 0 {
		return Type{Name: typeDouble}
	}
	p, err := strconv.Atoi(ty.Args[0])
	switch {
	case ty.Name != "float" || len(ty.Args) > 1:
		t.checkArgs(ty, 0)
	case err != nil || p < 1:
		t.refuseAt(ty.Pos, codeInvalidParameter, "precision for type float must be at least 1 bit")
	case p > 53:
		t.refuseAt(ty.Pos, codeInvalidParameter, "precision for type float must be less than 54 bits")
	case p <= 24:
		return Type{Name: typeReal}
	}
	return Type{Name: typeDouble}
}

func (t *translator) intervalType(ty syntax.Type) Type {
	switch ty.Fields {
	case "":
		return Type{Name: typeInterval}
	case "year", "month", "year to month":
		return Type{Name: typeYearMonth}
	default:
		return Type{Name: typeDaySecond}
	}
}

// postgres is how a type is written for PostgreSQL.
func (ty Type) postgres() string {
	switch ty.Name {
	case typeChar:
		return fmt.Sprintf("character(%d)", max(ty.Length, 1))
	case typeVarchar:
		if ty.Length == 0 {
			return "text"
		}
		return fmt.Sprintf("character varying(%d)", ty.Length)
	case typeNumeric:
		if ty.Precision == 0 {
			return "numeric"
		}
		return fmt.Sprintf("numeric(%d,%d)", ty.Precision, ty.Scale)
	case typeSuper, typeGeometry, typeGeography, typeHLL:
		return "rs." + ty.Name
	case typeVarbyte:
		return fmt.Sprintf("rs.varbyte(%d)", min(cmp.Or(ty.Length, defaultVarbyte), maxModifier))
	case typeDaySecond:
		return "interval day to second(6)"
	}
	return ty.Name
}

// String is how Redshift writes the type.
func (ty Type) String() string {
	switch {
	case ty.Name == "":
		return typeUnknown
	case (ty.Name == typeChar || ty.Name == typeVarchar || ty.Name == typeVarbyte) && ty.Length > 0:
		return fmt.Sprintf("%s(%d)", ty.Name, ty.Length)
	case ty.Name == typeNumeric && ty.Precision > 0:
		return fmt.Sprintf("numeric(%d,%d)", ty.Precision, ty.Scale)
	}
	return ty.Name
}

func (ty Type) isText() bool { return ty.Name == typeVarchar || ty.Name == typeChar }

func (ty Type) isInteger() bool {
	return ty.Name == typeSmallint || ty.Name == typeInteger || ty.Name == typeBigint
}

func (ty Type) isFloat() bool { return ty.Name == typeReal || ty.Name == typeDouble }

func (ty Type) isNumber() bool { return ty.isInteger() || ty.isFloat() || ty.Name == typeNumeric }

func (ty Type) isTime() bool {
	return ty.Name == typeDate || strings.HasPrefix(ty.Name, "time")
}

func (ty Type) isInterval() bool { return strings.HasPrefix(ty.Name, typeInterval) }

// digits are the precision and the scale that a number has in a computation with a numeric.
func (ty Type) digits() (precision, scale int, ok bool) {
	switch ty.Name {
	case typeSmallint:
		return 5, 0, true
	case typeInteger:
		return 10, 0, true
	case typeBigint:
		return 19, 0, true
	case typeNumeric:
		return ty.Precision, ty.Scale, ty.Precision > 0
	}
	return 0, 0, false
}
