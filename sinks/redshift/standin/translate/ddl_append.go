package translate

import (
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// append is ALTER TABLE APPEND (r_ALTER_TABLE_APPEND): the rows of one table move to the end
// of another, and the statement commits.
func (t *translator) append(r *Relation, a *syntax.Append) {
	t.notInBlock("ALTER TABLE APPEND")
	t.plan.Commits = true
	from := t.relation(a.From)
	if from == nil {
		return
	}
	switch {
	case from.Kind != UserTable || r.Kind != UserTable:
		t.refuse(codeNotSupported, "ALTER TABLE APPEND is only supported between permanent tables")
	case from.OID == r.OID:
		t.refuse(codeNotSupported, "ALTER TABLE APPEND cannot append table %q to itself", r.Name)
	case from.DistStyle != r.DistStyle || from.DistKey != r.DistKey:
		t.refuse(codeNotSupported, "Source and target tables must have the same distribution style and distribution key")
	case !slices.Equal(from.SortKey, r.SortKey):
		t.refuse(codeNotSupported, "Source and target tables must have the same sort key")
	}
	t.locks(from)
	columns := t.appended(r, from, a.Option)
	if t.err != nil {
		return
	}
	t.check("SELECT FROM rs.relation AS s, rs.relation AS t WHERE s.relid = "+regclass(t, from)+" AND t.relid = "+regclass(t, r)+
		" AND (s.sortstyle = 'interleaved') <> (t.sortstyle = 'interleaved')",
		codeNotSupported, "Source and target tables must have the same sort style")
	list := t.quoteAll(columns)
	t.run("INSERT INTO " + t.table(r) + " (" + list + ") SELECT " + list + " FROM " + t.table(from))
	t.run("DELETE FROM " + t.table(from))
}

// appended are the columns that both tables have. The others need an option: IGNOREEXTRA
// drops those of the source, FILLTARGET fills those of the target.
func (t *translator) appended(r, from *Relation, option string) []string {
	var both []string
	for i := range from.Columns {
		s := &from.Columns[i]
		c := r.column(s.Name)
		switch {
		case c == nil || s.Identity == "identity" && c.Identity == "":
			if option != "ignoreextra" {
				t.refuse(codeNotSupported, "Source table has column %q that target table does not have: use IGNOREEXTRA", s.Name)
			}
		case s.Identity == "identity" && c.Identity == "identity":
			t.refuse(codeNotSupported, "ALTER TABLE APPEND cannot append identity column %q", s.Name)
		case c.Identity == "identity":
			t.refuse(codeNotSupported, "Column %q is an identity in the target table only", s.Name)
		case s.Type != c.Type || s.NotNull != c.NotNull || s.Encode != c.Encode:
			t.refuse(codeNotSupported, "Column %q has different attributes in source and target table: %s and %s", s.Name, attributes(s), attributes(c))
		default:
			both = append(both, s.Name)
		}
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		if from.column(c.Name) == nil && option != "filltarget" {
			t.refuse(codeNotSupported, "Target table has column %q that source table does not have: use FILLTARGET", c.Name)
		}
	}
	if len(both) == 0 {
		t.refuse(codeNotSupported, "Source and target tables have no column in common")
	}
	return both
}

func attributes(c *Column) string {
	text := c.Type.String()
	if c.NotNull {
		text += " NOT NULL"
	}
	return text + " ENCODE " + strings.ToUpper(c.Encode)
}
