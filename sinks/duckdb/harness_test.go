//go:build cgo

package duckdb

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// harness is a driver with a file.
type harness struct {
	*pipelinetest.SinkDriver
	cfg  Config
	sink *Sink // that is open
}

func newHarness(t testing.TB, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := &harness{SinkDriver: pipelinetest.NewSinkDriver(t, "shop", tables...)}
	h.EarlyClean = true
	h.cfg.DSN = filepath.Join(h.Dir, "data", "shop.duckdb")
	h.Must(h.restart())
	return h
}

// restart opens the file in a new sink, as a new process would.
func (h *harness) restart() error {
	h.Close()
	sink, err := New("warehouse", h.cfg)
	if err != nil {
		return err
	}
	h.sink = sink
	return h.Open(sink)
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
	h.T.Helper()
	_, err := h.sink.db.db.Exec(q)
	h.Must(err)
}

func (h *harness) want(q string, want ...string) {
	h.T.Helper()
	if diff := cmp.Diff(want, query(h.T, h.sink.db.db, q)); diff != "" {
		h.T.Errorf("%s: -want +got\n%s", q, diff)
	}
}

const insert, update = pipeline.OpInsert, pipeline.OpUpdate
