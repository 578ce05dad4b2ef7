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
var dialect = &warehouse.Dialect{Name: "DuckDB", Type: sqlType, Takes: takes, Fold: strings.ToLower,
	FoldSQL: func(expression string) string { return "lower(" + expression + ")" }, Schemas: []string{"temp", "system", "information_schema", "pg_catalog"}}

// sqlType returns DuckDB's name of a type, as its catalogue prints it.
func sqlType(t pipeline.Type) string {
	switch t.Kind {
	case pipeline.List:
		return sqlType(t.Element()) + listSuffix
	case pipeline.Bool:
		return "BOOLEAN"
	case pipeline.Int64:
		return "BIGINT"
	case pipeline.Int32:
		return "INTEGER"
	case pipeline.Double:
		return "DOUBLE"
	case pipeline.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case pipeline.Date:
		return "DATE"
	case pipeline.Timestamp:
		return "TIMESTAMP"
	case pipeline.TimestampTZ:
		return "TIMESTAMP WITH TIME ZONE"
	case pipeline.Time:
		return "TIME"
	case pipeline.UUID:
		return "UUID"
	case pipeline.Binary:
		return "BLOB"
	case pipeline.JSONText:
		return "JSON"
	}
	return "VARCHAR"
}

// takes is the Takes of the dialect.
func takes(t pipeline.Type, have string) bool {
	if t.Kind == pipeline.List {
		element, isList := strings.CutSuffix(have, listSuffix)
		return isList && takes(t.Element(), element)
	}
	return t.Kind == pipeline.Decimal && warehouse.TakesDecimal(have, "DECIMAL", t)
}

// listSuffix ends the names of lists.
const listSuffix = "[]"

// spooledAsText tells whether values of a type of DuckDB's, or the elements of its lists, are texts in the spool.
func spooledAsText(t string) bool {
	element := strings.TrimSuffix(t, listSuffix)
	return element == "UUID" || element == "TIME"
}

// anyCharacter makes a path match itself only, where read_parquet takes globs.
var anyCharacter = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// spooledRows returns the spooled rows with one of the operations, as a query has
// them after FROM. A folder whose name looks like a partition, a=b, must not
// become a column. Types that are texts in the file, as lakes have them, become theirs.
func spooledRows(file string, s *warehouse.StagedTable, ops []pipeline.Op) string {
	of := make([]string, len(ops))
	for i, op := range ops {
		of[i] = strconv.Itoa(int(op))
	}
	from := fmt.Sprintf("read_parquet(%s, hive_partitioning = false)", warehouse.Literal(anyCharacter.Replace(file)))
	var casts []string
	for i, t := range s.Types {
		if spooledAsText(t) {
			casts = append(casts, fmt.Sprintf("CAST(%[1]s AS %[2]s) AS %[1]s", warehouse.Quote(s.Columns[i]), t))
		}
	}
	if casts != nil {
		from = fmt.Sprintf("(SELECT * REPLACE (%s) FROM %s)", strings.Join(casts, ", "), from)
	}
	return fmt.Sprintf("%s WHERE %s IN (%s)", from, warehouse.Quote(warehouse.OpColumn), strings.Join(of, ", "))
}
