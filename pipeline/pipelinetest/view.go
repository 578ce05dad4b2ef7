package pipelinetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
)

// Row holds a row's values by column. A null has no entry.
type Row map[string]string

// RowChange is a row that was written, with its operation.
type RowChange struct {
	Table string
	Op    pipeline.Op
	Key   string // of the row in its table; empty in a log
	Row   Row
}

// CellFormat writes a value that is not null.
type CellFormat func(t pipeline.Type, column arrow.Array, row int) string

// View is what settled rows make of tables, as a warehouse does. It holds each row to the
// contract: it refuses operations that do not follow from what is there, and a second row
// of a key in one epoch.
type View struct {
	Tables map[string]map[string]Row // by their names, and by the keys of rows
	Counts map[string]int            // of the rows applied, by "table operation"
	Format CellFormat                // CellText, where it is not set
	// FullDeletes says that the old values of deleted rows are known, so that they have
	// to be there. Otherwise those that are there have to be right.
	FullDeletes bool

	epoch   *epochReader
	columns map[string][]pipeline.Column // of the tables, as they were last
}

// NewView returns a view without tables, which appear with their rows.
func NewView() *View {
	return &View{Tables: map[string]map[string]Row{}, Counts: map[string]int{}, columns: map[string][]pipeline.Column{}}
}

// BeginEpoch says that what is applied from now on is of another epoch.
func (v *View) BeginEpoch() { v.epoch = nil }

// Apply applies rows of an epoch, and keeps nothing of them.
func (v *View) Apply(rows *pipeline.Rows) error {
	if v.epoch == nil {
		v.epoch = newEpochReader(pipeline.Settled, v.Format)
	}
	changes, err := v.epoch.read(rows)
	if err != nil {
		return err
	}
	v.add(rows.Table)
	for i := range changes {
		if err := v.apply(&changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// add makes a table, if it is not there yet.
func (v *View) add(t *pipeline.Table) {
	v.columns[t.Name] = t.Columns
	if v.Tables[t.Name] == nil {
		v.Tables[t.Name] = map[string]Row{}
	}
}

// apply makes a change, and refuses one that does not follow from what is there.
func (v *View) apply(c *RowChange) error {
	old, there := v.Tables[c.Table][c.Key]
	switch {
	case c.Op == pipeline.OpInsert && there:
		return fmt.Errorf("%s: insert of %q, which is there: %v", c.Table, c.Key, old)
	case c.Op != pipeline.OpInsert && !there:
		return fmt.Errorf("%s: %s of %q, which is not there", c.Table, c.Op, c.Key)
	case c.Op == pipeline.OpUpdate && maps.Equal(old, c.Row):
		return fmt.Errorf("%s: update of %q that changes nothing: %v", c.Table, c.Key, old)
	case c.Op == pipeline.OpDelete && !v.isOld(c.Row, old):
		return fmt.Errorf("%s: delete of %q with the values %v: it is there with %v", c.Table, c.Key, c.Row, old)
	}
	v.set(c)
	return nil
}

// isOld reports whether the values of a deleted row are those that are there.
func (v *View) isOld(deleted, old Row) bool {
	if v.FullDeletes {
		return maps.Equal(deleted, old)
	}
	for column, value := range deleted {
		if old[column] != value {
			return false
		}
	}
	return true
}

// set makes a change, whatever is there.
func (v *View) set(c *RowChange) {
	v.Counts[c.Table+" "+c.Op.String()]++
	if c.Op == pipeline.OpDelete {
		delete(v.Tables[c.Table], c.Key)
		return
	}
	v.Tables[c.Table][c.Key] = c.Row
}

// Texts returns a table's rows as texts, by their keys: the values in the order of the
// columns, joined by |, "null" for nulls.
func (v *View) Texts(table string) map[string]string {
	texts := map[string]string{}
	for key, row := range v.Tables[table] {
		var cells []string
		for _, c := range v.columns[table] {
			cell, ok := row[c.Name]
			if !ok {
				cell = "null"
			}
			cells = append(cells, cell)
		}
		texts[key] = strings.Join(cells, "|")
	}
	return texts
}

// Lines returns the texts of a table's rows, sorted.
func (v *View) Lines(table string) []string { return slices.Sorted(maps.Values(v.Texts(table))) }

// epochReader writes the rows of one epoch as texts, and holds each to what its kind of
// rows promises by itself.
type epochReader struct {
	mode   pipeline.Mode
	format CellFormat
	seen   map[string]bool // keys of settled rows, behind their table
}

func newEpochReader(mode pipeline.Mode, format CellFormat) *epochReader {
	if format == nil {
		format = CellText
	}
	return &epochReader{mode: mode, format: format, seen: map[string]bool{}}
}

func (r *epochReader) read(rows *pipeline.Rows) ([]RowChange, error) {
	t, settled := rows.Table, r.mode == pipeline.Settled
	n := int(rows.Record.NumRows())
	if n != len(rows.Ops) || settled && n != len(rows.Versions) || !settled && n != len(rows.Change) {
		return nil, fmt.Errorf("%s: %d rows with %d operations, %d versions and %d changes", t.Name, n, len(rows.Ops), len(rows.Versions), len(rows.Change))
	}
	all := make([]RowChange, n)
	for i, op := range rows.Ops {
		all[i] = RowChange{Table: t.Name, Op: op, Row: Row{}}
		for c, column := range t.Columns {
			if a := rows.Record.Column(c); a.IsValid(i) {
				all[i].Row[column.Name] = r.format(column.Type, a, i)
			}
		}
		var err error
		if settled {
			err = r.checkSettled(t, &all[i])
		} else if op != pipeline.OpUpsert && (op != pipeline.OpDelete || r.mode == pipeline.Appends) {
			err = fmt.Errorf("%s: %s of %v in a log", t.Name, op, all[i].Row)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// checkSettled sets the key of a settled row.
func (r *epochReader) checkSettled(t *pipeline.Table, c *RowChange) error {
	var key []string
	for _, k := range t.Key {
		value, ok := c.Row[t.Columns[k].Name]
		if !ok {
			return fmt.Errorf("%s: a null in the key of %v", t.Name, c.Row)
		}
		key = append(key, value)
	}
	c.Key = strings.Join(key, "\x00")
	if c.Op == pipeline.OpUpsert {
		return fmt.Errorf("%s: an upsert of %q among settled rows", t.Name, c.Key)
	}
	if id := t.Name + "\x00" + c.Key; r.seen[id] {
		return fmt.Errorf("%s: two rows of %q in one epoch", t.Name, c.Key)
	} else {
		r.seen[id] = true
	}
	return nil
}
