package columnar

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
)

// physical returns the Parquet type that stores a column type, or the elements of a list.
func (p Profile) physical(t pipeline.Type) format.Type {
	if p.isList(t) {
		t = t.Element()
	}
	if t.Kind == pipeline.Int32 {
		return format.Int32
	}
	switch t.Base() {
	case pipeline.Bool:
		return format.Boolean
	case pipeline.Int64, pipeline.Timestamp:
		return format.Int64
	case pipeline.Double:
		return format.Double
	case pipeline.Date:
		return format.Int32
	case pipeline.Decimal:
		if p.decimalBytes(t) == 0 {
			return format.Int64
		}
		return format.FixedLenByteArray
	default:
		return format.ByteArray
	}
}

// schema returns the Parquet schema of the columns, in their order.
func (p Profile) schema(columns []pipeline.Column) []format.SchemaElement {
	schema := make([]format.SchemaElement, 1, 1+len(columns))
	schema[0] = format.SchemaElement{Name: "row", NumChildren: thrift.New(int32(len(columns)))}
	for _, c := range columns {
		if p.isList(c.Type) {
			schema = p.appendList(schema, c)
		} else {
			schema = append(schema, p.leaf(c.Name, c.Type))
		}
	}
	return schema
}

// leaf returns the element of the schema that has values.
func (p Profile) leaf(name string, t pipeline.Type) format.SchemaElement {
	e := format.SchemaElement{Name: name, Type: thrift.New(p.physical(t)), RepetitionType: thrift.New(format.Optional)}
	p.annotate(&e, t)
	return e
}

// Names in a list that every reader knows for one of three levels, not of two
// (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists).
const (
	listName    = "list"
	elementName = "element"
)

// appendList appends a list: a group that may be null, of a group that is repeated, of elements that may be null.
func (p Profile) appendList(schema []format.SchemaElement, c pipeline.Column) []format.SchemaElement {
	outer := format.SchemaElement{Name: c.Name, RepetitionType: thrift.New(format.Optional), NumChildren: thrift.New[int32](1), ConvertedType: thrift.New(deprecated.List)}
	outer.LogicalType.Value = &format.ListType{}
	repeated := format.SchemaElement{Name: listName, RepetitionType: thrift.New(format.Repeated), NumChildren: thrift.New[int32](1)}
	return append(schema, outer, repeated, p.leaf(elementName, c.Type.Element()))
}

// path returns where the values of a column are in the schema.
func (p Profile) path(c pipeline.Column) thrift.Slice[string] {
	if p.isList(c.Type) {
		return thrift.Slice[string]{c.Name, listName, elementName}
	}
	return thrift.Slice[string]{c.Name}
}

// annotate sets both the logical type and the older converted type: some
// readers know only one of them.
func (p Profile) annotate(e *format.SchemaElement, t pipeline.Type) {
	switch t.Base() {
	case pipeline.String:
		e.LogicalType.Value = &format.StringType{}
		e.ConvertedType = thrift.New(deprecated.UTF8)
	case pipeline.JSONText:
		if p == Copy {
			p.annotate(e, pipeline.Type{Kind: pipeline.String})
			return
		}
		e.LogicalType.Value = &format.JsonType{}
		e.ConvertedType = thrift.New(deprecated.Json)
	case pipeline.Date:
		e.LogicalType.Value = &format.DateType{}
		e.ConvertedType = thrift.New(deprecated.Date)
	case pipeline.Timestamp:
		e.LogicalType.Value = &format.TimestampType{IsAdjustedToUTC: p == Copy || t.Kind == pipeline.TimestampTZ, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}
		e.ConvertedType = thrift.New(deprecated.TimestampMicros)
	case pipeline.Decimal:
		e.LogicalType.Value = &format.DecimalType{Precision: t.Precision, Scale: t.Scale}
		e.ConvertedType = thrift.New(deprecated.Decimal)
		e.Precision, e.Scale = thrift.New(t.Precision), thrift.New(t.Scale)
		if n := p.decimalBytes(t); n > 0 {
			e.TypeLength = thrift.New(int32(n))
		}
	}
}

// check tells whether the record has the columns, and lengths that agree:
// nothing below looks again.
func check(columns []pipeline.Column, rec arrow.Record) error {
	if int(rec.NumCols()) != len(columns) {
		return fmt.Errorf("record has %d columns, want %d", rec.NumCols(), len(columns))
	}
	for i, c := range columns {
		col := rec.Column(i)
		if want := c.Type.Arrow(); !arrow.TypeEqual(want, col.DataType()) {
			return fmt.Errorf("column %q: record has type %s, want %s", c.Name, col.DataType(), want)
		}
		if int64(col.Len()) != rec.NumRows() {
			return fmt.Errorf("column %q: record has %d values, want %d", c.Name, col.Len(), rec.NumRows())
		}
	}
	return nil
}
