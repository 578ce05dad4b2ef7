package redshift

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// tableMerge brings the rows of a spool into their table, by way of a stage table.
type tableMerge struct {
	*tx
	rows   *warehouse.StagedTable
	target string // quoted
	stage  stageTable
	// values are the expressions for the columns of rows in terms of the stage table.
	values []string
	// outdated says that the table has loadedAt, which is filled no longer.
	outdated bool
}

// Apply implements warehouse.Tx.
func (t *tx) Apply(ctx context.Context, files *warehouse.Files, s *warehouse.StagedTable, opened warehouse.Columns) error {
	m, err := t.newMerge(s)
	if err != nil {
		return err
	}
	if err := m.create(ctx, opened); err != nil {
		return fmt.Errorf("making a stage: %w", err)
	}
	n, err := t.loader.load(ctx, t, files.Dir, t.epoch, s, &m.stage)
	if err != nil {
		return err
	}
	if n != s.Rows() {
		return fmt.Errorf("%d rows were loaded, and the spool has %d", n, s.Rows())
	}
	if err := m.apply(ctx); err != nil {
		return err
	}
	_, err = t.Exec(ctx, "DROP TABLE "+m.stage.name)
	return err
}

// newMerge names a stage table for the rows.
func (t *tx) newMerge(s *warehouse.StagedTable) (*tableMerge, error) {
	op := warehouse.Quote(warehouse.OpColumn)
	m := &tableMerge{tx: t, rows: s, target: t.in(s.Table)}
	m.stage = stageTable{name: warehouse.Quote(fmt.Sprint("starlift_stage_", t.stages)), columns: []string{op}, types: []pipeline.Type{{Kind: pipeline.Int64}}}
	t.stages++
	for i, name := range s.Columns {
		kind, err := pipeline.ParseType(s.Types[i])
		if err != nil {
			return nil, fmt.Errorf("column %q in the spool: %w", name, err)
		}
		column := warehouse.Quote(name)
		value := m.stage.name + "." + column
		if of, staged := stagedText(kind); staged {
			column = warehouse.Quote(fmt.Sprint(ownPrefix, "doc_", i))
			value = fmt.Sprintf(of, m.stage.name+"."+column)
		}
		m.stage.columns, m.stage.types, m.values = append(m.stage.columns, column), append(m.stage.types, kind), append(m.values, value)
	}
	return m, nil
}

// create makes the stage table. LIKE gives it the target's distribution and sort keys, by which
// rows to be joined lie together, and keeps the target's columns as they are until the end of
// the transaction. A column that is an identity is NOT NULL in both, and only the target's
// has a default: where there was one when the table was opened, the stage has the columns of the rows only.
func (m *tableMerge) create(ctx context.Context, opened warehouse.Columns) error {
	identity := false
	for _, c := range opened {
		identity = identity || c.Identity
	}
	var lines []string
	if !identity {
		lines = append(lines, "LIKE "+m.target+" INCLUDING DEFAULTS")
	}
	for i, kind := range m.stage.types {
		_, staged := stagedText(kind)
		switch column := m.stage.columns[i]; {
		case staged:
			lines = append(lines, fmt.Sprintf("%s character varying(%d)", column, varcharMax))
		case i == 0 || identity:
			lines = append(lines, column+" "+sqlType(kind))
		}
	}
	_, err := m.Exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s (%s)", m.stage.name, strings.Join(lines, ", ")))
	return err
}

// apply takes out and replaces rows: two statements cost less than updates. Where others have given
// the table columns of their own, updated rows stay, and keep what those hold.
func (m *tableMerge) apply(ctx context.Context) error {
	s, inPlace := m.rows, false
	if s.Updates > 0 && !m.assumed {
		found, err := m.TableColumns(ctx, s.Table)
		if err != nil {
			return err
		}
		inPlace = m.foreign(found)
	}
	if !inPlace {
		if s.Deletes+s.Updates > 0 {
			// A row to be inserted that is there already would be counted too.
			if err := m.ExecCounted(ctx, m.delete(), s.Deletes+s.Updates, "deleted"); err != nil {
				return err
			}
		}
		return m.ExecCounted(ctx, m.insert(pipeline.OpInsert, pipeline.OpUpdate), s.Inserts+s.Updates, "inserted")
	}
	if err := m.ExecCounted(ctx, m.update(), s.Updates, "updated"); err != nil {
		return err
	}
	if err := m.ExecCounted(ctx, m.delete()+m.and(pipeline.OpDelete), s.Deletes, "deleted"); err != nil {
		return err
	}
	return m.ExecCounted(ctx, m.insert(pipeline.OpInsert), s.Inserts, "inserted")
}

// foreign tells whether the table has columns that only others fill. A column that has loadedAt's name is
// the sink's if it is as the sink makes it, and the pipeline has none of that name.
func (m *tableMerge) foreign(found warehouse.Columns) bool {
	made := found[loadedAt.Name] == warehouse.Column{Type: sqlType(loadedAt.Type)}
	taken := slices.ContainsFunc(m.rows.Columns, func(c string) bool { return warehouse.FoldASCII(c) == loadedAt.Name })
	m.outdated = made && !taken && !m.cfg.LoadedAt
	if m.outdated {
		found = maps.Clone(found) // the transaction goes by it for further rows of the table
		delete(found, loadedAt.Name)
	}
	return m.Dialect.HasForeignColumns(m.rows, found)
}

// and selects rows of the stage table with some operations, behind another condition.
func (m *tableMerge) and(ops ...pipeline.Op) string { return " AND " + m.where(ops...) }

func (m *tableMerge) where(ops ...pipeline.Op) string {
	list := make([]string, len(ops))
	for i, op := range ops {
		list[i] = fmt.Sprint(int(op))
	}
	return fmt.Sprintf("%s.%s IN (%s)", m.stage.name, m.stage.columns[0], strings.Join(list, ", "))
}

// delete returns the statement that takes out the keys of the stage table. The target has no alias:
// DELETE takes none.
func (m *tableMerge) delete() string {
	return fmt.Sprintf("DELETE FROM %s USING %s WHERE %s", m.target, m.stage.name, m.rows.JoinOnKey(m.target, m.stage.name))
}

// insert returns the statement that puts in the rows with some operations.
func (m *tableMerge) insert(ops ...pipeline.Op) string {
	columns, values := warehouse.Quoted(m.rows.Columns), strings.Join(m.values, ", ")
	if m.cfg.LoadedAt {
		columns, values = columns+", "+warehouse.Quote(loadedAt.Name), values+", SYSDATE"
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s", m.target, columns, values, m.stage.name, m.where(ops...))
}

// update returns the statement that updates rows where they are; empty = there are only key columns,
// which never change.
func (m *tableMerge) update() string {
	var set []string
	for i, c := range m.rows.Columns {
		if !slices.Contains(m.rows.Key, c) {
			set = append(set, warehouse.Quote(c)+" = "+m.values[i])
		}
	}
	switch {
	case set == nil:
		return ""
	case m.cfg.LoadedAt:
		set = append(set, warehouse.Quote(loadedAt.Name)+" = SYSDATE")
	case m.outdated:
		set = append(set, warehouse.Quote(loadedAt.Name)+" = NULL")
	}
	return fmt.Sprintf("UPDATE %s SET %s FROM %s WHERE %s", m.target, strings.Join(set, ", "), m.stage.name,
		m.rows.JoinOnKey(m.target, m.stage.name)+m.and(pipeline.OpUpdate))
}
