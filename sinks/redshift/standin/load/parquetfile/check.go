package parquetfile

import (
	"fmt"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// decimalBytes is how long the values of a decimal have to be: as many bytes as the
// column's precision needs, and not one more.
func decimalBytes(precision int) int {
	limits := [...]int{2, 4, 6, 9, 11, 14, 16, 18, 21, 23, 26, 28, 31, 33, 35, 38}
	for i, limit := range limits {
		if precision <= limit {
			return i + 1
		}
	}
	return len(limits)
}

// checkSchema judges the file's columns against the table's, and tells how each is read.
// Types come before the number of columns: a file with a column in the middle that the
// table has not is told by the first column behind it whose type does not fit.
func (o *Options) checkSchema(columns []*node) ([]appender, error) {
	appenders := make([]appender, min(len(columns), len(o.Columns)))
	for i := range o.Columns {
		if o.Columns[i].Type.Kind == schema.Super && !o.SerializeToJSON {
			return nil, o.superRefused()
		}
		if i < len(columns) {
			var err error
			if appenders[i], err = o.checkColumn(&o.Columns[i], columns[i]); err != nil {
				return nil, err
			}
		}
	}
	if n := len(columns); n > len(o.Columns) || n < len(o.Columns) && !o.FillRecord {
		return nil, o.fail(codeSchema, "Unmatched number of columns between table and file. Table columns: %d, Data columns: %d, File name: %s",
			len(o.Columns), n, o.File)
	}
	return appenders, nil
}

// superRefused is the failure of a column of type SUPER, whose OID is 4000, without
// SERIALIZETOJSON.
func (o *Options) superRefused() error {
	return failure.Block{
		Message: "Assert", Code: 1000, Context: "Unreachable - Invalid type: 4000", Query: o.Query,
		Location: "dory_util.cpp:528", Process: "padbmaster [pid=12345]",
	}.Error()
}

func (o *Options) incompatible(c *schema.Column, n *node) error {
	return o.fail(codeSchema, "File '%s' has an incompatible Parquet schema for column '%s'. Column type: %s, Parquet schema:%s%s",
		o.File, o.column(c.Name), c.Type.Spectrum(), newline, n.describe())
}

// checkColumn judges one column. The physical type has to be the column's own: nothing is
// widened.
func (o *Options) checkColumn(c *schema.Column, n *node) (appender, error) {
	v := values{options: o, column: c, node: n}
	if c.Type.Kind == schema.Super {
		return v.super, o.checkSuper(n)
	}
	if n.group() {
		return nil, o.incompatible(c, n)
	}
	physical := n.Type.V
	var made appender
	switch c.Type.Kind {
	case schema.Smallint, schema.Integer:
		if physical == format.Int32 && n.signed(deprecated.Int8, deprecated.Int16, deprecated.Int32) {
			made = v.int32
		}
	case schema.Bigint:
		if physical == format.Int64 && n.signed(deprecated.Int64) {
			made = v.int64
		}
	case schema.Boolean:
		if physical == format.Boolean {
			made = v.boolean
		}
	case schema.Real:
		if physical == format.Float {
			made = v.float
		}
	case schema.Double:
		if physical == format.Double {
			made = v.double
		}
	case schema.Date:
		if physical == format.Int32 && n.isDate() {
			made = v.date
		}
	case schema.Char, schema.Varchar:
		if physical == format.ByteArray && (n.isText() || n.isJSON()) {
			made = v.text
		}
	case schema.Varbyte:
		// A column with a length of its own is refused.
		if physical == format.ByteArray && n.bare() && (c.Type.Length == 0 || c.Type.Length == bareVarbyte) {
			made = v.bytes
		}
	case schema.Numeric:
		return v.decimal, o.checkDecimal(c, n)
	case schema.Timestamp, schema.TimestampTZ:
		made = v.timestamp()
	}
	if made == nil {
		return nil, o.incompatible(c, n)
	}
	return made, nil
}

// signed tells whether a number is not annotated, or as one of some signed integers.
func (n *node) signed(as ...deprecated.ConvertedType) bool {
	if n.bare() {
		return true
	}
	if !n.ConvertedType.Valid {
		t, ok := n.LogicalType.Value.(*format.IntType)
		return ok && t.IsSigned
	}
	for _, t := range as {
		if n.converted(t) {
			return true
		}
	}
	return false
}

func (n *node) isDate() bool {
	_, logical := n.LogicalType.Value.(*format.DateType)
	return logical || n.converted(deprecated.Date)
}

func (n *node) isText() bool {
	_, logical := n.LogicalType.Value.(*format.StringType)
	return logical || n.converted(deprecated.UTF8)
}

// isJSON tells whether the values are JSON texts, as UNLOAD writes SUPER.
func (n *node) isJSON() bool {
	_, logical := n.LogicalType.Value.(*format.JsonType)
	return logical || n.converted(deprecated.Json)
}

// checkDecimal judges a decimal by the rules that Impala has for its annotation and length.
// Its errors name the file's own column.
func (o *Options) checkDecimal(c *schema.Column, n *node) error {
	name := n.Name
	if n.Type.V != format.FixedLenByteArray {
		if !n.converted(deprecated.Decimal) {
			return o.incompatible(c, n)
		}
		return o.fail(codeFile, "File '%s' column '%s' should be a decimal column encoded using FIXED_LEN_BYTE_ARRAY.", o.File, name)
	}
	if want := decimalBytes(c.Type.Precision); int(n.TypeLength.V) != want {
		return o.fail(codeFile, "File '%s' column '%s' has an invalid type length. Expecting: %d len in file: %d",
			o.File, name, want, n.TypeLength.V)
	}
	if !n.converted(deprecated.Decimal) {
		return o.incompatible(c, n)
	}
	if int(n.Scale.V) != c.Type.Scale {
		return o.fail(codeFile, "File '%s' column '%s' has a scale that does not match the table metadata scale. File metadata scale: %d Table metadata scale: %d",
			o.File, name, n.Scale.V, c.Type.Scale)
	}
	return nil
}

// timestamp tells how times are read: by their annotation of version 1. Without one the
// eight bytes are taken for those of a TIMESTAMP, as the service does.
func (v values) timestamp() appender {
	n := v.node
	switch {
	case n.Type.V == format.Int96:
		return v.int96
	case n.Type.V != format.Int64:
		return nil
	case n.converted(deprecated.TimestampMicros):
		return v.micros
	case n.converted(deprecated.TimestampMillis):
		return v.millis
	}
	if !n.ConvertedType.Valid {
		return v.raw // a LogicalType is not looked at
	}
	return nil
}

// checkSuper refuses what has no form in JSON that is known.
func (o *Options) checkSuper(n *node) error {
	var err error
	n.walk(func(leaf *node) {
		if leaf.Type.V == format.FixedLenByteArray && (!leaf.converted(deprecated.Decimal) || leaf.TypeLength.V > 16) {
			err = failure.Unsupported(fmt.Sprintf("SERIALIZETOJSON of column %q, which has a FIXED_LEN_BYTE_ARRAY that is no decimal", n.Name))
		}
	})
	return err
}

// checkChunk judges how a column's values are stored, as the footer says.
func (o *Options) checkChunk(c *format.ColumnMetaData, name string) error {
	switch c.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip:
	default:
		return o.fail(codeFile, "File '%s' uses an unsupported compression: %s for column '%s'.", o.File, c.Codec, name)
	}
	for _, e := range c.Encoding {
		if err := o.checkEncoding(e, name); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) checkEncoding(e format.Encoding, name string) error {
	switch e {
	//lint:ignore SA1019 writers of the format's version 1.0 use it
	case format.Plain, format.PlainDictionary, format.RLEDictionary, format.RLE, format.BitPacked:
		return nil
	}
	return o.fail(codeFile, "File '%s' uses an unsupported encoding: %s for column '%s'.", o.File, e, name)
}
