package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const insert, update, remove = pipeline.OpInsert, pipeline.OpUpdate, pipeline.OpDelete

func kind(k pipeline.Kind) pipeline.Type { return pipeline.Type{Kind: k} }

func column(name string, k pipeline.Kind) pipeline.Column {
	return pipeline.Column{Name: name, Type: kind(k)}
}

func newTable(t testing.TB, name string, key []string, columns ...pipeline.Column) *pipeline.Table {
	t.Helper()
	table, err := pipeline.NewTable(name, columns, key)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// orders is the table of most cases; its names are SQL's words.
func orders(t testing.TB) *pipeline.Table {
	return newTable(t, "order", []string{"id"}, column("id", pipeline.Int64), column("select", pipeline.String))
}

// row is a row of orders.
type row struct {
	op   pipeline.Op
	id   int64
	text string // empty = null
}

func rowsOf(table *pipeline.Table, in []row) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table, Versions: make([]pipeline.Version, len(in))}
	for _, r := range in {
		b.Field(0).(*array.Int64Builder).Append(r.id)
		for i := 1; i < len(table.Columns); i++ {
			text, ok := b.Field(i).(*array.StringBuilder)
			if i == 1 && ok && r.text != "" {
				text.Append(r.text)
				continue
			}
			b.Field(i).AppendNull()
		}
		out.Ops = append(out.Ops, r.op)
	}
	out.Record = b.NewRecord()
	return out
}

// jsonRows makes rows of JSON objects, one for each operation.
func jsonRows(t testing.TB, table *pipeline.Table, ops []pipeline.Op, objects ...string) *pipeline.Rows {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader("["+strings.Join(objects, ",")+"]"), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline.Rows{Table: table, Record: rec, Ops: ops, Versions: make([]pipeline.Version, len(ops))}
}

// harness plays the engine: it keeps what a checkpoint would.
type harness struct {
	t         testing.TB
	target    Target
	db        Database
	faults    *Faults
	dir       string
	pipeline  string
	state     string
	sink      Sink
	tables    []*pipeline.Table
	epoch     int64
	published int64
	pending   *pipeline.Receipt
}

func newHarness(t testing.TB, target Target, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := another(t, target, target.Open(t), "shop", tables...)
	h.must(h.restart())
	return h
}

// another is a harness on a database that is there.
func another(t testing.TB, target Target, db Database, name string, tables ...*pipeline.Table) *harness {
	h := &harness{t: t, target: target, db: db, faults: &Faults{}, dir: t.TempDir(), pipeline: name, state: "state-1", tables: tables}
	t.Cleanup(h.close)
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) close() {
	if h.sink != nil {
		h.must(h.sink.Close())
		h.sink = nil
	}
}

// restart opens the database in a new sink, as a new process would.
func (h *harness) restart() error {
	h.close()
	sink, err := h.db.New("warehouse", h.faults)
	if err != nil {
		return err
	}
	h.sink = sink
	return sink.Open(context.Background(), pipeline.Opening{Pipeline: h.pipeline, StateID: h.state, Tables: h.tables,
		Spool: h.spool, Published: h.published, Pending: h.pending})
}

func (h *harness) spool(epoch int64) string {
	return filepath.Join(h.dir, "spool", fmt.Sprint(epoch), "warehouse")
}

// prepare writes an epoch and saves its receipt.
func (h *harness) prepare(rows ...*pipeline.Rows) *pipeline.Receipt {
	h.t.Helper()
	e, err := h.sink.Begin(h.epoch + 1)
	h.must(err)
	for _, r := range rows {
		h.must(e.Write(nil, r))
	}
	r, err := e.Prepare(context.Background(), false)
	h.must(err)
	h.epoch++
	r.Before, r.Started = h.published, time.Unix(1e9, 0).UTC()
	text, err := json.Marshal(r)
	h.must(err)
	h.pending = &pipeline.Receipt{}
	h.must(json.Unmarshal(text, h.pending))
	if r.Publish == nil {
		h.pending = nil
	}
	return r
}

func (h *harness) commit() {
	h.t.Helper()
	if h.pending == nil {
		return
	}
	h.must(h.sink.Commit(context.Background(), h.pending))
	h.done()
}

// done is what the engine does after a commit.
func (h *harness) done() {
	h.t.Helper()
	h.published, h.pending = h.pending.Epoch, nil
	h.must(os.RemoveAll(filepath.Dir(h.spool(h.published))))
}

func (h *harness) put(in ...row) {
	h.t.Helper()
	h.prepare(rowsOf(h.tables[0], in))
	h.commit()
}

// in returns the name of a table.
func (h *harness) in(table string) string { return warehouse.In(h.db.Schema(), table) }

func (h *harness) exec(format string, args ...any) {
	h.t.Helper()
	h.db.Exec(h.t, fmt.Sprintf(format, args...))
}

// rows returns a table's rows by its key, all columns as text.
func (h *harness) rows(t *pipeline.Table) []string {
	h.t.Helper()
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = h.db.Text(warehouse.Quote(c.Name), c.Type)
	}
	return h.db.Query(h.t, fmt.Sprintf("SELECT %s FROM %s t ORDER BY %s", strings.Join(list, ", "), h.in(t.Name), order(t)))
}

func order(t *pipeline.Table) string {
	keys := warehouse.KeyOf(t)
	for i, k := range keys {
		keys[i] = "t." + warehouse.Quote(k)
	}
	return strings.Join(keys, ", ")
}

// want compares the first table's rows.
func (h *harness) want(want ...string) {
	h.t.Helper()
	h.same(h.rows(h.tables[0]), want...)
}

func (h *harness) same(got []string, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("-want +got\n%s", diff)
	}
}

// audit returns the committed epochs, in order.
func (h *harness) audit() []string {
	h.t.Helper()
	return h.db.Query(h.t, fmt.Sprintf(`SELECT pipeline, epoch FROM %s ORDER BY pipeline, epoch`, h.in(warehouse.EpochsTable)))
}

// crashCommit commits with the armed fault, goes on as the engine would, and
// tells whether the fault struck.
func (h *harness) crashCommit(restart bool) bool {
	h.t.Helper()
	err := h.sink.Commit(context.Background(), h.pending)
	fired := h.faults.Disarm()
	if fired != (err != nil) {
		h.t.Fatalf("the fault struck: %v, the commit's error: %v", fired, err)
	}
	if err == nil {
		h.done()
		return false
	}
	if h.target.Reconnects && !pipeline.Retryable(err) {
		h.t.Errorf("a lost connection is not worth another try: %v", err)
	}
	if restart || !h.target.Reconnects {
		h.must(h.restart())
	}
	h.commit()
	return true
}
