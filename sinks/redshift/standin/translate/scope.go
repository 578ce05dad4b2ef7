package translate

import (
	"context"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// translator translates one statement.
type translator struct {
	ctx     context.Context
	text    *syntax.Text
	env     *Env
	catalog Catalog
	plan    *Plan
	err     error
	// aliases numbers the names that are made for what has none.
	aliases int
	// computes tells that the compute nodes have a part: a user's table is read or written
	// by a query. leader are the functions and relations that only the leader node has.
	computes bool
	// systems tells that a system table is read, by the compute nodes too, and catalogs are the
	// leader node's relations that go with it, though not with a user's table.
	systems  bool
	catalogs []string
	// computeOnly are functions of the compute nodes; correlation is a reference to an outer
	// query that they have no plan for.
	computeOnly []string
	correlation bool
	leader      []string
	functions   map[string]function
	// wholeSuper says that a SUPER value may not be navigated, as in MERGE.
	wholeSuper bool
	// volatile tells that a part of the answer is the server's, as it is now.
	volatile bool
	// depth is of late-binding views that stand on one another.
	depth int
	// params are the arguments of the function whose body is translated; nil = of none.
	params []Type
}

// value is an expression's translation.
type value struct {
	sql string
	typ Type // its zero is an unknown one: of a parameter, or a string without a type
	// label is the name of its column if the statement gives it none.
	label string
}

func (v value) typeName() string {
	if v.typ.Name == "" {
		return typeUnknown
	}
	return v.typ.Name
}

// output is a column of a source, or of a query's result.
type output struct {
	name string
	typ  Type
}

// source is an element of FROM: what its names are, and what it is called in the
// translation.
type source struct {
	schema, name string
	alias        string // PostgreSQL's, quoted
	columns      []output
	// open says that the columns are not known: any may be there.
	open bool
	// element says that the name alone is a value: an element of an array of a SUPER.
	element bool
}

func (s *source) column(name string) (output, bool) {
	for _, c := range s.columns {
		if c.name == name {
			return c, true
		}
	}
	return output{}, false
}

// scope is what names mean in a query, and in those around it.
type scope struct {
	parent  *scope
	sources []*source
	ctes    map[string]*cte
	// labels are the select list's, for expressions that refer to an earlier one
	// (r_SELECT_list: lateral references to aliases).
	labels map[string]value
	// block numbers the query blocks from the outermost in, and correlated says that a
	// reference goes out of this one.
	block      int
	correlated bool
	// list says that the block's result is in the place of IN's list.
	list bool
	// outerOn is set within the condition of an outer join.
	outerOn bool
	// prior is PostgreSQL's name of the level above, within CONNECT BY.
	prior string
	// star are the columns of *, in their order.
	star []value
}

// cte is a common table expression.
type cte struct {
	alias   string
	columns []output
	open    bool
}

// child is the scope of a query within this one.
func (s *scope) child() *scope {
	if s == nil {
		return &scope{}
	}
	return &scope{parent: s, block: s.block + 1}
}

// same is a scope of the same query block.
func (s *scope) same() *scope { return &scope{parent: s, block: s.block} }

// cte finds a common table expression.
func (s *scope) cte(name string) *cte {
	for ; s != nil; s = s.parent {
		if c := s.ctes[name]; c != nil {
			return c
		}
	}
	return nil
}

// source finds an element of FROM of this query by its name.
func (s *scope) source(schema, name string) *source {
	for _, f := range s.sources {
		if f.name == name && (schema == "" || schema == f.schema) {
			return f
		}
	}
	return nil
}

// twice tells whether two elements of FROM, of two schemas, have one name.
func (s *scope) twice(name string) bool {
	n := 0
	for _, f := range s.sources {
		if f.name == name {
			n++
		}
	}
	return n > 1
}

// add adds an element of FROM.
func (t *translator) add(s *scope, f *source) {
	if f.name != "" {
		if other := s.source("", f.name); other != nil {
			if other.schema == f.schema {
				t.refuse(codeDuplicateAlias, "table name %q specified more than once", f.name)
			}
			f.alias = ""
		}
	}
	if f.alias == "" {
		f.alias = t.newAlias()
	}
	s.sources = append(s.sources, f)
}

// newAlias makes a name for what has none.
func (t *translator) newAlias() string {
	t.aliases++
	return `"unnamed_` + strconv.Itoa(t.aliases) + `"`
}

// ref translates a reference: to a column, to an alias of the select list, or into a SUPER.
func (t *translator) ref(s *scope, r *syntax.Ref) value {
	if r.Outer {
		t.refuse(codeNotSupported, "the outer join operator (+) is only allowed in the conditions of WHERE that AND puts together")
		return value{}
	}
	open := false
	for at := s; at != nil; at = at.parent {
		if v, ok := t.refIn(at, r); ok {
			t.correlate(s, at)
			return v
		}
		for _, f := range at.sources {
			open = open || f.open
		}
	}
	if open {
		return t.openRef(r)
	}
	t.refuseColumn(s, r)
	return value{}
}

// refIn looks a reference up among one query's sources.
func (t *translator) refIn(s *scope, r *syntax.Ref) (value, bool) {
	first := t.name(r.First)
	fields := leadingFields(r)
	if len(fields) >= 1 {
		if v, ok := t.qualifiedRef(s, "", first, fields[0], r.Steps[1:]); ok {
			return v, true
		}
	}
	if len(fields) >= 2 {
		if v, ok := t.qualifiedRef(s, first, t.name(*fields[0]), fields[1], r.Steps[2:]); ok {
			return v, true
		}
	}
	if len(fields) >= 3 {
		if v, ok := t.qualifiedRef(s, t.name(*fields[0]), t.name(*fields[1]), fields[2], r.Steps[3:]); ok {
			return v, true
		}
	}
	for _, f := range s.sources {
		if f.element && f.name == first {
			return t.path(s, value{sql: f.alias + elementValue, typ: Type{Name: typeSuper}, label: first}, r.Steps), true
		}
		if c, ok := f.column(first); ok {
			return t.path(s, value{sql: t.bare(s, f, c.name), typ: c.typ, label: c.name}, r.Steps), true
		}
	}
	if v, ok := s.labels[first]; ok {
		return t.path(s, value{sql: "(" + v.sql + ")", typ: v.typ, label: first}, r.Steps), true
	}
	return value{}, false
}

// elementValue is the column of an element's value. It can't be the name of a user's.
const elementValue = `."~value"`

// bare writes a name that has no table before it. Of several tables it is left so, for
// PostgreSQL to find what is ambiguous, and what a join by name has once.
func (t *translator) bare(s *scope, f *source, name string) string {
	if len(s.sources) == 1 {
		return f.alias + "." + t.quote(name)
	}
	return t.quote(name)
}

// qualifiedRef is table.column with the path behind it.
func (t *translator) qualifiedRef(s *scope, schema, table string, column *syntax.Ident, rest []syntax.PathStep) (value, bool) {
	f := s.source(schema, table)
	if f == nil || f.element {
		return value{}, false
	}
	if schema == "" && s.twice(table) {
		t.refuse(codeAmbiguousAlias, "table reference %q is ambiguous", table)
		return value{}, true
	}
	name := t.name(*column)
	c, ok := f.column(name)
	if !ok && !f.open {
		return value{}, false
	}
	return t.path(s, value{sql: f.alias + "." + t.quote(name), typ: c.typ, label: name}, rest), true
}

// leadingFields are the names that follow the first before an index.
func leadingFields(r *syntax.Ref) []*syntax.Ident {
	var out []*syntax.Ident
	for _, s := range r.Steps {
		if s.Field == nil {
			break
		}
		out = append(out, s.Field)
	}
	return out
}

// openRef is a reference that PostgreSQL resolves.
func (t *translator) openRef(r *syntax.Ref) value {
	sql, label := t.quote(t.name(r.First)), t.name(r.First)
	for _, f := range leadingFields(r) {
		label = t.name(*f)
		sql += "." + t.quote(label)
	}
	return value{sql: sql, label: label}
}

// path navigates into a SUPER value (query-super.html), or takes elements of an array of
// the leader node.
func (t *translator) path(s *scope, v value, steps []syntax.PathStep) value {
	for len(steps) > 0 && steps[0].Field == nil && isArray(v.typ) {
		i := t.expr(s, steps[0].Index)
		v = value{sql: "(" + v.sql + ")[" + i.sql + "]", typ: Type{Name: strings.TrimSuffix(v.typ.Name, arraySuffix)}, label: v.label}
		steps = steps[1:]
	}
	if len(steps) > 0 && v.typ.Name != typeSuper && v.typ.Name != "" {
		t.refuse(codeMismatch, "cannot navigate into column %q of type %s", v.label, v.typ.Name)
		return v
	}
	if len(steps) > 0 && t.wholeSuper {
		t.refuse(codeNotSupported, "Partial reference of SUPER column is not supported in MERGE statement.")
	}
	for _, step := range steps {
		if step.Field != nil {
			name := t.name(*step.Field)
			v = value{sql: "rs.super_get(" + v.sql + ", CAST(" + literal(name) + " AS text))", label: name}
		} else {
			i := t.expr(nil, step.Index)
			v = value{sql: "rs.super_get(" + v.sql + ", CAST(" + i.sql + " AS bigint))", label: v.label}
		}
		v.typ = Type{Name: typeSuper}
	}
	return v
}

// refuseColumn says that there is no such column, with the text of Redshift, which names
// the tables.
func (t *translator) refuseColumn(s *scope, r *syntax.Ref) {
	fields := leadingFields(r)
	if len(fields) > 0 {
		table := t.name(r.First)
		for at := s; at != nil; at = at.parent {
			if at.source("", table) != nil {
				t.refuseAt(r.First.Pos, codeUndefinedColumn, "column %s.%s does not exist", table, t.name(*fields[0]))
				return
			}
		}
		t.refuseAt(r.First.Pos, codeUndefinedTable, "relation %q does not exist", table)
		return
	}
	var in string
	if s != nil {
		for i, f := range s.sources {
			if i > 0 {
				in += ", "
			}
			if f.name == "" {
				in += "unnamed_subquery"
			}
			in += f.name
		}
	}
	if in != "" {
		in = " in " + in
	}
	t.refuseAt(r.First.Pos, codeUndefinedColumn, "column %q does not exist%s", t.name(r.First), in)
}
