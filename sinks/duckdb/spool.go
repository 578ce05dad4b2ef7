package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// opColumn holds each spooled row's operation. Check refuses a table's column of
// this name.
const opColumn = "_starlift_op"

// staged is one table's rows in the spool, as a receipt lists them.
type staged struct {
	Table   string   `json:"table"`
	File    string   `json:"file"`
	Columns []string `json:"columns"`
	Key     []string `json:"key"`
	Inserts int64    `json:"inserts"`
	Updates int64    `json:"updates"`
	Deletes int64    `json:"deletes"`
}

// leaves tells whether the table has columns that these rows do not have: they
// keep their values when a row is updated.
func (s *staged) leaves(found map[string]existing) bool {
	for name := range found {
		if !slices.ContainsFunc(s.Columns, func(c string) bool { return strings.EqualFold(c, name) }) {
			return true
		}
	}
	return false
}

func (s *staged) rows() int64 { return s.Inserts + s.Updates + s.Deletes }

// epoch is one epoch's rows on their way to the spool.
type epoch struct {
	number  int64
	dir     string
	started time.Time
	tables  map[*pipeline.Table]*spooled
	order   []*spooled
}

// spooled is one table's file.
type spooled struct {
	staged
	file   *columnar.File
	schema *arrow.Schema
}

func beginEpoch(dir string, number int64) (*epoch, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &epoch{number: number, dir: dir, started: time.Now().UTC(), tables: map[*pipeline.Table]*spooled{}}, nil
}

// Write adds settled rows.
func (e *epoch) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	if rows.Record.NumRows() == 0 {
		return nil
	}
	if err := checkTexts(rows); err != nil {
		return err
	}
	t, err := e.table(rows.Table)
	if err != nil {
		return err
	}
	ops := array.NewInt64Builder(memory.DefaultAllocator)
	defer ops.Release()
	ops.Reserve(len(rows.Ops))
	for _, op := range rows.Ops {
		switch op {
		case pipeline.OpInsert:
			t.Inserts++
		case pipeline.OpUpdate:
			t.Updates++
		case pipeline.OpDelete:
			t.Deletes++
		default:
			return fmt.Errorf("table %q: operation %s in settled rows", rows.Table.Name, op)
		}
		ops.UnsafeAppend(int64(op))
	}
	column := ops.NewArray()
	defer column.Release()
	rec := array.NewRecord(t.schema, append([]arrow.Array{column}, rows.Record.Columns()...), rows.Record.NumRows())
	defer rec.Release()
	return t.file.Write(rec)
}

// checkTexts refuses texts that DuckDB would refuse after the epoch is saved.
func checkTexts(rows *pipeline.Rows) error {
	for i, c := range rows.Table.Columns {
		a, ok := rows.Record.Column(i).(*array.String)
		if !ok {
			continue
		}
		for j := range a.Len() {
			if a.IsValid(j) && !utf8.ValidString(a.Value(j)) {
				return fmt.Errorf("table %q, column %q: %q is not UTF-8", rows.Table.Name, c.Name, a.Value(j))
			}
		}
	}
	return nil
}

// table returns the table's file, made at its first row.
func (e *epoch) table(t *pipeline.Table) (*spooled, error) {
	if s, ok := e.tables[t]; ok {
		return s, nil
	}
	if err := columnar.MakeDir(e.dir); err != nil {
		return nil, err
	}
	columns := append([]pipeline.Column{{Name: opColumn, Type: pipeline.Type{Kind: pipeline.Int64}}}, t.Columns...)
	encoder, err := columnar.NewEncoder(columns, columnar.Snappy)
	if err != nil {
		return nil, err
	}
	s := &spooled{staged: staged{Table: t.Name, File: fmt.Sprintf("%03d.parquet", len(e.order))}, schema: columnar.SchemaOf(columns)}
	for _, c := range t.Columns {
		s.Columns = append(s.Columns, c.Name)
	}
	for _, k := range t.Key {
		s.Key = append(s.Key, t.Columns[k].Name)
	}
	if s.file, err = columnar.Create(filepath.Join(e.dir, s.File), columns, encoder); err != nil {
		return nil, err
	}
	e.tables[t] = s
	e.order = append(e.order, s)
	return s, nil
}

// Prepare completes the files.
func (e *epoch) Prepare(context.Context, bool) (*pipeline.Receipt, error) {
	r := &pipeline.Receipt{Epoch: e.number, Rows: map[string]map[string]int64{}, Started: e.started}
	if len(e.order) == 0 {
		return r, nil
	}
	var all []staged
	for _, s := range e.order {
		_, err := s.file.Close()
		if err != nil {
			return nil, err
		}
		s.file = nil
		all = append(all, s.staged)
		r.Rows[s.Table] = map[string]int64{"insert": s.Inserts, "update": s.Updates, "delete": s.Deletes}
	}
	if err := columnar.SyncDir(e.dir); err != nil {
		return nil, err
	}
	var err error
	if r.Publish, err = json.Marshal(all); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	e.order = nil
	return r, nil
}

// Abort drops the epoch's files.
func (e *epoch) Abort() {
	var errs []error
	for _, s := range e.order {
		if s.file != nil {
			errs = append(errs, s.file.Abort())
		}
	}
	if len(e.order) > 0 {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	// Whatever is left is removed by the next Begin; the epoch has failed already.
	_ = errors.Join(errs...)
	e.order = nil
}
