package pipelinetest

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// JSONRows makes settled rows of JSON objects, one for each operation. Their memory is
// given back when the test ends, and nobody else may release it.
func JSONRows(t testing.TB, table *pipeline.Table, ops []pipeline.Op, objects ...string) *pipeline.Rows {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader("["+strings.Join(objects, ",")+"]"), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	if len(ops) != len(objects) {
		t.Fatalf("%d operations of %d rows", len(ops), len(objects))
	}
	t.Cleanup(rec.Release)
	return &pipeline.Rows{Table: table, Record: rec, Ops: ops, Versions: make([]pipeline.Version, len(ops))}
}

// JSONLog is JSONRows for a log, with a change a row.
func JSONLog(t testing.TB, table *pipeline.Table, ops []pipeline.Op, objects ...string) *pipeline.Rows {
	t.Helper()
	rows := JSONRows(t, table, ops, objects...)
	rows.Versions, rows.Change = nil, make([]int32, len(ops))
	for i := range rows.Change {
		rows.Change[i] = int32(i)
	}
	return rows
}

// JSONUpserts is JSONLog of upserts only.
func JSONUpserts(t testing.TB, table *pipeline.Table, objects ...string) *pipeline.Rows {
	t.Helper()
	return JSONLog(t, table, make([]pipeline.Op, len(objects)), objects...)
}
