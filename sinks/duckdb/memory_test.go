//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// wide is a table of many columns of text, and an epoch of it.
type wide struct {
	opening     pipeline.SinkOptions
	committable *pipeline.Committable
}

// newWide prepares rows of so many columns, each with so many bytes.
func newWide(t *testing.T, s *Sink, columns, rows, bytes int) *wide {
	t.Helper()
	all := []pipeline.Column{pipelinetest.Column("k", pipeline.String)}
	for i := 1; i < columns; i++ {
		all = append(all, pipelinetest.Column(fmt.Sprint("c", i), pipeline.String))
	}
	table := pipelinetest.TableOf(t, "wide", []string{"k"}, all...)
	dir := t.TempDir()
	w := &wide{opening: pipeline.SinkOptions{Pipeline: "p", StateID: "s", Tables: []*pipeline.Table{table}, Spool: func(e int64) string { return filepath.Join(dir, strconv.FormatInt(e, 10)) }}}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Open(context.Background(), w.opening))
	cells := make([]arrow.Array, columns)
	fields := make([]arrow.Field, columns)
	ops := make([]pipeline.Op, rows)
	for c := range cells {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for r := range rows {
			b.Append(fmt.Sprint(r, "|", c, "|", strings.Repeat("x", bytes)))
			ops[r] = pipeline.OpInsert
		}
		cells[c], fields[c] = b.NewArray(), arrow.Field{Name: all[c].Name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	e, err := s.Begin(1)
	must(err)
	must(e.Write(nil, &pipeline.Rows{Table: table, Record: array.NewRecord(arrow.NewSchema(fields, nil), cells, int64(rows)), Ops: ops}))
	w.committable, err = e.Prepare(context.Background(), true)
	must(err)
	w.committable.Epoch = 1
	return w
}

func openLater(t *testing.T, c Config) *Sink {
	t.Helper()
	s, err := New("warehouse", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestWideTable: the fewest rows of the widest tables fit into what DuckDB gets of
// itself, however many threads it has.
func TestWideTable(t *testing.T) {
	s := openLater(t, Config{DSN: filepath.Join(t.TempDir(), "w.duckdb"), Threads: 4})
	w := newWide(t, s, 1700, 10, 5)
	if err := s.Commit(context.Background(), w.committable); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.db.db, "SELECT count(*), max(c1699) FROM wide"); got[0] != "10|9|1699|xxxxx" {
		t.Errorf("the table has %v", got)
	}
}

// TestMoreMemory: an epoch that does not fit is tried again with fewer threads, and
// with more memory, until it does.
func TestMoreMemory(t *testing.T) {
	s := openLater(t, Config{DSN: filepath.Join(t.TempDir(), "w.duckdb"), Threads: 4})
	w := newWide(t, s, 300, 10, 5)
	s.db.memory = 8 << 20
	if err := s.db.connect(context.Background(), reopened(t, s)); err != nil {
		t.Fatal(err)
	}
	tries := 0
	for ; ; tries++ {
		err := s.Commit(context.Background(), w.committable)
		if err == nil {
			break
		}
		if !pipeline.Retryable(err) || pipeline.RetryReason(err) != "memory" || strings.Contains(err.Error(), "Possible solutions") || tries > 10 {
			t.Fatalf("try %d: %v", tries, err)
		}
	}
	if tries < 2 || s.db.threads != 1 || s.db.memory <= 8<<20 {
		t.Errorf("after %d tries it has %d threads and %d bytes", tries, s.db.threads, s.db.memory)
	}
	if got := query(t, s.db.db, "SELECT count(*) FROM wide"); got[0] != "10" {
		t.Errorf("the table has %v rows", got)
	}
}

// reopened closes the sink, and returns the path to open it by.
func reopened(t *testing.T, s *Sink) string {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.db.cfg.DSN
}

// TestLimitedMemory: a limit in the pipeline file is kept. What does not fit ends
// with its key, and is committed when there is more.
func TestLimitedMemory(t *testing.T) {
	c := Config{DSN: filepath.Join(t.TempDir(), "w.duckdb"), MemoryLimit: 64 << 20, Threads: 1}
	s := openLater(t, c)
	w := newWide(t, s, 300, 100, 5000)
	err := s.Commit(context.Background(), w.committable)
	if err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), "raise memory_limit of the sink, to ") || !strings.Contains(err.Error(), "64 MiB") || strings.Contains(err.Error(), "SET ") {
		t.Fatalf("it ends with %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.MemoryLimit = 0
	s = openLater(t, c)
	w.opening.Pending = w.committable
	if err := errors.Join(s.Open(context.Background(), w.opening), s.Commit(context.Background(), w.committable)); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.db.db, "SELECT count(*) FROM wide"); got[0] != "100" {
		t.Errorf("the table has %v rows", got)
	}
}

// TestLimitedMemoryAtOpen: a limit that the columns alone do not fit into is told
// before anything is saved.
func TestLimitedMemoryAtOpen(t *testing.T) {
	c := Config{DSN: filepath.Join(t.TempDir(), "w.duckdb"), MemoryLimit: 64 << 20, Threads: 1}
	var columns []pipeline.Column
	for i := range 1200 {
		columns = append(columns, pipelinetest.Column(fmt.Sprint("c", i), pipeline.String))
	}
	o := pipeline.SinkOptions{Pipeline: "p", StateID: "s", Tables: []*pipeline.Table{pipelinetest.TableOf(t, "wide", []string{"c0"}, columns...)}}
	_, err := openLater(t, c).Check(context.Background(), o)
	if err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), "raise memory_limit of the sink, to ") {
		t.Errorf("it ends with %v", err)
	}
	if _, err := os.Stat(c.DSN); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{"18.5 GiB": 19864223744, "512.0 MiB": 512 << 20, "100 bytes": 100, "1.0 KiB": 1024, "much": 0, "1 PiB": 0} {
		if got := parseMemory(text); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
