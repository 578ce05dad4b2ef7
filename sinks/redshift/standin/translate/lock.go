package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// lock is LOCK (dg/r_LOCK): the server's locks do it all, and PostgreSQL hears nothing.
func (t *translator) lock(st *syntax.Lock) {
	for _, name := range st.Tables {
		if r := t.ownTable(name); r != nil {
			t.locks(r)
		}
	}
	t.plan.Tag = "LOCK TABLE"
}

// vacuum is VACUUM, which changes nothing that can be asked for.
func (t *translator) vacuum(st *syntax.Vacuum) {
	t.plan.Tag = "VACUUM"
	t.notInBlock("VACUUM")
	if p := st.Percent; p != nil && (*p < 0 || *p > 100) {
		t.refuse(codeInvalidParameter, "the threshold of VACUUM must be between 0 and 100 percent")
	}
	if st.Table != nil {
		if r := t.ownTable(st.Table); r != nil {
			t.reads(r)
		}
	}
}

// ownTable is a table that a user made; views and system tables are none.
func (t *translator) ownTable(name syntax.Name) *Relation {
	r := t.relation(name)
	if r != nil && r.Kind != UserTable && r.Kind != TempTable {
		t.refuse(codeWrongObject, "%q is not a table", r.Name)
		return nil
	}
	return r
}
