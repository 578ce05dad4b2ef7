package translate

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// codeDependents is of what cannot be dropped because others need it.
const codeDependents = "2BP01"

const dropCascadeHint = "Use DROP ... CASCADE to drop the dependent objects too."

// alterTable is ALTER TABLE (r_ALTER_TABLE).
func (t *translator) alterTable(st *syntax.AlterTable) {
	t.plan.Tag = "ALTER TABLE"
	schema, name := t.tableName(st.Name)
	if _, _, ok := t.systemRelation(schema, name); ok {
		t.refuse("42501", "permission denied: %q is a system catalog", name)
		return
	}
	r := t.relation(st.Name)
	if r == nil {
		return
	}
	t.locks(r)
	encoded := map[string]bool{}
	for _, a := range st.Actions {
		if e, ok := a.(*syntax.AlterEncode); ok {
			column := t.name(e.Column)
			if encoded[column] {
				t.refuse(codeNotSupported, "column %q is altered more than once in one command", column)
			}
			encoded[column] = true
		}
		if !t.altersKind(r, a) {
			return
		}
		t.alterAction(r, a)
	}
}

// altersKind refuses the actions that a view does not take: it may be renamed, be given to
// another owner, and have row-level security.
func (t *translator) altersKind(r *Relation, a syntax.AlterAction) bool {
	if r.Kind == UserTable || r.Kind == TempTable {
		return true
	}
	switch a.(type) {
	case *syntax.RenameTo:
		if r.Kind == MaterializedView {
			t.refuse(codeNotSupported, "a materialized view cannot be renamed")
			return false
		}
		return true
	case *syntax.OwnerTo, *syntax.RowLevelSecurity:
		return true
	case *syntax.AlterDistKey, *syntax.AlterDistStyle, *syntax.AlterSortKey:
		if r.Kind == MaterializedView {
			return true
		}
	}
	t.refuse(codeWrongObject, "%q is not a table", r.Name)
	return false
}

func (t *translator) alterAction(r *Relation, a syntax.AlterAction) {
	switch a := a.(type) {
	case *syntax.AddColumn:
		t.addColumn(r, a.Column)
	case *syntax.DropColumn:
		t.dropColumn(r, a)
	case *syntax.AddConstraint:
		t.addConstraint(r, a.Constraint)
	case *syntax.DropConstraint:
		t.dropConstraint(r, a)
	case *syntax.RenameTo:
		t.renameTo(r, a.Name)
	case *syntax.RenameColumn:
		t.renameColumn(r, a)
	case *syntax.OwnerTo:
		t.run(t.alter(r) + " OWNER TO " + t.quote(t.needPrincipal("user", t.userName(a.Owner))))
	case *syntax.Append:
		t.append(r, a)
	case *syntax.RowLevelSecurity:
		t.rowLevelSecurity(r, a)
	case *syntax.AlterExternal:
		t.refuse(codeWrongObject, "%q is not an external table", r.Name)
	default:
		t.alterColumn(r, a)
	}
}

// alterColumn is what begins with ALTER within ALTER TABLE.
func (t *translator) alterColumn(r *Relation, a syntax.AlterAction) {
	switch a := a.(type) {
	case *syntax.AlterType:
		t.alterType(r, a)
	case *syntax.AlterNotNull:
		t.refuse(codeNotSupported, "ALTER COLUMN %s NOT NULL is not supported", map[bool]string{false: "SET", true: "DROP"}[a.Drop])
	case *syntax.AlterDefault:
		t.refuse(codeNotSupported, "ALTER COLUMN %s DEFAULT is not supported", map[bool]string{false: "SET", true: "DROP"}[a.Value == nil])
	case *syntax.AlterEncode:
		t.alterEncode(r, a)
	case *syntax.AlterEncodeAuto:
		t.metadata("set_relation", regclass(t, r), "encode_auto => TRUE")
	case *syntax.AlterDistKey:
		t.alterDistKey(r, t.name(a.Column))
	case *syntax.AlterDistStyle:
		t.alterDistStyle(r, a.Style)
	case *syntax.AlterSortKey:
		t.alterSortKey(r, &a.SortKey)
	default:
		t.fail(unknownToStandin("this action of ALTER TABLE"))
	}
}

// alter begins a statement of PostgreSQL's that changes a relation.
func (t *translator) alter(r *Relation) string {
	return "ALTER " + t.relationWord(r) + " " + t.table(r)
}

// regclass is a relation's OID for the functions that keep what PostgreSQL does not know.
func regclass(t *translator, r *Relation) string { return literal(t.table(r)) + "::regclass" }

// metadata runs a function of the schema rs.
func (t *translator) metadata(function string, args ...string) {
	t.run("SELECT rs." + function + "(" + strings.Join(args, ", ") + ")")
}

// check has a statement fail if a query gives a row.
func (t *translator) check(sql, code, format string, args ...any) {
	t.plan.Checks = append(t.plan.Checks, Check{SQL: sql, Error: *refusal(code, format, args...)})
}

// ownColumn is a column of a table, or the error that there is none.
func (t *translator) ownColumn(r *Relation, name string) *Column {
	c := r.column(name)
	if c == nil {
		t.refuse(codeUndefinedColumn, "column %q of relation %q does not exist", name, r.Name)
	}
	return c
}

// addColumn is ADD COLUMN.
func (t *translator) addColumn(r *Relation, d syntax.ColumnDef) {
	t.unaddable(d)
	c := t.newColumn(r.Name, d)
	switch {
	case t.err != nil:
		return
	case systemColumns[c.Name]:
		t.refuse(codeDuplicateColumn, "column name %q conflicts with a system column name", c.Name)
	case r.column(c.Name) != nil:
		t.refuse(codeDuplicateColumn, "column %q of relation %q already exists", c.Name, r.Name)
	case len(r.Columns) >= maxColumns:
		t.refuse(codeTooManyColumns, "tables can have at most %d columns", maxColumns)
	}
	_, null := d.Default.(*syntax.Null)
	if d.NotNull && (d.Default == nil || null) {
		t.refuse(codeNotSupported, "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")
	}
	sql := t.alter(r) + " ADD COLUMN " + t.quote(c.Name) + " " + c.Type.postgres()
	if d.NotNull {
		sql += " NOT NULL"
	}
	if d.Default != nil {
		sql += " DEFAULT " + t.defaultSQL(c, d.Default)
	}
	t.run(sql)
	name := literal(t.shortName(c.Name))
	if d.Default != nil {
		t.metadata("set_default", regclass(t, r), name, literal(d.DefaultSQL))
	}
	if c.Encode != "" {
		t.metadata("add_encode", regclass(t, r), name, literal(c.Encode))
	}
	if d.Collate != "" {
		t.metadata("set_collation", regclass(t, r), name, literal(collations[d.Collate]))
	}
}

// unaddable refuses what a column has from the beginning or never.
func (t *translator) unaddable(d syntax.ColumnDef) {
	what := ""
	switch {
	case d.Identity != nil:
		what = "IDENTITY"
	case d.PrimaryKey:
		what = "PRIMARY KEY"
	case d.Unique:
		what = "UNIQUE"
	case d.References != nil:
		what = "REFERENCES"
	case d.DistKey:
		what = "DISTKEY"
	case d.SortKey:
		what = "SORTKEY"
	default:
		return
	}
	t.refuse(codeNotSupported, "ALTER TABLE ADD COLUMN with %s is not supported", what)
}

// dropColumn is DROP COLUMN. Views and keys keep a column, unless they go with it.
func (t *translator) dropColumn(r *Relation, a *syntax.DropColumn) {
	name := t.name(a.Column)
	if t.ownColumn(r, name) == nil {
		return
	}
	switch {
	case r.DistKey == name:
		t.refuse(codeNotSupported, "cannot drop distkey column %q", name)
	case contains(r.SortKey, name):
		t.refuse(codeNotSupported, "cannot drop sortkey column %q", name)
	case len(r.Columns) == 1:
		t.refuse(codeNotSupported, "cannot drop column %q: a table must have at least one column", name)
	}
	if t.err != nil {
		return
	}
	if !a.Cascade {
		t.noDependents(r, name)
		key := regclass(t, r)
		t.check("SELECT FROM rs.key_constraint AS k, rs.attnum("+key+", "+literal(t.shortName(name))+") AS n WHERE k.relid = "+key+
			" AND n = ANY (k.attnums) OR k.refrelid = "+key+" AND n = ANY (k.refattnums)",
			codeDependents, "cannot drop table %s column %s because other objects depend on it", r.Name, name)
	} else {
		t.dropsDependents(r, name)
	}
	t.run(t.alter(r) + " DROP COLUMN " + t.quote(name) + cascade(a.Cascade))
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// noDependents refuses to drop what views stand on.
func (t *translator) noDependents(r *Relation, column string) {
	views, err := t.catalog.Dependents(t.ctx, r.OID, column)
	switch {
	case err != nil:
		t.fail(err)
	case len(views) > 0:
		what := kindNames[r.Kind] + " " + r.Name
		if column != "" {
			what += " column " + column
		}
		e := refusal(codeDependents, "cannot drop %s because other objects depend on it", what)
		e.Hint = dropCascadeHint
		t.fail(e)
	}
}

// dropsDependents drops the views that go with what they stand on, and tells the client.
func (t *translator) dropsDependents(r *Relation, column string) {
	views, err := t.catalog.Dependents(t.ctx, r.OID, column)
	if err != nil {
		t.fail(err)
	}
	for _, v := range views {
		t.notice("drop cascades to view %s", v.Name)
		t.drops(v)
	}
}

// drops notes a relation that the statement takes away, and has for itself until then.
func (t *translator) drops(x Target) {
	for _, y := range t.plan.Drops {
		if x.OID == y.OID {
			return
		}
	}
	t.plan.Locks = append(t.plan.Locks, Lock{Target: x, Exclusive: true})
	t.plan.Drops = append(t.plan.Drops, x)
}

// addConstraint is ADD of a key. A primary key is of columns that were made NOT NULL.
func (t *translator) addConstraint(r *Relation, c syntax.Constraint) {
	args := t.constraint(regclass(t, r), r.Name, r.Columns, c)
	if t.err != nil {
		return
	}
	if c.Kind == "primary key" {
		for _, name := range t.names(c.Columns) {
			if !r.column(name).NotNull {
				t.refuse(codeInvalidTable, "ALTER TABLE ADD PRIMARY KEY is not supported for nullable column %q", name)
			}
		}
	}
	t.metadata("add_key", args...)
}

// dropConstraint is DROP CONSTRAINT. A foreign key needs the key that it refers to.
func (t *translator) dropConstraint(r *Relation, a *syntax.DropConstraint) {
	name := t.name(a.Name)
	args := []string{regclass(t, r), literal(t.shortName(name))}
	if a.Cascade {
		t.metadata("drop_references", args...)
	} else {
		t.check("SELECT FROM rs.references_to("+strings.Join(args, ", ")+")", codeDependents,
			"cannot drop constraint %s on table %s because other objects depend on it", name, r.Name)
	}
	t.metadata("drop_key", args...)
}

// renameTo is RENAME TO. The name is free of a schema: a table stays where it is.
func (t *translator) renameTo(r *Relation, to syntax.Ident) {
	name := t.name(to)
	if strings.HasPrefix(name, "#") && r.Kind != TempTable {
		t.refuse(codeNotSupported, "cannot rename permanent table %q to a name that begins with #", r.Name)
		return
	}
	schema := r.Schema
	if r.Kind == TempTable {
		schema = ""
	}
	other, err := t.catalog.Relation(t.ctx, schema, name)
	switch {
	case err != nil:
		t.fail(err)
	case other != nil && other.Kind != SystemView && (r.Kind == TempTable) == (other.Kind == TempTable):
		t.refuse(codeDuplicateTable, "relation %q already exists", name)
	}
	t.run(t.alter(r) + " RENAME TO " + t.quote(name))
}

// renameColumn is RENAME COLUMN.
func (t *translator) renameColumn(r *Relation, a *syntax.RenameColumn) {
	from, to := t.name(a.From), t.name(a.To)
	switch {
	case t.ownColumn(r, from) == nil:
		return
	case systemColumns[to]:
		t.refuse(codeDuplicateColumn, "column name %q conflicts with a system column name", to)
	case r.column(to) != nil:
		t.refuse(codeDuplicateColumn, "column %q of relation %q already exists", to, r.Name)
	}
	t.run(t.alter(r) + " RENAME COLUMN " + t.quote(from) + " TO " + t.quote(to))
}

// fixedEncodings are those whose columns keep their type.
var fixedEncodings = map[string]bool{"bytedict": true, "runlength": true, "text255": true, "text32k": true}

// alterType is ALTER COLUMN … TYPE, which only changes the size of a VARCHAR.
func (t *translator) alterType(r *Relation, a *syntax.AlterType) {
	t.notInBlock("ALTER TABLE ALTER COLUMN")
	name := t.name(a.Column)
	c := t.ownColumn(r, name)
	if c == nil {
		return
	}
	if a.Using != nil {
		t.refuse(codeNotSupported, "ALTER COLUMN TYPE with USING is not supported")
		return
	}
	ty := t.columnType(r.Name+"."+name, a.Type)
	switch {
	case t.err != nil:
		return
	case c.Type.Name != typeVarchar || ty.Name != typeVarchar:
		t.refuse(codeNotSupported, "ALTER COLUMN TYPE from %s to %s is not supported: only the size of a VARCHAR column can change", c.Type, ty)
	case c.Type.Length == ty.Length:
		t.refuse(codeNotSupported, "target column size should be different")
	case fixedEncodings[c.Encode]:
		t.refuse(codeNotSupported, "cannot alter the size of column %q with encoding %s", name, c.Encode)
	case c.HasDefault && ty.Length < c.Type.Length:
		t.refuse(codeNotSupported, "cannot decrease a VARCHAR column size with default value")
	case c.HasDefault:
		t.refuse(codeNotSupported, "cannot alter a VARCHAR column size with default value")
	}
	if views, err := t.catalog.Dependents(t.ctx, r.OID, name); err != nil {
		t.fail(err)
	} else if len(views) > 0 {
		t.refuse(codeNotSupported, "cannot alter type of a column used by a view or rule")
	}
	key, column := regclass(t, r), t.quote(name)
	t.check("SELECT FROM rs.key_constraint AS k, rs.attnum("+key+", "+literal(t.shortName(name))+") AS n WHERE k.relid = "+key+
		" AND n = ANY (k.attnums) OR k.refrelid = "+key+" AND n = ANY (k.refattnums)",
		codeNotSupported, "cannot alter type of column %q with a UNIQUE, PRIMARY KEY or FOREIGN KEY constraint", name)
	if ty.Length < c.Type.Length {
		t.check(fmt.Sprintf("SELECT FROM %s WHERE octet_length(%s) > %d LIMIT 1", t.table(r), column, ty.Length),
			codeNotSupported, "cannot decrease the size of column %q below the longest of its values", name)
	}
	t.run(t.alter(r) + " ALTER COLUMN " + column + " TYPE " + ty.postgres())
}

// alterEncode is ALTER COLUMN … ENCODE.
func (t *translator) alterEncode(r *Relation, a *syntax.AlterEncode) {
	name := t.name(a.Column)
	c := t.ownColumn(r, name)
	if c == nil {
		return
	}
	encode := a.Encode
	if encode == "none" {
		encode = "raw"
	}
	switch {
	case encode == "auto":
		t.refuse(codeNotSupported, "ENCODE AUTO is of a table: use ALTER ENCODE AUTO")
	case !encodes(encode, c.Type):
		t.refuse(codeNotSupported, "invalid encoding type specified for column %q", name)
	}
	key, column := regclass(t, r), literal(t.shortName(name))
	t.check("SELECT FROM rs.attribute WHERE relid = "+key+" AND attnum = rs.attnum("+key+", "+column+") AND encode = "+literal(encode),
		codeNotSupported, "column %q already has encoding %s", name, encode)
	t.notInterleaved(r, "ALTER COLUMN ENCODE")
	t.metadata("set_encode", key, column, literal(encode))
}

// notInterleaved refuses what a table with an interleaved sort key does not take.
func (t *translator) notInterleaved(r *Relation, what string) {
	t.check("SELECT FROM rs.relation WHERE sortstyle = 'interleaved' AND relid = "+regclass(t, r), codeNotSupported,
		"%s is not supported for table %q with an interleaved sort key", what, r.Name)
}

func (t *translator) alterDistKey(r *Relation, column string) {
	t.checkKeyColumn(r.Columns, column, "distribution key")
	t.notInterleaved(r, "ALTER DISTKEY")
	t.metadata("set_dist", regclass(t, r), literal("key"), literal(t.shortName(column)))
}

func (t *translator) alterDistStyle(r *Relation, style string) {
	if r.Kind == TempTable && style != "auto" {
		t.refuse(codeNotSupported, "ALTER DISTSTYLE is not supported for temporary table %q", r.Name)
	}
	t.notInterleaved(r, "ALTER DISTSTYLE")
	t.metadata("set_dist", regclass(t, r), literal(style))
}

// alterSortKey is ALTER SORTKEY. AUTO keeps the columns that are sorted by.
func (t *translator) alterSortKey(r *Relation, k *syntax.SortKey) {
	if k.Kind == "interleaved" {
		t.refuse(codeNotSupported, "ALTER to an interleaved sort key is not supported")
		return
	}
	args := t.checkSortKey(r.Columns, k)
	if k.Kind == "auto" {
		t.metadata("set_relation", regclass(t, r), "sortstyle => 'auto'")
		return
	}
	t.metadata("set_sort", append([]string{regclass(t, r)}, args...)...)
}
