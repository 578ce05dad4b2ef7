package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func newStatus(p *Pipeline) *Status {
	return &Status{Pipeline: p.Name, Sources: map[string]Source{}, Sinks: map[string]Sink{}, DeadLetters: map[string]int64{}, Unmatched: []UnmatchedPath{}}
}

// How long dead letters are counted: a report that waits for the store of them says nothing of the
// rest. Who asks a process waits for all of its report (askTimeout).
const (
	lettersTimeout       = askTimeout / 2
	storedLettersTimeout = 15 * time.Second
)

// countLetters counts the dead letters that were not read again, by reason, or says why it can't.
func (st *Status) countLetters(ctx context.Context, p *Pipeline, c *deadletters.Counter, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	left, err := c.Left(ctx)
	if err != nil {
		st.LettersProblem = p.Redact("the dead letters can't be counted: " + err.Error())
	}
	for reason, n := range left {
		st.DeadLetters[string(reason)] = n
	}
}

func (st *Status) unmatched(all []telemetry.UnmatchedPath) {
	st.Unmatched = []UnmatchedPath{}
	for _, u := range all {
		st.Unmatched = append(st.Unmatched, UnmatchedPath{u.Node, u.Table, u.Path, u.Use, u.Records, u.Near, u.String()})
	}
}

// Find returns the report on a pipeline: of the process that runs it, which is asked, or, if
// none does, from its state.
func Find(ctx context.Context, p *Pipeline) (*Status, error) {
	st, err := FindCheckpoint(ctx, p)
	if err != nil || st.Running != nil {
		return st, err
	}
	st.countLetters(ctx, p, deadletters.NewCounter(p.DeadLetters), storedLettersTimeout)
	return st, nil
}

// FindCheckpoint is Find without the dead letters of a pipeline that does not
// run.
func FindCheckpoint(ctx context.Context, p *Pipeline) (*Status, error) {
	st, why := ask(ctx, p)
	if why == nil {
		return st, nil
	}
	st, err := readStored(p)
	if errors.Is(err, state.ErrLocked) {
		return nil, fmt.Errorf("%w (%w)", err, why)
	}
	return st, err
}

// readStored reads the state of a pipeline that does not run.
func readStored(p *Pipeline) (st *Status, err error) {
	st = newStatus(p)
	store, err := state.Inspect(p.StateDir, state.Options{Pipeline: p.Name})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if store.New() {
		return st, nil // it has never run
	}
	return st, st.fill(p, store)
}

func (st *Status) fill(p *Pipeline, store *state.Store) error {
	cp, err := store.Checkpoint()
	if err != nil {
		return err
	}
	committed, err := store.Committed()
	if err != nil {
		return err
	}
	st.StateID, st.Epoch, st.StateBytes = store.ID(), committed, store.Size()
	if cp.Epoch != committed {
		st.Saved = cp.Epoch
	}
	for _, name := range p.Sources {
		cursors, err := store.Cursors(name)
		if err != nil {
			return err
		}
		var gaps []pipeline.Gap
		if saves := p.Gaps[name]; saves != nil {
			if gaps, err = saves.Gaps(cursors); err != nil {
				return fmt.Errorf("source %s: %w", name, err)
			}
		}
		var phases []pipeline.SourcePhase
		if saves := p.Phases[name]; saves != nil {
			if phases, err = saves.SavedPhases(cursors); err != nil {
				return fmt.Errorf("source %s: %w", name, err)
			}
		}
		st.Sources[name] = Source{cp.Finished[name], len(cursors), gapsOf(p, gaps), phasesOf(p, phases, time.Now()), nil}
	}
	for _, name := range p.Sinks {
		c := cp.Committables[name]
		published, saved := cp.SinkEpochs(name, cp.Epoch == committed)
		st.Sinks[name] = Sink{published, saved, c != nil && c.SinkState != nil, nil}
	}
	unmatched, err := engine.Unmatched(p.Transforms, cp)
	if err != nil {
		return err
	}
	st.unmatched(unmatched)
	raw, err := store.Definition()
	if err != nil {
		return err
	}
	return st.switches(raw)
}

// switches sets Switches from the definition that a state has saved.
func (st *Status) switches(raw []byte) error {
	d, err := definition.Parse(raw)
	if d != nil {
		st.Switches = d.Switches
	}
	return err
}
