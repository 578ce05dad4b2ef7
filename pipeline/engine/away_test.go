package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// cluster is a sink whose target is away at times, as that of a cluster is which is
// maintained.
type cluster struct {
	*pipelinetest.Sink
	away  time.Duration // how long, from the first commit on
	since time.Time     // that it is away; zero = it was not asked yet

	most int
}

// CallTimes implements pipeline.CallTimer.
func (*cluster) CallTimes() pipeline.CallTimes {
	return pipeline.CallTimes{Silence: 15 * time.Second, Commit: 45 * time.Minute}
}

// errAway is what a server says that is maintained.
var errAway = pipeline.TransientFor("connection", errors.New("connection refused"))

// isAway reports whether the cluster is, from the first commit on.
func (c *cluster) isAway() bool {
	if c.since.IsZero() {
		c.since = time.Now()
	}
	return time.Since(c.since) < c.away
}

// newCluster puts a cluster into the place of the world's warehouse.
func newCluster(t *testing.T, w *world, away time.Duration) (*cluster, Config) {
	c := &cluster{Sink: w.settled, away: away}
	w.limits.CommitTimeout = 10 * time.Minute
	config := w.config()
	config.edit(func(n *graph.Nodes) { n.Sinks[0].Sink = c })
	w.settled.Fail = func(call string) error {
		switch {
		case call == "commit" && c.isAway():
			epochs, err := os.ReadDir(filepath.Join(w.dir, "spool"))
			if err != nil {
				t.Error(err)
			}
			c.most = max(c.most, len(epochs))
			return errAway
		case (call == "check" || call == "open") && !c.since.IsZero() && c.isAway():
			return errAway
		}
		return nil
	}
	return c, config
}

// TestClusterIsMaintained: half an hour in which a cluster is away is a wait. The process goes
// on, is not ready and says why, and has in its spool the epoch that is saved and the one
// behind it, whatever comes in meanwhile.
func TestClusterIsMaintained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.TempDir(), someChanges(60))
		c, config := newCluster(t, w, 30*time.Minute)
		looked := false
		time.AfterFunc(20*time.Minute, func() {
			looked = true
			sink := recorder(&config).Health().Sinks["warehouse"]
			if sink.Problem == nil || !strings.Contains(sink.Problem.Err.Error(), "connection refused") || sink.Saved != 1 {
				t.Errorf("after twenty minutes the sink is %+v", sink)
			}
			if read := w.source.reads.Load(); read > 30 {
				t.Errorf("%d of 60 records were read for an epoch of 4, though nothing can be committed", read)
			}
		})
		began := time.Now()
		if err := Run(t.Context(), t.Context(), config); err != nil {
			t.Fatal(err)
		}
		w.check(t)
		if took := time.Since(began); took < 30*time.Minute || took > 31*time.Minute || !looked {
			t.Errorf("it took %s", took)
		}
		if c.most != 2 {
			t.Errorf("there were up to %d epochs in the spool, want 2", c.most)
		}
	})
}

// TestCommitTimeoutOfTheFile: what the pipeline file says holds, whatever a sink would rather
// have; and no sink is waited for longer than it says.
func TestCommitTimeoutOfTheFile(t *testing.T) {
	for _, c := range []struct {
		fixed bool
		want  time.Duration
	}{{true, 10 * time.Minute}, {false, 45 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t.TempDir(), someChanges(20))
			cluster, config := newCluster(t, w, 24*time.Hour)
			config.Limits.CommitTimeoutFixed = c.fixed
			err := Run(t.Context(), t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), timeoutNote) {
				t.Fatalf("it ended with %v", err)
			}
			if took := time.Since(cluster.since); took < c.want-retryWaitMax*2 || took > c.want+retryWaitMax {
				t.Errorf("fixed %v: the commit was tried for %s, want %s", c.fixed, took, c.want)
			}
			cluster.away = 0
			if err := Run(t.Context(), t.Context(), config); err != nil {
				t.Fatal(err)
			}
			w.check(t)
		})
	}
}

// TestRestartWhileAway: a source that fails meanwhile leads back to the checkpoint, at which
// the sink can't be opened. That is the same wait; at the start of the process, it is none.
func TestRestartWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.TempDir(), someChanges(8)) // two epochs: one is saved, one waits
		c, config := newCluster(t, w, 30*time.Minute)
		failed := false
		w.source.fail = func() error {
			if w.source.at < 8 || failed {
				return nil
			}
			time.Sleep(time.Minute)
			failed = true
			return pipeline.Transient(errCrash)
		}
		if err := Run(t.Context(), t.Context(), config); err != nil {
			t.Fatal(err)
		}
		w.check(t)
		if !failed || time.Since(c.since) < 30*time.Minute {
			t.Errorf("the source failed %v, and it took %s", failed, time.Since(c.since))
		}
		c.since = time.Now()
		if err := Run(t.Context(), t.Context(), config); !errors.Is(err, errAway) || time.Since(c.since) > 5*time.Minute {
			t.Errorf("a start ended after %s with %v", time.Since(c.since), err)
		}
	})
}

// TestStopWhileAway: a stop waits for the epoch that is saved, and the end of that wait leaves
// everything as it is: the next start commits.
func TestStopWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.TempDir(), someChanges(60))
		c, config := newCluster(t, w, 30*time.Minute)
		stop, stopNow := context.WithCancel(t.Context())
		kill, killNow := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Minute, stopNow)
		time.AfterFunc(5*time.Minute+30*time.Second, killNow)
		err := Run(stop, kill, config)
		if took := time.Since(c.since); !errors.Is(err, context.Canceled) || took > 5*time.Minute+31*time.Second {
			t.Fatalf("it was stopped after %s, with %v", took, err)
		}
		time.Sleep(30 * time.Minute)
		if err := Run(t.Context(), t.Context(), config); err != nil {
			t.Fatal(err)
		}
		w.check(t)
	})
}
