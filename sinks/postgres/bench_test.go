package postgres

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	benchRows  = 500_000 // in the table before
	benchBatch = 10_000
)

// BenchmarkUpsert holds the sink against the least that could be done with the
// same batches: COPY into a stage and one merge, in one transaction, of bytes that
// are there already. The two take turns, on tables of their own in one server
// that syncs its log. ratio is the sink's rate by that of the faster merge;
// spooled-ratio counts the spooling too, which the engine does meanwhile.
func BenchmarkUpsert(b *testing.B) {
	for _, updates := range []int{0, 50, 100} {
		b.Run(fmt.Sprintf("updates=%d%%", updates), func(b *testing.B) { benchUpsert(b, updates) })
	}
}

func benchUpsert(b *testing.B, updates int) {
	server, err := pgserver.Start(pgserver.Options{Settings: "-c fsync=on -c shared_buffers=256MB -c max_wal_size=4GB"})
	must(b, err)
	defer server.Close()
	table := benchTable(b)
	h := newBench(b, server.DSN, table)
	load := batchOf(table, benchKeys(0, benchRows), pipeline.OpInsert, 0)
	h.sinkPut(load)
	merges := map[string]string{"conflict": onConflict(table), "merge": mergeInto(table)}
	for name := range merges {
		h.bare(name, encoded(b, load), fmt.Sprintf(`INSERT INTO %s SELECT * FROM pg_temp.stage`, warehouse.Quote(name)))
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		must(b, execute(h.look, statement))
	}
	next := benchRows
	random := rand.New(rand.NewPCG(1, uint64(updates)))
	var sink, spool float64
	bare := map[string]float64{}
	cpu := 0.0
	for b.Loop() {
		n := benchBatch * updates / 100
		known := random.Perm(next)[:n]
		rows := []*pipeline.Rows{}
		if n > 0 {
			rows = append(rows, batchOf(table, known, pipeline.OpUpdate, next))
		}
		if n < benchBatch {
			rows = append(rows, batchOf(table, benchKeys(next, benchBatch-n), pipeline.OpInsert, next))
			next += benchBatch - n
		}
		data := encoded(b, rows...)
		before := cpuSeconds(b)
		spooled, committed := h.sinkPut(rows...)
		cpu += cpuSeconds(b) - before
		sink, spool = sink+committed, spool+spooled
		for name, statement := range merges {
			bare[name] += h.bare(name, data, statement)
		}
	}
	total := float64(b.N) * benchBatch
	least := min(bare["conflict"], bare["merge"])
	b.ReportMetric(total/sink, "rows/s")
	b.ReportMetric(total/bare["conflict"], "on-conflict-rows/s")
	b.ReportMetric(total/bare["merge"], "merge-rows/s")
	b.ReportMetric(least/sink, "ratio")
	b.ReportMetric(least/(sink+spool), "spooled-ratio")
	b.ReportMetric(cpu/total*1e6, "client-cpu-µs/row")
	b.ReportMetric(0, "ns/op")
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func benchTable(b testing.TB) *pipeline.Table {
	columns := []pipeline.Column{
		{Name: "id", Type: pipeline.Type{Kind: pipeline.Int64}}, {Name: "price", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 12, Scale: 2}},
		{Name: "at", Type: pipeline.Type{Kind: pipeline.Timestamp}}, {Name: "day", Type: pipeline.Type{Kind: pipeline.Date}}, {Name: "paid", Type: pipeline.Type{Kind: pipeline.Bool}}}
	for i := range 5 {
		columns = append(columns, pipeline.Column{Name: fmt.Sprint("text", i), Type: pipeline.Type{Kind: pipeline.String}})
	}
	t, err := pipeline.NewTable("line", columns, []string{"id"})
	must(b, err)
	return t
}

func benchKeys(from, n int) []int {
	keys := make([]int, n)
	for i := range keys {
		keys[i] = from + i
	}
	return keys
}

func batchOf(table *pipeline.Table, keys []int, op pipeline.Op, salt int) *pipeline.Rows {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	for _, id := range keys {
		v := id + salt
		rb.Field(0).(*array.Int64Builder).Append(int64(id))
		rb.Field(1).(*array.Decimal128Builder).Append(decimal128.FromI64(int64(v%100_000) * 7))
		rb.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + float64(v)*1e6))
		rb.Field(3).(*array.Date32Builder).Append(arrow.Date32(19000 + v%1000))
		rb.Field(4).(*array.BooleanBuilder).Append(v%2 == 0)
		for c := 5; c < len(table.Columns); c++ {
			rb.Field(c).(*array.StringBuilder).Append(fmt.Sprintf("text %d of %d", v%(1<<c), c))
		}
	}
	return &pipeline.Rows{Table: table, Record: rb.NewRecord(), Ops: slices.Repeat([]pipeline.Op{op}, len(keys)), Versions: make([]pipeline.Version, len(keys))}
}

// encoded returns rows as COPY takes them.
func encoded(b testing.TB, rows ...*pipeline.Rows) []byte {
	out := slices.Clone(copyHeader)
	for _, r := range rows {
		cells, err := cellsOf(nil, r.Table, r.Record)
		must(b, err)
		for i := range r.Ops {
			out = append(out, 0, byte(len(cells)))
			for _, c := range cells {
				out = c(out, i)
			}
		}
	}
	return append(out, copyTrailer...)
}

func onConflict(t *pipeline.Table) string {
	set := ""
	for _, c := range t.Columns[1:] {
		set += fmt.Sprintf(", %[1]s = excluded.%[1]s", c.Name)
	}
	return fmt.Sprintf("INSERT INTO conflict SELECT * FROM pg_temp.stage ON CONFLICT (id) DO UPDATE SET %s", set[2:])
}

func mergeInto(t *pipeline.Table) string {
	set, values := "", "s.id"
	for _, c := range t.Columns[1:] {
		set += fmt.Sprintf(", %[1]s = s.%[1]s", c.Name)
		values += ", s." + c.Name
	}
	return fmt.Sprintf("MERGE INTO merge t USING pg_temp.stage s ON t.id = s.id WHEN MATCHED THEN UPDATE SET %s WHEN NOT MATCHED THEN INSERT VALUES (%s)", set[2:], values)
}

// bench is a driver with a sink, and a connection for the bare work.
type bench struct {
	*pipelinetest.SinkDriver
	b    testing.TB
	look *pgx.PgConn
}

func newBench(b testing.TB, dsn string, table *pipeline.Table) *bench {
	h := &bench{SinkDriver: pipelinetest.NewSinkDriver(b, "shop", table), b: b}
	sink, err := New("warehouse", Config{DSN: dsn})
	must(b, err)
	must(b, h.Open(sink))
	h.look, err = pgx.Connect(context.Background(), dsn)
	must(b, err)
	b.Cleanup(func() { must(b, h.look.Close(context.Background())) })
	must(b, execute(h.look, `CREATE TEMP TABLE stage (LIKE line) ON COMMIT DELETE ROWS;
		CREATE TABLE conflict (LIKE line INCLUDING ALL); CREATE TABLE merge (LIKE line INCLUDING ALL)`))
	return h
}

// sinkPut writes one epoch, and returns the seconds of its spooling and commit.
func (h *bench) sinkPut(rows ...*pipeline.Rows) (spooled, committed float64) {
	start := time.Now()
	h.Prepare(rows...)
	middle := time.Now()
	must(h.b, h.Sink.Commit(context.Background(), h.Pending))
	committed = time.Since(middle).Seconds()
	h.Done()
	return middle.Sub(start).Seconds(), committed
}

// bare copies bytes into the stage and applies it, and returns the seconds.
func (h *bench) bare(table string, data []byte, statement string) float64 {
	ctx := context.Background()
	start := time.Now()
	must(h.b, execute(h.look, "BEGIN"))
	_, err := h.look.CopyFrom(ctx, bytes.NewReader(data), "COPY pg_temp.stage FROM STDIN (FORMAT binary)")
	must(h.b, err)
	must(h.b, execute(h.look, statement))
	must(h.b, execute(h.look, "COMMIT"))
	return time.Since(start).Seconds()
}
