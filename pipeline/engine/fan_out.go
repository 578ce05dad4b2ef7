package engine

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// sendToOperators gives settled rows to the operators that take them.
func (e *openEpoch) sendToOperators(o *graph.FanOut, rows *pipeline.PackedRows) {
	for _, to := range o.Readers {
		e.flow.operators[to.Operator.Number].instance.Settled(to.Input, rows)
	}
}

// mapSettled takes settled rows through a row transform, and returns its rows, which the
// caller releases.
func (e *openEpoch) mapSettled(path *graph.RowPath, rows *pipeline.Rows) (*pipeline.Rows, error) {
	m, err := e.flow.settledMappers[path].MapRows(rows, e.header.Snapshots[path.Number])
	if err != nil {
		return nil, err
	}
	if len(m.Bad) > 0 {
		m.Record.Release()
		// Settled rows have no record to make a dead letter of.
		return nil, fmt.Errorf("row %s of table %q: %s", keyOf(rows, int(m.Bad[0].Row)), rows.Table.Name, m.Bad[0].Message)
	}
	return &pipeline.Rows{Table: path.Out, Record: m.Record, Ops: rows.Ops, Versions: rows.Versions}, nil
}

// keyOf returns the key of row i for people.
func keyOf(rows *pipeline.Rows, i int) string {
	values := make([]string, len(rows.Table.Key))
	for n, c := range rows.Table.Key {
		values[n] = rows.Record.Column(c).ValueStr(i)
		if rows.Table.Columns[c].Masked {
			values[n] = decode.Hidden
		}
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// writeSettled gives settled rows to a sink. One that takes a log gets them as
// one: the rows of an operator have no other.
func (e *openEpoch) writeSettled(sink int, rows *pipeline.Rows) error {
	if e.sinks[sink].Sink.Mode() == pipeline.Settled {
		return e.writers[sink].Write(nil, rows)
	}
	changes, log := asLog(rows)
	return e.write(sink, changes, log)
}

// asLog returns settled rows as a log, each of a change of its own. They share
// the record.
func asLog(rows *pipeline.Rows) ([]pipeline.Change, *pipeline.Rows) {
	changes := make([]pipeline.Change, len(rows.Ops))
	log := &pipeline.Rows{Table: rows.Table, Record: rows.Record, Ops: make([]pipeline.Op, len(rows.Ops)), Change: make([]int32, len(rows.Ops))}
	for i, op := range rows.Ops {
		changes[i].Version = rows.Versions[i]
		log.Change[i] = int32(i)
		if op == pipeline.OpDelete {
			log.Ops[i] = pipeline.OpDelete
		}
	}
	return changes, log
}

// emitLog gives a part of a log to the sinks that take it.
func (e *openEpoch) emitLog(node string, o *graph.FanOut, changes []pipeline.Change, rows *pipeline.Rows) error {
	for _, i := range o.Sinks {
		if err := e.write(i, changes, rows); err != nil {
			return fmt.Errorf("sink %s: %w", e.sinks[i].Name, err)
		}
	}
	if len(o.Sinks) > 0 {
		e.countRows(node, rows)
	}
	return nil
}

// write gives a log to a sink, without the deletes where it only appends.
func (e *openEpoch) write(sink int, changes []pipeline.Change, rows *pipeline.Rows) error {
	if e.sinks[sink].Sink.Mode() != pipeline.Appends {
		return e.writers[sink].Write(changes, rows)
	}
	kept, err := upserts(rows)
	if err != nil {
		return err
	}
	defer kept.Record.Release()
	return e.writers[sink].Write(changes, kept)
}

// countRows counts rows that sinks got.
func (e *openEpoch) countRows(node string, rows *pipeline.Rows) {
	ops := e.rows[rows.Table.Name]
	if ops == nil {
		ops = map[string]int64{}
		e.rows[rows.Table.Name] = ops
	}
	var n [4]int64
	for _, op := range rows.Ops {
		n[op]++
	}
	for op, count := range n {
		if count > 0 {
			ops[pipeline.Op(op).String()] += count
			e.tally.Rows[telemetry.RowKind{Node: node, Table: rows.Table.Name, Op: pipeline.Op(op).String()}] += count
		}
	}
}
