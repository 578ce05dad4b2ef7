package duckdb

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
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

// missing compares a table with what the catalogue says of it: names in lower
// case and types. It returns the columns to add.
func missing(schema string, t *pipeline.Table, found map[string]string) ([]pipeline.Column, error) {
	var add []pipeline.Column
	var diff []string
	for _, c := range t.Columns {
		have, ok := found[strings.ToLower(c.Name)]
		switch want := sqlType(c.Type); {
		case !ok:
			add = append(add, c)
		case have != want:
			diff = append(diff, fmt.Sprintf("  column %q: the pipeline has %s, the table has %s", c.Name, want, have))
		}
	}
	if diff != nil {
		return nil, fmt.Errorf("table %s.%s does not fit the pipeline:\n%s\nalter the table, or give the columns other names", schema, t.Name, strings.Join(diff, "\n"))
	}
	return add, nil
}

// deleteRows returns the statement that takes out the keys of the spooled rows
// that are updated or deleted.
func deleteRows(schema string, t *pipeline.Table, file string) string {
	var keys, on []string
	for _, k := range t.Key {
		name := quote(t.Columns[k].Name)
		keys = append(keys, name)
		on = append(on, fmt.Sprintf("t.%s = s.%s", name, name))
	}
	return fmt.Sprintf("DELETE FROM %s.%s t USING (SELECT %s FROM read_parquet(%s) WHERE %s <> %d) s WHERE %s",
		quote(schema), quote(t.Name), strings.Join(keys, ", "), literal(file), quote(opColumn), pipeline.OpInsert, strings.Join(on, " AND "))
}

// insertRows returns the statement that puts in the spooled rows that are
// inserted or updated.
func insertRows(schema string, t *pipeline.Table, file string) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = quote(c.Name)
	}
	list := strings.Join(names, ", ")
	return fmt.Sprintf("INSERT INTO %s.%s (%s) SELECT %s FROM read_parquet(%s) WHERE %s <> %d",
		quote(schema), quote(t.Name), list, list, literal(file), quote(opColumn), pipeline.OpDelete)
}
