package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// noKeyTypes are the types that neither a distribution key nor a sort key has.
var noKeyTypes = map[string]bool{typeSuper: true, typeVarbyte: true, typeGeometry: true, typeGeography: true, typeHLL: true}

// distribution checks and keeps the distribution style and key, the sort key, and the other
// attributes of a table.
func (t *translator) distribution(r *newRelation, like bool) {
	a := r.attributes
	if like {
		if a.DistStyle != "" || a.DistKey != nil || a.SortKey != nil {
			t.refuse(codeNotSupported, "CREATE TABLE LIKE takes no distribution style, distribution key or sort key")
		}
		return
	}
	key := t.optionalName(a.DistKey)
	style := a.DistStyle
	switch {
	case key != "" && style != "" && style != "key":
		t.refuse(codeInvalidTable, "DISTKEY is not supported with DISTSTYLE %s", strings.ToUpper(style))
	case key == "" && style == "key":
		t.refuse(codeInvalidTable, "DISTSTYLE KEY requires a DISTKEY column")
	case key != "":
		style = "key"
		t.checkKeyColumn(r.columns, key, "distribution key")
	case style == "":
		style = "auto"
	}
	oid := r.oid(t)
	r.keepMetadata("set_relation", oid, "encode_auto => "+boolSQL(a.EncodeAuto || !anyEncode(r.columns)), "backup => "+boolSQL(a.Backup != "no"))
	if key != "" {
		r.keepMetadata("set_dist", oid, literal(style), literal(t.shortName(key)))
	} else {
		r.keepMetadata("set_dist", oid, literal(style))
	}
	t.sortKey(r, oid)
}

func (t *translator) sortKey(r *newRelation, oid string) {
	k := r.attributes.SortKey
	if k == nil {
		return
	}
	args := t.checkSortKey(r.columns, k)
	r.keepMetadata("set_sort", append([]string{oid}, args...)...)
}

// checkSortKey checks a sort key, and gives the arguments for keeping it.
func (t *translator) checkSortKey(columns []Column, k *syntax.SortKey) []string {
	kind := k.Kind
	if kind == "" {
		kind = "compound"
	}
	switch {
	case (kind == "auto" || kind == "none") && len(k.Columns) > 0:
		t.refuse(codeSyntax, `syntax error at or near "("`)
	case kind == "interleaved" && len(k.Columns) > maxInterleaved:
		t.refuse("54011", "an interleaved sort key can have at most %d columns", maxInterleaved)
	case len(k.Columns) > maxSortKey:
		t.refuse("54011", "a sort key can have at most %d columns", maxSortKey)
	}
	var short []string
	seen := map[string]bool{}
	for _, name := range t.names(k.Columns) {
		if seen[name] {
			t.refuse(codeDuplicateColumn, "column %q appears twice in the sort key", name)
		}
		seen[name] = true
		t.checkKeyColumn(columns, name, "sort key")
		short = append(short, literal(t.shortName(name)))
	}
	if short == nil {
		return []string{literal(kind)}
	}
	// As one array: PostgreSQL passes at most 100 arguments.
	return []string{literal(kind), "VARIADIC " + textArray(short)}
}

// checkKeyColumn refuses a key's column that is not there, or whose type keys have not.
func (t *translator) checkKeyColumn(columns []Column, name, what string) {
	for _, c := range columns {
		if c.Name != name {
			continue
		}
		if noKeyTypes[c.Type.Name] {
			t.refuse(codeNotSupported, "column %q of type %s cannot be a %s", name, c.Type.Name, what)
		}
		return
	}
	t.refuse(codeUndefinedColumn, "column %q named in %s does not exist", name, what)
}

// keys gathers what columns say of keys into the table's attributes.
func (t *translator) keys(r *newRelation, st *syntax.CreateTable) {
	var sort []syntax.Ident
	for i := range st.Columns {
		d := &st.Columns[i]
		if d.DistKey {
			if r.attributes.DistKey != nil {
				t.refuse(codeInvalidTable, "cannot specify more than one DISTKEY")
			}
			r.attributes.DistKey = &d.Name
		}
		if d.SortKey {
			sort = append(sort, d.Name)
		}
	}
	if len(sort) == 0 {
		return
	}
	if len(sort) > 1 || r.attributes.SortKey != nil {
		t.refuse(codeInvalidTable, "cannot specify more than one SORTKEY")
	}
	r.attributes.SortKey = &syntax.SortKey{Columns: sort}
}

// constraints keeps the keys that nobody enforces.
func (t *translator) constraints(r *newRelation, st *syntax.CreateTable) {
	list := append([]syntax.Constraint(nil), st.Constraints...)
	for _, d := range st.Columns {
		column := []syntax.Ident{d.Name}
		if d.PrimaryKey {
			list = append(list, syntax.Constraint{Kind: "primary key", Columns: column})
		}
		if d.Unique {
			list = append(list, syntax.Constraint{Kind: "unique", Columns: column})
		}
		if d.References != nil {
			list = append(list, syntax.Constraint{Kind: "foreign key", Columns: column, References: d.References})
		}
	}
	primary := 0
	for _, c := range list {
		if c.Kind == "primary key" {
			primary++
		}
		if call := t.constraint(r.oid(t), r.name, r.columns, c); call != nil {
			r.keepMetadata("add_key", call...)
		}
	}
	if primary > 1 {
		t.refuse(codeInvalidTable, "multiple primary keys for table %q are not allowed", r.name)
	}
}

// constraint checks a key, and gives the arguments for keeping it.
func (t *translator) constraint(oid, table string, columns []Column, c syntax.Constraint) []string {
	names := t.names(c.Columns)
	short := make([]string, len(names))
	seen := map[string]bool{}
	for i, n := range names {
		if !hasColumn(columns, n) {
			t.refuse(codeUndefinedColumn, "column %q named in key does not exist", n)
		}
		if seen[n] {
			t.refuse(codeDuplicateColumn, "column %q appears twice in %s constraint", n, c.Kind)
		}
		for _, column := range columns {
			if column.Name == n && (column.Type.Name == typeSuper || column.Type.Name == typeHLL) {
				t.refuse(codeNotSupported, "column %q of type %s cannot be part of a %s constraint", n, column.Type.Name, c.Kind)
			}
		}
		seen[n] = true
		short[i] = literal(t.shortName(n))
	}
	name := "NULL"
	if c.Name != nil {
		name = literal(t.shortName(t.name(*c.Name)))
	}
	args := []string{oid, name, literal(map[string]string{"primary key": "p", "unique": "u", "foreign key": "f"}[c.Kind]),
		"ARRAY[" + strings.Join(short, ", ") + "]::text[]"}
	if c.Kind != "foreign key" || c.References == nil {
		return args
	}
	ref, refColumns := t.references(oid, table, columns, len(names), c.References)
	return append(args, ref, refColumns)
}

// references is the table and the columns that a foreign key refers to. It may be the table
// that is being made.
func (t *translator) references(oid, table string, own []Column, n int, ref *syntax.Reference) (refOID, columns string) {
	_, name := t.tableName(ref.Table)
	if name == table && len(ref.Table) == 1 {
		refOID = oid
	} else {
		r := t.relation(ref.Table)
		if r == nil {
			return "", ""
		}
		if r.Kind != UserTable && r.Kind != TempTable {
			t.refuse(codeWrongObject, "referenced relation %q is not a table", r.Name)
		}
		own, refOID = r.Columns, literal(t.table(r))+"::regclass"
		if len(ref.Columns) == 0 && !hasKey(r) {
			t.refuse(codeUndefinedObject, "there is no primary key for referenced table %q", r.Name)
		}
	}
	if len(ref.Columns) == 0 {
		return refOID, "NULL"
	}
	if len(ref.Columns) != n {
		t.refuse("42830", "number of referencing and referenced columns for foreign key disagree")
	}
	short := make([]string, len(ref.Columns))
	for i, c := range t.names(ref.Columns) {
		if !hasColumn(own, c) {
			t.refuse(codeUndefinedColumn, "column %q referenced in foreign key constraint does not exist", c)
		}
		short[i] = literal(t.shortName(c))
	}
	return refOID, "ARRAY[" + strings.Join(short, ", ") + "]::text[]"
}

func hasKey(r *Relation) bool {
	for _, c := range r.Columns {
		if c.Key {
			return true
		}
	}
	return false
}

func hasColumn(columns []Column, name string) bool {
	for _, c := range columns {
		if c.Name == name {
			return true
		}
	}
	return false
}

func anyEncode(columns []Column) bool {
	for _, c := range columns {
		if c.Encode != "" {
			return true
		}
	}
	return false
}

func boolSQL(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}
