package warehouse

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// OpColumn holds each spooled row's operation where one file has all of a table's
// rows. CheckNames refuses a table's column of this name.
const OpColumn = "_starlift_op"

// JoinOnKey compares the keys of two tables or aliases. Keys are never null.
func (s *StagedTable) JoinOnKey(one, other string) string {
	on := make([]string, len(s.Key))
	for i, k := range s.Key {
		on[i] = fmt.Sprintf("%s.%s = %s.%s", one, Quote(k), other, Quote(k))
	}
	return strings.Join(on, " AND ")
}

// Delete returns the statement that takes out the keys of the rows of from: what
// stands after FROM in a query. The table has no alias: not all databases take one.
func (s *StagedTable) Delete(schema, from string) string {
	table := QualifiedName(schema, s.Table)
	return fmt.Sprintf("DELETE FROM %s USING (SELECT %s FROM %s) %s WHERE %s", table, Quoted(s.Key), from, deletedRows, s.JoinOnKey(table, deletedRows))
}

// deletedRows is the alias of the rows to delete. It is not the name of a schema or a
// table that anybody would choose.
const deletedRows = "_starlift_rows"

// Insert returns the statement that puts in the rows of from.
func (s *StagedTable) Insert(schema, from string) string {
	list := Quoted(s.Columns)
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", QualifiedName(schema, s.Table), list, list, from)
}

// Update returns the statement that updates in place what the rows of from have;
// empty = there are only key columns, which never change.
func (s *StagedTable) Update(schema, from string) string {
	var set []string
	for _, c := range s.Columns {
		if !slices.Contains(s.Key, c) {
			set = append(set, fmt.Sprintf("%s = s.%s", Quote(c), Quote(c)))
		}
	}
	if set == nil {
		return ""
	}
	return fmt.Sprintf("UPDATE %s t SET %s FROM (SELECT %s FROM %s) s WHERE %s", QualifiedName(schema, s.Table),
		strings.Join(set, ", "), Quoted(s.Columns), from, s.JoinOnKey("t", "s"))
}

// ExecCounted runs a statement that has to touch so many rows. An empty one has
// nothing to do.
func (t *SQL) ExecCounted(ctx context.Context, statement string, want int64, what string) error {
	if want == 0 || statement == "" {
		return nil
	}
	n, err := t.Exec(ctx, statement)
	if err != nil {
		return err
	}
	return CheckCount(n, want, what)
}

// ApplyReplacing applies one table's rows for a database that takes rows out and puts
// others in faster than it updates them. from returns what stands after FROM in a
// query for the rows with some operations. Where the table has columns besides the
// pipeline's, rows are updated in place even so.
func (t *SQL) ApplyReplacing(ctx context.Context, s *StagedTable, found Columns, from func(ops ...pipeline.Op) string) error {
	leaving, coming := []pipeline.Op{pipeline.OpDelete}, []pipeline.Op{pipeline.OpInsert}
	deletes, inserts := s.Deletes, s.Inserts
	switch {
	case s.Updates == 0:
	case t.Dialect.HasForeignColumns(s, found):
		if err := t.ExecCounted(ctx, s.Update(t.Schema, from(pipeline.OpUpdate)), s.Updates, "updated"); err != nil {
			return err
		}
	default:
		leaving, deletes = append(leaving, pipeline.OpUpdate), deletes+s.Updates
		coming, inserts = append(coming, pipeline.OpUpdate), inserts+s.Updates
	}
	if err := t.ExecCounted(ctx, s.Delete(t.Schema, from(leaving...)), deletes, "deleted"); err != nil {
		return err
	}
	return t.ExecCounted(ctx, s.Insert(t.Schema, from(coming...)), inserts, "inserted")
}

// Copier copies files of the spool into tables.
type Copier interface {
	// Copy puts the rows of a file into columns of a table, and returns how many
	// they are. The table's name is quoted.
	Copy(ctx context.Context, files *Files, name, table string, columns []string) (int64, error)
}

// The parts of a table's rows where each operation has a file of its own: the ends
// of the files' names. Deleted rows have their key only.
const (
	InsertPart = ".insert"
	UpdatePart = ".update"
	DeletePart = ".delete"
)

// ApplyParts applies one table's rows for a database into which files are copied, a
// file for each operation: deletes and updates by way of a stage, inserts straight
// into the table, unless it takes values of the files by SQL only.
func (t *SQL) ApplyParts(ctx context.Context, c Copier, files *Files, s *StagedTable, onlySQL bool) error {
	if s.Deletes > 0 {
		if err := t.applyPart(ctx, c, files, s, DeletePart, s.Key, s.Deletes, s.Delete); err != nil {
			return err
		}
	}
	if s.Updates > 0 && len(s.Columns) > len(s.Key) {
		if err := t.applyPart(ctx, c, files, s, UpdatePart, s.Columns, s.Updates, s.Update); err != nil {
			return err
		}
	}
	if s.Inserts == 0 {
		return nil
	}
	err := t.insertParts(ctx, c, files, s, onlySQL)
	if err != nil && t.Dialect.Refusals != nil && t.Dialect.Refusals.IsDuplicate(err) {
		return fmt.Errorf("%w (%w)", errRowIsThere, err)
	}
	return err
}

// insertParts puts in the rows that come.
func (t *SQL) insertParts(ctx context.Context, c Copier, files *Files, s *StagedTable, onlySQL bool) error {
	if onlySQL {
		return t.applyPart(ctx, c, files, s, InsertPart, s.Columns, s.Inserts, s.Insert)
	}
	n, err := c.Copy(ctx, files, s.File+InsertPart, t.in(s.Table), s.Columns)
	if err != nil {
		return fmt.Errorf("copying inserted rows: %w", err)
	}
	return CheckCount(n, s.Inserts, "inserted")
}

var errRowIsThere = changedByOthers("a row to be inserted is there")

// applyPart copies a part of the rows into a stage and applies it with one statement.
func (t *SQL) applyPart(ctx context.Context, c Copier, files *Files, s *StagedTable, part string, columns []string, want int64, statement func(schema, from string) string) error {
	stage, ddl := t.stage(s, part, columns)
	if _, err := t.Exec(ctx, ddl); err != nil {
		return fmt.Errorf("making a stage: %w", err)
	}
	if _, err := c.Copy(ctx, files, s.File+part, stage, columns); err != nil {
		return fmt.Errorf("copying into a stage: %w", err)
	}
	// In the order of the key the rows that lie together are found together.
	n, err := t.Exec(ctx, statement(t.Schema, stage+" ORDER BY "+Quoted(s.Key)))
	if err != nil {
		return err
	}
	return CheckCount(n, want, strings.TrimPrefix(part, ".")+"d")
}

// stage returns a temporary table for some of a table's columns, and others that are
// given as SQL, and its DDL. It lasts as long as the connection: tables made for
// each epoch would fill the catalogue with what is left of them. Its name says what
// it is for, so that a stage with other columns is another one.
func (t *SQL) stage(s *StagedTable, part string, columns []string, others ...string) (name, ddl string) {
	lines := make([]string, len(columns))
	for i, column := range columns {
		lines[i] = Quote(column) + " " + s.Types[slices.Index(s.Columns, column)]
	}
	list := strings.Join(append(lines, others...), ", ")
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s", t.Schema, s.Table, part, list)
	name = fmt.Sprintf("%sstarlift_%016x", t.Dialect.TempSchema, h.Sum64())
	return name, fmt.Sprintf("CREATE TEMPORARY TABLE IF NOT EXISTS %s (%s) ON COMMIT DELETE ROWS", name, list)
}
