//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
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
)

func kind(k pipeline.Kind) pipeline.Type { return pipeline.Type{Kind: k} }

func newTable(t testing.TB, name string, key []string, columns ...pipeline.Column) *pipeline.Table {
	t.Helper()
	table, err := pipeline.NewTable(name, columns, key)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func orders(t testing.TB) *pipeline.Table {
	return newTable(t, "order", []string{"id"}, pipeline.Column{Name: "id", Type: kind(pipeline.Int64)}, pipeline.Column{Name: "select", Type: kind(pipeline.String)})
}

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
		if r.text == "" {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(r.text)
		}
		for i := 2; i < len(table.Columns); i++ {
			b.Field(i).AppendNull()
		}
		out.Ops = append(out.Ops, r.op)
	}
	out.Record = b.NewRecord()
	return out
}

// harness plays the engine: it keeps what a checkpoint would.
type harness struct {
	t         testing.TB
	dir       string
	cfg       Config
	state     string
	sink      *Sink
	tables    []*pipeline.Table
	epoch     int64
	published int64
	pending   *pipeline.Receipt
}

func newHarness(t testing.TB, cfg Config, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), cfg: cfg, state: "state-1", tables: tables}
	if h.cfg.DSN == "" {
		h.cfg.DSN = filepath.Join(h.dir, "data", "shop.duckdb")
	}
	t.Cleanup(func() {
		if h.sink != nil {
			if err := h.sink.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	h.must(h.restart())
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// restart opens the file in a new sink, as a new process would.
func (h *harness) restart() error {
	if h.sink != nil {
		if err := h.sink.Close(); err != nil {
			return err
		}
	}
	sink, err := New("warehouse", h.cfg)
	if err != nil {
		return err
	}
	h.sink = sink
	return sink.Open(context.Background(), pipeline.Opening{Pipeline: "shop", StateID: h.state, Tables: h.tables,
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
	h.published, h.pending = h.pending.Epoch, nil
	h.must(os.RemoveAll(filepath.Dir(h.spool(h.published))))
}

func (h *harness) put(in ...row) {
	h.t.Helper()
	h.prepare(rowsOf(h.tables[0], in))
	h.commit()
}

// query returns the rows of a query, cells joined by |.
func query(t testing.TB, db *sql.DB, q string) []string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		at := make([]any, len(names))
		for i := range cells {
			at[i] = &cells[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = "null"
			if c.Valid {
				line[i] = c.String
			}
		}
		out = append(out, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *harness) exec(q string) {
	h.t.Helper()
	_, err := h.sink.db.Exec(q)
	h.must(err)
}

func (h *harness) want(q string, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, query(h.t, h.sink.db, q)); diff != "" {
		h.t.Errorf("%s: -want +got\n%s", q, diff)
	}
}

const insert, update, remove = pipeline.OpInsert, pipeline.OpUpdate, pipeline.OpDelete
