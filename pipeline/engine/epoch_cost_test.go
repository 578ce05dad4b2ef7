package engine

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// BenchmarkEpoch shows what an epoch costs besides its records, of which it has one: from the
// source, by a stage that settles, to a sink in memory, with the state on the disk of TMPDIR.
// The steps are in ns an epoch; what is left of it is for the way between them.
func BenchmarkEpoch(b *testing.B) {
	w := newWorld(b.TempDir(), nil)
	for i := range b.N {
		w.source.changes = append(w.source.changes, change{Item: strconv.Itoa(i % 1000), Time: int64(i), N: int64(i%99 + 1)})
	}
	w.limits = Limits{Interval: time.Hour, Records: 1, Bytes: 1 << 20, CommitTimeout: time.Minute}
	c := w.config()
	plan, err := graph.Compile(graph.Nodes{
		Sources: c.Sources, Changes: c.Changes,
		Sinks: []graph.SinkNode{{Name: "warehouse", Sink: forgetful{pipelinetest.NewSink(pipeline.Settled)}, Inputs: []graph.Output{{Node: "t", Table: valueTable}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	c.Plan, c.Log = plan, slog.New(slog.DiscardHandler)
	times := &stepTimes{Observer: c.Observer, took: map[string]time.Duration{}}
	c.Observer = times
	b.ReportAllocs()
	b.ResetTimer()
	if err := Run(context.Background(), context.Background(), c); err != nil {
		b.Fatal(err)
	}
	for step, took := range times.took {
		b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), step+"-ns/op")
	}
}

// forgetful is a sink that keeps nothing of what it commits.
type forgetful struct{ *pipelinetest.Sink }

func (forgetful) Commit(context.Context, *pipeline.Committable) error { return nil }

// stepTimes adds up what the steps of epochs take.
type stepTimes struct {
	Observer
	mu   sync.Mutex // builder and committer have steps of their own
	took map[string]time.Duration
}

func (s *stepTimes) StepDone(step string, took time.Duration) {
	s.mu.Lock()
	s.took[step] += took
	s.mu.Unlock()
	s.Observer.StepDone(step, took)
}
