package columnar

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/ipc"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// SchemaOf returns the Arrow schema of records with these columns.
func SchemaOf(columns []pipeline.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// AppendBlock appends the records as one Arrow IPC stream.
func AppendBlock(dst []byte, schema *arrow.Schema, records []arrow.Record) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	w := ipc.NewWriter(buf, ipc.WithSchema(schema))
	for _, r := range records {
		if err := w.Write(r); err != nil {
			return nil, fmt.Errorf("arrow block: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("arrow block: %w", err)
	}
	return buf.Bytes(), nil
}

// ReadBlock calls each with the records of a block, which are valid until it
// returns unless they are retained.
func ReadBlock(block []byte, each func(arrow.Record) error) error {
	r, err := ipc.NewReader(bytes.NewReader(block), ipc.WithAllocator(memory.DefaultAllocator))
	if err != nil {
		return fmt.Errorf("arrow block: %w", err)
	}
	defer r.Release()
	for r.Next() {
		if err := each(r.Record()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("arrow block: %w", err)
	}
	return nil
}

// RecordBytes returns the bytes of the record's values; a slice counts its own
// rows only.
func RecordBytes(rec arrow.Record) int64 {
	n := int64(0)
	for _, c := range rec.Columns() {
		switch a := c.(type) {
		case *array.String:
			n += textBytes(a.ValueOffsets())
		case *array.Binary:
			n += textBytes(a.ValueOffsets())
		default:
			n += int64(a.Len()) * 8
		}
	}
	return n
}

func textBytes(offsets []int32) int64 {
	if len(offsets) == 0 {
		return 0
	}
	return int64(offsets[len(offsets)-1]-offsets[0]) + 4*int64(len(offsets))
}
