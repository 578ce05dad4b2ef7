package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// refusalsMax bounds how often a sink may refuse rows of one epoch: each time it
// names all that it knows of.
const refusalsMax = 8

// refusals is what is known of refused rows in one opening of the pipeline.
type refusals struct {
	mu sync.Mutex // sinks commit beside each other
	// rows counts the refused rows by sink, for the budgets of later epochs. What
	// it points to does not change.
	rows atomic.Pointer[[]letterCount]
}

// all returns the counts of refused rows, by sink.
func (f *refusals) all() []letterCount {
	if rows := f.rows.Load(); rows != nil {
		return *rows
	}
	return nil
}

// publish commits one sink's part of a saved epoch. Rows that it refuses become
// dead letters first.
func (m *committer) publish(ctx context.Context, name string, rc *pipeline.Committable, commit commitFunc) error {
	to, _ := m.c.target(name)
	until := m.c.now().Add(m.c.commitTimeout(to))
	for range refusalsMax {
		err := m.retry(ctx, name, rc, until, commit)
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || len(refused.Rows) == 0 {
			return err
		}
		if rc, err = m.refuse(ctx, name, rc.Epoch, refused); err != nil {
			return err
		}
	}
	return fmt.Errorf("it has refused rows of epoch %d %d times, and goes on to", rc.Epoch, refusalsMax)
}

// refuse saves, under the epoch that is saved already, that a sink leaves rows
// out, together with their dead letters (I2, I3), and returns the sink's committable
// as it is then. Whatever crashes, the sink is never again asked for the rows.
func (m *committer) refuse(ctx context.Context, name string, epoch int64, refused *pipeline.RefusedError) (*pipeline.Committable, error) {
	m.refusals.mu.Lock()
	defer m.refusals.mu.Unlock()
	if err := m.c.hook(StepRefuse, epoch); err != nil {
		return nil, err
	}
	letters := refusedLetters(name, refused)
	next := *m.checkpoint
	var err error
	more := newLetterCount(&letters[0], int64(len(letters)))
	if next.Budget, err = m.allow(more); err != nil {
		return nil, err
	}
	// Copies, because other goroutines read the maps of the last checkpoint meanwhile.
	next.Committables, next.Published = maps.Clone(next.Committables), maps.Clone(next.Published)
	amended := *next.Committables[name]
	amended.Exclude = refused.Exclude
	next.Committables[name] = &amended
	before := next.Committables[deadLetterSink]
	var dead *pipeline.Committable
	err = m.calls.wait(ctx, calleeSink(deadLetterSink, nil), "prepare", fmt.Sprintf("prepare of epoch %d", epoch), func(ctx context.Context) (err error) {
		dead, err = m.c.DeadLetters.Amend(ctx, before, letters)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if before.Payload == nil {
		dead.PreviousEpoch, next.Published[deadLetterSink] = next.Published[deadLetterSink], epoch
	}
	next.Committables[deadLetterSink] = dead
	if err := m.write(&state.Update{Checkpoint: &next}); err != nil {
		return nil, err
	}
	m.checkpoint = &next
	rows := addLetters(slices.Clone(m.refusals.all()), more)
	m.refusals.rows.Store(&rows)
	refusedRows := telemetry.NewTally()
	for i := range letters {
		refusedRows.CountLetter(&letters[i])
	}
	m.c.Observer.RowsRefused(refusedRows)
	m.c.Log.Warn("rows are refused, and dead letters now", "sink", name, "epoch", epoch, "rows", len(letters), "error", refused)
	if err := m.c.hook(StepAmend, epoch); err != nil {
		return nil, err
	}
	err = m.retry(ctx, deadLetterSink, dead, m.c.now().Add(m.c.Limits.CommitTimeout), m.c.DeadLetters.Commit)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &amended, nil
}

// allow adds dead letters to the budget of the saved epoch, and returns it; an error says that
// they are too many. The epoch stays as it is saved then.
func (m *committer) allow(more letterCount) (json.RawMessage, error) {
	b, err := restoreBudget(m.c.MaxRatio, m.checkpoint.Budget)
	if err != nil {
		return nil, err
	}
	b.addRefused([]letterCount{more})
	if b.exceeded() {
		return nil, fmt.Errorf("%d rows are refused, and with them %d of the last %d records are dead letters, more than dead_letters.max_ratio %g allows; "+
			"the epoch is saved: mend what refuses them, and the next start commits it; the first one: %s",
			more.N, b.bad, min(b.n, budgetWindowRecords), b.max, more.Message)
	}
	return b.save()
}

// catchUp adds dead letters of refused rows to the budget of an epoch that was prepared
// before they were known.
func (f *refusals) catchUp(p *preparedEpoch, next *state.Checkpoint, maxRatio float64) error {
	all := f.all()
	if !slices.ContainsFunc(all, func(c letterCount) bool { return c.N > p.refused[c.Node] }) {
		return nil
	}
	b, err := restoreBudget(maxRatio, p.budget)
	if err != nil {
		return err
	}
	b.refused = p.refused
	b.addRefused(all)
	next.Budget, err = b.save()
	return err
}

// refusedLetters makes dead letters of refused rows.
func refusedLetters(sink string, refused *pipeline.RefusedError) []pipeline.DeadLetter {
	letters := make([]pipeline.DeadLetter, len(refused.Rows))
	for i, row := range refused.Rows {
		letters[i] = pipeline.DeadLetter{
			Record: row.Row, Reason: pipeline.ReasonRefused, Node: sink,
			Message: fmt.Sprintf("table %s, %s: %s", row.Table, row.Op, row.Message),
			Pos:     pipeline.Position{Partition: row.Table, Line: int64(i + 1)},
		}
	}
	return letters
}
