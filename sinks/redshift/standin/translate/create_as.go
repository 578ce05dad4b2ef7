package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// createTableAs is CREATE TABLE … AS, and SELECT … INTO (r_CREATE_TABLE_AS).
func (t *translator) createTableAs(st *syntax.CreateTableAs) {
	t.plan.Tag = "SELECT"
	r := t.startTable(st.Name, st.Temp, false)
	if r == nil {
		return
	}
	t.computes = true
	r.attributes = st.Attributes
	q := t.query(nil, st.Query)
	if t.err != nil {
		return
	}
	columns := t.renamed(q.columns, st.Columns)
	for _, c := range columns {
		r.columns = append(r.columns, Column{Name: c.name, Type: storedType(c.typ)})
	}
	if !q.open {
		t.checkColumns(r.columns)
		t.distribution(r, false)
	}
	if t.err != nil {
		return
	}
	word := "CREATE TABLE "
	if r.temp {
		word = "CREATE TEMPORARY TABLE "
	}
	t.run(word + t.newTable(r.schema, r.name, r.temp) + " AS " + t.kept(q, r.columns))
	if len(r.metadata) > 0 {
		t.run("SELECT " + strings.Join(r.metadata, ", "))
	}
}

// storedType is the type of a column that has an expression's values.
func storedType(ty Type) Type {
	switch {
	case ty.Name == typeVarchar && ty.Length == 0:
		ty.Length = maxVarchar
	case ty.Name == typeNumeric && ty.Precision == 0:
		ty.Precision, ty.Scale = maxPrecision, defaultScale
	case ty.Name == typeInterval:
		ty.Name = typeDaySecond
	}
	return ty
}

// defaultScale is of numbers whose scale is not known.
const defaultScale = 10

// kept writes a query whose rows are kept. PostgreSQL takes the lengths of the columns from
// the plan, in which the casts of this database are no casts any more. References to a query
// within have them still, where the plan leaves that one as it is: it has a column more.
func (t *translator) kept(q result, columns []Column) string {
	if q.open {
		return q.sql
	}
	within, rows := t.newAlias(), t.newAlias()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = rows + "." + t.quote(c.Name)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM (SELECT " + within + ".*, 0 FROM (" + t.stored(q, columns) + ") AS " + within + " OFFSET 0) AS " + rows
}

// stored writes a query whose columns are to be a table's.
func (t *translator) stored(q result, columns []Column) string {
	if q.open {
		return q.sql
	}
	names, list := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i] = t.numbered(i)
		list[i] = names[i]
		if c.Type.Name != "" {
			list[i] = "CAST(" + names[i] + " AS " + c.Type.postgres() + ")"
		}
		list[i] += " AS " + t.quote(c.Name)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + q.sql + ") AS " + t.newAlias() + "(" + strings.Join(names, ", ") + ")"
}
