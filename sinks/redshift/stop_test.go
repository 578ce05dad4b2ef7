package redshift

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

// TestStop: a commit that is stopped ends soon, whatever it waits for, and the next one does it.
func TestStop(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	stop := func(what string, reached func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- f.sink.Commit(ctx, f.Pending) }()
		reached()
		began := time.Now()
		cancel()
		if err := await(t, what, done); !errors.Is(err, context.Canceled) && pgconn.Code(err) != "57014" || pipeline.Retryable(err) {
			t.Errorf("%s: a stop gives error %v", what, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: a stop takes %s", what, took)
		}
	}
	f.prepare(pipeline.OpUpdate, 1)
	other := c.Connect()
	other.Exec("BEGIN")
	other.Exec("LOCK " + f.token())
	stop("a lock", func() { await(t, "LOCK", c.locked) })
	other.Exec("ROLLBACK")
	f.Commit()
	f.wants("1,2", "1|2", "2|1")

	f.prepare(pipeline.OpUpdate, 2)
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^copy"})
	stop("a COPY", func() { await(t, "COPY", c.faulty) })
	f.Commit()
	f.wants("1,2,3", "1|2", "2|3")
}
