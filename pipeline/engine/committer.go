package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// run runs the goroutines until the sources end, stop does, or one of them fails.
func (r *run) run(stop, kill context.Context) error {
	g, ctx := errgroup.WithContext(kill)
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	detach := context.AfterFunc(stop, stopReading)
	defer detach()

	mappers := r.c.mappers()
	c := &splitter{r: r, in: make(chan readResult), tasks: make(chan *task), events: make(chan event, 2*mappers), finished: r.othersFinished(), started: newEpochStart(),
		first: r.checkpoint.Epoch, progress: newReadProgress(r.sources)}
	if len(r.c.Rows) > 0 {
		c.pins = func(number int) []any { return r.references.of(c.first + int64(number)) }
	}
	epochs := make(chan *preparedEpoch)
	f := &epochBuilder{r: r, stop: stop, events: c.events, started: c.started, prepared: epochs, epoch: r.checkpoint.Epoch}
	r.running = true
	r.c.Observer.Opened(func() int { return len(c.events) })
	defer r.c.Observer.Closed()

	firsts := r.lookAhead(readCtx)
	for i := range r.sources {
		g.Go(func() error {
			r.read(readCtx, i, firsts[i], c.in)
			return nil
		})
	}
	g.Go(func() error {
		defer stopReading()
		return c.run(stop, ctx)
	})
	for range mappers {
		g.Go(func() error { return r.mapTasks(ctx, c.tasks) })
	}
	g.Go(func() error { return f.run(ctx) })
	g.Go(func() error { return r.commitEpochs(ctx, epochs) })
	return g.Wait()
}

// othersFinished returns the finished sources that this run does not read.
func (r *run) othersFinished() map[string]bool {
	others := map[string]bool{}
	for name := range r.checkpoint.Finished {
		if !slices.ContainsFunc(r.c.Sources, func(s graph.SourceNode) bool { return s.Name == name }) {
			others[name] = true
		}
	}
	return others
}

// commitEpochs saves and commits epochs, one at a time.
func (r *run) commitEpochs(ctx context.Context, epochs <-chan *preparedEpoch) error {
	for {
		select {
		case p, ok := <-epochs:
			if !ok {
				return nil
			}
			if err := r.commitEpoch(ctx, p); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// commitEpoch takes a prepared epoch through save, commit, tell and clean, in this
// order (I1).
func (r *run) commitEpoch(ctx context.Context, p *preparedEpoch) error {
	if err := r.save(p); err != nil {
		return err
	}
	r.c.Observer.EpochSaved(telemetry.SavedEpoch{
		Checkpoint: r.checkpoint, Cursors: p.barrier.cursors, Records: p.barrier.records, Bytes: p.barrier.bytes, Tally: p.tally, Unmatched: p.unmatched,
	})
	if err := r.commit(ctx, p.committables, p.epoch); err != nil {
		return fmt.Errorf("committing epoch %d: %w", p.epoch, err)
	}
	r.published = true
	if err := r.hook(StepTell, p.epoch); err != nil {
		return err
	}
	if err := r.tell(ctx, p.barrier.cursors); err != nil {
		return err
	}
	if err := r.hook(StepClean, p.epoch); err != nil {
		return err
	}
	if err := r.cleanSpool(p.committables); err != nil {
		return err
	}
	if err := r.hook(StepDone, p.epoch); err != nil {
		return err
	}
	r.report(p)
	return nil
}

// save is the commit point: cursors, state and committables change together (I2).
func (r *run) save(p *preparedEpoch) error {
	if err := r.hook(StepSave, p.epoch); err != nil {
		return err
	}
	started := r.c.now()
	next := &state.Checkpoint{
		Epoch: p.epoch, Began: p.barrier.header.at.UTC(), Finished: p.barrier.finished, Committables: p.committables,
		Published: map[string]int64{}, Steps: map[string]*state.Step{}, Budget: p.budget, Coverage: p.coverage,
		Tables: r.taken,
	}
	for name, s := range r.checkpoint.Steps {
		if p.steps[name] == nil && p.barrier.records > 0 {
			missed := *s // its node is not in the pipeline, or nobody wants its rows
			missed.Sinks = nil
			s = &missed
		}
		next.Steps[name] = s
	}
	for name, s := range p.steps {
		next.Steps[name] = s
	}
	for sink, e := range r.checkpoint.Published {
		next.Published[sink] = e
	}
	for sink, rc := range p.committables {
		rc.Epoch, rc.PreviousEpoch = p.epoch, r.checkpoint.Published[sink]
		rc.Started = p.began.UTC()
		if rc.Payload != nil {
			next.Published[sink] = p.epoch
		}
	}
	if err := r.refusals.catchUp(p, next, r.c.MaxRatio); err != nil {
		return err
	}
	u := &state.Update{Checkpoint: next, Restart: p.restart, Cursors: p.barrier.cursors, Deltas: p.deltas}
	if err := r.storeSave(u); err != nil {
		return err
	}
	r.checkpoint = next
	r.c.FromStart = false
	r.references.saved(p.epoch)
	r.c.Observer.StepDone("save", r.c.since(started))
	return nil
}

// storeSave is the store's Save, which may hang with its disk.
func (r *run) storeSave(u *state.Update) error {
	return r.c.wait(context.Background(), "the state", stateNode, "save", fmt.Sprintf("save of epoch %d", u.Checkpoint.Epoch), nil, func(context.Context) error {
		return r.store.Save(u)
	})
}

// commit publishes the epoch in every sink that has something to publish, and
// tries again what may succeed later. It is run again after a crash (I5).
func (r *run) commit(ctx context.Context, committables map[string]*pipeline.Committable, epoch int64) error {
	if len(committables) == 0 {
		return nil
	}
	if err := r.hook(StepCommit, epoch); err != nil {
		return err
	}
	started := r.c.now()
	g, ctx := errgroup.WithContext(ctx)
	for name, rc := range committables {
		if rc.Payload == nil {
			continue
		}
		if err := r.checkCommitter(name, epoch); err != nil {
			return err
		}
		commit := r.committer(name)
		g.Go(func() error {
			first := func(context.Context, *pipeline.Committable) error { return r.hook(StepPublish, epoch) }
			if err := r.publish(ctx, name, rc, once(first, commit)); err != nil {
				return named(r.nodeName(name), err)
			}
			r.c.Observer.SinkCommitted(name, epoch)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := r.store.MarkCommitted(epoch); err != nil {
		return err
	}
	r.c.Observer.StepDone("commit", r.c.since(started))
	r.c.Observer.EpochCommitted(epoch, r.store.Size())
	return nil
}

// checkCommitter refuses to go on without a sink that an epoch has rows for.
func (r *run) checkCommitter(name string, epoch int64) error {
	if r.committer(name) == nil {
		return fmt.Errorf("sink %s has rows of epoch %d to publish, but is no longer in the pipeline file: run once with it", name, epoch)
	}
	return nil
}

// once calls first before the first call of then.
func once(first, then func(context.Context, *pipeline.Committable) error) func(context.Context, *pipeline.Committable) error {
	called := false
	return func(ctx context.Context, rc *pipeline.Committable) error {
		if !called {
			called = true
			if err := first(ctx, rc); err != nil {
				return err
			}
		}
		return then(ctx, rc)
	}
}

func (r *run) committer(name string) func(context.Context, *pipeline.Committable) error {
	if name == deadLetterSink {
		return r.c.DeadLetters.Commit
	}
	for _, s := range r.c.Sinks {
		if s.Name == name {
			return s.Sink.Commit
		}
	}
	return nil
}

const (
	retryFirst = 100 * time.Millisecond
	retryMax   = 15 * time.Second
)

// retry calls try until it succeeds, fails for good, or the time for a commit
// is over, each time as a call that may take what is left of it. What is saved is
// only ever committed, never dropped: the spool stays.
func (r *run) retry(ctx context.Context, sink string, rc *pipeline.Committable, until time.Time, try func(context.Context, *pipeline.Committable) error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = retryFirst, retryMax
	k := call{node: r.nodeName(sink), name: sink, step: "commit", what: fmt.Sprintf("commit of epoch %d", rc.Epoch), total: true, after: givenUpNote, asked: r.watched(sink)}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		k.limit = max(until.Sub(r.c.now()), time.Millisecond)
		err := r.c.watch(ctx, k, func(ctx context.Context) error { return try(ctx, rc) })
		if err != nil && !pipeline.Retryable(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(max(until.Sub(r.c.now()), time.Millisecond)),
		backoff.WithNotify(func(err error, next time.Duration) {
			r.c.Observer.CommitFailed(sink, err)
			r.c.Log.Warn("commit failed, trying again", "sink", sink, "in", next, "error", err)
		}))
	return notRetryable(err)
}

// nodeName names a sink, or the dead letters, for people.
func (r *run) nodeName(sink string) string {
	if sink == deadLetterSink {
		return "dead letters"
	}
	return "sink " + sink
}

// watched returns the sink that can say what a call of it waits for, or nil.
func (r *run) watched(sink string) pipeline.CallInspector {
	for _, s := range r.c.Sinks {
		if s.Name == sink {
			w, _ := s.Sink.(pipeline.CallInspector)
			return w
		}
	}
	return nil
}

// givenUpNote says what becomes of an epoch whose commit was given up.
const givenUpNote = " (given up; the epoch is saved, and is committed at the next start)"

// notRetryable keeps a failure after the save from being taken for one before
// it: there is no going back to the checkpoint in process.
func notRetryable(err error) error {
	if err == nil || !pipeline.Retryable(err) {
		return err
	}
	return errors.New(err.Error() + givenUpNote)
}

func (r *run) hook(step Step, epoch int64) error {
	if r.c.Hook == nil {
		return nil
	}
	return r.c.Hook(step, epoch)
}

// report tells that an epoch went all its way.
func (r *run) report(p *preparedEpoch) {
	r.session.epoch = p.epoch
	var rows int64
	for _, n := range p.tally.Rows {
		rows += n
	}
	r.c.Log.Debug("epoch committed", "epoch", p.epoch, "records", p.barrier.records, "bytes", p.barrier.bytes, "rows", rows,
		"dead_letters", p.dead, "duration", r.c.since(p.began))
	r.c.Observer.EpochDone(telemetry.CommittedEpoch{Epoch: p.epoch, Records: p.barrier.records, StateMemory: p.memory, Rows: p.rows})
}
