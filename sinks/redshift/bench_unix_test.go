//go:build unix

package redshift

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	benchRows  = 500_000
	benchBatch = 10_000
)

// benchTable has 12 columns of mixed types.
func benchTable(b testing.TB) *pipeline.Table {
	column := pipelinetest.Column
	return pipelinetest.TableOf(b, "orders", []string{"id"}, column("id", pipeline.String), column("customer", pipeline.String), column("status", pipeline.String),
		column("note", pipeline.String), column("doc", pipeline.JSONText), column("lines", pipeline.Int64), column("weight", pipeline.Double), column("paid", pipeline.Bool),
		column("day", pipeline.Date), column("at", pipeline.Timestamp), pipeline.Column{Name: "total", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 18, Scale: 2}},
		pipeline.Column{Name: "tax", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 38, Scale: 9}})
}

func benchRecords(table *pipeline.Table) (all []*pipeline.Rows) {
	r := rand.New(rand.NewPCG(1, 2))
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: table}
	for i := range benchRows {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("ORDER#%012d", i*7919%1e9))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("CUSTOMER#%d", r.IntN(120_000)))
		b.Field(2).(*array.StringBuilder).Append([]string{"NEW", "PAID", "SHIPPED", "RETURNED"}[r.IntN(4)])
		if r.IntN(3) == 0 {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf("left with the neighbour at door %d, %x", r.IntN(500), r.Uint32()))
		}
		b.Field(4).(*array.StringBuilder).Append(fmt.Sprintf(`{"sku":"%d","tags":["a","b%d"]}`, r.IntN(50_000), r.IntN(20)))
		b.Field(5).(*array.Int64Builder).Append(int64(r.IntN(40)))
		b.Field(6).(*array.Float64Builder).Append(r.Float64() * 30)
		b.Field(7).(*array.BooleanBuilder).Append(r.IntN(3) > 0)
		b.Field(8).(*array.Date32Builder).Append(arrow.Date32(19000 + r.IntN(900)))
		b.Field(9).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + r.Int64N(1e14)))
		b.Field(10).(*array.Decimal128Builder).Append(decimal128.FromI64(r.Int64N(1e7)))
		b.Field(11).(*array.Decimal128Builder).Append(decimal128.FromI64(r.Int64N(1e15)))
		rows.Ops = append(rows.Ops, pipeline.OpInsert)
		if len(rows.Ops) == benchBatch {
			rows.Record = b.NewRecord()
			all = append(all, rows)
			rows = &pipeline.Rows{Table: table}
		}
	}
	return all
}

// bareValues makes of records what parquet-go's column writers take. That costs time that nobody measures.
func bareValues(all []*pipeline.Rows, columns int) [][][]pq.Value {
	batches := make([][][]pq.Value, len(all))
	for i, rows := range all {
		batches[i] = make([][]pq.Value, columns)
		add := func(column int, v pq.Value, null bool) {
			level := 1
			if null {
				v, level = pq.NullValue(), 0
			}
			batches[i][column] = append(batches[i][column], v.Level(0, level, column))
		}
		for row, op := range rows.Ops {
			add(0, pq.Int64Value(int64(op)), false)
			for c, a := range rows.Record.Columns() {
				add(c+1, bareValue(rows.Table.Columns[c].Type, a, row), a.IsNull(row))
			}
		}
	}
	return batches
}

func bareValue(t pipeline.Type, a arrow.Array, row int) pq.Value {
	switch a := a.(type) {
	case *array.Int64:
		return pq.Int64Value(a.Value(row))
	case *array.Float64:
		return pq.DoubleValue(a.Value(row))
	case *array.Boolean:
		return pq.BooleanValue(a.Value(row))
	case *array.Date32:
		return pq.Int32Value(int32(a.Value(row)))
	case *array.Timestamp:
		return pq.Int64Value(int64(a.Value(row)))
	case *array.Decimal128:
		v := a.Value(row)
		wide := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(v.HighBits())), v.LowBits())
		return pq.FixedLenByteArrayValue(wide[16-decimalLength(t):])
	}
	return pq.ByteArrayValue([]byte(a.(*array.String).Value(row)))
}

func decimalLength(t pipeline.Type) int {
	if t.Precision == 18 {
		return 8
	}
	return 16
}

// orderedGroup is a group whose fields stay in their order.
type orderedGroup struct {
	pq.Group
	names []string
}

// Fields implements pq.Node.
func (g orderedGroup) Fields() []pq.Field {
	fields := make([]pq.Field, len(g.names))
	for i, name := range g.names {
		fields[i] = orderedField{g.Group[name], name}
	}
	return fields
}

type orderedField struct {
	pq.Node
	name string
}

// Name implements pq.Field.
func (f orderedField) Name() string { return f.name }

// Value implements pq.Field; no Go struct is written.
func (f orderedField) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// bareSchema is the profile: which columns get a dictionary is what the sink decides by itself.
func bareSchema(table *pipeline.Table, dictionaries map[string]bool) *pq.Schema {
	g := orderedGroup{Group: pq.Group{}}
	for _, c := range warehouse.OpColumns(table) {
		node := map[pipeline.Kind]pq.Node{
			pipeline.String: pq.String(), pipeline.JSONText: pq.String(), pipeline.Int64: pq.Leaf(pq.Int64Type), pipeline.Double: pq.Leaf(pq.DoubleType),
			pipeline.Bool: pq.Leaf(pq.BooleanType), pipeline.Date: pq.Date(), pipeline.Timestamp: pq.Timestamp(pq.Microsecond),
		}[c.Type.Kind]
		if c.Type.Kind == pipeline.Decimal {
			node = pq.Decimal(int(c.Type.Scale), int(c.Type.Precision), pq.FixedLenByteArrayType(decimalLength(c.Type)))
		}
		if dictionaries[c.Name] {
			node = pq.Encoded(node, &pq.RLEDictionary)
		} else {
			node = pq.Encoded(node, &pq.Plain)
		}
		g.Group[c.Name], g.names = pq.Optional(node), append(g.names, c.Name)
	}
	return pq.NewSchema("row", g)
}

func cpuSeconds(b testing.TB) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// writeBare writes batches by parquet-go's column writers, with row groups as the sink's.
func writeBare(b testing.TB, path string, schema *pq.Schema, batches [][][]pq.Value) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := pq.NewWriter(f, schema, pq.Compression(&pq.Snappy), pq.DataPageVersion(1))
	for i, batch := range batches {
		for c, column := range w.ColumnWriters() {
			if _, err := column.WriteRowValues(batch[c]); err != nil {
				b.Fatal(err)
			}
		}
		if i%10 == 9 {
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// mostRatio is the most CPU that staging may take, as a multiple of a bare write's.
const mostRatio = 1.6

// BenchmarkStagedFile compares the CPU of staging rows with that of a bare columnar write of the same
// values, which are ready for it beforehand.
func BenchmarkStagedFile(b *testing.B) {
	table := benchTable(b)
	records := benchRecords(table)
	dictionaries := map[string]bool{warehouse.OpColumn: true}
	dir, s := writeFiles(b, stagedSizes, table, records...)
	for _, c := range openParquet(b, filepath.Join(dir, s.Files[0].Name)).Metadata().RowGroups[0].Columns {
		dictionaries[c.MetaData.PathInSchema[0]] = c.MetaData.DictionaryPageOffset > 0
	}
	schema, batches := bareSchema(table, dictionaries), bareValues(records, len(table.Columns)+1)
	path := filepath.Join(b.TempDir(), "bare.parquet")
	var staged, bare float64
	for b.Loop() {
		at := cpuSeconds(b)
		_, s = writeFiles(b, stagedSizes, table, records...)
		between := cpuSeconds(b)
		writeBare(b, path, schema, batches)
		staged, bare = staged+between-at, bare+cpuSeconds(b)-between
	}
	if n := openParquet(b, path).NumRows(); n != benchRows || s.Files == nil {
		b.Fatalf("%d rows", n)
	}
	rows := float64(b.N) * benchRows
	b.ReportMetric(staged/rows*1e9, "staged-ns/row")
	b.ReportMetric(bare/rows*1e9, "bare-ns/row")
	b.ReportMetric(staged/bare, "ratio")
	if staged/bare > mostRatio {
		b.Errorf("staging takes %.2f of a bare write's CPU, and should take %.2f at most", staged/bare, mostRatio)
	}
	var size int64
	for _, f := range s.Files {
		size += f.Size
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size)/1e6, "staged-MB")
	b.ReportMetric(float64(info.Size())/1e6, "bare-MB")
}
