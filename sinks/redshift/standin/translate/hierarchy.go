package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// hierarchy translates START WITH and CONNECT BY, of one table (r_CONNECT_BY_clause).
func (t *translator) hierarchy(_ *scope, _ *syntax.Select, _ string) string {
	t.fail(unknownToStandin("CONNECT BY"))
	return ""
}

// prior is PRIOR x.
func (t *translator) prior(_ *scope, _ *syntax.Prior) value {
	t.refuse(codeSyntax, "PRIOR is only allowed in CONNECT BY")
	return value{}
}

// pivot is PIVOT and UNPIVOT (r_FROM_clause-pivot-unpivot-examples).
func (t *translator) pivot(_ *scope, _ *syntax.Pivot) (string, []value) {
	t.fail(unknownToStandin("PIVOT"))
	return "", nil
}
