package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// mergeStatement is MERGE (r_MERGE): an update or a deletion of the target's rows that match, and an
// insertion of the source's that do not, both seeing the tables as they were before.
func (t *translator) mergeStatement(st *syntax.Merge) {
	t.plan.Tag, t.wholeSuper = "MERGE", true
	target := t.targetTable(st.Into, "merge into")
	from := t.mergeSource(st, target)
	if t.err != nil {
		return
	}
	t.computes = true
	t.reads(target)
	t.reads(from)
	s := &scope{}
	f := t.sourceOf(target)
	targetSQL := t.table(target) + t.named(s, f, nil, nil)
	g := t.sourceOf(from)
	sourceSQL := t.table(from) + t.named(s, g, st.Alias, nil)
	on := t.expr(s, st.On).sql
	once := and(on, t.onlyOnce(target, f, sourceSQL, on, foundMultiple+"."))
	unmatched := " FROM " + sourceSQL + " WHERE NOT EXISTS (SELECT 1 FROM " + targetSQL + " WHERE " + on + ")"
	switch {
	case st.RemoveDuplicates:
		t.mergeDistinct(target, from, targetSQL, sourceSQL, g, on)
		return
	case st.DeleteMatched:
		once = "DELETE FROM " + targetSQL + " USING " + sourceSQL + " WHERE " + once
	default:
		once = "UPDATE " + targetSQL + " SET " + t.assignments(s, target, st.Update) + " FROM " + sourceSQL + " WHERE " + once
	}
	only := &scope{sources: []*source{g}}
	insert := t.mergeInsert(only, target, st)
	t.run("WITH \"~matched\" AS (" + once + " RETURNING 1) " + insert + unmatched)
}

// mergeSource is the table whose rows are merged. It is another than the target, and no view.
func (t *translator) mergeSource(st *syntax.Merge, target *Relation) *Relation {
	if target == nil {
		return nil
	}
	from := t.relation(st.Using)
	switch {
	case from == nil:
	case from.OID == target.OID:
		t.refuse(codeNotSupported, "Source and target tables of MERGE cannot be the same")
	case from.Kind != UserTable && from.Kind != TempTable:
		t.refuse(codeNotSupported, "MERGE source must be a table")
	}
	return from
}

// mergeInsert is the insertion of a row that does not match.
func (t *translator) mergeInsert(s *scope, target *Relation, st *syntax.Merge) string {
	columns := t.columnsOf(target, st.InsertColumns)
	switch {
	case t.err != nil:
		return ""
	case len(st.InsertValues) > len(columns):
		t.refuse(codeSyntax, "INSERT has more expressions than target columns")
		return ""
	case len(st.InsertValues) < len(columns) && len(st.InsertColumns) > 0:
		t.refuse(codeSyntax, "INSERT has more target columns than expressions")
		return ""
	}
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.table(target))
	var kept []*Column
	var values []string
	for i, x := range st.InsertValues {
		if _, ok := x.(*syntax.Default); ok {
			continue
		}
		t.checkIdentity(columns[i])
		kept = append(kept, columns[i])
		values = append(values, t.assigned(t.expr(s, x), columns[i].Type).sql)
	}
	t.writeColumns(kept, &b)
	b.WriteString(" SELECT " + strings.Join(values, ", "))
	return b.String()
}

// mergeDistinct is MERGE … REMOVE DUPLICATES: the rows that match give way to the source's,
// each of which comes once.
func (t *translator) mergeDistinct(target, from *Relation, targetSQL, sourceSQL string, g *source, on string) {
	if len(target.Columns) != len(from.Columns) {
		t.refuse(codeNotSupported, "MERGE REMOVE DUPLICATES requires source and target tables with the same number of columns")
		return
	}
	var b strings.Builder
	b.WriteString("WITH \"~matched\" AS (DELETE FROM " + targetSQL + " USING " + sourceSQL + " WHERE " + on + " RETURNING 1) INSERT INTO " + t.table(target))
	values := make([]string, len(target.Columns))
	columns := make([]*Column, len(target.Columns))
	for i := range target.Columns {
		columns[i] = &target.Columns[i]
		c := from.Columns[i]
		values[i] = t.assigned(value{sql: g.alias + "." + t.quote(c.Name), typ: c.Type}, columns[i].Type).sql
	}
	t.writeColumns(columns, &b)
	b.WriteString(" SELECT DISTINCT " + strings.Join(values, ", ") + " FROM " + sourceSQL)
	t.run(b.String())
}
