package settle

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// keyHash hashes the key columns of row i of a record; scratch is returned for
// the next call.
func (s *schema) keyHash(scratch []byte, rec arrow.Record, i int) (pipeline.Hash, []byte) {
	scratch = binary.AppendUvarint(scratch[:0], s.ID)
	for _, c := range s.of.Key {
		scratch = packed.AppendValue(scratch, rec.Column(c), i)
	}
	h := xxh3.Hash128(scratch)
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, scratch
}

// rowBuilder makes Arrow records of rows kept as bytes.
type rowBuilder struct {
	b      *array.RecordBuilder
	fields []rowField // by column of the schema
}

type rowField struct {
	array.Builder     // nil where the table does not have the column
	width         int // of the column's values, then
}

// newRowBuilder returns a builder of the table's records; columns of it that
// follow those of the schema follow in the kept rows, too.
func newRowBuilder(s *schema, t *pipeline.Table) *rowBuilder {
	r := &rowBuilder{b: array.NewRecordBuilder(memory.DefaultAllocator, t.Schema())}
	for i, c := range s.from {
		if c >= 0 {
			r.fields = append(r.fields, rowField{Builder: r.b.Field(c)})
			continue
		}
		t, err := pipeline.ParseType(s.Columns[i].Type)
		if err != nil {
			panic(err) // written by Type.String
		}
		r.fields = append(r.fields, rowField{width: packed.Width(t)})
	}
	for c := len(s.of.Columns); c < len(t.Columns); c++ {
		r.fields = append(r.fields, rowField{Builder: r.b.Field(c)})
	}
	return r
}

// append adds a row. Columns that were added to the schema after the row was
// kept are null.
func (r *rowBuilder) append(kept []byte) {
	values := packed.ReadRow(kept)
	for _, f := range r.fields {
		if f.Builder == nil {
			values.Next(f.width)
			continue
		}
		values.Into(f.Builder)
	}
}

// record returns the rows added, in the order of the table, and begins anew.
func (r *rowBuilder) record() arrow.Record { return r.b.NewRecord() }
