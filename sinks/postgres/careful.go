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

// Where rows were refused, a table is not as the state says, and what changes
// such a row is applied with care: a row that is not there is inserted by its next
// update, and its delete does nothing; one that could not be deleted is updated
// by what would insert it. RefusedTable remembers which rows these are: exactly
// those that the state has and the table has not, or the other way round.

// leftOut is a row that a commit leaves out, as the committable lists it.
type leftOut struct {
	Table   string `json:"table"`
	Part    string `json:"part"` // the end of its file's name
	Number  int64  `json:"n"`    // in the file, from 1
	Message string `json:"message"`
}

// part is the rows of one table and operation in a stage that numbers them.
type part struct {
	s      *Sink
	c      *conn
	st     *warehouse.Staged
	end    string // of the file's name
	rows   int64
	skip   []int64 // numbers that are left out
	stage  string
	number string // the column with their number
	other  string // the column that says that the table is not as the state says
}

// partsOf returns the parts of a table that have rows, in the order in which they
// are applied.
func (s *Sink) partsOf(c *conn, st *warehouse.Staged, without []leftOut) []*part {
	var all []*part
	for _, p := range []part{{end: deleted, rows: st.Deletes}, {end: updated, rows: st.Updates}, {end: inserted, rows: st.Inserts}} {
		if p.rows == 0 {
			continue
		}
		p.s, p.c, p.st = s, c, st
		p.number, p.other = spare(st.Columns, "number"), spare(st.Columns, "other")
		for _, out := range without {
			if out.Table == st.Table && out.Part == p.end {
				p.skip = append(p.skip, out.Number)
			}
		}
		all = append(all, &p)
	}
	return all
}

// spare returns the quoted name of a column that the table does not have.
func spare(columns []string, name string) string {
	for slices.Contains(columns, name) {
		name += "_"
	}
	return warehouse.Quote(name)
}

func (p *part) columns() []string {
	if p.end == deleted {
		return p.st.Key
	}
	return p.st.Columns
}

// load copies the part's file into a stage, and marks the rows that RefusedTable
// knows.
func (p *part) load(ctx context.Context, epoch int64, remembers bool) error {
	lines := make([]string, 0, len(p.st.Columns)+2)
	for _, column := range p.columns() {
		lines = append(lines, warehouse.Quote(column)+" "+p.st.Types[slices.Index(p.st.Columns, column)])
	}
	lines = append(lines, p.number+" bigint GENERATED ALWAYS AS IDENTITY", p.other+" boolean NOT NULL DEFAULT false")
	list := strings.Join(lines, ", ")
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s", p.s.schema, p.st.Table, p.end, list)
	p.stage = fmt.Sprintf("pg_temp.starlift_%016x", h.Sum64())
	err := p.c.exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE IF NOT EXISTS %[1]s (%[2]s) ON COMMIT DELETE ROWS; TRUNCATE %[1]s RESTART IDENTITY", p.stage, list))
	if err != nil {
		return fmt.Errorf("making a stage: %w", err)
	}
	path := filepath.Join(p.s.opening.Spool(epoch), p.st.File) + p.end
	n, err := p.c.copyFile(ctx, path, p.stage, warehouse.Quoted(p.columns()))
	if err != nil {
		return fmt.Errorf("copying into a stage: %w", err)
	}
	if err := warehouse.CheckCount(n, p.rows, "copied"); err != nil {
		return err
	}
	if !remembers {
		return nil
	}
	_, err = p.c.run(ctx, fmt.Sprintf("UPDATE %s s SET %s = true FROM %s r WHERE %s AND r.key = %s", p.stage, p.other, p.s.refusedTable(), ofTable, p.key()), p.s.tableOf(p.st)...)
	if err != nil {
		return fmt.Errorf("looking for rows that were refused before: %w", err)
	}
	return nil
}

// key is a row's key in RefusedTable.
func (p *part) key() string {
	columns := make([]string, len(p.st.Key))
	for i, k := range p.st.Key {
		columns[i] = "s." + warehouse.Quote(k)
	}
	return "jsonb_build_array(" + strings.Join(columns, ", ") + ")"
}

// apply applies the rows with these numbers, but for those that are left out. The
// error of the server, if it is one, is not hidden.
func (p *part) apply(ctx context.Context, first, last int64) error {
	from := fmt.Sprintf("%s WHERE %s BETWEEN %d AND %d", p.stage, p.number, first, last)
	if len(p.skip) > 0 {
		numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(p.skip)), ","), "[]")
		from += fmt.Sprintf(" AND %s <> ALL ('{%s}'::bigint[])", p.number, numbers)
	}
	counts, err := p.c.query(ctx, fmt.Sprintf("SELECT count(*) FILTER (WHERE NOT %[1]s), count(*) FILTER (WHERE %[1]s) FROM %[2]s", p.other, from))
	if err != nil {
		return err
	}
	var usual, others int64
	if _, err := fmt.Sscan(strings.Join(counts[0], " "), &usual, &others); err != nil {
		return fmt.Errorf("counting rows: %w", err)
	}
	usually := fmt.Sprintf("%s AND NOT %s ORDER BY %s", from, p.other, p.number)
	otherwise := fmt.Sprintf("%s AND %s ORDER BY %s", from, p.other, p.number)
	switch p.end {
	case deleted:
		return p.run(ctx, p.st.Delete(p.s.schema, usually), usual, "deleted")
	case updated:
		if err := p.run(ctx, p.st.Update(p.s.schema, usually), usual, "updated"); err != nil {
			return err
		}
		return p.run(ctx, p.st.Insert(p.s.schema, otherwise), others, "inserted")
	}
	if err := p.run(ctx, p.st.Insert(p.s.schema, usually), usual, "inserted"); err != nil {
		return err
	}
	return p.run(ctx, p.st.Update(p.s.schema, otherwise), others, "updated")
}

// run runs a statement that has to touch so many rows; an empty one has nothing
// to do.
func (p *part) run(ctx context.Context, statement string, want int64, what string) error {
	if want == 0 || statement == "" {
		return nil
	}
	n, err := p.c.run(ctx, statement)
	if err != nil {
		return err
	}
	return warehouse.CheckCount(n, want, what)
}

// applyCarefully applies one table's rows where some are left out, or were
// refused before.
func (s *Sink) applyCarefully(ctx context.Context, c *conn, epoch int64, st *warehouse.Staged, without []leftOut, remembers bool) error {
	parts := s.partsOf(c, st, without)
	for _, p := range parts {
		if err := p.load(ctx, epoch, remembers); err != nil {
			return err
		}
		if err := p.apply(ctx, 1, p.rows); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := p.remember(ctx, epoch, without, remembers); err != nil {
			return fmt.Errorf("noting refused rows: %w", err)
		}
	}
	return nil
}

// ofTable selects the rows of RefusedTable r that are of one table.
const ofTable = `r.pipeline = $1 AND r.state_id = $2 AND r.sink = $3 AND r.table_name = $4`

func (s *Sink) tableOf(st *warehouse.Staged) []string {
	return []string{s.opening.Pipeline, s.opening.StateID, s.name, st.Table}
}

func (s *Sink) refusedTable() string { return warehouse.In(s.schema, warehouse.RefusedTable) }

// remember brings RefusedTable up to date: after an epoch, the rows that were
// applied are as the state says. Of those left out, one that came back into or
// went out of the state is not, unless it was not before.
func (p *part) remember(ctx context.Context, epoch int64, without []leftOut, remembers bool) error {
	if remembers {
		_, err := p.c.run(ctx, fmt.Sprintf("DELETE FROM %s r USING %s s WHERE %s AND s.%s AND r.key = %s", p.s.refusedTable(), p.stage, ofTable, p.other, p.key()), p.s.tableOf(p.st)...)
		if err != nil {
			return err
		}
	}
	differs := "NOT s." + p.other
	if p.end == updated {
		differs = "s." + p.other
	}
	for _, out := range without {
		if out.Table != p.st.Table || out.Part != p.end {
			continue
		}
		_, err := p.c.run(ctx, fmt.Sprintf("INSERT INTO %s SELECT $1, $2, $3, $4, %s, $5, $6, $7 FROM %s s WHERE s.%s = %d AND %s", p.s.refusedTable(), p.key(), p.stage, p.number, out.Number, differs),
			append(p.s.tableOf(p.st), strings.TrimPrefix(p.end, "."), fmt.Sprint(epoch), out.Message)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// makeRefused makes RefusedTable, at the first refused row.
func (s *Sink) makeRefused(ctx context.Context, c *conn) error {
	err := c.exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (pipeline text, state_id text, sink text, table_name text, key jsonb, operation text, epoch bigint, message text)", s.refusedTable()))
	if err != nil {
		return fmt.Errorf("table %q, which says which rows were refused: %w", warehouse.RefusedTable, err)
	}
	return nil
}

// excepted names the tables that are not in all rows as the state says.
func (s *Sink) excepted(ctx context.Context, c *conn) ([]string, error) {
	rows, err := c.query(ctx, fmt.Sprintf("SELECT DISTINCT r.table_name FROM %s r WHERE r.pipeline = $1 AND r.state_id = $2 AND r.sink = $3", s.refusedTable()),
		s.opening.Pipeline, s.opening.StateID, s.name)
	if err != nil {
		return nil, fmt.Errorf("looking for rows that were refused before: %w", err)
	}
	tables := make([]string, len(rows))
	for i, r := range rows {
		tables[i] = r[0]
	}
	return tables, nil
}
