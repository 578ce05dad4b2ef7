package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// analyze is ANALYZE, which changes nothing that can be asked for, and ANALYZE COMPRESSION
// (r_ANALYZE, r_ANALYZE_COMPRESSION).
func (t *translator) analyze(st *syntax.Analyze) {
	t.plan.Tag = "ANALYZE"
	if st.Table == nil {
		if st.Compression {
			t.encodings("NOT r.temporary")
		}
		return
	}
	r := t.ownTable(st.Table)
	if r == nil {
		return
	}
	seen := map[string]bool{}
	for _, name := range t.names(st.Columns) {
		switch {
		case t.ownColumn(r, name) == nil:
		case seen[name]:
			t.refuse(codeDuplicateColumn, "column %q specified more than once", name)
		}
		seen[name] = true
	}
	if !st.Compression {
		t.reads(r)
		return
	}
	t.locks(r)
	list := "NULL::text[]"
	if len(st.Columns) > 0 {
		short := make([]string, len(st.Columns))
		for i, name := range t.names(st.Columns) {
			short[i] = literal(t.shortName(name))
		}
		list = textArray(short)
	}
	t.encodings("r.relid = " + regclass(t, r) + " AND (" + list + " IS NULL OR c.short_name = ANY (" + list + "))")
}

// encodings asks for the encodings that ANALYZE COMPRESSION would choose for the columns of
// tables: those that a new column has.
func (t *translator) encodings(where string) {
	t.plan.Query = true
	t.run(`SELECT CAST(r.name AS varchar(256)) AS "Table", CAST(c.name AS varchar(256)) AS "Column",` +
		` CAST(rs.default_encode(c.atttypid, c.sortkey) AS varchar(256)) AS "Encoding", CAST(0.00 AS numeric(5,2)) AS "Est_reduction_pct"` +
		` FROM rs.relations AS r JOIN rs.columns AS c ON c.relid = r.relid WHERE r.kind = 'table' AND ` + where +
		` ORDER BY r.schema_name, r.name, c.ordinal`)
}
