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
	rows := jsonRows(t, table, "["+strings.Join(objects, ",")+"]", ops)
	rows.Versions = make([]pipeline.Version, len(rows.Ops))
	return rows
}

// JSONLog makes rows of a log, with a change a row, of a JSON array of objects. Without ops
// all are upserts. Their memory is that of JSONRows.
func JSONLog(t testing.TB, table *pipeline.Table, array string, ops ...pipeline.Op) *pipeline.Rows {
	t.Helper()
	rows := jsonRows(t, table, array, ops)
	rows.Change = make([]int32, len(rows.Ops))
	for i := range rows.Change {
		rows.Change[i] = int32(i)
	}
	return rows
}

func jsonRows(t testing.TB, table *pipeline.Table, text string, ops []pipeline.Op) *pipeline.Rows {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader(text), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Release)
	if ops == nil {
		ops = make([]pipeline.Op, rec.NumRows())
	}
	if int64(len(ops)) != rec.NumRows() {
		t.Fatalf("%d operations of %d rows", len(ops), rec.NumRows())
	}
	return &pipeline.Rows{Table: table, Record: rec, Ops: ops}
}
