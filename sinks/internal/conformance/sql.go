package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// SQLDatabase is a place for tables that is asked in SQL.
type SQLDatabase interface {
	// New is that of Store, and Schema that of Database.
	New(name string, f *Faults) (pipeline.Sink, error)
	Schema() string
	// Query returns the rows of a query, cells joined by |, nulls as "null".
	Query(t testing.TB, query string) []string
	// Exec runs a statement. The sink is closed, or bears it.
	Exec(t testing.TB, statement string)
	// Text returns an expression for a column as text, as pipelinetest.CellText writes it.
	Text(column string, t pipeline.Type) string
}

// SQL makes a Database of one that is asked in SQL.
type SQL struct{ SQLDatabase }

var _ Database = SQL{}

func (d SQL) in(table string) string { return warehouse.QualifiedName(d.Schema(), table) }

func (d SQL) exec(t testing.TB, format string, args ...any) {
	t.Helper()
	d.Exec(t, fmt.Sprintf(format, args...))
}

// Rows implements Database.
func (d SQL) Rows(t testing.TB, table *pipeline.Table) []string {
	t.Helper()
	list := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		list[i] = d.Text(warehouse.Quote(c.Name), c.Type)
	}
	keys := warehouse.KeyOf(table)
	for i, k := range keys {
		keys[i] = "t." + warehouse.Quote(k)
	}
	return d.Query(t, fmt.Sprintf("SELECT %s FROM %s t ORDER BY %s", strings.Join(list, ", "), d.in(table.Name), strings.Join(keys, ", ")))
}

// Select implements Database.
func (d SQL) Select(t testing.TB, table string, columns ...string) []string {
	t.Helper()
	list, order := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		list[i] = d.Text(warehouse.Quote(c), pipeline.Type{Kind: pipeline.String})
		order[i] = "t." + warehouse.Quote(c)
	}
	return d.Query(t, fmt.Sprintf("SELECT %s FROM %s t ORDER BY %s", strings.Join(list, ", "), d.in(table), strings.Join(order, ", ")))
}

// Update implements Database.
func (d SQL) Update(t testing.TB, table, column, value string) {
	t.Helper()
	d.exec(t, "UPDATE %s SET %s = %s", d.in(table), warehouse.Quote(column), warehouse.Literal(value))
}

// Delete implements Database.
func (d SQL) Delete(t testing.TB, table, column string, value int64) {
	t.Helper()
	d.exec(t, "DELETE FROM %s WHERE %s = %d", d.in(table), warehouse.Quote(column), value)
}

// DeleteAll implements Database.
func (d SQL) DeleteAll(t testing.TB, table string) {
	t.Helper()
	d.exec(t, "DELETE FROM %s", d.in(table))
}

// AddColumn implements Database.
func (d SQL) AddColumn(t testing.TB, table, column string) {
	t.Helper()
	d.exec(t, "ALTER TABLE %s ADD COLUMN %s VARCHAR", d.in(table), warehouse.Quote(column))
}

// DropTable implements Database.
func (d SQL) DropTable(t testing.TB, table string) {
	t.Helper()
	d.exec(t, "DROP TABLE %s", d.in(table))
}

// DropSchema implements Database.
func (d SQL) DropSchema(t testing.TB) {
	t.Helper()
	d.exec(t, "DROP SCHEMA %s CASCADE", warehouse.Quote(d.Schema()))
}

// Catalogue implements Database.
func (d SQL) Catalogue(t testing.TB) []string {
	t.Helper()
	all := d.Query(t, "SELECT schema_name FROM information_schema.schemata WHERE schema_name = "+warehouse.Literal(d.Schema()))
	return append(all, d.Query(t, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = "+warehouse.Literal(d.Schema())+" ORDER BY 1, 2")...)
}
