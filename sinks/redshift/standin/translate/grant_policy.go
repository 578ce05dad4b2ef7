package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

func (t *translator) policy(st *syntax.Policy) { t.fail(unknownToStandin("this statement")) }

func (t *translator) rowLevelSecurity(r *Relation, a *syntax.RowLevelSecurity) {
	t.fail(unknownToStandin("ROW LEVEL SECURITY"))
}
