package redshift

import (
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// As many flushes as an interval of a second makes in an hour are those of make redshift-flushes.
var flushes = flag.Int("redshift.flushes", 40, "how many flushes TestManyFlushes makes")

// TestManyFlushes: after any number of flushes a sink has the memory and the one connection that it had after a
// few, the database no temporary table, the stage never more than the files of one flush,
// and the spool nothing.
func TestManyFlushes(t *testing.T) {
	t.Parallel()
	c := redshifttest.Open(t, redshifttest.Snapshot)
	clock := time.Unix(1e9, 0)
	const interval = time.Minute
	cfg := flushConfig(c)
	cfg.Flush.Interval = spec.Duration(interval)
	sink, err := newSink("warehouse", cfg, func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	members := pipelinetest.Table("dim_customer", "customer_key", "customer_key int64", "username", "seen timestamp", "profile json")
	facts := pipelinetest.Table("fact_order", "orderid", "orderid", "customer_key int64", "price decimal(10,2)", "gift bool", "weight double", "day date", "code binary")
	d := pipelinetest.NewSinkDriver(t, "shop", members, facts)
	defer d.Close()
	d.Must(d.Open(sink))
	w := watchFlushes(t, c)
	var used []uint64
	samples := max(*flushes/20, 1)
	for n := range *flushes {
		// Two epochs a flush: what the first leaves waits for the second.
		d.PrepareEpoch(false, orders(facts, n, false), customers(members, n))
		d.Commit()
		clock = clock.Add(interval)
		d.PrepareEpoch(false, orders(facts, n, true))
		d.Commit()
		w.flushed(n)
		if n%samples == samples-1 {
			used = append(used, heap())
		}
	}
	if got := c.Query("SELECT count(*), sum(epochs) FROM (SELECT 1 AS epochs FROM " + warehouse.QualifiedName("dwh", warehouse.EpochsTable) + ")"); got[0] != fmt.Sprintf("%d|%d", *flushes, *flushes) {
		t.Errorf("flushes that were recorded: %s", got)
	}
	second, last := mean(used[len(used)/4:len(used)/2]), mean(used[len(used)*3/4:])
	t.Logf("%d flushes; memory in the second quarter %.1f MB, in the last %.1f MB (%.3f)", *flushes, second/1e6, last/1e6, last/second)
	// The stand-in is in this process, and remembers its last statements: it takes some hundred flushes
	// until it forgets as many as come.
	if filling := 1e6; last > 1.1*second && (*flushes >= 3600 || last > second+filling) {
		t.Errorf("memory grows: %d", used)
	}
	w.end(d)
}

// flushConfig is a sink's by COPY into the schema dwh.
func flushConfig(c *redshifttest.Cluster) Config {
	cfg := Config{DSN: c.DSN(), Schema: "dwh"}
	cfg.Stage.S3.URL, cfg.Stage.S3.IAMRole, cfg.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
	return cfg
}

// flushWatch looks at what a flush leaves.
type flushWatch struct {
	t      *testing.T
	c      *redshifttest.Cluster
	sight  *redshifttest.Session
	pids   map[int32]bool
	copied int // files on the stage, when the last COPY began
}

func watchFlushes(t *testing.T, c *redshifttest.Cluster) *flushWatch {
	w := &flushWatch{t: t, c: c, sight: c.Connect(), pids: map[int32]bool{}}
	c.TakeStatements()
	return w
}

// flushed looks at the session after a flush, and now and then at the stage while one is loaded.
func (w *flushWatch) flushed(n int) {
	w.t.Helper()
	taken := w.c.TakeStatements()
	if len(taken) == 0 {
		w.t.Errorf("flush %d sent no statement", n)
	}
	for _, r := range taken {
		w.pids[r.PID] = true
	}
	w.c.OnStatement(nil)
	if n%20 == 0 {
		w.c.OnStatement(func(r server.Request) {
			if strings.HasPrefix(r.SQL, "COPY") {
				w.copied = len(w.c.Objects())
			}
		})
	} else if n%20 == 1 && (w.copied < 2 || w.copied > 6) {
		// Two tables have a manifest and a file each, and a few files at most.
		w.t.Errorf("flush %d had %d files on the stage", n, w.copied)
	}
	if n%20 == 2 {
		w.nothingLeft()
	}
}

func (w *flushWatch) nothingLeft() {
	w.t.Helper()
	if got := w.c.Objects(); len(got) > 0 {
		w.t.Errorf("left on the stage: %q", got)
	}
	if got := w.sight.Query("SELECT relname FROM pg_class WHERE relname LIKE 'starlift_stage%'"); len(got) > 0 {
		w.t.Errorf("left in the database: %q", got)
	}
}

// end looks at what is left of all of them.
func (w *flushWatch) end(d *pipelinetest.SinkDriver) {
	w.t.Helper()
	w.nothingLeft()
	if len(w.pids) != 1 {
		w.t.Errorf("%d connections were made", len(w.pids))
	}
	var left []string
	d.Must(filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left = append(left, path)
		}
		return err
	}))
	if len(left) > 0 {
		w.t.Errorf("left in the spool: %q", left)
	}
}

// customers are rows of flush n: of a few members, which change each time.
func customers(table *pipeline.Table, n int) *pipeline.Rows {
	op := pipeline.OpUpdate
	if n == 0 {
		op = pipeline.OpInsert
	}
	return rowsOf(table, op, 20, func(i int) string {
		return fmt.Sprintf(`{"customer_key": %d, "username": "user %d of %d", "seen": "2024-02-29T12:00:00Z", "profile": "{\"n\": %d}"}`, i, i, n, n)
	})
}

// orders are those of flush n, of which half go again in the same flush.
func orders(table *pipeline.Table, n int, removed bool) *pipeline.Rows {
	size, op := 50, pipeline.OpInsert
	if removed {
		size, op = 25, pipeline.OpDelete
	}
	return rowsOf(table, op, size, func(i int) string {
		return fmt.Sprintf(`{"orderid": "%d-%d", "customer_key": %d, "price": 12.5, "gift": true, "weight": 0.5, "day": "2024-02-29", "code": "AQID"}`, n, i, i%20)
	})
}

// rowsOf makes rows of JSON objects. Unlike those of package pipelinetest they go before the test does.
func rowsOf(table *pipeline.Table, op pipeline.Op, n int, object func(i int) string) *pipeline.Rows {
	objects := make([]string, n)
	for i := range objects {
		objects[i] = object(i)
	}
	record, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader("["+strings.Join(objects, ",")+"]"), array.WithUseNumber())
	if err != nil {
		panic(err) // the objects are the test's own
	}
	return &pipeline.Rows{Table: table, Record: record, Ops: slices.Repeat([]pipeline.Op{op}, n), Versions: make([]pipeline.Version, n)}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // finalizers of the first have run
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func mean(of []uint64) float64 {
	sum := 0.0
	for _, v := range of {
		sum += float64(v)
	}
	return sum / float64(len(of))
}
