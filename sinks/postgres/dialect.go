package postgres

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// dialect is PostgreSQL's. A name that is longer would be cut without a word;
// the reserved names are of columns that every table has.
var dialect = &warehouse.Dialect{Name: "PostgreSQL", Type: sqlType, Takes: takes, PrimaryKeys: true, MaxName: 63,
	Reserved: []string{"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"}, MaxColumns: 1600, MaxKey: 32,
	Schemas: []string{"information_schema", "temp"}, TempSchema: "pg_temp.", Refusals: &refusals}

// refusals is how PostgreSQL refuses rows.
var refusals = warehouse.Refusals{
	IsRefusal:   func(err error) bool { return pgconn.InClass(err, refusalStates...) },
	IsDuplicate: func(err error) bool { return pgconn.Code(err) == uniqueViolation },
	Reason:      pgconn.Message,
	HasTable:    func(table string) string { return "to_regclass(" + warehouse.Literal(table) + ") IS NOT NULL" },
	TextType:    "text", KeyType: "jsonb", RowOf: "row_to_json(r)",
	KeyOf: func(columns []string) string { return "jsonb_build_array(" + strings.Join(columns, ", ") + ")" },
}

// refusalStates are the SQLSTATEs, or their classes, by which the server says that it
// does not take a row.
var refusalStates = []string{
	"22",    // data exceptions
	"23",    // constraints
	"44",    // WITH CHECK OPTION
	"P0001", // RAISE in a trigger
	"54000", // a limit of the server, such as an index entry's length
}

const uniqueViolation = "23505"

// ownSchemas begins the names of schemas that PostgreSQL keeps for itself.
const ownSchemas = "pg_"

// sqlType returns PostgreSQL's name of a type, as its catalogue prints it.
func sqlType(t pipeline.Type) string {
	switch t.Kind {
	case pipeline.List:
		return sqlType(t.Element()) + arraySuffix
	case pipeline.Bool:
		return "boolean"
	case pipeline.Int64:
		return "bigint"
	case pipeline.Int32:
		return "integer"
	case pipeline.Double:
		return "double precision"
	case pipeline.Decimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case pipeline.Date:
		return "date"
	case pipeline.Timestamp:
		return "timestamp without time zone"
	case pipeline.TimestampTZ:
		return "timestamp with time zone"
	case pipeline.Time:
		return "time without time zone"
	case pipeline.UUID:
		return "uuid"
	case pipeline.VarChar:
		return fmt.Sprintf("character varying(%d)", t.Length)
	case pipeline.Char:
		return fmt.Sprintf("character(%d)", t.Length)
	case pipeline.Binary:
		return "bytea"
	case pipeline.JSONText:
		return "jsonb"
	}
	return "text"
}

// arraySuffix ends the names of arrays.
const arraySuffix = "[]"

// isText reports whether a type's values are texts that are stored as they are.
func isText(name string) bool {
	name = withoutArguments(name)
	return name == "text" || name == "character varying"
}

// takes is the Takes of the dialect: columns whose values are the same bytes, and arrays of them.
func takes(t pipeline.Type, have string) bool {
	switch t.Kind {
	case pipeline.List:
		element, isArray := strings.CutSuffix(have, arraySuffix)
		return isArray && takes(t.Element(), element)
	case pipeline.String:
		return have == "character varying"
	case pipeline.VarChar:
		return have == "text" || have == "character varying" || warehouse.TakesLength(have, "character varying", t.Length)
	case pipeline.Decimal:
		return have == "numeric" || warehouse.TakesDecimal(have, "numeric", t)
	}
	return false
}
