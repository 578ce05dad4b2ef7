package parquetfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/datetime"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// Writer writes rows as UNLOAD does: all columns optional, in their order, compressed with
// SNAPPY, in data pages of version 1 and encodings that COPY reads again.
type Writer struct {
	writer   *parquet.GenericWriter[any]
	columns  []schema.Column
	group    int64 // bytes of a row group
	buffered int64
	row      parquet.Row
}

// NewWriter returns a writer of columns whose types COPY takes from Parquet. Times are INT96,
// and SUPER is text that is annotated as JSON. A row group has about so many bytes.
func NewWriter(w io.Writer, columns []schema.Column, rowGroup int64) *Writer {
	return &Writer{
		writer: parquet.NewGenericWriter[any](w, parquet.NewSchema("redshift", newGroup(columns)),
			parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy), parquet.CreatedBy("standin", "1.0", ""),
			parquet.DataPageStatistics(false)),
		columns: columns, group: rowGroup, row: make(parquet.Row, len(columns)),
	}
}

// group is a schema whose columns have the table's order: parquet.Group sorts them by name.
type group struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (g *group) Fields() []parquet.Field { return g.fields }

func newGroup(columns []schema.Column) *group {
	g := &group{Group: parquet.Group{}}
	at := map[string]int{}
	for i, c := range columns {
		g.Group[c.Name] = parquet.Encoded(parquet.Optional(nodeOf(c.Type)), &parquet.Plain)
		at[c.Name] = i
	}
	g.fields = make([]parquet.Field, len(columns))
	for _, f := range g.Group.Fields() {
		g.fields[at[f.Name()]] = f
	}
	return g
}

func nodeOf(t schema.Type) parquet.Node {
	switch t.Kind {
	case schema.Smallint:
		return parquet.Int(16)
	case schema.Integer:
		return parquet.Int(32)
	case schema.Bigint:
		return parquet.Int(64)
	case schema.Numeric:
		return parquet.Decimal(t.Scale, t.Precision, parquet.FixedLenByteArrayType(decimalBytes(t.Precision)))
	case schema.Real:
		return parquet.Leaf(parquet.FloatType)
	case schema.Double:
		return parquet.Leaf(parquet.DoubleType)
	case schema.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case schema.Date:
		return parquet.Date()
	case schema.Timestamp, schema.TimestampTZ:
		return parquet.Leaf(parquet.Int96Type)
	case schema.Super:
		return parquet.JSON()
	}
	return parquet.String()
}

// Append adds a row of PostgreSQL's texts; nil is NULL.
func (w *Writer) Append(values [][]byte) error {
	for i, text := range values {
		value := parquet.NullValue()
		level := 0
		if text != nil {
			var err error
			if value, err = valueOf(w.columns[i].Type, text); err != nil {
				return fmt.Errorf("column %q: %w", w.columns[i].Name, err)
			}
			level = 1
		}
		w.row[i] = value.Level(0, level, i)
		w.buffered += int64(len(text)) + 1
	}
	if _, err := w.writer.WriteRows([]parquet.Row{w.row}); err != nil {
		return err
	}
	if w.buffered >= w.group {
		w.buffered = 0
		return w.writer.Flush()
	}
	return nil
}

// Buffered is about how many bytes are not written yet.
func (w *Writer) Buffered() int64 { return w.buffered }

// Close writes what is left, and the footer.
func (w *Writer) Close() error { return w.writer.Close() }

// File is a file that can be read and changed anywhere.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// AsVersion1 marks a file that a Writer wrote as one of version 1.0 of the format, as
// UNLOAD's are: it has nothing of a later one, but parquet-go always says 2.
func AsVersion1(f File, size int64) error {
	var tail [8]byte
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	footer := size - 8 - int64(binary.LittleEndian.Uint32(tail[:]))
	var version [2]byte
	if _, err := f.ReadAt(version[:], footer); err != nil {
		return err
	}
	// The version is the footer's first field: its type and number, and 2 in zigzag.
	if version != [2]byte{0x15, 0x04} {
		return fmt.Errorf("the footer begins with %x, which is no version 2", version)
	}
	_, err := f.WriteAt([]byte{0x02}, footer+1)
	return err
}

// valueOf makes a value of a text.
func valueOf(t schema.Type, text []byte) (parquet.Value, error) {
	s := string(text)
	switch t.Kind {
	case schema.Smallint, schema.Integer:
		v, err := strconv.ParseInt(s, 10, 32)
		return parquet.Int32Value(int32(v)), err
	case schema.Bigint:
		v, err := strconv.ParseInt(s, 10, 64)
		return parquet.Int64Value(v), err
	case schema.Real:
		v, err := strconv.ParseFloat(s, 32)
		return parquet.FloatValue(float32(v)), err
	case schema.Double:
		v, err := strconv.ParseFloat(s, 64)
		return parquet.DoubleValue(v), err
	case schema.Boolean:
		return parquet.BooleanValue(s == "t" || s == "true"), nil
	case schema.Numeric:
		return decimalValue(t, s)
	case schema.Date, schema.Timestamp, schema.TimestampTZ:
		return timeValue(t, s)
	}
	return parquet.ByteArrayValue(text), nil
}

func decimalValue(t schema.Type, text string) (parquet.Value, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > t.Scale {
		return parquet.Value{}, fmt.Errorf("%q has more than %d digits behind the point", text, t.Scale)
	}
	v, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", t.Scale-len(fraction)), 10)
	if !ok {
		return parquet.Value{}, fmt.Errorf("%q is no decimal", text)
	}
	b := make([]byte, decimalBytes(t.Precision))
	if limit := new(big.Int).Lsh(big.NewInt(1), uint(8*len(b)-1)); v.CmpAbs(limit) >= 0 {
		return parquet.Value{}, fmt.Errorf("%q does not fit into %s", text, t)
	} else if v.Sign() < 0 {
		v.Add(v, limit.Lsh(limit, 1)) // two's complement
	}
	return parquet.FixedLenByteArrayValue(v.FillBytes(b)), nil
}

func timeValue(t schema.Type, text string) (parquet.Value, error) {
	s, ok := datetime.Auto(text)
	if ok {
		s, ok = s.UTC()
	}
	if !ok {
		return parquet.Value{}, fmt.Errorf("%q is no %s that Parquet has", text, t)
	}
	if t.Kind == schema.Date {
		return parquet.Int32Value(int32(s.Days())), nil
	}
	nanos := uint64(s.Hour*3600+s.Minute*60+s.Second)*1e9 + uint64(s.Micros)*1000
	return parquet.Int96Value(deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(s.Days() + 2440588)}), nil
}
