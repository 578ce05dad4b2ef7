package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// Engine plays the engine for one sink: it keeps what a checkpoint would.
type Engine struct {
	T         testing.TB
	Sink      pipeline.Sink // that is open; nil = none
	Pipeline  string
	State     string // the id of the state folder
	Dir       string // for spools
	Tables    []*pipeline.Table
	Epoch     int64                 // that was prepared last
	Published int64                 // that was committed last
	Taken     []string              // tables of the sink, as the checkpoint has them
	SinkState json.RawMessage       // of the epoch that was saved last
	Retained  []int64               // epochs whose spool SinkState needs
	Pending   *pipeline.Committable // of the epoch that is saved and not committed
}

// NewEngine returns an Engine without a sink. At the end of the test its sink is
// closed.
func NewEngine(t testing.TB, name string, tables ...*pipeline.Table) *Engine {
	e := &Engine{T: t, Pipeline: name, State: "state-1", Dir: t.TempDir(), Tables: tables}
	t.Cleanup(e.Close)
	return e
}

// Must ends the test if there is an error.
func (e *Engine) Must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

// Close closes the sink.
func (e *Engine) Close() {
	if e.Sink != nil {
		e.Must(e.Sink.Close())
		e.Sink = nil
	}
}

// Open opens a sink as a new process would, after Close.
func (e *Engine) Open(sink pipeline.Sink) error {
	if err := e.Check(sink); err != nil {
		return err
	}
	e.Sink = sink
	return sink.Open(context.Background(), e.opening())
}

// Check asks a sink whether it could be opened.
func (e *Engine) Check(sink pipeline.Sink) error {
	_, err := sink.Check(context.Background(), e.opening())
	return err
}

func (e *Engine) opening() pipeline.SinkOptions {
	return pipeline.SinkOptions{Pipeline: e.Pipeline, StateID: e.State, Tables: e.Tables, Spool: e.spool, Published: e.Published, Pending: e.Pending, SinkState: e.SinkState, Taken: e.Taken}
}

func (e *Engine) spool(epoch int64) string {
	return filepath.Join(e.Dir, "spool", fmt.Sprint(epoch), "warehouse")
}

// Prepare writes an epoch and saves its committable.
func (e *Engine) Prepare(rows ...*pipeline.Rows) *pipeline.Committable {
	e.T.Helper()
	return e.PrepareEpoch(false, rows...)
}

// PrepareEpoch writes an epoch, which is the last one or not, and saves its
// committable. Spools that nobody needs any longer are gone then.
func (e *Engine) PrepareEpoch(last bool, rows ...*pipeline.Rows) *pipeline.Committable {
	e.T.Helper()
	epoch, err := e.Sink.Begin(e.Epoch + 1)
	e.Must(err)
	for _, r := range rows {
		e.Must(epoch.Write(nil, r))
	}
	r, err := epoch.Prepare(context.Background(), last)
	e.Must(err)
	e.Epoch++
	for _, t := range e.Tables {
		if !slices.Contains(e.Taken, t.Name) {
			e.Taken = append(e.Taken, t.Name)
		}
	}
	r.PreviousEpoch, r.Started = e.Published, time.Unix(1e9, 0).UTC()
	text, err := json.Marshal(r)
	e.Must(err)
	e.Pending = &pipeline.Committable{}
	e.Must(json.Unmarshal(text, e.Pending))
	needed := append(slices.Clone(r.RetainEpochs), e.Retained...)
	e.SinkState, e.Retained = e.Pending.SinkState, r.RetainEpochs
	for _, n := range needed {
		if !slices.Contains(e.Retained, n) {
			e.Must(os.RemoveAll(filepath.Dir(e.spool(n))))
		}
	}
	if r.Payload == nil {
		e.Pending = nil
	}
	return r
}

// Commit commits the epoch that is pending.
func (e *Engine) Commit() {
	e.T.Helper()
	if e.Pending == nil {
		return
	}
	e.Must(e.Sink.Commit(context.Background(), e.Pending))
	e.Done()
}

// Done is what the engine does after a commit.
func (e *Engine) Done() {
	e.T.Helper()
	e.Published, e.Pending = e.Pending.Epoch, nil
	if !slices.Contains(e.Retained, e.Published) {
		e.Must(os.RemoveAll(filepath.Dir(e.spool(e.Published))))
	}
}

// Put commits an epoch with rows of the first table.
func (e *Engine) Put(in ...Row) {
	e.T.Helper()
	e.Prepare(Rows(e.Tables[0], in))
	e.Commit()
}

// Row is a row of a table like Orders.
type Row struct {
	Op   pipeline.Op
	ID   int64
	Text string // empty = null
}

// Rows returns rows of a table whose first column is an Int64 and whose second
// may be a String; the others are null.
func Rows(table *pipeline.Table, in []Row) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table, Versions: make([]pipeline.Version, len(in))}
	for _, r := range in {
		b.Field(0).(*array.Int64Builder).Append(r.ID)
		for i := 1; i < len(table.Columns); i++ {
			text, ok := b.Field(i).(*array.StringBuilder)
			if i == 1 && ok && r.Text != "" {
				text.Append(r.Text)
				continue
			}
			b.Field(i).AppendNull()
		}
		out.Ops = append(out.Ops, r.Op)
	}
	out.Record = b.NewRecord()
	return out
}

// NewTable returns a table with a key.
func NewTable(t testing.TB, name string, key []string, columns ...pipeline.Column) *pipeline.Table {
	t.Helper()
	table, err := pipeline.NewTable(name, columns, key)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Column returns a column of a type without parameters.
func Column(name string, k pipeline.Kind) pipeline.Column {
	return pipeline.Column{Name: name, Type: pipeline.Type{Kind: k}}
}

// Orders is the table of most cases; its names are SQL's words.
func Orders(t testing.TB) *pipeline.Table {
	return NewTable(t, "order", []string{"id"}, Column("id", pipeline.Int64), Column("select", pipeline.String))
}
