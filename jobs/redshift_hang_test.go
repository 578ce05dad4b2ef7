package jobs

import (
	"fmt"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// TestRedshiftLocked: a table that somebody else writes is waited for, and told of with who it is;
// the wait ends at commit_timeout, and the next run loads what was saved.
func TestRedshiftLocked(t *testing.T) {
	t.Parallel()
	c := redshifttest.Open(t, redshifttest.Serializable)
	dir := redshiftShop(t, 1500, 300)
	env := redshiftEnv(c, c.Endpoint)
	run := []string{"run", "star.yaml"}
	start(t, dir, env, run...).result().want(t, exitFine)
	other := c.Connect()
	other.Exec("BEGIN; DELETE FROM dwh.fact_order WHERE 'hunter2' = 'hunter3'")
	addParts(t, dir, redshiftParts)
	r := start(t, dir, env, append(run, "--set", "epoch.commit_timeout=12s")...).result()
	r.want(t, exitFailed, "a call gets no further", "(epoch.commit_timeout); it waits for a lock, ", fmt.Sprintf(".fact_order, that is held by pid %d (user awsuser, ", other.PID()),
		"its last one was: DELETE FROM dwh.fact_order WHERE '…' = '…'", "given up; the epoch is saved")
	other.Exec("ROLLBACK")
	start(t, dir, env, run...).result().want(t, exitFine)
	wantSameStar(t, c, dir)
}
