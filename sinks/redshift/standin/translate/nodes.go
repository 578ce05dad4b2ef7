package translate

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// checkNodes refuses a statement that needs the compute nodes and has something that only
// the leader node knows (c_sql-functions-leader-node): for each there is an INFO before the
// error.
func (t *translator) checkNodes() {
	if t.err != nil || !t.computes || len(t.leader) == 0 {
		return
	}
	for _, what := range t.leader {
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
	t.leader = append(t.leader, fmt.Sprintf("Relation %q not supported.", name))
}
