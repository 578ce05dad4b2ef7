package duckdb

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// dialect is DuckDB's. Tables have no primary key: rows arrive settled, and an
// index would make every insert slower.
var dialect = &warehouse.Dialect{Name: "DuckDB", Type: sqlType, Fold: strings.ToLower,
	FoldSQL: func(expression string) string { return "lower(" + expression + ")" }, Schemas: []string{"temp", "system", "information_schema", "pg_catalog"}}

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

// anyCharacter makes a path match itself only, where read_parquet takes globs.
var anyCharacter = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// spooledRows returns the spooled rows with one of the operations, as a query has
// them after FROM. A folder whose name looks like a partition, a=b, must not
// become a column.
func spooledRows(file string, ops []pipeline.Op) string {
	of := make([]string, len(ops))
	for i, op := range ops {
		of[i] = strconv.Itoa(int(op))
	}
	return fmt.Sprintf("read_parquet(%s, hive_partitioning = false) WHERE %s IN (%s)", warehouse.Literal(anyCharacter.Replace(file)),
		warehouse.Quote(warehouse.OpColumn), strings.Join(of, ", "))
}
