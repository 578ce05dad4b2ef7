package redshift

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	varcharMax   = 65535 // bytes
	charMax      = 4096  // bytes, each of which is a character
	uuidBytes    = 36    // of a UUID's text
	varbyteBytes = 64000 // of VARBYTE without a length
	scaleMax     = 37    // of a decimal: "Numeric types" of the Database Developer Guide
)

// dialect is Redshift's, without what a pipeline file says of tables. Names are folded, quoted or
// not, but only ASCII's letters; a longer name would be cut without a word; the reserved names are
// of columns that every table has ("Names and identifiers", "Querying the catalog tables"). Keys
// are not enforced, but the planner trusts them, and may.
var dialect = &warehouse.Dialect{Name: "Redshift", Type: sqlType, Takes: takes, Fold: warehouse.FoldASCII, FoldSQL: foldSQL, OwnTokens: true, PrimaryKeys: true, MaxName: 127,
	Reserved: []string{"oid", "ctid", "xmin", "cmin", "xmax", "cmax", "tableoid", "deletexid", "insertxid"}, MaxColumns: 1600,
	Schemas: []string{"information_schema", "catalog_history"}, TableDialect: warehouse.TableDialect{ColumnOptions: notNull}}

// newDialect returns the dialect of a sink.
func newDialect(cfg *Config) *warehouse.Dialect {
	d := *dialect
	d.ColumnOptions, d.TableOptions = cfg.columnOptions, cfg.tableOptions
	d.Check = cfg.checkTable
	if cfg.LoadedAt {
		d.Extra = []pipeline.Column{loadedAt}
	}
	return &d
}

// loadedAt is the column with the time of the flush that wrote a row last.
var loadedAt = pipeline.Column{Name: "_loaded_at", Type: pipeline.Type{Kind: pipeline.Timestamp}}

// notNull is the option of the columns of a key.
func notNull(t *pipeline.Table, column int) string {
	for _, k := range t.Key {
		if k == column {
			return " NOT NULL"
		}
	}
	return ""
}

// foldSQL is warehouse.FoldASCII: lower would fold other letters too.
func foldSQL(expression string) string {
	return "translate(" + expression + ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
}

// ownPrefix begins the names of the sink's own columns, tokenPrefix those of its token tables.
const (
	ownPrefix   = "_starlift_"
	tokenPrefix = "starlift_token_"
)

// checkTable reports what Redshift does not take of a table besides names that are too long or alike.
func (c *Config) checkTable(t *pipeline.Table, wrong func(format string, args ...any)) {
	if n := c.stageColumns(t); len(t.Columns) <= dialect.MaxColumns && n > dialect.MaxColumns {
		wrong("table %q has %d columns, and the sink needs %d for the temporary table in which its rows are staged (one more for the operation, for each document and time, and for loaded_at), "+
			"of which Redshift takes %d: leave some out, or put them into a column of type json", t.Name, len(t.Columns), n, dialect.MaxColumns)
	}
	if strings.HasPrefix(warehouse.FoldASCII(t.Name), tokenPrefix) {
		wrong("table %q has a name like those of the tables of tokens: rename it", t.Name)
	}
	for i, c := range t.Columns {
		switch name := warehouse.FoldASCII(c.Name); {
		case name != warehouse.OpColumn && strings.HasPrefix(name, ownPrefix):
			wrong("column %q of table %q has a name like those that the sink needs for itself: rename it", c.Name, t.Name)
		case c.Type.Kind == pipeline.Decimal && c.Type.Scale > scaleMax:
			wrong("column %q of table %q has type %s, and a decimal of Redshift has at most %d digits behind the point: give it another type", c.Name, t.Name, c.Type, scaleMax)
		case c.Type.Kind == pipeline.VarChar && c.Type.Length > varcharMax, c.Type.Kind == pipeline.Char && c.Type.Length > charMax:
			wrong("column %q of table %q has type %s, and Redshift has varchar(%d) and char(%d) at most: give it a shorter one", c.Name, t.Name, c.Type, varcharMax, charMax)
		case c.Type.Kind == pipeline.Time && notNull(t, i) != "":
			wrong("column %q, of the key of table %q, has type time, which is staged as a text, and Redshift does not join rows by it: give it type string", c.Name, t.Name)
		case c.Type.Base() == pipeline.JSONText && notNull(t, i) != "":
			wrong("column %q, of the key of table %q, has type %s, and Redshift does not join rows by documents: give it another type", c.Name, t.Name, c.Type)
		}
	}
}

// stageColumns is how many columns the stage table of a table has: the table's, and those of
// [tableMerge.create].
func (c *Config) stageColumns(t *pipeline.Table) int {
	n := len(t.Columns) + 1
	if c.LoadedAt {
		n++
	}
	for i := range t.Columns {
		if _, staged := stagedText(t.Columns[i].Type); staged {
			n++
		}
	}
	return n
}

// checkSchema refuses a schema that can't hold the tables.
func checkSchema(schema string) error {
	if strings.HasPrefix(warehouse.FoldASCII(schema), "pg_") {
		return &spec.FieldError{Path: []string{"schema"}, Message: fmt.Sprintf("schema %q: names that begin with pg_ are Redshift's own: give the tables another one", schema)}
	}
	return dialect.CheckSchema(schema)
}

// sqlType returns Redshift's name of a type, as its catalogue prints it.
func sqlType(t pipeline.Type) string {
	switch t.Kind {
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
	case pipeline.UUID, pipeline.Char:
		return fmt.Sprintf("character(%d)", textMax(t))
	case pipeline.Binary:
		return "binary varying" // COPY of Parquet refuses one with a length
	case pipeline.JSONText, pipeline.List:
		return "super"
	}
	return fmt.Sprintf("character varying(%d)", textMax(t))
}

// takes is the Takes of the dialect: the stage table has the target's columns, and COPY loads texts into any that
// are long enough.
func takes(t pipeline.Type, have string) bool {
	switch t.Kind {
	case pipeline.VarChar, pipeline.Char, pipeline.UUID:
		return warehouse.TakesLength(have, "character varying", int32(textMax(t)))
	}
	return false
}

// textMax returns how many bytes a column holds whose values are texts.
func textMax(t pipeline.Type) int {
	switch t.Kind {
	case pipeline.VarChar, pipeline.Char:
		return int(t.Length)
	case pipeline.UUID:
		return uuidBytes
	}
	return varcharMax
}

// stagedText returns the expression, around %s, that makes a value of a text, where the stage table
// has texts in a column besides the value's: COPY brings neither documents nor times of the day.
func stagedText(t pipeline.Type) (value string, staged bool) {
	switch {
	case t.Base() == pipeline.JSONText:
		return "JSON_PARSE(%s)", true
	case t.Kind == pipeline.Time:
		return "CAST(%s AS " + sqlType(t) + ")", true
	}
	return "", false
}

// literal quotes a text: a backslash is an escape there, whatever
// standard_conforming_strings says elsewhere.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
