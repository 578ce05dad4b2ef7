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
	return hashKey(scratch, s.ID, s.key, rec, i)
}

// hashKey hashes the key of a row of a table that has its key in some columns.
func hashKey(scratch []byte, table uint64, columns []int, rec arrow.Record, i int) (pipeline.Hash, []byte) {
	scratch = binary.AppendUvarint(scratch[:0], table)
	for _, c := range columns {
		scratch = packed.AppendValue(scratch, rec.Column(c), i)
	}
	h := xxh3.Hash128(scratch)
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, scratch
}

// rowBuilder makes Arrow records of rows kept as bytes.
type rowBuilder struct {
	b      *array.RecordBuilder
	fields []array.Builder // by column of the kept rows; nil where the table does not have it
	widths []int           // of the values of those columns
	at     []int           // by column of the table: where the kept rows have it
}

// newRowBuilder returns a builder of the table's records; columns of it that
// follow those of the schema follow in the kept rows, too.
func newRowBuilder(s *schema, t *pipeline.Table) *rowBuilder {
	r := &rowBuilder{b: array.NewRecordBuilder(memory.DefaultAllocator, t.Schema()), at: make([]int, len(t.Columns))}
	add := func(c int, typ pipeline.Type) {
		r.at[c] = len(r.fields)
		r.fields, r.widths = append(r.fields, r.b.Field(c)), append(r.widths, packed.Width(typ))
	}
	for i, c := range s.from {
		if c >= 0 {
			add(c, t.Columns[c].Type)
			continue
		}
		gone, err := pipeline.ParseType(s.Columns[i].Type)
		if err != nil {
			panic(err) // written by Type.String
		}
		r.fields, r.widths = append(r.fields, nil), append(r.widths, packed.Width(gone))
	}
	for c := len(s.of.Columns); c < len(t.Columns); c++ {
		add(c, t.Columns[c].Type)
	}
	return r
}

// append adds a row. Columns that were added to the schema after the row was
// kept are null.
func (r *rowBuilder) append(kept []byte) {
	values := packed.ReadRow(kept)
	for c, f := range r.fields {
		if f == nil {
			values.Next(r.widths[c])
			continue
		}
		values.Into(f)
	}
}

// record returns the rows added, in the order of the table, and begins anew.
func (r *rowBuilder) record() arrow.Record { return r.b.NewRecord() }
