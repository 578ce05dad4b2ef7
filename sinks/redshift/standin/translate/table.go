package translate

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// The bounds of a table (r_CREATE_TABLE_NEW).
const (
	maxColumns     = 1600
	maxSortKey     = 400
	maxInterleaved = 8
)

// newRelation is a table that is made.
type newRelation struct {
	schema, name string
	temp         bool
	columns      []Column
	attributes   syntax.TableAttributes
	metadata     []string
}

// startTable checks the name of a table that is made; nil = there is one already, and the
// statement wants no other.
func (t *translator) startTable(n syntax.Name, temp, ifNotExists bool) *newRelation {
	r := &newRelation{temp: temp || strings.HasPrefix(n.Last().Text, "#") && !n.Last().Quoted}
	r.schema, r.name = t.tableName(n)
	if r.temp && len(n) > 1 {
		t.refuse(codeInvalidTable, "temporary tables may not specify a schema name")
	}
	if t.err != nil {
		return nil
	}
	t.checkSchema(r.schema)
	if ifNotExists {
		old, err := t.catalog.Relation(t.ctx, r.schema, r.name)
		if err != nil {
			t.fail(err)
			return nil
		}
		if old != nil && r.temp == (old.Kind == TempTable) {
			t.notice("relation %q already exists and will be skipped", r.name)
			return nil
		}
	}
	t.plan.Creates = append(t.plan.Creates, Creation{Schema: r.schema, Name: r.name})
	return r
}

// checkSchema refuses a schema that is not there.
func (t *translator) checkSchema(name string) {
	if name == "" || t.err != nil {
		return
	}
	ok, err := t.catalog.Schema(t.ctx, name)
	switch {
	case err != nil:
		t.fail(err)
	case !ok:
		t.refuse(codeInvalidSchema, "schema %q does not exist", name)
	}
}

func (t *translator) notice(format string, args ...any) {
	n := pgconn.Notice{Severity: "NOTICE", Code: "00000", Message: fmt.Sprintf(format, args...)}
	t.plan.Notices = append(t.plan.Notices, n)
}

// oid is the new table's for the functions that keep what PostgreSQL does not know of it.
func (r *newRelation) oid(t *translator) string {
	switch {
	case r.temp:
		return literal("pg_temp."+t.quote(r.name)) + "::regclass"
	case r.schema != "":
		return literal(t.quote(r.schema)+"."+t.quote(r.name)) + "::regclass"
	}
	return "(pg_catalog.quote_ident(pg_catalog.current_schema()::text) || " + literal("."+t.quote(r.name)) + ")::regclass"
}

// keepMetadata notes a call of a function that keeps what PostgreSQL does not know of a table.
func (r *newRelation) keepMetadata(function string, args ...string) {
	r.metadata = append(r.metadata, "rs."+function+"("+strings.Join(args, ", ")+")")
}

// createTable is CREATE TABLE (r_CREATE_TABLE_NEW).
func (t *translator) createTable(st *syntax.CreateTable) {
	t.plan.Tag = "CREATE TABLE"
	r := t.startTable(st.Name, st.Temp, st.IfNotExists)
	if r == nil {
		return
	}
	r.attributes = st.Attributes
	elements := t.elements(r, st)
	t.checkColumns(r.columns)
	t.keys(r, st)
	t.constraints(r, st)
	t.distribution(r, len(st.Likes) > 0)
	if t.err != nil {
		return
	}
	word := "CREATE TABLE "
	if r.temp {
		word = "CREATE TEMPORARY TABLE "
	}
	t.run(word + t.newTable(r.schema, r.name, r.temp) + " (" + strings.Join(elements, ", ") + ")")
	t.run("SELECT " + strings.Join(r.metadata, ", "))
}

// elements are the definitions of columns, and what LIKE puts among them.
func (t *translator) elements(r *newRelation, st *syntax.CreateTable) []string {
	var out []string
	likes := st.Likes
	for i := 0; i <= len(st.Columns); i++ {
		for len(likes) > 0 && likes[0].After == i {
			out = append(out, t.likeTable(r, likes[0]))
			likes = likes[1:]
		}
		if i < len(st.Columns) {
			out = append(out, t.columnSQL(r, st.Columns[i]))
		}
	}
	return out
}

// likeTable is LIKE: the other table's columns, with NOT NULL and the attributes of
// distribution, sort key and encodings, but neither keys nor, unless said, defaults.
func (t *translator) likeTable(r *newRelation, like syntax.LikeTable) string {
	old := t.relation(like.Table)
	if old == nil {
		return ""
	}
	t.reads(old)
	for _, c := range old.Columns {
		c.HasDefault = c.HasDefault && like.IncludingDefaults
		r.columns = append(r.columns, c)
	}
	sql := "LIKE " + t.table(old)
	if like.IncludingDefaults {
		sql += " INCLUDING DEFAULTS"
		r.keepMetadata("copy_defaults", regclass(t, old), r.oid(t))
	}
	r.keepMetadata("copy_attributes", regclass(t, old), r.oid(t))
	return sql
}

// checkColumns refuses names that collide, and too many columns.
func (t *translator) checkColumns(columns []Column) {
	if len(columns) > maxColumns {
		t.refuse(codeTooManyColumns, "tables can have at most %d columns", maxColumns)
	}
	seen := map[string]bool{}
	for _, c := range columns {
		switch {
		case systemColumns[c.Name]:
			t.refuse(codeDuplicateColumn, "column name %q conflicts with a system column name", c.Name)
		case seen[c.Name]:
			t.refuse(codeDuplicateColumn, "column %q duplicated", c.Name)
		}
		seen[c.Name] = true
	}
}

// columnSQL translates a column's definition.
func (t *translator) columnSQL(r *newRelation, d syntax.ColumnDef) string {
	c := t.newColumn(r.name, d)
	if t.err != nil {
		return ""
	}
	r.columns = append(r.columns, c)
	sql := t.quote(c.Name) + " " + c.Type.postgres()
	if d.NotNull || d.PrimaryKey || d.Identity != nil {
		sql += " NOT NULL"
	}
	if d.Default != nil {
		sql += " DEFAULT " + t.defaultSQL(c, d.Default)
	}
	t.keepColumn(r, c, d)
	return sql
}

// keepColumn keeps a column's default as it was written, its encoding, collation and identity.
func (t *translator) keepColumn(r *newRelation, c Column, d syntax.ColumnDef) {
	oid, name := r.oid(t), literal(t.shortName(c.Name))
	if d.Default != nil {
		r.keepMetadata("set_default", oid, name, literal(d.DefaultSQL))
	}
	if c.Encode != "" {
		r.keepMetadata("set_encode", oid, name, literal(c.Encode))
	}
	if d.Collate != "" {
		r.keepMetadata("set_collation", oid, name, literal(collations[d.Collate]))
	}
	if d.Identity != nil {
		r.keepMetadata("set_identity", oid, name, literal(c.Identity), fmt.Sprint(d.Identity.Seed), fmt.Sprint(d.Identity.Step))
	}
}

var collations = map[string]string{
	"case_sensitive": "case_sensitive", "cs": "case_sensitive", "case_insensitive": "case_insensitive", "ci": "case_insensitive",
}

// newColumn checks a column's definition by itself.
func (t *translator) newColumn(table string, d syntax.ColumnDef) Column {
	c := Column{Name: t.name(d.Name), Encode: d.Encode, NotNull: d.NotNull || d.PrimaryKey, HasDefault: d.Default != nil}
	c.Type = t.columnType(table+"."+c.Name, d.Type)
	switch {
	case t.err != nil:
	case d.NotNull && d.Null:
		t.refuse(codeSyntax, "conflicting NULL/NOT NULL declarations for column %q of table %q", c.Name, table)
	case d.Encode != "" && !encodes(d.Encode, c.Type):
		t.refuse(codeNotSupported, "invalid encoding type specified for column %q", c.Name)
	case d.Collate != "" && !c.Type.isText():
		t.refuse(codeMismatch, "collations are not supported by type %s", c.Type.Name)
	case d.Collate != "" && collations[d.Collate] == "":
		t.refuse(codeUndefinedObject, "collation %q does not exist", d.Collate)
	}
	if d.Identity != nil {
		t.checkNewIdentity(&c, d)
	}
	return c
}

func (t *translator) checkNewIdentity(c *Column, d syntax.ColumnDef) {
	c.Identity = "identity"
	if d.Identity.ByDefault {
		c.Identity = "by default"
	}
	switch {
	case c.Type.Name != typeInteger && c.Type.Name != typeBigint:
		t.refuse(codeInvalidParameter, "identity column %q must be of type integer or bigint", c.Name)
	case d.Default != nil:
		t.refuse(codeSyntax, "both default and identity specified for column %q", c.Name)
	case d.Identity.Step == 0:
		t.refuse(codeInvalidParameter, "the step of identity column %q must not be zero", c.Name)
	case d.Null:
		t.refuse(codeSyntax, "identity column %q cannot be NULL", c.Name)
	}
}

// defaultSQL is a DEFAULT: without variables, it is of any value that the type takes.
func (t *translator) defaultSQL(c Column, e syntax.Expr) string {
	if hasSubquery(e) {
		t.refuse(codeNotSupported, "cannot use subquery in default expression")
	}
	if anyExpr(e, func(e syntax.Expr) bool { _, ok := e.(*syntax.Ref); return ok }) {
		t.refuse(codeNotSupported, "cannot use column references in default expression")
	}
	if t.aggregates(e) {
		t.refuse(codeGrouping, "cannot use aggregate function in default expression")
	}
	leader := len(t.leader)
	v := t.expr(&scope{}, e)
	t.leader = t.leader[:leader]
	return "(" + t.assigned(v, c.Type).sql + ")"
}

// encodings are the types that each encoding is of (c_Compression_encodings).
var encodings = func() map[string]map[string]bool {
	whole := typeSmallint + "," + typeInteger + "," + typeBigint + "," + typeNumeric
	times := typeDate + "," + typeTimestamp + "," + typeTimestampTZ + "," + typeTime + "," + typeTimeTZ
	texts := typeChar + "," + typeVarchar
	floats := typeReal + "," + typeDouble
	spans := typeYearMonth + "," + typeDaySecond
	out := map[string]map[string]bool{}
	for name, list := range map[string]string{
		"az64":      whole + "," + times + "," + spans,
		"bytedict":  whole + "," + floats + "," + texts + "," + times,
		"delta":     whole + "," + times,
		"delta32k":  typeInteger + "," + typeBigint + "," + typeNumeric + "," + times,
		"lzo":       whole + "," + texts + "," + times + "," + typeSuper + "," + typeVarbyte,
		"mostly8":   whole,
		"mostly16":  typeInteger + "," + typeBigint + "," + typeNumeric,
		"mostly32":  typeBigint + "," + typeNumeric,
		"runlength": whole + "," + floats + "," + texts + "," + times + "," + typeBoolean,
		"text255":   typeVarchar,
		"text32k":   typeVarchar,
		"zstd":      whole + "," + floats + "," + texts + "," + times + "," + typeBoolean + "," + typeSuper + "," + typeVarbyte + "," + spans,
	} {
		out[name] = map[string]bool{}
		for _, ty := range strings.Split(list, ",") {
			out[name][ty] = true
		}
	}
	return out
}()

// encodes tells whether an encoding is one of a type's. RAW and NONE are of all.
func encodes(encode string, ty Type) bool {
	return encode == "raw" || encode == "none" || encodings[encode][ty.Name]
}
