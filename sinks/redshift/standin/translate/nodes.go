package translate

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// checkNodes refuses a statement that needs the compute nodes and has something that only
// the leader node knows (c_sql-functions-leader-node): for each there is an INFO before the
// error.
func (t *translator) checkNodes() {
	computes := t.computes || t.systems
	leader := t.leader
	if t.computes {
		leader = append(leader, t.catalogs...)
	}
	switch {
	case t.err != nil:
		return
	case !computes && len(t.computeOnly) > 0:
		t.refuse(codeNotSupported, onlyOnTables)
		return
	case computes && t.correlation:
		t.refuse(codeNotSupported, "This type of correlated subquery pattern is not supported due to internal error")
		return
	case !computes || len(leader) == 0:
		return
	}
	for _, what := range leader {
		t.plan.Notices = append(t.plan.Notices, pgconn.Notice{Severity: "INFO", Code: "00000", Message: what})
	}
	t.refuse(codeNotSupported, unsupportedOnTables)
}

// leaderFunction notes a function of the leader node.
func (t *translator) leaderFunction(name string) {
	t.leader = append(t.leader, fmt.Sprintf("Function %q not supported.", name))
}

// leaderRelation notes a relation of the leader node's catalog.
func (t *translator) leaderRelation(name string) {
	what := fmt.Sprintf("Relation %q not supported.", name)
	if joined[name] {
		t.catalogs = append(t.catalogs, what)
		return
	}
	t.leader = append(t.leader, what)
}

// joined are the catalog's tables that go with system tables in one query, as the
// documentation's own queries about locks and tables have them (c_join_PG,
// c_join_PG_examples). Others have functions or types that compute nodes have not.
var joined = map[string]bool{
	"pg_attribute": true, "pg_cast": true, "pg_class": true, "pg_constraint": true, "pg_database": true, "pg_depend": true,
	"pg_description": true, "pg_group": true, "pg_language": true, "pg_locks": true, "pg_namespace": true, "pg_opclass": true,
	"pg_operator": true, "pg_proc": true, "pg_settings": true, "pg_statistic": true, "pg_tables": true, "pg_type": true,
	"pg_user": true, "pg_views": true,
}

// onlyOnTables is what a query of the leader node's alone is refused with if it has a
// function of the compute nodes (r_LISTAGG, r_MEDIAN).
const onlyOnTables = "One or more of the used functions must be applied on at least one user created tables. Examples of user table only functions are LISTAGG, MEDIAN, PERCENTILE_CONT, etc."

// correlate notes a reference from one scope to what another around it has. Those that skip
// a query block, or go into the condition of an outer join, are not supported
// (r_correlated_subqueries).
func (t *translator) correlate(from, to *scope) {
	if from == nil || from.block == to.block {
		return
	}
	if from.block-to.block > 1 || to.outerOn {
		t.correlation = true
	}
	for at := from; at != nil && at.block > to.block; at = at.parent {
		at.correlated = true
	}
}

// checkBlock refuses a query block that refers to the one around it and has a window
// function, or is grouped in the place of a list (r_correlated_subqueries).
func (t *translator) checkBlock(s *scope, sel *syntax.Select) {
	if !s.correlated {
		return
	}
	for _, target := range sel.Targets {
		if t.windows(target.X) || s.list && len(sel.GroupBy) > 0 && t.aggregates(target.X) && !isMinMax(target.X) {
			t.correlation = true
		}
	}
}

func isMinMax(e syntax.Expr) bool {
	c, ok := e.(*syntax.Call)
	if !ok {
		return false
	}
	name := foldASCII(c.Name.Last().Text)
	return name == "min" || name == "max"
}
