package warehouse

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// EpochsTable is the audit table, with a row for each epoch that changed something.
const EpochsTable = "starlift_epochs"

// RefusedTable holds the rows that a database has refused after their epoch was
// saved, as long as that makes a table differ from the state.
const RefusedTable = "starlift_refused"

// ownTables are the sinks' own tables, and what they are.
var ownTables = map[string]string{EpochsTable: "the audit table", TokensTable: "the table of tokens", RefusedTable: "the table of refused rows", TablesTable: "the table of owners"}

// EpochColumns are the columns of the audit table, in order.
var EpochColumns = []string{"job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink", "epoch"}

// epochKey are the columns that identify a row of the audit table.
var epochKey = []string{"pipeline", "state_id", "sink", "epoch"}

// Dialect is what one database does differently from another.
type Dialect struct {
	Name string // for messages
	// Type returns the name of a type as the catalogue prints it.
	Type func(pipeline.Type) string
	// Takes tells whether a column that is there, of which the catalogue says have, takes all values of a
	// type as they are, though it is of another one; nil = none does.
	Takes func(t pipeline.Type, have string) bool
	// Fold returns a name as the database compares it, and FoldSQL does the same in SQL, to an
	// expression; nil = no two names are one.
	Fold    func(name string) string
	FoldSQL func(expression string) string
	// OwnTokens says that the dialect's Tx makes the tables of tokens; else they are in TokensTable.
	OwnTokens bool
	// PrimaryKeys makes tables with the primary key that the pipeline says.
	PrimaryKeys bool
	// MaxName is the length of the longest name in bytes; 0 = any.
	MaxName int
	// Reserved are column names that no table can have, folded.
	Reserved []string
	// MaxColumns and MaxKey are the most columns of a table and of its key; 0 = any.
	MaxColumns, MaxKey int
	// Schemas are names of schemas that are the database's own, in lower case.
	Schemas []string
	// TempSchema is what goes before the name of a temporary table, so that no other
	// table is meant; empty = nothing.
	TempSchema string
	// Refusals says how the database refuses single rows; nil = nobody can make it.
	Refusals *Refusals
	TableDialect
}

// TableDialect is what a dialect adds to tables; nothing, by default.
type TableDialect struct {
	// Extra are columns that each table of rows has besides the pipeline's, and that the
	// dialect's Tx fills.
	Extra []pipeline.Column
	// ColumnOptions and TableOptions return what stands behind the type of a column, and behind
	// the columns, in the DDL of a new table; nil = nothing.
	ColumnOptions func(t *pipeline.Table, column int) string
	TableOptions  func(t *pipeline.Table) string
	// Check reports what else the database does not take of a table; nil = nothing.
	Check func(t *pipeline.Table, wrong func(format string, args ...any))
}

// FoldASCII returns a name with small letters in the place of ASCII's capital ones.
func FoldASCII(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, name)
}

// Quote quotes an identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Quoted quotes identifiers, and joins them with commas.
func Quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Quote(n)
	}
	return strings.Join(out, ", ")
}

// QualifiedName returns the quoted name of a table.
func QualifiedName(schema, table string) string { return Quote(schema) + "." + Quote(table) }

// fold returns a name as the database compares it.
func (d *Dialect) fold(name string) string {
	if d.Fold == nil {
		return name
	}
	return d.Fold(name)
}

// createSchema returns the DDL of the schema.
func createSchema(schema string) string { return "CREATE SCHEMA IF NOT EXISTS " + Quote(schema) }

// columnsOf returns the columns that a table has in the database: the pipeline's, and those that
// the dialect gives a table of rows.
func (d *Dialect) columnsOf(t *pipeline.Table) []pipeline.Column {
	if _, own := ownTables[t.Name]; own || d.Extra == nil {
		return t.Columns
	}
	return append(slices.Clone(t.Columns), d.Extra...)
}

// CreateTable returns the DDL of one table.
func (d *Dialect) CreateTable(schema string, t *pipeline.Table) string {
	columns := d.columnsOf(t)
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = fmt.Sprintf("  %s %s", Quote(c.Name), d.Type(c.Type))
		if i < len(t.Columns) && d.ColumnOptions != nil {
			lines[i] += d.ColumnOptions(t, i)
		}
	}
	if d.PrimaryKeys && len(t.Key) > 0 {
		lines = append(lines, fmt.Sprintf("  PRIMARY KEY (%s)", Quoted(KeyOf(t))))
	}
	ddl := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n%s\n)", QualifiedName(schema, t.Name), strings.Join(lines, ",\n"))
	if d.TableOptions != nil {
		ddl += d.TableOptions(t)
	}
	return ddl
}

// Epochs returns the audit table.
func Epochs() *pipeline.Table {
	columns := make([]pipeline.Column, len(EpochColumns))
	for i, name := range EpochColumns {
		columns[i] = pipeline.Column{Name: name, Type: pipeline.Type{Kind: pipeline.String}}
		switch name {
		case "started_at", "ended_at":
			columns[i].Type.Kind = pipeline.Timestamp
		case "rows", "epoch":
			columns[i].Type.Kind = pipeline.Int64
		}
	}
	t, err := pipeline.NewTable(EpochsTable, columns, epochKey)
	if err != nil {
		panic(err) // the columns are constants
	}
	return t
}

// ownTables returns the sinks' own tables that an opening makes.
func (d *Dialect) ownTables() []*pipeline.Table {
	if d.OwnTokens {
		return []*pipeline.Table{Epochs(), Tables()}
	}
	return []*pipeline.Table{Tokens(), Epochs(), Tables()}
}

// addColumn returns the DDL that adds a column to a table.
func (d *Dialect) addColumn(schema, table string, c pipeline.Column) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", QualifiedName(schema, table), Quote(c.Name), d.Type(c.Type))
}

// DDL returns the statements that make the schema and the tables, for people.
func (d *Dialect) DDL(schema string, tables []*pipeline.Table) string {
	statements := []string{createSchema(schema)}
	for _, t := range append(d.ownTables(), tables...) {
		statements = append(statements, d.CreateTable(schema, t))
	}
	return strings.Join(statements, ";\n") + ";\n"
}

// KeyOf returns the names of a table's key columns.
func KeyOf(t *pipeline.Table) []string {
	names := make([]string, len(t.Key))
	for i, k := range t.Key {
		names[i] = t.Columns[k].Name
	}
	return names
}

// CheckNames refuses names that are taken, that the database takes for one, or
// that it does not take. The error joins *spec.FieldError.
func (d *Dialect) CheckNames(tables []*pipeline.Table) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, &spec.FieldError{Path: []string{"inputs"}, Message: fmt.Sprintf(format, args...)})
	}
	seen := map[string]string{}
	for _, t := range tables {
		for own, what := range ownTables {
			if strings.EqualFold(t.Name, own) {
				wrong("table %q has the name of %s: rename it", t.Name, what)
			}
		}
		if other, ok := seen[d.fold(t.Name)]; ok {
			wrong("tables %q and %q have the same name for %s, which does not tell upper from lower case: rename one", other, t.Name, d.Name)
		}
		seen[d.fold(t.Name)] = t.Name
		if why := d.nameProblem(t.Name); why != "" {
			wrong("the name of table %q %s: rename it", t.Name, why)
		}
		if d.MaxColumns > 0 && len(t.Columns) > d.MaxColumns {
			wrong("table %q has %d columns, and %s takes %d in a table: leave some out, or put them into a column of type json", t.Name, len(t.Columns), d.Name, d.MaxColumns)
		}
		if d.MaxKey > 0 && len(t.Key) > d.MaxKey {
			wrong("the key of table %q has %d columns, and %s takes %d: make one column of some of them", t.Name, len(t.Key), d.Name, d.MaxKey)
		}
		d.checkColumns(t, wrong)
		if d.Check != nil {
			d.Check(t, wrong)
		}
	}
	return errors.Join(errs...)
}

func (d *Dialect) checkColumns(t *pipeline.Table, wrong func(string, ...any)) {
	seen := map[string]string{}
	for _, c := range t.Columns {
		if by := d.reservedBy(c.Name); by != "" {
			wrong("column %q of table %q has a name that the %s needs for itself: rename it", c.Name, t.Name, by)
		}
		if other, ok := seen[d.fold(c.Name)]; ok {
			wrong("columns %q and %q of table %q have the same name for %s, which does not tell upper from lower case: rename one", other, c.Name, t.Name, d.Name)
		}
		seen[d.fold(c.Name)] = c.Name
		if why := d.nameProblem(c.Name); why != "" {
			wrong("the name of column %q of table %q %s: rename it", c.Name, t.Name, why)
		}
	}
}

// CheckSchema refuses a schema that can't hold the tables; nil = it can. The error
// is a *spec.FieldError.
func (d *Dialect) CheckSchema(schema string) error {
	why := d.nameProblem(schema)
	if slices.Contains(d.Schemas, strings.ToLower(schema)) {
		why = fmt.Sprintf("is one that %s, or SQL, keeps for itself", d.Name)
	}
	if why == "" {
		return nil
	}
	return &spec.FieldError{Path: []string{"schema"}, Message: fmt.Sprintf("the name of schema %q %s: give the tables another one", schema, why)}
}

// reservedBy says who needs a column's name for itself; empty = nobody.
func (d *Dialect) reservedBy(column string) string {
	switch {
	case strings.EqualFold(column, OpColumn), slices.ContainsFunc(d.Extra, func(c pipeline.Column) bool { return d.fold(c.Name) == d.fold(column) }):
		return "sink"
	case slices.Contains(d.Reserved, d.fold(column)):
		return "database"
	}
	return ""
}

// nameProblem says why the database does not take a name, as the end of a sentence; empty = it does.
func (d *Dialect) nameProblem(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsRune(name, 0):
		return "holds the character U+0000, which no identifier may"
	case d.MaxName > 0 && len(name) > d.MaxName:
		return fmt.Sprintf("has %d bytes, and %s takes %d", len(name), d.Name, d.MaxName)
	}
	return ""
}

// Literal quotes a text, for a database to which a backslash is no more than a
// character.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
