package warehouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// TablesTable says whose each table is. It lies beside EpochsTable, and has a row
// for each table of any schema that a sink has taken, written in the transaction
// in which it did.
const TablesTable = "starlift_tables"

// TablesColumns are the columns of TablesTable, in order.
var TablesColumns = []string{"schema", "table", "pipeline", "state_id", "sink"}

// Tables returns TablesTable.
func Tables() *pipeline.Table {
	columns := make([]pipeline.Column, len(TablesColumns))
	for i, name := range TablesColumns {
		columns[i] = pipeline.Column{Name: name, Type: pipeline.Type{Kind: pipeline.String}}
	}
	t, err := pipeline.NewTable(TablesTable, columns, TablesColumns[:2])
	if err != nil {
		panic(err) // the columns are constants
	}
	return t
}

// Owner is who has taken a table.
type Owner struct{ Pipeline, StateID, Sink string }

// Owners are the rows of TablesTable of one schema, by the table's name as the
// dialect compares it.
type Owners map[string]Owner

// ReadOwners reads them of rows with the columns table, pipeline, state_id and sink.
func (d *Dialect) ReadOwners(rows [][]string) Owners {
	all := make(Owners, len(rows))
	for _, r := range rows {
		all[d.key(r[0])] = Owner{Pipeline: r[1], StateID: r[2], Sink: r[3]}
	}
	return all
}

// Present is what a database has of a table.
type Present struct {
	Is   bool // there is a table of that name
	Rows bool // and it is not empty
}

// NotTable is the error of something that has a table's name and is none.
func NotTable(schema, table, kind string) error {
	return fmt.Errorf("%s.%s is there, and is not a table but %s: drop or rename it, or give the table another name", schema, table, kind)
}

// Claims compares the tables that a sink is to write with those that are there and
// whose they are, when it is opened.
type Claims struct {
	dialect *Dialect
	schema  string
	sink    string
	opening *pipeline.SinkOptions
	owners  Owners
	wrong   []string
	others  bool   // something of others is in the way
	renamed string // the pipeline that has a table of a sink of this name
	Take    []string
}

// NewClaims begins the comparison for a sink.
func (d *Dialect) NewClaims(schema, sink string, o *pipeline.SinkOptions, owners Owners) *Claims {
	return &Claims{dialect: d, schema: schema, sink: sink, opening: o, owners: owners}
}

// Add compares one table. One that is nobody's, and missing or empty, is added to
// Take: its row in TablesTable is to be written.
func (c *Claims) Add(table string, p Present) {
	owner, recorded := c.owners[c.dialect.key(table)]
	taken := slices.ContainsFunc(c.opening.Taken, func(t string) bool { return c.dialect.key(t) == c.dialect.key(table) })
	ours := recorded && owner == Owner{c.opening.Pipeline, c.opening.StateID, c.sink}
	differs := func(others bool, format string, args ...any) {
		c.others = c.others || others
		c.wrong = append(c.wrong, fmt.Sprintf("  table %s.%s: ", c.schema, table)+fmt.Sprintf(format, args...))
	}
	switch {
	case recorded && owner.Pipeline != c.opening.Pipeline:
		if owner.Sink == c.sink {
			c.renamed = owner.Pipeline
		}
		differs(true, "it belongs to pipeline %q (its sink %q, state folder %s)", owner.Pipeline, owner.Sink, owner.StateID)
	case recorded && owner.Sink != c.sink:
		differs(false, "it belongs to sink %q of this pipeline (state folder %s)", owner.Sink, owner.StateID)
	case recorded && !ours:
		differs(false, "it was written with another state folder (%s), not with this one (%s)", owner.StateID, c.opening.StateID)
	case (recorded || taken) && !p.Is:
		differs(false, "this pipeline has written it, and it is no longer there: it was dropped or renamed")
	case taken && !recorded:
		differs(false, "this pipeline has written it, and its row in %s is gone: the table is another one, or was restored", TablesTable)
	case !recorded && p.Rows:
		differs(true, "it has rows, and no row in %s: something else has written them, or an older starlift", TablesTable)
	case !recorded:
		c.Take = append(c.Take, table)
	}
}

// Err says what is wrong with the tables, and how to go on; nil = nothing is.
func (c *Claims) Err() error {
	if c.wrong == nil {
		return nil
	}
	way := "put back what was there, or " + way
	if c.others {
		way = "give this pipeline's tables a schema of their own (schema) or other names; or, if nobody needs what is there, drop those tables and their rows in " + TablesTable
	}
	if c.renamed != "" {
		way = fmt.Sprintf("if this is pipeline %q with a new name, put the name back; otherwise %s", c.renamed, way)
	}
	return &OwnerError{Sink: c.sink, text: fmt.Sprintf("sink %q can't take its tables:\n%s\n%s", c.sink, strings.Join(c.wrong, "\n"), way)}
}

// OwnerError says that tables are not the sink's to write.
type OwnerError struct {
	Sink string
	text string
}

// Error says which tables, whose they are, and how to go on.
func (e *OwnerError) Error() string { return e.text }
