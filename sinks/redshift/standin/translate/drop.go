package translate

import (
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// kindNames are what DROP calls the kinds of relations.
var kindNames = map[Kind]string{
	UserTable: "table", TempTable: "table", View: "view", LateBindingView: "view", MaterializedView: "materialized view",
}

// drop is DROP of anything but users, groups and roles.
func (t *translator) drop(st *syntax.Drop) {
	t.plan.Tag = "DROP " + strings.ToUpper(st.Kind)
	switch st.Kind {
	case "table", "view", "materialized view":
		t.dropRelations(st)
	case "schema":
		t.dropSchemas(st)
	default:
		t.dropOther(st)
	}
}

func cascade(yes bool) string {
	if yes {
		return " CASCADE"
	}
	return ""
}

func (t *translator) dropRelations(st *syntax.Drop) {
	for _, n := range st.Names {
		schema, name := t.tableName(n)
		if t.err != nil {
			return
		}
		r, err := t.catalog.Relation(t.ctx, schema, name)
		switch {
		case err != nil:
			t.fail(err)
			return
		case r == nil && st.IfExists:
			t.notice("%s %q does not exist, skipping", strings.ToUpper(st.Kind[:1])+st.Kind[1:], name)
			continue
		case r == nil:
			t.refuse(codeUndefinedTable, "%s %q does not exist", strings.ToUpper(st.Kind[:1])+st.Kind[1:], name)
			return
		case kindNames[r.Kind] != st.Kind:
			t.refuse(codeWrongObject, "%q is not a %s", name, st.Kind)
			return
		}
		if st.Cascade {
			t.dropsDependents(r, "")
		} else if st.Kind == "table" {
			t.noReferences(r)
		}
		t.drops(r.target())
		t.run("DROP " + strings.ToUpper(st.Kind) + " " + t.table(r) + cascade(st.Cascade))
	}
}

// noReferences refuses to drop a table that a foreign key of another refers to
// (r_DROP_TABLE). What the statement has dropped before refers to nothing.
func (t *translator) noReferences(r *Relation) {
	gone := strconv.FormatUint(uint64(r.OID), 10)
	for _, x := range t.plan.Drops {
		gone += ", " + strconv.FormatUint(uint64(x.OID), 10)
	}
	t.check("SELECT FROM rs.key_constraint WHERE refrelid = "+regclass(t, r)+" AND relid NOT IN ("+gone+")",
		codeDependents, "cannot drop table %s because other objects depend on it", r.Name)
	t.plan.Checks[len(t.plan.Checks)-1].Error.Hint = dropCascadeHint
}

func (t *translator) dropSchemas(st *syntax.Drop) {
	for _, n := range st.Names {
		name := t.name(n.Last())
		ok, err := t.catalog.Schema(t.ctx, name)
		switch {
		case err != nil:
			t.fail(err)
			return
		case !ok && st.IfExists:
			t.notice("Schema %q does not exist, skipping", name)
			continue
		case !ok:
			t.refuse(codeInvalidSchema, "schema %q does not exist", name)
			return
		}
		if st.Cascade {
			t.dropsContents(name)
		}
		t.run("DROP SCHEMA " + t.quote(name) + cascade(st.Cascade))
	}
}

// dropsContents drops what is in a schema, and the views of others that use it.
func (t *translator) dropsContents(schema string) {
	all, err := t.catalog.Contents(t.ctx, schema)
	if err != nil {
		t.fail(err)
	}
	for _, x := range all {
		t.drops(x)
		views, err := t.catalog.Dependents(t.ctx, x.OID, "")
		if err != nil {
			t.fail(err)
		}
		for _, v := range views {
			t.drops(v)
		}
	}
}

// dropOther is DROP of policies and routines, and of what the stand-in has none of.
func (t *translator) dropOther(st *syntax.Drop) {
	switch st.Kind {
	case "rls policy", "masking policy":
		t.dropPolicy(st)
	case "function", "procedure":
		t.dropRoutine(st)
	default:
		t.dropAbsent(st)
	}
}

// dropAbsent is DROP of what nobody can have made here.
func (t *translator) dropAbsent(st *syntax.Drop) {
	for _, n := range st.Names {
		name := strings.Join(t.names(n), ".")
		if st.IfExists {
			t.notice("%s %s does not exist, skipping", st.Kind, name)
			continue
		}
		t.refuse(codeUndefinedObject, "%s %s does not exist", st.Kind, name)
	}
}
