package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// systemColumns are names that no column may have, quoted or not: the system columns of the
// PostgreSQL that Redshift comes from.
var systemColumns = map[string]bool{
	"oid": true, "tableoid": true, "xmin": true, "cmin": true, "xmax": true, "cmax": true, "ctid": true,
}

// foldASCII makes lower case of ASCII letters and of nothing else (r_names).
func foldASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// name is an identifier as it is stored: folded, and cut without a word.
func (t *translator) name(id syntax.Ident) string {
	s := id.Text
	if !id.Quoted || !t.env.CaseSensitive {
		s = foldASCII(s)
	}
	return names.Truncate(s)
}

// optionalName is name of an identifier that need not be there.
func (t *translator) optionalName(id *syntax.Ident) string {
	if id == nil {
		return ""
	}
	return t.name(*id)
}

func (t *translator) names(ids []syntax.Ident) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = t.name(id)
	}
	return out
}

// quote writes a stored name for PostgreSQL, which has shorter ones: package names. The
// full name of one that was shortened is kept in the plan.
func (t *translator) quote(name string) string {
	return `"` + strings.ReplaceAll(t.shortName(name), `"`, `""`) + `"`
}

// quoteAll writes names with commas between them.
func (t *translator) quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = t.quote(n)
	}
	return strings.Join(out, ", ")
}

func (p *Plan) keepName(name string) {
	for _, n := range p.Names {
		if n == name {
			return
		}
	}
	p.Names = append(p.Names, name)
}

// tableName is the schema and the name of a table as it was written. A database has to be
// the session's own (a name of three parts, r_names).
func (t *translator) tableName(n syntax.Name) (schema, name string) {
	switch len(n) {
	case 3:
		if db := t.name(n[0]); db != foldASCII(t.env.Database) && db != t.env.Database {
			t.refuse(codeNotSupported, "cross-database reference to relation %q is not supported by the stand-in",
				strings.Join(t.names(n), "."))
		}
		return t.name(n[1]), t.name(n[2])
	case 2:
		return t.name(n[0]), t.name(n[1])
	default:
		return "", t.name(n.Last())
	}
}

// relation finds a table or a view, and refuses when there is none.
func (t *translator) relation(n syntax.Name) *Relation {
	schema, name := t.tableName(n)
	if t.err != nil {
		return nil
	}
	r, err := t.catalog.Relation(t.ctx, schema, name)
	if err != nil {
		t.fail(err)
		return nil
	}
	if r == nil {
		t.refuseMissing(schema, name)
	}
	return r
}

// refuseMissing says that there is no such relation, or not even its schema.
func (t *translator) refuseMissing(schema, name string) {
	if schema == "" {
		t.refuse(codeUndefinedTable, "relation %q does not exist", name)
		return
	}
	ok, err := t.catalog.Schema(t.ctx, schema)
	switch {
	case err != nil:
		t.fail(err)
	case !ok:
		t.refuse(codeInvalidSchema, "schema %q does not exist", schema)
	default:
		t.refuse(codeUndefinedTable, "relation %q does not exist", schema+"."+name)
	}
}

// table is how a relation is written for PostgreSQL.
func (t *translator) table(r *Relation) string {
	if r.Kind == TempTable {
		return "pg_temp." + t.quote(r.Name)
	}
	return t.quote(r.Schema) + "." + t.quote(r.Name)
}

// newTable is how the name of a relation that is made is written for PostgreSQL.
func (t *translator) newTable(schema, name string, temp bool) string {
	switch {
	case temp:
		return "pg_temp." + t.quote(name)
	case schema != "":
		return t.quote(schema) + "." + t.quote(name)
	default:
		return t.quote(name)
	}
}

// shortName is the form that a stored name has in PostgreSQL.
func (t *translator) shortName(name string) string {
	short := names.Short(name)
	if short != name {
		t.plan.keepName(name)
	}
	return short
}
