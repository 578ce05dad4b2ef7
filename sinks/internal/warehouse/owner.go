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

// claims compares the tables that a sink is to write with those that are there and
// whose they are, when it is opened.
type claims struct {
	dialect *Dialect
	schema  string
	sink    string
	options *pipeline.SinkOptions
	owners  map[string]Owner // by the table's name as the dialect compares it
	misfits []string
	others  bool   // some of the tables belong to others
	renamed string // the pipeline that has a table of a sink of this name
	// unowned are the tables without an owner: the sink becomes it.
	unowned []string
}

func (d *Dialect) newClaims(schema, sink string, o *pipeline.SinkOptions, owners []TableOwner) *claims {
	c := &claims{dialect: d, schema: schema, sink: sink, options: o, owners: make(map[string]Owner, len(owners))}
	for _, t := range owners {
		c.owners[d.fold(t.Table)] = t.Owner
	}
	return c
}

// add compares one table, which is there or not, and has rows or not.
func (c *claims) add(table string, there, rows bool) {
	owner, recorded := c.owners[c.dialect.fold(table)]
	taken := slices.ContainsFunc(c.options.Taken, func(t string) bool { return c.dialect.fold(t) == c.dialect.fold(table) })
	ours := recorded && owner == Owner{c.options.Pipeline, c.options.StateID, c.sink}
	differs := func(others bool, format string, args ...any) {
		c.others = c.others || others
		c.misfits = append(c.misfits, fmt.Sprintf("  table %s.%s: ", c.schema, table)+fmt.Sprintf(format, args...))
	}
	switch {
	case recorded && owner.Pipeline != c.options.Pipeline:
		if owner.Sink == c.sink {
			c.renamed = owner.Pipeline
		}
		differs(true, "it belongs to pipeline %q (its sink %q, state folder %s)", owner.Pipeline, owner.Sink, owner.StateID)
	case recorded && owner.Sink != c.sink:
		differs(false, "it belongs to sink %q of this pipeline (state folder %s)", owner.Sink, owner.StateID)
	case recorded && !ours:
		differs(false, "it was written with another state folder (%s), not with this one (%s)", owner.StateID, c.options.StateID)
	case (recorded || taken) && !there:
		differs(false, "this pipeline has written it, and it is no longer there: it was dropped or renamed")
	case taken && !recorded:
		differs(false, "this pipeline has written it, and its row in %s is gone: the table is another one, or was restored", TablesTable)
	case !recorded && rows:
		differs(true, "it has rows, and no row in %s: something else has written them, or an older starlift", TablesTable)
	case !recorded:
		c.unowned = append(c.unowned, table)
	}
}

// err says what is wrong with the tables, and how to go on; nil = nothing is.
func (c *claims) err() error {
	if c.misfits == nil {
		return nil
	}
	hint := "put back what was there, or " + recoveryHint
	if c.others {
		hint = "give this pipeline's tables a schema of their own (schema) or other names; or, if nobody needs what is there, drop those tables and their rows in " + TablesTable
	}
	if c.renamed != "" {
		hint = fmt.Sprintf("if this is pipeline %q with a new name, put the name back; otherwise %s", c.renamed, hint)
	}
	return &OwnerError{Sink: c.sink, text: fmt.Sprintf("sink %q can't take its tables:\n%s\n%s", c.sink, strings.Join(c.misfits, "\n"), hint)}
}

// OwnerError says that tables are not the sink's to write.
type OwnerError struct {
	Sink string
	text string
}

// Error says which tables, whose they are, and how to go on.
func (e *OwnerError) Error() string { return e.text }
