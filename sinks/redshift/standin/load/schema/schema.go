// Package schema has the words that a load and an unload speak of a table in: its columns
// and their types, as Redshift names them.
package schema

import (
	"fmt"
	"strconv"
)

// Kind is a data type without its dimensions.
type Kind uint8

// The data types of Redshift (dg/c_Supported_data_types).
const (
	Invalid Kind = iota
	Smallint
	Integer
	Bigint
	Numeric
	Real
	Double
	Boolean
	Char
	Varchar
	Date
	Timestamp
	TimestampTZ
	Time
	TimeTZ
	Super
	Varbyte
	Geometry
	Geography
	HLLSketch
	IntervalYearToMonth
	IntervalDayToSecond
)

// names are the words that the catalog, the load errors and Spectrum have for a kind.
var names = [...]struct{ sql, short, spectrum string }{
	Smallint:            {"smallint", "int2", "SMALLINT"},
	Integer:             {"integer", "int4", "INT"},
	Bigint:              {"bigint", "int8", "BIGINT"},
	Numeric:             {"numeric", "numeric", "DECIMAL"},
	Real:                {"real", "float4", "FLOAT"},
	Double:              {"double precision", "float8", "DOUBLE"},
	Boolean:             {"boolean", "bool", "BOOLEAN"},
	Char:                {"character", "char", "CHAR"},
	Varchar:             {"character varying", "varchar", "VARCHAR"},
	Date:                {"date", "date", "DATE"},
	Timestamp:           {"timestamp without time zone", "timestamp", "TIMESTAMP"},
	TimestampTZ:         {"timestamp with time zone", "timestamptz", "TIMESTAMPTZ"},
	Time:                {"time without time zone", "time", "TIME"},
	TimeTZ:              {"time with time zone", "timetz", "TIMETZ"},
	Super:               {"super", "super", "SUPER"},
	Varbyte:             {"binary varying", "varbyte", "VARBYTE"},
	Geometry:            {"geometry", "geometry", "GEOMETRY"},
	Geography:           {"geography", "geography", "GEOGRAPHY"},
	HLLSketch:           {"hllsketch", "hllsketch", "HLLSKETCH"},
	IntervalYearToMonth: {"interval year to month", "intervaly2m", "INTERVAL YEAR TO MONTH"},
	IntervalDayToSecond: {"interval day to second", "intervald2s", "INTERVAL DAY TO SECOND"},
}

// String is the name that SQL has for the kind, e.g. "character varying".
func (k Kind) String() string {
	if int(k) >= len(names) || names[k].sql == "" {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return names[k].sql
}

// KindOf finds a kind by the name that String gives.
func KindOf(name string) (Kind, bool) {
	for k := range names {
		if names[k].sql != "" && names[k].sql == name {
			return Kind(k), true
		}
	}
	return Invalid, false
}

// Type is a data type with its dimensions.
type Type struct {
	Kind Kind
	// Length is in bytes, of Char, Varchar and Varbyte. Zero is the type's greatest, and
	// for Varbyte that the column was made without a length.
	Length int
	// Precision and Scale are of Numeric.
	Precision, Scale int
}

// ParseType makes a Type of its name, as Kind.String spells it, and its dimensions.
func ParseType(name string, length, precision, scale int) (Type, error) {
	kind, ok := KindOf(name)
	if !ok {
		return Type{}, fmt.Errorf("type %q is not one of Redshift's", name)
	}
	return Type{Kind: kind, Length: length, Precision: precision, Scale: scale}, nil
}

// String spells the type as SQL does, e.g. "numeric(10,2)".
func (t Type) String() string {
	switch {
	case t.Kind == Numeric:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case t.Length > 0 && (t.Kind == Char || t.Kind == Varchar || t.Kind == Varbyte):
		return fmt.Sprintf("%s(%d)", t.Kind, t.Length)
	}
	return t.Kind.String()
}

// Short is the name that stl_load_errors has in its column type, e.g. "int4".
func (t Type) Short() string { return names[t.Kind].short }

// LoadLength is what stl_load_errors has in its column col_length: the length of texts,
// precision and scale of decimals, and nothing of other types.
func (t Type) LoadLength() string {
	switch t.Kind {
	case Char, Varchar, Varbyte:
		return strconv.Itoa(t.MaxBytes())
	case Numeric:
		return fmt.Sprintf("%d,%d", t.Precision, t.Scale)
	}
	return "0"
}

// Spectrum is the name that the errors of a columnar load have for the type, e.g.
// "DECIMAL(10, 2)".
func (t Type) Spectrum() string {
	name := names[t.Kind].spectrum
	switch t.Kind {
	case Numeric:
		return fmt.Sprintf("%s(%d, %d)", name, t.Precision, t.Scale)
	case Char, Varchar:
		return fmt.Sprintf("%s(%d)", name, t.MaxBytes())
	}
	return name
}

// MaxBytes is how many bytes a value of Char, Varchar or Varbyte may have.
func (t Type) MaxBytes() int {
	if t.Length > 0 {
		return t.Length
	}
	switch t.Kind {
	case Char:
		return 4096
	case Varbyte:
		return 16_777_216
	}
	return 65535
}

// IsText tells whether the values are texts, which may be empty or blank.
func (t Type) IsText() bool { return t.Kind == Char || t.Kind == Varchar }

// Column is a column of a table, or of a query's result.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
}
