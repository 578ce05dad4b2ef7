package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline"
)

// memoryWarehouse is a sink that keeps settled rows in memory. It outlives the
// processes that a test pretends to crash, shows nothing before its commit, and
// holds every row to the contract.
type memoryWarehouse struct {
	mu       sync.Mutex
	tables   map[string]*memoryTable
	prepared map[int64][]memoryRow // spools
	stateID  string
	token    int64
	// judge is asked after every commit what it thinks of the tables.
	judge func(map[string][]oracle.Row) error
}

type memoryTable struct {
	*pipeline.Table
	rows map[string]oracle.Row
}

// memoryRow is a settled row.
type memoryRow struct {
	table, key string
	op         pipeline.Op
	row        oracle.Row
}

func newMemoryWarehouse(judge func(map[string][]oracle.Row) error) *memoryWarehouse {
	return &memoryWarehouse{tables: map[string]*memoryTable{}, prepared: map[int64][]memoryRow{}, judge: judge}
}

// Mode implements pipeline.Sink.
func (w *memoryWarehouse) Mode() pipeline.Mode { return pipeline.Settled }

// Close implements pipeline.Sink.
func (w *memoryWarehouse) Close() error { return nil }

// Check implements pipeline.Sink.
func (w *memoryWarehouse) Check(context.Context, pipeline.SinkOptions) ([]string, error) {
	return nil, nil
}

// Open implements pipeline.Sink.
func (w *memoryWarehouse) Open(_ context.Context, o pipeline.SinkOptions) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stateID != "" && w.stateID != o.StateID {
		return fmt.Errorf("rows of state %s, and now of %s", w.stateID, o.StateID)
	}
	w.stateID = o.StateID
	pending := o.Pending != nil && w.token == o.Pending.Epoch
	if w.token != o.Published && !pending {
		return fmt.Errorf("token %d, the checkpoint says %d", w.token, o.Published)
	}
	maps.DeleteFunc(w.prepared, func(epoch int64, _ []memoryRow) bool { return o.Pending == nil || epoch != o.Pending.Epoch })
	for _, t := range o.Tables {
		if w.tables[t.Name] == nil {
			w.tables[t.Name] = &memoryTable{rows: map[string]oracle.Row{}}
		}
		w.tables[t.Name].Table = t
	}
	return nil
}

// Begin implements pipeline.Sink.
func (w *memoryWarehouse) Begin(epoch int64) (pipeline.EpochWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.prepared, epoch)
	return &memoryEpoch{w: w, epoch: epoch, seen: map[string]bool{}}, nil
}

// Commit implements pipeline.Sink.
func (w *memoryWarehouse) Commit(_ context.Context, r *pipeline.Committable) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.token == r.Epoch {
		return nil
	}
	if w.token != r.PreviousEpoch {
		return fmt.Errorf("token %d, the committable wants %d", w.token, r.PreviousEpoch)
	}
	rows, ok := w.prepared[r.Epoch]
	if !ok {
		return fmt.Errorf("epoch %d was not prepared", r.Epoch)
	}
	for i := range rows {
		if err := w.apply(&rows[i]); err != nil {
			return fmt.Errorf("epoch %d: %w", r.Epoch, err)
		}
	}
	w.token = r.Epoch
	delete(w.prepared, r.Epoch)
	return w.judge(w.all())
}

// apply applies a row, and refuses one that does not follow from what is there.
func (w *memoryWarehouse) apply(r *memoryRow) error {
	rows := w.tables[r.table].rows
	old, there := rows[r.key]
	switch {
	case r.op == pipeline.OpInsert && there:
		return fmt.Errorf("%s: insert of %s, which is there: %v", r.table, r.key, old)
	case r.op != pipeline.OpInsert && !there:
		return fmt.Errorf("%s: %s of %s, which is not there", r.table, r.op, r.key)
	case r.op == pipeline.OpUpdate && maps.Equal(old, r.row):
		return fmt.Errorf("%s: update of %s that changes nothing: %v", r.table, r.key, old)
	}
	if r.op == pipeline.OpDelete {
		delete(rows, r.key)
	} else {
		rows[r.key] = r.row
	}
	return nil
}

// rows returns what was published.
func (w *memoryWarehouse) rows() (map[string][]oracle.Row, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all(), nil
}

func (w *memoryWarehouse) all() map[string][]oracle.Row {
	all := map[string][]oracle.Row{}
	for name, t := range w.tables {
		all[name] = slices.Collect(maps.Values(t.rows))
	}
	return all
}

// memoryEpoch is an epoch of a memoryWarehouse.
type memoryEpoch struct {
	w     *memoryWarehouse
	epoch int64
	rows  []memoryRow
	seen  map[string]bool
}

// Abort implements pipeline.EpochWriter.
func (e *memoryEpoch) Abort() {}

// Write implements pipeline.EpochWriter.
func (e *memoryEpoch) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	t := rows.Table
	if n := int(rows.Record.NumRows()); n != len(rows.Ops) || n != len(rows.Versions) {
		return fmt.Errorf("%s: %d rows with %d operations and %d versions", t.Name, n, len(rows.Ops), len(rows.Versions))
	}
	for i, op := range rows.Ops {
		r := memoryRow{table: t.Name, op: op, row: oracle.Row{}}
		for c, column := range t.Columns {
			if a := rows.Record.Column(c); !a.IsNull(i) {
				r.row[column.Name] = cellText(column.Type, a, i)
			}
		}
		var key []string
		for _, k := range t.Key {
			v, ok := r.row[t.Columns[k].Name]
			if !ok {
				return fmt.Errorf("%s: a null in the key of %v", t.Name, r.row)
			}
			key = append(key, v)
		}
		r.key = strings.Join(key, "|")
		if op == pipeline.OpUpsert {
			return fmt.Errorf("%s: an upsert of %s among settled rows", t.Name, r.key)
		}
		if id := t.Name + "|" + r.key; e.seen[id] {
			return fmt.Errorf("%s: two rows of %s in epoch %d", t.Name, r.key, e.epoch)
		} else {
			e.seen[id] = true
		}
		e.rows = append(e.rows, r)
	}
	return nil
}

// Prepare implements pipeline.EpochWriter.
func (e *memoryEpoch) Prepare(context.Context, bool) (*pipeline.Committable, error) {
	r := &pipeline.Committable{Epoch: e.epoch}
	if len(e.rows) == 0 {
		return r, nil
	}
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.w.prepared[e.epoch] = e.rows
	r.Payload = json.RawMessage("{}")
	return r, nil
}

// cellText returns a value, which is not null, as the model writes it.
func cellText(t pipeline.Type, a arrow.Array, i int) string {
	switch a := a.(type) {
	case *array.Date32:
		return a.Value(i).FormattedString()
	case *array.Timestamp:
		return oracle.Timestamp(int64(a.Value(i)))
	case *array.Decimal128:
		return a.Value(i).ToString(t.Scale)
	default:
		return a.ValueStr(i)
	}
}
