package pipeline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"
)

// Kind is the kind of a column type.
type Kind uint8

// The kinds of column types.
const (
	String Kind = iota + 1
	Bool
	Int64
	Double
	Decimal
	Date
	Timestamp // µs since 1970, holds UTC, has no zone
	Binary
	JSONText // a JSON document as text
)

// Type is a column type. The zero Type is not valid.
type Type struct {
	Kind             Kind
	Precision, Scale int32 // of a decimal
}

var kindNames = map[string]Kind{
	"string": String, "bool": Bool, "int64": Int64, "double": Double, "date": Date,
	"timestamp": Timestamp, "binary": Binary, "json": JSONText,
}

// TypeNames lists the types as a pipeline file writes them, for messages.
const TypeNames = "string, bool, int64, double, decimal(p,s), date, timestamp, binary, json"

// ParseType reads a type as a pipeline file writes it; empty means string.
func ParseType(s string) (Type, error) {
	if s == "" {
		return Type{Kind: String}, nil
	}
	if k, ok := kindNames[s]; ok {
		return Type{Kind: k}, nil
	}
	args, ok := strings.CutPrefix(s, "decimal(")
	if !ok || !strings.HasSuffix(args, ")") {
		return Type{}, fmt.Errorf("unknown type %q: want one of %s", s, TypeNames)
	}
	ps, ss, two := strings.Cut(strings.TrimSuffix(args, ")"), ",")
	p, err1 := strconv.Atoi(strings.TrimSpace(ps))
	scale := 0
	var err2 error
	if two {
		scale, err2 = strconv.Atoi(strings.TrimSpace(ss))
	}
	if err1 != nil || err2 != nil || p < 1 || p > 38 || scale < 0 || scale > p {
		return Type{}, fmt.Errorf("bad type %q: a decimal has 1 to 38 digits and a scale of 0 up to them, as in decimal(10,2)", s)
	}
	return Type{Kind: Decimal, Precision: int32(p), Scale: int32(scale)}, nil
}

// String returns the type as a pipeline file writes it.
func (t Type) String() string {
	if t.Kind == Decimal {
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	}
	for name, k := range kindNames {
		if k == t.Kind {
			return name
		}
	}
	return "unknown"
}

// Base returns the kind whose values carry those of the type between nodes. Kinds that only
// targets tell apart have the same: who cares for what a value is asks for its base, and who
// cares for how it is stored, for its kind.
func (t Type) Base() Kind { return t.Kind }

// Arrow returns the Arrow type that columns of this type have on the edges.
func (t Type) Arrow() arrow.DataType {
	switch t.Base() {
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Double:
		return arrow.PrimitiveTypes.Float64
	case Decimal:
		return &arrow.Decimal128Type{Precision: t.Precision, Scale: t.Scale}
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case Binary:
		return arrow.BinaryTypes.Binary
	default:
		return arrow.BinaryTypes.String
	}
}
