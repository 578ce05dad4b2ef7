//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
)

// cpuSeconds is what the process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func wideTable(b testing.TB) *pipeline.Table {
	columns := []pipeline.Column{pipelinetest.Column("id", pipeline.Int64), {Name: "price", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 12, Scale: 2}}}
	for i := range 7 {
		columns = append(columns, pipelinetest.Column(fmt.Sprint("text", i), pipeline.String))
	}
	return pipelinetest.TableOf(b, "line", []string{"id"}, columns...)
}

func wideRows(table *pipeline.Table, op pipeline.Op, from, n, step int) []*pipeline.Rows {
	var out []*pipeline.Rows
	for at := 0; at < n; at += 8192 {
		rb := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		rows := &pipeline.Rows{Table: table}
		for i := at; i < min(n, at+8192); i++ {
			id := from + i*step
			rb.Field(0).(*array.Int64Builder).Append(int64(id))
			if err := rb.Field(1).(*array.Decimal128Builder).AppendValueFromString(fmt.Sprintf("%d.%02d", id%500, id%100)); err != nil {
				panic(err)
			}
			for c := 2; c < len(table.Columns); c++ {
				rb.Field(c).(*array.StringBuilder).Append(fmt.Sprintf("%s %d", op, id%(1<<(2*c))))
			}
			rows.Ops = append(rows.Ops, op)
		}
		rows.Record = rb.NewRecord()
		rows.Versions = make([]pipeline.Version, len(rows.Ops))
		out = append(out, rows)
	}
	return out
}

// BenchmarkLoad spools and commits 350,000 rows of nine columns.
func BenchmarkLoad(b *testing.B) {
	table := wideTable(b)
	rows := wideRows(table, insert, 0, 350_000, 1)
	spooling, committing := 0.0, 0.0
	for b.Loop() {
		h := newHarness(b, table)
		t0 := cpuSeconds(b)
		h.Prepare(rows...)
		t1 := cpuSeconds(b)
		h.Commit()
		h.Must(h.sink.Close())
		spooling, committing = spooling+t1-t0, committing+cpuSeconds(b)-t1
	}
	b.ReportMetric(spooling/float64(b.N), "spool-cpu-s/op")
	b.ReportMetric(committing/float64(b.N), "commit-cpu-s/op")
}

// BenchmarkUpdate commits 30,000 updates, all over a table of 500,000 rows.
func BenchmarkUpdate(b *testing.B) {
	for _, extra := range []bool{false, true} {
		b.Run(fmt.Sprint("in place ", extra), func(b *testing.B) {
			table := wideTable(b)
			h := newHarness(b, table)
			h.Prepare(wideRows(table, insert, 0, 500_000, 1)...)
			h.Commit()
			if extra {
				h.exec("ALTER TABLE line ADD COLUMN note VARCHAR")
			}
			used, n := 0.0, 0
			for b.Loop() {
				n++
				h.Prepare(wideRows(table, update, n%16, 30_000, 16)...)
				t0 := cpuSeconds(b)
				h.Must(h.sink.Commit(context.Background(), h.Pending))
				used += cpuSeconds(b) - t0
				h.Published = h.Epoch
			}
			b.ReportMetric(used/float64(n), "commit-cpu-s/op")
		})
	}
}

// BenchmarkTiny commits epochs of one row.
func BenchmarkTiny(b *testing.B) {
	for _, op := range []pipeline.Op{insert, update} {
		b.Run(op.String(), func(b *testing.B) {
			h := newHarness(b, conformance.Orders(b))
			conformance.Put(h.SinkDriver, conformance.Row{Op: insert, ID: 0, Text: "a"})
			id, n := int64(0), 0
			var took time.Duration
			for b.Loop() {
				n++
				if op == insert {
					id++
				}
				h.Prepare(conformance.Rows(h.Tables[0], []conformance.Row{{Op: op, ID: id, Text: "b"}}))
				start := time.Now()
				h.Must(h.sink.Commit(context.Background(), h.Pending))
				took += time.Since(start)
				h.Published = h.Epoch
			}
			b.ReportMetric(float64(took.Microseconds())/float64(n), "commit-µs/op")
		})
	}
}
