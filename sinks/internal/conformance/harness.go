package conformance

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const insert, update, remove = pipeline.OpInsert, pipeline.OpUpdate, pipeline.OpDelete

// harness is a driver with a database of the target.
type harness struct {
	*pipelinetest.SinkDriver
	target Target
	store  Store
	db     Database // the store, if it is one
	faults *Faults
}

func newHarness(t testing.TB, target Target, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := another(t, target, target.open(t), "shop", tables...)
	h.Must(h.restart())
	return h
}

// another is a harness on a database that is there.
func another(t testing.TB, target Target, store Store, name string, tables ...*pipeline.Table) *harness {
	db, _ := store.(Database) // nil = it is none
	h := &harness{SinkDriver: pipelinetest.NewSinkDriver(t, name, tables...), target: target, store: store, db: db, faults: &Faults{}}
	h.EarlyClean = true
	return h
}

// restart opens the database in a new sink, as a new process would.
func (h *harness) restart() error {
	h.Close()
	sink, err := h.store.New("warehouse", h.faults)
	if err != nil {
		return err
	}
	// What fails in Check has changed nothing.
	if err := h.faults.suspend(func() error { return h.Check(sink) }); err != nil {
		return err
	}
	h.Sink = sink
	return sink.Open(context.Background(), h.Options())
}

// put commits an epoch with rows of the first table.
func (h *harness) put(in ...Row) {
	h.T.Helper()
	Put(h.SinkDriver, in...)
}

// in returns the name of a table.
func (h *harness) in(table string) string { return warehouse.QualifiedName(h.db.Schema(), table) }

// sql returns the database of a case that only makes sense in SQL.
func (h *harness) sql() SQL {
	h.T.Helper()
	d, ok := h.db.(SQL)
	if !ok {
		h.T.Skip("the database is not asked in SQL")
	}
	return d
}

// exec runs a statement, in a case that only makes sense in SQL.
func (h *harness) exec(format string, args ...any) {
	h.T.Helper()
	h.sql().exec(h.T, format, args...)
}

// rows returns a table's rows by its key, all columns as text.
func (h *harness) rows(t *pipeline.Table) []string {
	h.T.Helper()
	return h.store.Rows(h.T, t)
}

// want compares the first table's rows.
func (h *harness) want(want ...string) {
	h.T.Helper()
	h.same(h.rows(h.Tables[0]), want...)
}

func (h *harness) same(got []string, want ...string) {
	h.T.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.T.Errorf("-want +got\n%s", diff)
	}
}

// audit returns the committed epochs, in order.
func (h *harness) audit() []string {
	h.T.Helper()
	return h.db.Select(h.T, warehouse.EpochsTable, "pipeline", "epoch")
}

// crashCommit commits with the armed fault, goes on as the engine would, and
// tells whether the fault struck.
func (h *harness) crashCommit(restart bool) bool {
	h.T.Helper()
	err := h.Sink.Commit(context.Background(), h.Pending)
	fired := h.faults.Disarm()
	if fired != (err != nil) {
		h.T.Fatalf("the fault struck: %v, the commit's error: %v", fired, err)
	}
	if err == nil {
		h.Done()
		return false
	}
	if h.target.Reconnects && !pipeline.Retryable(err) {
		h.T.Errorf("a lost connection is not worth another try: %v", err)
	}
	if restart || !h.target.Reconnects {
		h.Must(h.restart())
	}
	h.Commit()
	return true
}
