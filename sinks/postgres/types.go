package postgres

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// dialect is PostgreSQL's. A name that is longer would be cut without a word;
// the reserved names are of columns that every table has.
var dialect = &warehouse.Dialect{Name: "PostgreSQL", Type: sqlType, PrimaryKeys: true, MaxName: 63,
	Reserved: []string{"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"}, MaxColumns: 1600, MaxKey: 32,
	Schemas: []string{"information_schema", "temp"}}

// ownSchemas begins the names of schemas that PostgreSQL keeps for itself.
const ownSchemas = "pg_"

// sqlType returns PostgreSQL's name of a type, as its catalogue prints it.
func sqlType(t pipeline.Type) string {
	switch t.Kind {
	case pipeline.Bool:
		return "boolean"
	case pipeline.Int64:
		return "bigint"
	case pipeline.Double:
		return "double precision"
	case pipeline.Decimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case pipeline.Date:
		return "date"
	case pipeline.Timestamp:
		return "timestamp without time zone"
	case pipeline.Binary:
		return "bytea"
	case pipeline.JSONText:
		return "jsonb"
	}
	return "text"
}
