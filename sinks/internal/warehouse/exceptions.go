package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Refusals is how a database refuses single rows: by constraints and triggers that
// others have put on a table. Its spool has a file for each operation, its Tx is a
// Copier, and itself it is a Rehearser.
type Refusals struct {
	// IsRefusal tells that an error is about rows rather than about all else.
	IsRefusal func(error) bool
	// IsDuplicate tells of such an error that the row's key is there already.
	IsDuplicate func(error) bool
	// Reason is what a dead letter says of such an error.
	Reason func(error) string
	// HasTable returns an expression that is 't' if there is a table; its name is quoted.
	HasTable func(table string) string
	// KeyType is the type of the keys in RefusedTable; KeyOf returns the expression
	// that makes one of the values of some columns, which are expressions as well.
	KeyType string
	KeyOf   func(columns []string) string
	// RowOf is an expression for the row of r as a JSON object.
	RowOf string
	// TextType is the type of texts.
	TextType string
}

// Rehearser is a Database with Refusals.
type Rehearser interface {
	// Rehearse runs do in a transaction that is rolled back.
	Rehearse(ctx context.Context, do InTx) error
}

// exclusion is a row that a commit leaves out, as the committable lists it.
type exclusion struct {
	Table   string `json:"table"`
	Part    string `json:"part"` // the end of its file's name
	Number  int64  `json:"n"`    // in the file, from 1
	Message string `json:"message"`
}

// readExcluded returns the rows that a committable leaves out.
func readExcluded(c *pipeline.Committable) (all []exclusion, err error) {
	if c.Exclude == nil {
		return nil, nil
	}
	if err := json.Unmarshal(c.Exclude, &all); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", c.Epoch, err)
	}
	return all, nil
}

// exceptions are the rows in which tables are not as the state says, since they were
// refused: those of earlier epochs, which are in RefusedTable, and those that this
// epoch leaves out. A row that is not there is inserted by its next update, and its
// delete does nothing; one that could not be deleted is updated by what would
// insert it. RefusedTable has exactly the rows that the state has and the table has
// not, or the other way round. Nil = the database refuses no single row.
type exceptions struct {
	*SQL
	copier   Copier
	owner    Owner
	epoch    int64
	excluded []exclusion
	tables   []string // in which there are such rows
}

// exceptionsOf returns the exceptions of an epoch, and makes RefusedTable for the
// first ones. The token has been read.
func (s *Sink) exceptionsOf(ctx context.Context, tx Tx, epoch int64, excluded []exclusion) (*exceptions, error) {
	if s.cfg.Dialect.Refusals == nil {
		return nil, nil
	}
	e, err := s.newExceptions(tx, epoch, excluded)
	if err != nil {
		return nil, err
	}
	if e.hasRefused {
		if err := e.readTables(ctx); err != nil {
			return nil, err
		}
	} else if len(excluded) > 0 {
		if err := e.createRefused(ctx); err != nil {
			return nil, err
		}
	}
	for _, x := range excluded {
		e.tables = append(e.tables, x.Table)
	}
	return e, nil
}

func (s *Sink) newExceptions(tx Tx, epoch int64, excluded []exclusion) (*exceptions, error) {
	copier, copies := tx.(Copier)
	t, inSQL := tx.(sqlTx)
	if !copies || !inSQL {
		return nil, errors.New("a transaction of a database that refuses rows does not embed SQL, or copies no files")
	}
	return &exceptions{SQL: t.base(), copier: copier, owner: s.owner(), epoch: epoch, excluded: excluded}, nil
}

// createRefused makes RefusedTable.
func (e *exceptions) createRefused(ctx context.Context) error {
	r := e.Dialect.Refusals
	_, err := e.Exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %[1]s (pipeline %[2]s, state_id %[2]s, sink %[2]s, table_name %[2]s, key %[3]s, operation %[2]s, epoch bigint, message %[2]s)",
		e.in(RefusedTable), r.TextType, r.KeyType))
	if err != nil {
		return fmt.Errorf("table %q, which says which rows were refused: %w", RefusedTable, err)
	}
	return nil
}

// readTables reads which tables RefusedTable is about.
func (e *exceptions) readTables(ctx context.Context) error {
	rows, err := e.Query(ctx, fmt.Sprintf("SELECT DISTINCT r.table_name FROM %s r WHERE r.pipeline = $1 AND r.state_id = $2 AND r.sink = $3", e.in(RefusedTable)),
		e.owner.Pipeline, e.owner.StateID, e.owner.Sink)
	if err != nil {
		return fmt.Errorf("looking for rows that were refused before: %w", err)
	}
	for _, r := range rows {
		e.tables = append(e.tables, r[0])
	}
	return nil
}

// affects reports whether a table differs from the state in some rows, or will after this epoch.
func (e *exceptions) affects(table string) bool { return e != nil && slices.Contains(e.tables, table) }

// apply applies one table's rows, and brings RefusedTable up to date.
func (e *exceptions) apply(ctx context.Context, files *Files, s *StagedTable) error {
	parts := e.partsOf(s)
	for _, p := range parts {
		if err := p.load(ctx, files); err != nil {
			return err
		}
		if err := p.apply(ctx, 1, p.rows); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := p.record(ctx); err != nil {
			return fmt.Errorf("noting refused rows: %w", err)
		}
	}
	return nil
}

// part is the rows of one table and operation in a stage that numbers them.
type part struct {
	*exceptions
	table    *StagedTable
	op       pipeline.Op
	suffix   string // of the file's name
	rows     int64
	excluded []exclusion // of this part
	stage    string
	number   string // the column with the rows' numbers, quoted
	differs  string // the column that says that RefusedTable has the row, quoted
}

// partsOf returns the parts of a table that have rows, in the order in which they
// are applied.
func (e *exceptions) partsOf(s *StagedTable) []*part {
	var all []*part
	for _, p := range []part{{op: pipeline.OpDelete, suffix: DeletePart, rows: s.Deletes}, {op: pipeline.OpUpdate, suffix: UpdatePart, rows: s.Updates}, {op: pipeline.OpInsert, suffix: InsertPart, rows: s.Inserts}} {
		if p.rows == 0 {
			continue
		}
		p.exceptions, p.table = e, s
		p.number, p.differs = unusedName(s.Columns, "number"), unusedName(s.Columns, "other")
		for _, x := range e.excluded {
			if x.Table == s.Table && x.Part == p.suffix {
				p.excluded = append(p.excluded, x)
			}
		}
		all = append(all, &p)
	}
	return all
}

// unusedName returns the quoted name of a column that the table does not have.
func unusedName(columns []string, name string) string {
	for slices.Contains(columns, name) {
		name += "_"
	}
	return Quote(name)
}

func (p *part) columns() []string {
	if p.op == pipeline.OpDelete {
		return p.table.Key
	}
	return p.table.Columns
}

// load copies the part's file into a stage, and marks the rows that RefusedTable has.
func (p *part) load(ctx context.Context, files *Files) error {
	var ddl string
	p.stage, ddl = p.SQL.stage(p.table, p.suffix, p.columns(), p.number+" bigint GENERATED ALWAYS AS IDENTITY", p.differs+" boolean NOT NULL DEFAULT false")
	if _, err := p.Exec(ctx, fmt.Sprintf("%s; TRUNCATE %s RESTART IDENTITY", ddl, p.stage)); err != nil {
		return fmt.Errorf("making a stage: %w", err)
	}
	n, err := p.copier.Copy(ctx, files, p.table.File+p.suffix, p.stage, p.columns())
	if err != nil {
		return fmt.Errorf("copying into a stage: %w", err)
	}
	if err := CheckCount(n, p.rows, "copied"); err != nil {
		return err
	}
	if !p.hasRefused {
		return nil
	}
	_, err = p.Exec(ctx, fmt.Sprintf("UPDATE %s s SET %s = true FROM %s r WHERE %s AND r.key = %s", p.stage, p.differs, p.in(RefusedTable), ofTable, p.key()), p.ofTableArgs()...)
	if err != nil {
		return fmt.Errorf("looking for rows that were refused before: %w", err)
	}
	return nil
}

// key is a row's key in RefusedTable.
func (p *part) key() string {
	columns := make([]string, len(p.table.Key))
	for i, k := range p.table.Key {
		columns[i] = "s." + Quote(k)
	}
	return p.Dialect.Refusals.KeyOf(columns)
}

// ofTable selects the rows of RefusedTable r that are of one table.
const ofTable = `r.pipeline = $1 AND r.state_id = $2 AND r.sink = $3 AND r.table_name = $4`

func (p *part) ofTableArgs() []any {
	return []any{p.owner.Pipeline, p.owner.StateID, p.owner.Sink, p.table.Table}
}

// apply applies the rows with these numbers, but for those that are excluded. The
// error of the database, if it is one, is not hidden.
func (p *part) apply(ctx context.Context, first, last int64) error {
	from := fmt.Sprintf("%s WHERE %s BETWEEN %d AND %d", p.stage, p.number, first, last)
	if len(p.excluded) > 0 {
		numbers := make([]string, len(p.excluded))
		for i, x := range p.excluded {
			numbers[i] = fmt.Sprint(x.Number)
		}
		from += fmt.Sprintf(" AND %s NOT IN (%s)", p.number, strings.Join(numbers, ", "))
	}
	counts, err := p.Query(ctx, fmt.Sprintf("SELECT count(*) FILTER (WHERE NOT %[1]s), count(*) FILTER (WHERE %[1]s) FROM %[2]s", p.differs, from))
	if err != nil {
		return err
	}
	var agree, differ int64
	if _, err := fmt.Sscan(strings.Join(counts[0], " "), &agree, &differ); err != nil {
		return fmt.Errorf("counting rows: %w", err)
	}
	agreeing := fmt.Sprintf("%s AND NOT %s ORDER BY %s", from, p.differs, p.number)
	differing := fmt.Sprintf("%s AND %s ORDER BY %s", from, p.differs, p.number)
	switch p.op {
	case pipeline.OpDelete:
		return p.ExecCounted(ctx, p.table.Delete(p.Schema, agreeing), agree, "deleted")
	case pipeline.OpUpdate:
		if err := p.ExecCounted(ctx, p.table.Update(p.Schema, agreeing), agree, "updated"); err != nil {
			return err
		}
		return p.ExecCounted(ctx, p.table.Insert(p.Schema, differing), differ, "inserted")
	}
	if err := p.ExecCounted(ctx, p.table.Insert(p.Schema, agreeing), agree, "inserted"); err != nil {
		return err
	}
	return p.ExecCounted(ctx, p.table.Update(p.Schema, differing), differ, "updated")
}

// record brings RefusedTable up to date: after an epoch, the rows that were applied
// are as the state says. Of those that were left out, one that came back into or
// went out of the state is not, unless it was not before.
func (p *part) record(ctx context.Context) error {
	if p.hasRefused {
		_, err := p.Exec(ctx, fmt.Sprintf("DELETE FROM %s r USING %s s WHERE %s AND s.%s AND r.key = %s", p.in(RefusedTable), p.stage, ofTable, p.differs, p.key()), p.ofTableArgs()...)
		if err != nil {
			return err
		}
	}
	becomes := "NOT s." + p.differs
	if p.op == pipeline.OpUpdate {
		becomes = "s." + p.differs
	}
	for _, x := range p.excluded {
		_, err := p.Exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT $1, $2, $3, $4, %s, $5, $6, $7 FROM %s s WHERE s.%s = %d AND %s", p.in(RefusedTable), p.key(), p.stage, p.number, x.Number, becomes),
			append(p.ofTableArgs(), strings.TrimPrefix(p.suffix, "."), p.epoch, x.Message)...)
		if err != nil {
			return err
		}
	}
	return nil
}
