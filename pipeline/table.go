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

// Arrow returns the Arrow type that columns of this type have on the edges.
func (t Type) Arrow() arrow.DataType {
	switch t.Kind {
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

// Column is one column of a table.
type Column struct {
	Name string
	Type Type
	// Masked says that messages do not show the column's values. It plays no part
	// in anything else, and is not kept in the state.
	Masked bool
	// OnError says what becomes of a value that a sink can't store. It plays no part in
	// anything else, and is not kept in the state.
	OnError OnError
}

// OnError is what becomes of a value that a sink can't store.
type OnError uint8

// The values of on_error.
const (
	UnfitDeadLetter OnError = iota // its change is a dead letter
	UnfitNull                      // it is null, in every sink
	UnfitFail                      // the run ends
)

// OnErrorByName has the values by their names in a pipeline file.
var OnErrorByName = map[string]OnError{"null": UnfitNull, "fail": UnfitFail}

// Table is the declared schema of the rows with one name. It is built once,
// when the pipeline is built, and read-only afterwards; the rows of a table
// point to one and the same Table.
type Table struct {
	Name    string
	Columns []Column
	Key     []int // indexes of the key columns, in the declared order; empty = append only

	schema *arrow.Schema
}

// NewTable returns a table; key holds names of columns.
func NewTable(name string, columns []Column, key []string) (*Table, error) {
	if name == "" {
		return nil, errors.New("the name of a table is empty")
	}
	t := &Table{Name: name, Columns: columns}
	fields := make([]arrow.Field, len(columns))
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		if c.Name == "" {
			return nil, fmt.Errorf("the name of a column of table %q is empty", name)
		}
		if _, twice := at[c.Name]; twice {
			return nil, fmt.Errorf("table %q has two columns %q", name, c.Name)
		}
		at[c.Name] = i
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	for _, k := range key {
		i, ok := at[k]
		if !ok {
			return nil, fmt.Errorf("table %q has no column %q for its key", name, k)
		}
		t.Key = append(t.Key, i)
	}
	t.schema = arrow.NewSchema(fields, nil)
	return t, nil
}

// Schema returns the Arrow schema of the table's records.
func (t *Table) Schema() *arrow.Schema { return t.schema }

// Column returns the index of the named column, or -1.
func (t *Table) Column(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

func (t *Table) keyNames() []string {
	names := make([]string, len(t.Key))
	for i, k := range t.Key {
		names[i] = t.Columns[k].Name
	}
	return names
}
