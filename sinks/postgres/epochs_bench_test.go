package postgres

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// BenchmarkEpochs commits the epochs of a pipeline that follows changes: rows of three tables, whose
// keys are texts, most of them updates of the largest one.
func BenchmarkEpochs(b *testing.B) {
	for _, rows := range []int{30, 300, 1000, 3000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { benchEpochs(b, rows) })
	}
}

func benchEpochs(b *testing.B, rows int) {
	server, err := pgserver.Start(pgserver.Options{Settings: "-c fsync=on"})
	must(b, err)
	defer server.Close()
	tables := []*benchedTable{newBenchedTable(b, "customers", 3000), newBenchedTable(b, "orders", 7000), newBenchedTable(b, "lines", 20_000)}
	h := pipelinetest.NewSinkDriver(b, "shop", tables[0].table, tables[1].table, tables[2].table)
	sink, err := New("warehouse", Config{DSN: server.DSN})
	must(b, err)
	must(b, h.Open(sink))
	for _, t := range tables {
		h.Prepare(t.rows(pipeline.OpInsert, benchKeys(0, t.end)))
		h.Commit()
	}
	look, err := pgx.Connect(b.Context(), server.DSN)
	must(b, err)
	defer look.Close(b.Context())
	must(b, execute(look, "VACUUM ANALYZE"))
	found := look.ExecParams(b.Context(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()", nil, nil, nil, nil).Read()
	must(b, found.Err)
	backend := string(found.Rows[0][0])
	var spool, wall, client float64
	before := processSeconds(b, backend)
	for b.Loop() {
		var all []*pipeline.Rows
		for i, share := range []int{rows * 3 / 100, rows * 7 / 100, rows * 9 / 10} {
			all = append(all, tables[i].next(share)...)
		}
		start := time.Now()
		h.Prepare(all...)
		spool += time.Since(start).Seconds()
		start, used := time.Now(), cpuSeconds(b)
		must(b, h.Sink.Commit(b.Context(), h.Pending))
		wall += time.Since(start).Seconds()
		client += cpuSeconds(b) - used
		h.Done()
	}
	n := float64(b.N)
	b.ReportMetric(spool/n*1e3, "spool-ms/epoch")
	b.ReportMetric(wall/n*1e3, "ms/epoch")
	b.ReportMetric((processSeconds(b, backend)-before)/n*1e3, "server-cpu-ms/epoch")
	b.ReportMetric(client/n*1e3, "client-cpu-ms/epoch")
	b.ReportMetric(0, "ns/op")
}

// processSeconds returns the CPU of a process, where the system tells.
func processSeconds(b testing.TB, pid string) float64 {
	stat, err := os.ReadFile("/proc/" + pid + "/schedstat")
	if err != nil {
		return 0
	}
	var ns float64
	_, err = fmt.Sscan(string(stat), &ns)
	must(b, err)
	return ns / 1e9
}

// benchedTable is a table with the keys from begin to end.
type benchedTable struct {
	table      *pipeline.Table
	begin, end int
	random     *rand.Rand
}

func newBenchedTable(b testing.TB, name string, rows int) *benchedTable {
	columns := []pipeline.Column{{Name: "id", Type: pipeline.Type{Kind: pipeline.String}}, {Name: "part", Type: pipeline.Type{Kind: pipeline.String}}}
	for i := range 4 {
		columns = append(columns, pipeline.Column{Name: fmt.Sprint("number", i), Type: pipeline.Type{Kind: pipeline.Int64}}, pipeline.Column{Name: fmt.Sprint("text", i), Type: pipeline.Type{Kind: pipeline.String}})
	}
	t, err := pipeline.NewTable(name, columns, []string{"id", "part"})
	must(b, err)
	return &benchedTable{t, 0, rows, rand.New(rand.NewPCG(1, 2))}
}

// next returns changes: eight of ten are updates, the others remove the oldest rows and insert new ones.
func (t *benchedTable) next(n int) []*pipeline.Rows {
	others := n / 10
	gone := benchKeys(t.begin, others)
	t.begin += others
	updated := t.random.Perm(t.end - t.begin)[:n-2*others]
	for i := range updated {
		updated[i] += t.begin
	}
	come := benchKeys(t.end, others)
	t.end += others
	return []*pipeline.Rows{t.rows(pipeline.OpDelete, gone), t.rows(pipeline.OpUpdate, updated), t.rows(pipeline.OpInsert, come)}
}

func (t *benchedTable) rows(op pipeline.Op, keys []int) *pipeline.Rows {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, t.table.Schema())
	for _, id := range keys {
		rb.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%08x", uint32(id)*2654435761))
		rb.Field(1).(*array.StringBuilder).Append(fmt.Sprint("part ", id))
		v := t.random.Int64()
		for c := 2; c < len(t.table.Columns); c += 2 {
			rb.Field(c).(*array.Int64Builder).Append(v >> c)
			rb.Field(c + 1).(*array.StringBuilder).Append(strings.Repeat("x", int(v>>c)&15))
		}
	}
	return &pipeline.Rows{Table: t.table, Record: rb.NewRecord(), Ops: slices.Repeat([]pipeline.Op{op}, len(keys)), Versions: make([]pipeline.Version, len(keys))}
}
