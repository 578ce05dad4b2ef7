package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sources/file"
)

// TestOracleByDemand holds cases of every pipeline against the model whose epochs end by demand
// (epoch.interval: auto): records come one by one or many at once, at random times, commits
// take long at times, and the pipeline is stopped, and crashes. Time passes at once.
func TestOracleByDemand(t *testing.T) {
	setRapid(t, "checks", fmt.Sprint((*cases/10+len(oraclePipelines)-1)/len(oraclePipelines)))
	setRapid(t, "nofailfile", "true")
	epochs := &epochCounts{}
	t.Run("pipelines", func(t *testing.T) {
		for i := range oraclePipelines {
			p := oraclePipelines[i]
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.load(t)
				parent := scratch(t)
				rapid.Check(t, func(rt *rapid.T) {
					c := drawCase(rt, &p)
					c.epoch, c.bounded = 100, false
					c.demand = &demand{seed: rapid.Uint64().Draw(rt, "times"), epochs: epochs}
					dir, err := os.MkdirTemp(parent, "")
					if err != nil {
						rt.Fatal(err)
					}
					defer func() { _ = os.RemoveAll(dir) }() // the parent goes with the test
					synctest.Test(t, func(*testing.T) { err = c.run(dir, newMemoryWarehouse(c.judge())) })
					if err != nil {
						c.show(rt, filepath.Base(t.Name()), err)
						rt.Fatalf("differs from the model: %v", err)
					}
				})
			})
		}
	})
	if epochs.alone == 0 || epochs.shared == 0 {
		t.Errorf("%d epochs had one record and %d had more: demand has not decided", epochs.alone, epochs.shared)
	}
}

// epochCounts counts the epochs of all cases by their size.
type epochCounts struct {
	mu            sync.Mutex
	alone, shared int
}

func (e *epochCounts) add(records int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case records == 1:
		e.alone++
	case records > 1:
		e.shared++
	}
}

// demand says at what times the records of a case come, and how long commits take.
type demand struct {
	seed   uint64
	runs   uint64 // so far
	epochs *epochCounts
}

// into puts the times into a pipeline that is to run, and returns when it is to be stopped.
func (d *demand) into(a *assembly.Pipeline) (stop context.Context, cancel context.CancelFunc) {
	d.runs++
	r := rand.New(rand.NewPCG(d.seed, d.runs))
	editPlan(a, func(n *graph.Nodes) {
		for i := range n.Sources {
			n.Sources[i].Source = &unevenSource{
				Source: n.Sources[i].Source.(*file.Source), random: rand.New(rand.NewPCG(r.Uint64(), 0)), several: len(n.Sources) > 1,
			}
		}
	})
	crash, commits := a.Config.Hook, rand.New(rand.NewPCG(r.Uint64(), 0))
	a.Config.Hook = func(s engine.Step, epoch int64) error {
		if s == engine.StepCommit { // the committer alone takes it
			time.Sleep(demandPause(commits))
		}
		if crash == nil {
			return nil
		}
		return crash(s, epoch)
	}
	a.Config.Clock = func() time.Time { return time.Now().AddDate(30, 0, 0) } // the bubble's begins in 2000, before the changes
	before := int64(0)
	a.Recorder.OnEpoch(func(p telemetry.Progress) {
		d.epochs.add(p.Records - before)
		before = p.Records
	})
	if d.runs%3 == 1 {
		return context.WithTimeout(context.Background(), demandPause(r))
	}
	return context.WithCancel(context.Background())
}

// demandPause is a time as the rules of demand know several: less than 20 ms, less than a
// second, and more.
func demandPause(r *rand.Rand) time.Duration {
	return time.Duration(r.Int64N([]int64{1, int64(5 * time.Millisecond), int64(200 * time.Millisecond), int64(4 * time.Second)}[r.IntN(4)]))
}

// unevenSource is a source whose records come some at a time. Where there are several sources,
// the first read is whole: by it the engine sees how coarse times are.
type unevenSource struct {
	*file.Source
	random  *rand.Rand
	several bool
	looked  bool
	rest    *pipeline.Records // which are not out yet
}

func (s *unevenSource) Open(ctx context.Context, o pipeline.SourceOptions) error {
	s.rest, s.looked = nil, false
	return s.Source.Open(ctx, o)
}

func (s *unevenSource) Read(ctx context.Context) (*pipeline.Records, error) {
	select {
	case <-time.After(demandPause(s.random)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.rest == nil {
		recs, err := s.Source.Read(ctx)
		whole := s.several && !s.looked
		s.looked = true
		if err != nil || recs.Len() < 2 || whole {
			return recs, err
		}
		s.rest = recs
		s.rest.Free = nil // several share it: the collector does it
	}
	n := 1 + s.random.IntN(s.rest.Len())
	out := s.rest.Slice(0, n)
	if s.rest = s.rest.Slice(n, s.rest.Len()); s.rest.Len() == 0 {
		s.rest = nil
	}
	return out, nil
}
