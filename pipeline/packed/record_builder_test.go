package packed

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

var kinds = []pipeline.Kind{pipeline.String, pipeline.Int64, pipeline.Double, pipeline.Bool, pipeline.Date, pipeline.Timestamp, pipeline.Decimal, pipeline.Binary}

// TestRecordBuilder: rows are the same packed again after they were a record, whatever was
// reserved, and so are those of the next record.
func TestRecordBuilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var columns []pipeline.Column
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 10).Draw(t, "kinds") {
			columns = append(columns, pipeline.Column{Name: string('a' + rune(len(columns))), Type: typeOf(k)})
		}
		b := newTestBuilder(t, columns)
		for range 2 {
			rows := make([][]byte, rapid.IntRange(0, 40).Draw(t, "rows"))
			for i := range rows {
				if i == rapid.IntRange(0, 2).Draw(t, "reserved at") {
					b.Reserve(len(rows) - i)
				}
				rows[i] = drawRow(t, columns)
				r := ReadRow(rows[i])
				for c := range columns {
					r.Into(b.Column(c))
				}
			}
			record := b.NewRecord()
			if int(record.NumRows()) != len(rows) {
				t.Fatalf("%d rows, want %d", record.NumRows(), len(rows))
			}
			for i, want := range rows {
				if got := AppendRow(nil, record.Columns(), i); !bytes.Equal(got, want) {
					t.Fatalf("row %d is %x, want %x", i, got, want)
				}
			}
		}
	})
}

func newTestBuilder(t interface{ Fatal(...any) }, columns []pipeline.Column) *RecordBuilder {
	table, err := pipeline.NewTable("t", columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewRecordBuilder(table)
}

func typeOf(k pipeline.Kind) pipeline.Type {
	if k == pipeline.Decimal {
		return pipeline.Type{Kind: k, Precision: 38, Scale: 2}
	}
	return pipeline.Type{Kind: k}
}

// drawRow draws a packed row.
func drawRow(t *rapid.T, columns []pipeline.Column) []byte {
	values := make([][]byte, len(columns))
	for c := range values {
		width := Width(columns[c].Type)
		switch {
		case rapid.IntRange(0, 3).Draw(t, "null") == 0:
		case columns[c].Type.Kind == pipeline.Bool:
			values[c] = []byte{byte(rapid.IntRange(0, 1).Draw(t, "truth"))}
		case width > 0:
			values[c] = rapid.SliceOfN(rapid.Byte(), width, width).Draw(t, "value")
		default:
			values[c] = AppendBytes(nil, bytes.Repeat([]byte("x"), rapid.SampledFrom([]int{0, 1, 20, 200}).Draw(t, "bytes")))
		}
	}
	return JoinRow(nil, values)
}

func BenchmarkRecordBuilder(b *testing.B) {
	columns := []pipeline.Column{{Name: "a", Type: typeOf(pipeline.String)}, {Name: "b", Type: typeOf(pipeline.String)},
		{Name: "c", Type: typeOf(pipeline.Timestamp)}, {Name: "d", Type: typeOf(pipeline.Decimal)}}
	row := JoinRow(nil, [][]byte{AppendBytes(nil, bytes.Repeat([]byte("a"), 36)), AppendBytes(nil, []byte("some text")), make([]byte, 8), make([]byte, 16)})
	builder := newTestBuilder(b, columns)
	for b.Loop() {
		builder.Reserve(1000)
		for range 1000 {
			r := ReadRow(row)
			for c := range columns {
				r.Into(builder.Column(c))
			}
		}
		builder.NewRecord()
	}
}
