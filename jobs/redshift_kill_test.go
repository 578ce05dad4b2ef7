package jobs

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// killPoint is a request at which a process is killed.
type killPoint struct {
	name string
	// call is one to S3, and statement the beginning of one to Redshift; nth counts those that
	// are so, from 1.
	call, statement string
	nth             int
	// lost says that the server does not get the statement; else it runs it, and nobody hears of it.
	lost bool
}

var killPoints = []killPoint{
	{name: "the opening, with some tables made", statement: "CREATE TABLE", nth: 2},
	{name: "the first file on its way up", call: "s3:PutObject", nth: 1},
	{name: "a later file on its way up", call: "s3:PutObject", nth: 4},
	{name: "LOCK", statement: "LOCK", nth: 3}, // a check and an opening have one each
	{name: "the first COPY", statement: "COPY", nth: 1},
	{name: "a later COPY, which has not run", statement: "COPY", nth: 3, lost: true},
	{name: "a merge", statement: `INSERT INTO "dwh"."fact_order"`, nth: 1},
	{name: "the token", statement: `INSERT INTO "dwh"."starlift_epochs"`, nth: 1},
	{name: "COMMIT, which is lost", statement: "COMMIT", nth: 2, lost: true}, // the first is that of the opening
	{name: "COMMIT, which runs", statement: "COMMIT", nth: 2},
	{name: "the files' removal", call: "s3:DeleteObject", nth: 1},
}

// TestRedshiftKilled kills the process at points of a flush, of the upload of files, COPY, COMMIT
// and the files' removal, and starts it again: the star is that of DuckDB, and nothing is left of
// the flush that was broken off.
func TestRedshiftKilled(t *testing.T) {
	t.Parallel()
	plain := redshiftShop(t, 3000, 1000)
	for _, at := range killPoints {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			c := redshifttest.Open(t, redshifttest.Snapshot)
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(plain)); err != nil {
				t.Fatal(err)
			}
			killAt(t, c, dir, at)
			addParts(t, dir, redshiftParts)
			start(t, dir, redshiftEnv(c, c.Endpoint), "run", "star.yaml").result().want(t, exitFine)
			wantSameStar(t, c, dir)
		})
	}
}

// killAt runs a process up to a point.
func killAt(t *testing.T, c *redshifttest.Cluster, dir string, at killPoint) {
	t.Helper()
	started := make(chan *process, 1)
	kill := func() {
		p := <-started
		_ = p.Process.Kill() // it may have ended
		<-p.done
		started <- p
	}
	var mu sync.Mutex
	seen := 0
	hit := func(is bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if is {
			seen++
		}
		return is && seen == at.nth
	}
	c.OnStatement(func(r server.Request) {
		if hit(at.statement != "" && strings.HasPrefix(r.SQL, at.statement)) {
			if at.lost {
				c.Inject(faults.Rule{Kind: faults.LostBefore})
			}
			kill()
		}
	})
	s3 := awstest.NewHTTPProxy(t, c.Endpoint)
	// What is called when the process is gone has no answer.
	s3.Add(awstest.Fault{Effect: awstest.Reset, Match: func(call *awstest.Call) bool {
		if !hit(at.call != "" && strings.HasPrefix(call.Operation, at.call)) {
			return false
		}
		kill()
		return true
	}})
	p := start(t, dir, redshiftEnv(c, s3.Endpoint), "run", "star.yaml")
	started <- p
	p.result().want(t, -1)
	c.OnStatement(nil)
}
