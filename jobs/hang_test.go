package jobs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// TestStuckCommit: a commit that never comes back, and knows of no context, as in a
// library, is told of and ends the process at commit_timeout; the next run commits it.
func TestStuckCommit(t *testing.T) {
	t.Parallel()
	dir := shop(t, 300, 71)
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100", "--set", "epoch.commit_timeout=1s"}
	began := time.Now()
	start(t, dir, []string{envHangAt + "=publish:2"}, args...).result().want(t, exitFailed,
		"a call gets no further", "commit of epoch 2 has not come to its end within 1 s", "given up; the epoch is saved")
	if took := time.Since(began); took > 20*time.Second { // a busy machine starts slowly
		t.Errorf("it took %s", took)
	}
	fine(t, dir, "run", "shop.yaml")
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
	wantNoLeftovers(t, dir)
}

// TestPostgresLocked: a table that somebody has locked is told of with who it is,
// and ends the run at commit_timeout; the next run commits what was saved.
func TestPostgresLocked(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	dir, schema := postgresShop(t, 300, 72), pgtest.Schema()
	env := []string{"DSN=" + dsn, "SCHEMA=" + schema}
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100", "--set", "epoch.commit_timeout=2s"}
	start(t, dir, append(env, envKillAt+"=save:2"), args...).result().want(t, -1)
	c := connectPostgres(t, dsn)
	c.rows("BEGIN")
	c.rows(fmt.Sprintf(`LOCK TABLE %q.order_line IN EXCLUSIVE MODE`, schema)) // the start can look at it
	r := start(t, dir, env, args...).result()
	r.want(t, exitFailed, "a call gets no further", "LOCK TABLE", "idle in transaction", "given up; the epoch is saved")
	if n := strings.Count(r.err, "a call gets no further"); n != 1 {
		t.Errorf("it is told of %d times:\n%s", n, r.err)
	}
	c.rows("ROLLBACK")
	start(t, dir, env, args...).result().want(t, exitFine)
	wantPostgresShop(t, dir, dsn, schema)
}
