package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// apply applies one table's rows: what goes, what changes, what comes. It goes
// by the committable and the spool alone: the pipeline file may have changed since
// they were written.
func (s *Sink) apply(ctx context.Context, c *conn, epoch int64, st *warehouse.Staged) error {
	path := filepath.Join(s.opening.Spool(epoch), st.File)
	if st.Deletes > 0 {
		if err := s.change(ctx, c, st, path+deleted, st.Key, st.Deletes, st.Delete); err != nil {
			return err
		}
	}
	if st.Updates > 0 && len(st.Columns) > len(st.Key) {
		if err := s.change(ctx, c, st, path+updated, st.Columns, st.Updates, st.Update); err != nil {
			return err
		}
	}
	if st.Inserts == 0 {
		return nil
	}
	n, err := c.copyFile(ctx, path+inserted, warehouse.In(s.schema, st.Table), warehouse.Quoted(st.Columns))
	if code(err) == uniqueViolation {
		return fmt.Errorf("%w (%w)", warehouse.Changed("a row to be inserted is there"), err)
	}
	if err != nil {
		return fmt.Errorf("copying inserted rows: %w", err)
	}
	return warehouse.CheckCount(n, st.Inserts, "inserted")
}

const uniqueViolation = "23505"

// change copies a part of the rows into a stage and applies it with one statement.
func (s *Sink) change(ctx context.Context, c *conn, st *warehouse.Staged, path string, columns []string, want int64, statement func(schema, from string) string) error {
	stage, ddl := s.stage(st, filepath.Ext(path), columns)
	if err := c.exec(ctx, ddl); err != nil {
		return fmt.Errorf("making a stage: %w", err)
	}
	if _, err := c.copyFile(ctx, path, stage, warehouse.Quoted(columns)); err != nil {
		return fmt.Errorf("copying into a stage: %w", err)
	}
	// In the order of the key the rows that lie together are found together.
	n, err := c.run(ctx, statement(s.schema, stage+" ORDER BY "+warehouse.Quoted(st.Key)))
	if err != nil {
		return err
	}
	return warehouse.CheckCount(n, want, strings.TrimPrefix(filepath.Ext(path), ".")+"d")
}

// stage returns a temporary table and its DDL. It lasts as long as the
// connection: tables made for each epoch would fill the catalogue with what is
// left of them. Its name says what it is for, so that a stage with other columns
// is another one.
func (s *Sink) stage(st *warehouse.Staged, part string, columns []string) (name, ddl string) {
	lines := make([]string, len(columns))
	for i, column := range columns {
		lines[i] = warehouse.Quote(column) + " " + st.Types[slices.Index(st.Columns, column)]
	}
	list := strings.Join(lines, ", ")
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s", s.schema, st.Table, part, list)
	name = fmt.Sprintf("pg_temp.starlift_%016x", h.Sum64())
	return name, fmt.Sprintf("CREATE TEMPORARY TABLE IF NOT EXISTS %s (%s) ON COMMIT DELETE ROWS", name, list)
}
