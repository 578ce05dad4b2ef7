package reference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	parquetformat "github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// field reads the values of one column of a Parquet file as text.
type field struct {
	kind pipeline.Kind
	text func(v parquet.Value) []byte
}

func readParquet(_ context.Context, _ *format, r *snapshotBuilder, file blob.Object) (err error) {
	defer func() {
		if p := recover(); p != nil { // of the reader, which takes damaged bytes as they are
			err = r.wrong(filePosition{}, "not a whole Parquet file: it is damaged, or still being written")
		}
	}()
	f, err := parquet.OpenFile(file, file.Info().Size)
	if err != nil {
		return r.wrong(filePosition{}, "not a whole Parquet file: %v", err)
	}
	var names []string
	var leaves []parquet.LeafColumn
	for _, path := range f.Schema().Columns() {
		leaf, _ := f.Schema().Lookup(path...)
		names, leaves = append(names, strings.Join(path, ".")), append(leaves, leaf)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return r.wrong(filePosition{}, "two columns are named %q: give one of them another name, or remove it", name)
		}
	}
	where, err := r.find(names, filePosition{}, "")
	if err != nil {
		return err
	}
	fields := make([]*field, len(leaves)) // by the file's columns
	targets := make([]int, len(leaves))
	for c, i := range where {
		if fields[i], err = r.field(c, leaves[i]); err != nil {
			return err
		}
		targets[i] = c
	}
	for _, group := range f.RowGroups() {
		if err := r.rowGroup(group, fields, targets); err != nil {
			return err
		}
	}
	return nil
}

func (r *snapshotBuilder) rowGroup(group parquet.RowGroup, fields []*field, targets []int) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buffer := make([]parquet.Row, 256)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			if err := r.parquetRow(row, fields, targets); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.wrong(filePosition{}, "row %d: %v", len(r.positions)+1, err)
		}
	}
}

func (r *snapshotBuilder) parquetRow(row parquet.Row, fields []*field, targets []int) error {
	at := filePosition{line: len(r.positions) + 1}
	for _, v := range row {
		f := fields[v.Column()]
		if f == nil {
			continue
		}
		c := targets[v.Column()]
		if v.IsNull() {
			r.builders[c].AppendNull()
			continue
		}
		if err := r.value(c, f.text(v), at); err != nil {
			return err
		}
	}
	return r.endRow(at)
}

// field finds out how the values of a column are to be read. The types of the
// file and of the pipeline file have to agree.
func (r *snapshotBuilder) field(c int, leaf parquet.LeafColumn) (*field, error) {
	f := fieldOf(leaf.Node)
	want := r.typeOf(c)
	if leaf.MaxRepetitionLevel > 0 {
		return nil, r.wrong(filePosition{}, "column %s is a list", r.layout.columns[c].Name)
	}
	if f == nil || f.kind != want.Base() {
		return nil, r.wrong(filePosition{}, "column %s is %s in the file, and %s in the pipeline file: say so under types of the reference",
			r.layout.columns[c].Name, leaf.Node.Type(), want)
	}
	return f, nil
}

// fieldOf returns nil for types that no column has.
func fieldOf(n parquet.Node) *field {
	var logical any
	if t := n.Type().LogicalType(); t != nil {
		logical = t.Value
	}
	switch t := logical.(type) {
	case nil:
		return plainField(n, true)
	case *parquetformat.IntType:
		return plainField(n, t.IsSigned)
	case *parquetformat.DecimalType:
		return &field{pipeline.Decimal, decimalText(int(t.Scale))}
	case *parquetformat.DateType:
		return &field{pipeline.Date, func(v parquet.Value) []byte {
			return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().AppendFormat(nil, time.DateOnly)
		}}
	case *parquetformat.TimestampType:
		return &field{pipeline.Timestamp, timeText(t.Unit.Value.Duration())}
	case *parquetformat.TimeType:
		perSecond := int64(time.Second / t.Unit.Value.Duration())
		return &field{pipeline.String, func(v parquet.Value) []byte {
			n := v.Int64()
			if v.Kind() == parquet.Int32 {
				n = int64(v.Int32())
			}
			return time.Unix(n/perSecond, n%perSecond*int64(time.Second)/perSecond).UTC().AppendFormat(nil, "15:04:05.999999999")
		}}
	case *parquetformat.UUIDType:
		return &field{pipeline.String, uuidText}
	case *parquetformat.StringType, *parquetformat.EnumType:
		return &field{pipeline.String, parquet.Value.ByteArray}
	}
	return nil
}

func plainField(n parquet.Node, signed bool) *field {
	switch n.Type().Kind() {
	case parquet.Boolean:
		return &field{pipeline.Bool, func(v parquet.Value) []byte { return strconv.AppendBool(nil, v.Boolean()) }}
	case parquet.Int32:
		return &field{pipeline.Int64, func(v parquet.Value) []byte {
			if signed {
				return strconv.AppendInt(nil, int64(v.Int32()), 10)
			}
			return strconv.AppendUint(nil, uint64(v.Uint32()), 10)
		}}
	case parquet.Int64:
		return &field{pipeline.Int64, func(v parquet.Value) []byte {
			if signed {
				return strconv.AppendInt(nil, v.Int64(), 10)
			}
			return strconv.AppendUint(nil, v.Uint64(), 10)
		}}
	case parquet.Float:
		return &field{pipeline.Double, func(v parquet.Value) []byte { return strconv.AppendFloat(nil, float64(v.Float()), 'g', -1, 64) }}
	case parquet.Double:
		return &field{pipeline.Double, func(v parquet.Value) []byte { return strconv.AppendFloat(nil, v.Double(), 'g', -1, 64) }}
	}
	return nil
}

// uuidText writes a UUID, which is sixteen bytes.
func uuidText(v parquet.Value) []byte {
	b := v.ByteArray()
	if len(b) != 16 {
		return b
	}
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// timeText returns times that count units of a length since 1970.
func timeText(unit time.Duration) func(parquet.Value) []byte {
	perSecond := int64(time.Second / unit)
	return func(v parquet.Value) []byte {
		n := v.Int64()
		return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC().AppendFormat(nil, time.RFC3339Nano)
	}
}

func decimalText(scale int) func(parquet.Value) []byte {
	return func(v parquet.Value) []byte {
		n := new(big.Int)
		switch v.Kind() {
		case parquet.Int32:
			n.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			n.SetInt64(v.Int64())
		default:
			b := v.ByteArray()
			n.SetBytes(b)
			if len(b) > 0 && b[0] >= 0x80 { // two's complement
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		return fmt.Appendf(nil, "%se-%d", n, scale)
	}
}
