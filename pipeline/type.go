package pipeline

import (
	"errors"
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
	JSONText    // a JSON document as text
	Int32       // an Int64 of 32 bits
	TimestampTZ // a Timestamp that targets store as one of UTC
	UUID        // a String of 36 characters, in lower case
	VarChar     // a String of so many characters at most
	Char        // the same, of a fixed length where a target has such
	Time        // of the day: a String, 15:04:05, with a fraction of up to six digits where there is one
	List        // a JSONText: a list of values of one type, as package scalar writes it
)

// bases has the kinds whose values carry those of others.
var bases = [...]Kind{String: String, Bool: Bool, Int64: Int64, Double: Double, Decimal: Decimal, Date: Date, Timestamp: Timestamp, Binary: Binary,
	JSONText: JSONText, Int32: Int64, TimestampTZ: Timestamp, UUID: String, VarChar: String, Char: String, Time: String, List: JSONText}

// Type is a column type. The zero Type is not valid.
type Type struct {
	Kind             Kind
	Elem             Kind  // of a list: the kind of its elements, which the numbers below are of
	Precision, Scale int32 // of a decimal
	Length           int32 // of a varchar and a char: characters
}

// Element returns the type of a list's elements.
func (t Type) Element() Type {
	t.Kind, t.Elem = t.Elem, 0
	return t
}

// ListOf returns the type of lists whose elements have a type, which is no list, json or binary.
func ListOf(element Type) Type {
	element.Kind, element.Elem = List, element.Kind
	return element
}

var kindNames = map[string]Kind{
	"string": String, "bool": Bool, "int32": Int32, "int64": Int64, "double": Double, "date": Date, "time": Time,
	"timestamp": Timestamp, "timestamptz": TimestampTZ, "uuid": UUID, "binary": Binary, "json": JSONText,
}

// lengthNames are the types that have a length in brackets.
var lengthNames = map[string]Kind{"varchar": VarChar, "char": Char}

// TypeNames lists the types as a pipeline file writes them, for messages.
const TypeNames = "string, bool, int32, int64, double, decimal(p,s), date, time, timestamp, timestamptz, uuid, varchar(n), char(n), binary, json, list(T)"

// lengthMax is the longest varchar: PostgreSQL takes no longer one.
const lengthMax = 10_485_760

// ErrUnknownType is wrapped by the errors of ParseType about names that no type has.
var ErrUnknownType = errors.New("unknown type")

// ParseType reads a type as a pipeline file writes it; empty means string.
func ParseType(s string) (Type, error) {
	if s == "" {
		return Type{Kind: String}, nil
	}
	if k, ok := kindNames[s]; ok {
		return Type{Kind: k}, nil
	}
	name, args, ok := strings.Cut(s, "(")
	args, closed := strings.CutSuffix(args, ")")
	switch kind := lengthNames[name]; {
	case name == "decimal" && ok && closed:
		return parseDecimal(s, args)
	case name == "list" && ok && closed:
		return parseList(s, args)
	case kind != 0 && ok && closed:
		n, err := strconv.Atoi(strings.TrimSpace(args))
		if err != nil || n < 1 || n > lengthMax {
			return Type{}, fmt.Errorf("bad type %q: its length is a number of characters from 1 to %d, as in %s(20)", s, lengthMax, name)
		}
		return Type{Kind: kind, Length: int32(n)}, nil
	}
	return Type{}, fmt.Errorf("%w %q: want one of %s", ErrUnknownType, s, TypeNames)
}

func parseDecimal(s, args string) (Type, error) {
	ps, ss, two := strings.Cut(args, ",")
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

func parseList(s, args string) (Type, error) {
	args = strings.TrimSpace(args)
	if args == "" {
		return Type{}, fmt.Errorf("bad type %q: it has no type of the elements, as in list(string)", s)
	}
	element, err := ParseType(args)
	if err != nil {
		return Type{}, fmt.Errorf("bad type %q: its elements: %w", s, err)
	}
	switch element.Kind {
	case List, JSONText, Binary:
		return Type{}, fmt.Errorf("bad type %q: the elements of a list are no %s: write json for such a list", s, element)
	}
	return ListOf(element), nil
}

// String returns the type as a pipeline file writes it.
func (t Type) String() string {
	switch t.Kind {
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case VarChar:
		return fmt.Sprintf("varchar(%d)", t.Length)
	case Char:
		return fmt.Sprintf("char(%d)", t.Length)
	case List:
		return fmt.Sprintf("list(%s)", t.Element())
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
func (t Type) Base() Kind { return bases[t.Kind] }

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
