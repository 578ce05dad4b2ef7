package duckdb

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// epochsTable is the audit table with the tokens.
const epochsTable = "starlift_epochs"

// quote quotes an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// sqlType returns DuckDB's name of a type, as its catalogue prints it.
func sqlType(t pipeline.Type) string {
	switch t.Kind {
	case pipeline.Bool:
		return "BOOLEAN"
	case pipeline.Int64:
		return "BIGINT"
	case pipeline.Double:
		return "DOUBLE"
	case pipeline.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case pipeline.Date:
		return "DATE"
	case pipeline.Timestamp:
		return "TIMESTAMP"
	case pipeline.Binary:
		return "BLOB"
	case pipeline.JSONText:
		return "JSON"
	}
	return "VARCHAR"
}

// createTable returns the DDL of one table.
func createTable(schema string, t *pipeline.Table) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "CREATE TABLE IF NOT EXISTS %s.%s (\n", quote(schema), quote(t.Name))
	for i, c := range t.Columns {
		comma := ","
		if i == len(t.Columns)-1 {
			comma = ""
		}
		fmt.Fprintf(b, "  %s %s%s\n", quote(c.Name), sqlType(c.Type), comma)
	}
	b.WriteString(")")
	return b.String()
}

func createEpochs(schema string) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.%s (
  "job" VARCHAR,
  "status" VARCHAR,
  "started_at" TIMESTAMP,
  "ended_at" TIMESTAMP,
  "rows" BIGINT,
  "pipeline" VARCHAR,
  "state_id" VARCHAR,
  "sink" VARCHAR,
  "epoch" BIGINT
)`, quote(schema), quote(epochsTable))
}

// ddl returns the statements that make the schema and the tables.
func ddl(schema string, tables []*pipeline.Table) string {
	statements := []string{"CREATE SCHEMA IF NOT EXISTS " + quote(schema), createEpochs(schema)}
	for _, t := range tables {
		statements = append(statements, createTable(schema, t))
	}
	return strings.Join(statements, ";\n") + ";\n"
}

// existing is a column that a table has.
type existing struct {
	kind     string
	required bool // may not be null, and has no default
}

// missing compares a table with what the catalogue says of it, by names in
// lower case. It returns the columns to add.
func missing(schema string, t *pipeline.Table, found map[string]existing) ([]pipeline.Column, error) {
	var add []pipeline.Column
	var diff []string
	ours := map[string]bool{}
	for _, c := range t.Columns {
		ours[strings.ToLower(c.Name)] = true
		have, ok := found[strings.ToLower(c.Name)]
		switch want := sqlType(c.Type); {
		case !ok:
			add = append(add, c)
		case have.kind != want:
			diff = append(diff, fmt.Sprintf("  column %q: the pipeline has %s, the table has %s", c.Name, want, have.kind))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name].required && !ours[name] {
			diff = append(diff, fmt.Sprintf("  column %q: the pipeline does not have it, and in the table it may not be null", name))
		}
	}
	if diff != nil {
		return nil, fmt.Errorf("table %s.%s does not fit the pipeline:\n%s\nalter the table, or give the columns other names", schema, t.Name, strings.Join(diff, "\n"))
	}
	return add, nil
}

// checkNames returns what Check does.
func checkNames(tables []*pipeline.Table) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, &spec.FieldError{Path: []string{"inputs"}, Message: fmt.Sprintf(format, args...)})
	}
	seen := map[string]string{}
	for _, t := range tables {
		if strings.EqualFold(t.Name, epochsTable) {
			wrong("table %q has the name of the audit table: rename it", t.Name)
		}
		if other, ok := seen[strings.ToLower(t.Name)]; ok {
			wrong("tables %q and %q have the same name for DuckDB, which does not tell upper from lower case: rename one", other, t.Name)
		}
		seen[strings.ToLower(t.Name)] = t.Name
		columns := map[string]string{}
		for _, c := range t.Columns {
			if strings.EqualFold(c.Name, opColumn) {
				wrong("column %q of table %q has a name that the sink needs for itself: rename it", c.Name, t.Name)
			}
			if other, ok := columns[strings.ToLower(c.Name)]; ok {
				wrong("columns %q and %q of table %q have the same name for DuckDB, which does not tell upper from lower case: rename one", other, c.Name, t.Name)
			}
			columns[strings.ToLower(c.Name)] = c.Name
		}
	}
	return errors.Join(errs...)
}
