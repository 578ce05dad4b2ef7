package columnar

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
)

// physical returns the Parquet type that stores a column type.
func (p Profile) physical(t pipeline.Type) format.Type {
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

// schema returns the flat Parquet schema of the columns, in their order.
func (p Profile) schema(columns []pipeline.Column) []format.SchemaElement {
	schema := make([]format.SchemaElement, 1, 1+len(columns))
	schema[0] = format.SchemaElement{Name: "row", NumChildren: thrift.New(int32(len(columns)))}
	for _, c := range columns {
		e := format.SchemaElement{
			Name:           c.Name,
			Type:           thrift.New(p.physical(c.Type)),
			RepetitionType: thrift.New(format.Optional),
		}
		p.annotate(&e, c.Type)
		schema = append(schema, e)
	}
	return schema
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
