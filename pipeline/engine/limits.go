package engine

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/gather"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

func nullsInvalidValues(c pipeline.Column) bool { return c.OnError == pipeline.UnfitNull }

// limitRows looks for what sinks can't store of a batch's rows: where the column
// says so the value becomes null, else the change is a dead letter, or the run ends.
func (w *stageWorker) limitRows(b *pipeline.Batch) {
	for k := range w.stage.Limits {
		l := &w.stage.Limits[k]
		for i, rows := range b.Tables {
			if rows.Table == l.Stored.Table {
				b.Tables[i] = w.limitTable(b, rows, l)
			}
		}
	}
}

func (w *stageWorker) limitTable(b *pipeline.Batch, rows *pipeline.Rows, l *graph.Limit) *pipeline.Rows {
	nulls := map[int][]int{}
	for _, u := range invalidValues(l, rows) {
		if rows.Ops[u.Row] == pipeline.OpDelete {
			continue // a delete stores nothing
		}
		message := fmt.Sprintf("table %s: %s%s (sink %s)", rows.Table.Name, u.Value, u.Why, l.Sink)
		fatal := false
		if u.Column >= 0 {
			at := l.Stored.Columns[u.Column]
			c := &rows.Table.Columns[at]
			if nullsInvalidValues(*c) && !slices.Contains(rows.Table.Key, at) {
				nulls[at] = append(nulls[at], u.Row)
				continue
			}
			shown := u.Value
			if c.Masked {
				shown = decode.Hidden + " "
			}
			message = fmt.Sprintf("table %s, column %s (%s): %s%s (sink %s)", rows.Table.Name, c.Name, c.Type, shown, u.Why, l.Sink)
			fatal = c.OnError == pipeline.UnfitFail
		}
		record := b.Changes[rows.Change[u.Row]].Record
		if _, twice := w.bad[record]; !twice {
			w.bad[record] = badRow{pipeline.BadRow{Row: int32(u.Row), Message: message, Fatal: fatal}, w.stage.NodeOf(rows.Table)}
		}
	}
	if len(nulls) == 0 {
		return rows
	}
	out := *rows
	out.Record = gather.WithNulls(rows.Record, nulls)
	rows.Record.Release()
	return &out
}

// invalidValues returns what the target of a limit can't store of the rows.
func invalidValues(l *graph.Limit, rows *pipeline.Rows) []pipeline.InvalidValue {
	columns := make([]pipeline.StoredColumn, len(l.Stored.Columns))
	for i, c := range l.Stored.Columns {
		key := slices.Contains(l.Stored.Key, c)
		columns[i] = pipeline.StoredColumn{Type: rows.Table.Columns[c].Type, Values: rows.Record.Column(c), Key: key, Indexed: key && l.Stored.Indexed}
	}
	return l.Target.InvalidValues(columns, len(rows.Ops))
}

// nullInvalidValues returns rows of an operator with nulls for what a sink can't store,
// where the column says so; the rows as they are, if there is nothing such. No
// change can be blamed for the rest: the sink refuses it.
func nullInvalidValues(o *graph.FanOut, rows *pipeline.Rows) *pipeline.Rows {
	nulls := map[int][]int{}
	for i := range o.Limits {
		l := &o.Limits[i]
		for _, u := range invalidValues(l, rows) {
			if u.Column < 0 || rows.Ops[u.Row] == pipeline.OpDelete {
				continue
			}
			at := l.Stored.Columns[u.Column]
			if nullsInvalidValues(rows.Table.Columns[at]) && !slices.Contains(rows.Table.Key, at) {
				nulls[at] = append(nulls[at], u.Row)
			}
		}
	}
	if len(nulls) == 0 {
		return rows
	}
	out := *rows
	out.Record = gather.WithNulls(rows.Record, nulls)
	return &out
}
