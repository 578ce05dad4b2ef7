// Package widen adds columns to tables, and takes some out: for transforms that
// give a row for each row.
package widen

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// AddedColumn is a column that is added, and where the pipeline file says so.
type AddedColumn struct {
	pipeline.Column
	Path []string // from the node
}

// Layout says how the columns of a table become those of a wider one.
type Layout struct {
	In, Out *pipeline.Table
	from    []int // by column of Out: a column of In, or ^i of the added column i
}

// New returns the layout of a table with columns added, behind its own but
// before those of on_delete: flag, and without those of drop. It returns all
// mistakes at once, as *spec.FieldError.
func New(t *pipeline.Table, added []AddedColumn, drop []string) (*Layout, error) {
	l := &Layout{In: t}
	taken := map[string]string{} // by the name in lower case
	flags := len(t.Columns)
	if _, with, err := pipeline.Flagged(t); err == nil && with == t {
		flags -= len(pipeline.FlagColumns())
	}
	mistakes := l.checkDrop(drop, flags)
	var columns []pipeline.Column
	add := func(c pipeline.Column, from int) {
		columns, l.from = append(columns, c), append(l.from, from)
		taken[strings.ToLower(c.Name)] = c.Name
	}
	for i, c := range t.Columns[:flags] {
		if !slices.Contains(drop, c.Name) {
			add(c, i)
		}
	}
	for _, c := range t.Columns[flags:] {
		taken[strings.ToLower(c.Name)] = c.Name
	}
	for i, a := range added {
		if other, twice := taken[strings.ToLower(a.Name)]; twice {
			mistakes = append(mistakes, &spec.FieldError{Path: a.Path,
				Message: fmt.Sprintf("table %q has a column %q already, and warehouses ignore case: give this one another name", t.Name, other)})
			continue
		}
		add(a.Column, ^i)
	}
	for i, c := range t.Columns[flags:] {
		add(c, flags+i)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	var err error
	l.Out, err = pipeline.NewTable(t.Name, columns, keyOf(t))
	return l, err
}

func keyOf(t *pipeline.Table) []string {
	key := make([]string, len(t.Key))
	for i, k := range t.Key {
		key[i] = t.Columns[k].Name
	}
	return key
}

func (l *Layout) checkDrop(drop []string, flags int) (mistakes []error) {
	for i, name := range drop {
		path := []string{"drop", strconv.Itoa(i)}
		c := l.In.Column(name)
		switch {
		case c < 0:
			mistakes = append(mistakes, &spec.FieldError{Path: path, Name: name, Known: Names(l.In),
				Message: fmt.Sprintf("table %q has no column %q", l.In.Name, name)})
		case slices.Contains(l.In.Key, c):
			mistakes = append(mistakes, &spec.FieldError{Path: path,
				Message: fmt.Sprintf("column %q is of the key of table %q, which rows are told apart by", name, l.In.Name)})
		case c >= flags:
			mistakes = append(mistakes, &spec.FieldError{Path: path,
				Message: fmt.Sprintf("column %q of table %q says which rows are deleted, as on_delete: flag wants it", name, l.In.Name)})
		}
	}
	return mistakes
}

// Lineage returns that of Out, all of whose rows are those of In; added has that of the added
// columns, in order.
func (l *Layout) Lineage(added []pipeline.ColumnLineage) pipeline.TableLineage {
	lineage := pipeline.TableLineage{Rows: []pipeline.RowLineage{{Table: l.In}}}
	for _, from := range l.from {
		column := pipeline.ColumnLineage{Inputs: []pipeline.LineageInput{{Kind: pipeline.LineageValue, Table: l.In, Column: from}}}
		if from < 0 {
			column = added[^from]
		}
		lineage.Columns = append(lineage.Columns, column)
	}
	return lineage
}

// Names lists the columns of a table.
func Names(t *pipeline.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// Record returns the wider record; the caller releases it. added has the added
// columns, in order, and stays the caller's.
func (l *Layout) Record(in arrow.Record, added []arrow.Array) arrow.Record {
	columns := make([]arrow.Array, len(l.from))
	for i, from := range l.from {
		if from < 0 {
			columns[i] = added[^from]
		} else {
			columns[i] = in.Column(from)
		}
	}
	return array.NewRecord(l.Out.Schema(), columns, in.NumRows())
}
