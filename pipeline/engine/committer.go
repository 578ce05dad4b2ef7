package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// committer takes prepared epochs through the steps save, commit, tell and clean, one at a
// time, and owns the checkpoint. The steps are in protocol.go, what it does about rows that
// sinks refuse in refused_rows.go.
type committer struct {
	c          *Config
	calls      *calls
	store      *state.Store
	spool      spool
	sources    []graph.SourceNode // the inbox too
	references *references
	pace       *pace

	checkpoint *state.Checkpoint   // the last saved
	tables     map[string][]string // that each sink has taken, in this opening and before
	refusals   *refusals
	published  bool              // an epoch was committed in this opening
	onDone     func(epoch int64) // called when an epoch has taken all steps
}

// run commits epochs until there are no more.
func (m *committer) run(ctx context.Context, epochs <-chan *preparedEpoch) error {
	for {
		select {
		case p, ok := <-epochs:
			if !ok {
				return nil
			}
			if err := m.commitEpoch(ctx, p); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextCheckpoint returns the checkpoint that follows the last one, with what an epoch brings.
func (m *committer) nextCheckpoint(p *preparedEpoch) *state.Checkpoint {
	next := &state.Checkpoint{
		Epoch: p.epoch, Began: p.barrier.header.at.UTC(), Finished: p.barrier.finished, Committables: p.committables,
		Published: map[string]int64{}, Operators: map[string]*state.OperatorState{}, Budget: p.budget, Coverage: p.coverage,
		Tables: m.tables,
	}
	for name, s := range m.checkpoint.Operators {
		if p.states[name] == nil && p.barrier.records > 0 {
			// Its node is not in the pipeline, or nobody takes its rows: whoever takes
			// them later has missed this epoch.
			missed := *s
			missed.Consumers = nil
			s = &missed
		}
		next.Operators[name] = s
	}
	for name, s := range p.states {
		next.Operators[name] = s
	}
	for sink, e := range m.checkpoint.Published {
		next.Published[sink] = e
	}
	for sink, rc := range p.committables {
		rc.Epoch, rc.PreviousEpoch = p.epoch, m.checkpoint.Published[sink]
		rc.Started = p.began.UTC()
		if rc.Payload != nil {
			next.Published[sink] = p.epoch
		}
	}
	return next
}

// write saves an update of the state. It is watched like a call of a sink, since a disk may
// hang.
func (m *committer) write(u *state.Update) error {
	return m.calls.wait(context.Background(), calleeState, "save", fmt.Sprintf("save of epoch %d", u.Checkpoint.Epoch), func(context.Context) error {
		return m.store.Save(u)
	})
}

// checkSink refuses to go on without a sink that an epoch has rows for.
func (c *Config) checkSink(name string, epoch int64) error {
	if _, ok := c.target(name); !ok {
		return fmt.Errorf("sink %s has rows of epoch %d to publish, but is no longer in the pipeline file: run once with it", name, epoch)
	}
	return nil
}

// target is what a sink and the store of dead letters have in common.
type target interface {
	pipeline.Target
	Commit(ctx context.Context, r *pipeline.Committable) error
}

// target returns the sink of a name, or the dead letters.
func (c *Config) target(name string) (t target, ok bool) {
	if name == deadLetterSink {
		return c.DeadLetters, true
	}
	if i := slices.IndexFunc(c.Sinks, func(s graph.SinkNode) bool { return s.Name == name }); i >= 0 {
		return c.Sinks[i].Sink, true
	}
	return nil, false
}

const (
	retryWaitFirst = 100 * time.Millisecond
	retryWaitMax   = 4 * time.Second // a sink that is back is found within some seconds
)

// retry commits a sink's part of an epoch until that succeeds, fails for good, or the
// time for a commit is over, each time as a call that may take what is left of it.
// What is saved is only ever committed, never dropped: the spool stays.
func (m *committer) retry(ctx context.Context, sink string, rc *pipeline.Committable, until time.Time, commit commitFunc) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = retryWaitFirst, retryWaitMax
	t, _ := m.c.target(sink)
	k := call{callee: calleeSink(sink, t), kind: "commit", what: fmt.Sprintf("commit of epoch %d", rc.Epoch), total: true, after: timeoutNote}
	left := func() time.Duration { return max(until.Sub(m.c.now()), time.Millisecond) }
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		k.limit = left()
		err := m.calls.watch(ctx, k, func(ctx context.Context) error { return commit(ctx, rc) })
		if err != nil && !pipeline.Retryable(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(left()),
		backoff.WithNotify(func(err error, next time.Duration) {
			m.c.Observer.CommitFailed(sink, err)
			m.c.Log.Warn("commit failed, trying again", "sink", sink, "in", next, "error", err)
		}))
	return notRetryable(err)
}

// timeoutNote says what becomes of an epoch whose commit was given up.
const timeoutNote = " (given up; the epoch is saved, and is committed at the next start)"

// notRetryable keeps a failure after the save from being taken for one before
// it: there is no going back to the checkpoint in process.
func notRetryable(err error) error {
	if err == nil || !pipeline.Retryable(err) {
		return err
	}
	return errors.New(err.Error() + timeoutNote)
}

// verdict returns an error when this opening has read its sources to their end and too many of
// the records are dead letters. What is saved stays, so nothing is lost.
func (m *committer) verdict() error {
	if !m.published {
		return nil // it has read nothing
	}
	b, err := restoreBudget(m.c.MaxRatio, m.checkpoint.Budget)
	if err != nil {
		return err
	}
	return b.verdict(m.c.Sources)
}
