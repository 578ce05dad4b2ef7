package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// openEpoch is an epoch while its rows are written: what sinks and dead letters have of
// it, and what it counts. How rows find those who take them is in fan_out.go.
type openEpoch struct {
	flow    *dataflow
	sinks   []graph.SinkNode
	header  pipeline.EpochHeader
	began   time.Time
	writers []pipeline.EpochWriter // by sink
	letters pipeline.DeadLetterWriter

	deadLetters int64
	// changes counts those of all stages; rejected holds the ordinals of those that
	// became dead letters when they were settled.
	changes  int64
	rejected []int64
	rows     map[string]map[string]int64 // that sinks got, by table and operation
	tally    *telemetry.Tally
}

// begin starts the epoch in all sinks. The caller aborts it, after a failure too.
func (e *openEpoch) begin(letters pipeline.DeadLetterSink) (err error) {
	for _, s := range e.sinks {
		w, err := s.Sink.Begin(e.header.Epoch)
		if err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		e.writers = append(e.writers, w)
	}
	if e.letters, err = letters.Begin(e.header.Epoch); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// abort drops what is not prepared.
func (e *openEpoch) abort() {
	for _, w := range e.writers {
		w.Abort()
	}
	if e.letters != nil {
		e.letters.Abort()
	}
}

// addLetter makes a record that a stage read a dead letter.
func (e *openEpoch) addLetter(s *stage, d *pipeline.DeadLetter) error {
	e.deadLetters++
	e.tally.CountLetter(d)
	d.Origin.Transform = s.Name
	if err := e.letters.Add(d); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// addReplayed notes that a dead letter was read again. That takes effect with the
// epoch, as the record does.
func (e *openEpoch) addReplayed(l *pipeline.DeadLetterID) error {
	e.tally.CountReplayed(l)
	if err := e.letters.Replayed(l); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// prepare makes every spool durable, and returns the committables.
func (e *openEpoch) prepare(ctx context.Context, calls *calls, last bool) (map[string]*pipeline.Committable, error) {
	prepared := make([]*pipeline.Committable, len(e.writers)+1)
	g, ctx := errgroup.WithContext(ctx)
	prepare := func(i int, name string, f func(context.Context) (*pipeline.Committable, error)) error {
		to := calleeSink(name, nil)
		return withLabel(to.label, calls.wait(ctx, to, "prepare", fmt.Sprintf("prepare of epoch %d", e.header.Epoch), func(ctx context.Context) (err error) {
			prepared[i], err = f(ctx)
			return err
		}))
	}
	for i, w := range e.writers {
		g.Go(func() error {
			return prepare(i, e.sinks[i].Name, func(ctx context.Context) (*pipeline.Committable, error) { return w.Prepare(ctx, last) })
		})
	}
	if err := prepare(len(e.writers), deadLetterSink, e.letters.Prepare); err != nil {
		g.Go(func() error { return err }) // the others are cancelled
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	committables := map[string]*pipeline.Committable{deadLetterSink: prepared[len(e.writers)]}
	for i, s := range e.sinks {
		committables[s.Name] = prepared[i]
	}
	return committables, nil
}

// end returns the EpochInfo for operators, once all stages are settled.
func (e *openEpoch) end(last bool) pipeline.EpochInfo {
	slices.Sort(e.rejected)
	e.header.Last = last
	return pipeline.EpochInfo{EpochHeader: e.header, RejectedChanges: e.rejected}
}
