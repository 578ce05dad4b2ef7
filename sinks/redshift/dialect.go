package redshift

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// dialect is Redshift's. Names are folded, quoted or not, and a longer one would be cut
// without a word; the reserved names are of columns that every table has. Keys are not
// enforced, but the planner trusts them, and may.
var dialect = &warehouse.Dialect{Name: "Redshift", Type: sqlType, Fold: true, PrimaryKeys: true, MaxName: 127,
	Reserved: []string{"oid", "ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"}, MaxColumns: 1600,
	Schemas: []string{"information_schema", "pg_catalog", "pg_internal", "pg_temp", "pg_toast"}}

const (
	varcharMax   = 65535 // bytes
	varbyteBytes = 64000 // of VARBYTE without a length
)

// sqlType returns Redshift's name of a type, as its catalogue prints it.
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
		return fmt.Sprintf("binary varying(%d)", varbyteBytes)
	case pipeline.JSONText:
		return "super"
	}
	return fmt.Sprintf("character varying(%d)", varcharMax)
}

// literal quotes a text: a backslash is an escape there, whatever
// standard_conforming_strings says elsewhere.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
