package engine

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// This file is the protocol of an epoch (see package pipeline), from the first step
// to the last:
//
//  1. read, and run the graph: run.run starts those who do, each a goroutine;
//  2. prepare: epochBuilder.finishEpoch;
//  3. save: committer.save;
//  4. commit: committer.commit;
//  5. tell the sources and delete the spool: committer.tell and clean.
//
// What a step needs besides is with the types that take it.

// Step names a point of the epoch protocol.
type Step string

// The steps, in the order they are taken.
const (
	StepBegin   Step = "begin"   // before the epoch's spools are made
	StepSettle  Step = "settle"  // all rows are in the spools, settled ones not yet
	StepPrepare Step = "prepare" // before the sinks prepare
	StepSave    Step = "save"    // prepared, not saved
	StepCommit  Step = "commit"  // saved, no sink has committed
	StepPublish Step = "publish" // one sink has committed, or is about to
	StepTell    Step = "tell"    // every sink has committed
	StepClean   Step = "clean"   // the sources know
	StepDone    Step = "done"    // the spool is deleted
)

// The steps that only an epoch takes of which a sink refuses rows.
const (
	StepRefuse Step = "refuse" // before the rows to leave out are saved
	StepAmend  Step = "amend"  // they are saved, and not committed
)

// Steps lists the steps of every epoch in order.
var Steps = []Step{StepBegin, StepSettle, StepPrepare, StepSave, StepCommit, StepPublish, StepTell, StepClean, StepDone}

// hook lets a test stop the process before a step.
func (c *Config) hook(step Step, epoch int64) error {
	if c.Hook == nil {
		return nil
	}
	return c.Hook(step, epoch)
}

// run takes epochs until the sources end, stop does, or something fails. Records go
// from readers over the splitter to workers, and in the order in which they were
// read (I4) to the epoch builder; epochs go from there to the committer.
func (r *run) run(stop, kill context.Context) error {
	g, ctx := errgroup.WithContext(kill)
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	detach := context.AfterFunc(stop, stopReading)
	defer detach()

	workers := r.c.mappers()
	s := r.splitter(workers)
	epochs := make(chan *preparedEpoch)
	r.builder.stop = stop
	r.c.Observer.Opened(func() int { return len(s.events) })
	defer r.c.Observer.Closed()

	firsts := r.lookAhead(readCtx)
	for i, node := range r.sources {
		from := &sourceReader{index: i, name: node.Name, source: node.Source, first: firsts[i], observer: r.c.Observer}
		g.Go(withRole("reader "+node.Name, func() error {
			from.run(readCtx, s.results)
			return nil
		}))
	}
	g.Go(withRole("splitter", func() error {
		defer stopReading()
		return s.run(stop, ctx)
	}))
	for n := range workers {
		g.Go(withRole("mapper "+strconv.Itoa(n), func() error {
			newWorker(r.flow, s.tasks).run(ctx)
			return nil
		}))
	}
	g.Go(withRole("builder", func() error { return r.builder.run(ctx, s.events, epochs) }))
	g.Go(withRole("committer", func() error { return r.committer.run(ctx, epochs) }))
	return g.Wait()
}

// finishEpoch settles and prepares the open epoch, or one without records: once it
// returns, every spool is durable, and nothing is saved. Where operators have more to
// do when the sources have ended, rest is the barrier of a further epoch.
func (b *epochBuilder) finishEpoch(ctx context.Context, c *barrier) (p *preparedEpoch, rest *barrier, err error) {
	if b.open == nil {
		if err := b.begin(c.header); err != nil {
			return nil, nil, err
		}
	}
	p = &preparedEpoch{openEpoch: b.open, epoch: b.epoch, barrier: c, states: map[string]*state.OperatorState{}, restart: b.restart}
	b.takeRewound(c)
	b.restart = nil
	started := b.c.now()
	if err := b.c.hook(StepSettle, b.epoch); err != nil {
		return nil, nil, err
	}
	if err := b.settle(c.last); err != nil {
		return nil, nil, err
	}
	if err := b.flow.save(b.c.Runner, p); err != nil {
		return nil, nil, err
	}
	b.c.Observer.StepDone("settle", b.c.since(started))
	if c.last && b.flow.pending(true) {
		p.barrier, rest = b.splitLastBarrier(c)
	}
	started = b.c.now()
	if err := b.c.hook(StepPrepare, b.epoch); err != nil {
		return nil, nil, err
	}
	if p.committables, err = b.open.prepare(ctx, b.calls, p.barrier.last); err != nil {
		return nil, nil, err
	}
	for _, s := range b.c.Sinks {
		b.gathering[s.Name] = p.committables[s.Name].SinkState != nil
	}
	b.pace.setWanted(p.committables, b.flow.pending(false), b.c.now())
	b.c.Observer.StepDone("prepare", b.c.since(started))
	err = b.saveCounts(p)
	b.open, b.finished, b.ended = nil, c.finished, c.finished
	return p, rest, err
}

// commitEpoch takes a prepared epoch the rest of its way, in this order (I1).
func (m *committer) commitEpoch(ctx context.Context, p *preparedEpoch) error {
	if err := m.save(p); err != nil {
		return err
	}
	if err := m.commit(ctx, p.epoch, p.committables); err != nil {
		return fmt.Errorf("committing epoch %d: %w", p.epoch, err)
	}
	m.published = true
	m.pace.epochCommitted(p.epoch)
	if err := m.tell(ctx, p); err != nil {
		return err
	}
	if err := m.clean(p); err != nil {
		return err
	}
	if err := m.c.hook(StepDone, p.epoch); err != nil {
		return err
	}
	m.report(p)
	return nil
}

// save is the commit point: cursors, state and committables change together (I2).
func (m *committer) save(p *preparedEpoch) error {
	if err := m.c.hook(StepSave, p.epoch); err != nil {
		return err
	}
	started := m.c.now()
	next := m.nextCheckpoint(p)
	if err := m.refusals.catchUp(p, next, m.c.MaxRatio); err != nil {
		return err
	}
	if err := m.write(&state.Update{Checkpoint: next, Restart: p.restart, Cursors: p.barrier.cursors, Deltas: p.deltas}); err != nil {
		return err
	}
	m.checkpoint = next
	m.c.FromStart, m.c.AcceptGap = false, false // an attempt after this one goes on, and finds gaps of its own
	m.references.forgetUpTo(p.epoch)
	m.c.Observer.StepDone("save", m.c.since(started))
	m.c.Observer.EpochSaved(telemetry.SavedEpoch{
		Checkpoint: next, Cursors: p.barrier.cursors, Records: p.barrier.records, Bytes: p.barrier.bytes, Tally: p.tally, Unmatched: p.unmatched,
	})
	return nil
}

// commitFunc commits one sink's part of an epoch.
type commitFunc func(ctx context.Context, rc *pipeline.Committable) error

// commit publishes the epoch in every sink that has something to publish, and
// tries again what may succeed later. It is run again after a crash (I5).
func (m *committer) commit(ctx context.Context, epoch int64, committables map[string]*pipeline.Committable) error {
	if len(committables) == 0 {
		return nil
	}
	if err := m.c.hook(StepCommit, epoch); err != nil {
		return err
	}
	for name, rc := range committables {
		if rc.Payload != nil {
			if err := m.c.checkSink(name, epoch); err != nil {
				return err
			}
		}
	}
	started := m.c.now()
	g, ctx := errgroup.WithContext(ctx)
	for name, rc := range committables {
		if rc.Payload == nil {
			continue
		}
		to, _ := m.c.target(name)
		g.Go(func() error {
			hook := func(context.Context, *pipeline.Committable) error { return m.c.hook(StepPublish, epoch) }
			if err := m.publish(ctx, name, rc, once(hook, to.Commit)); err != nil {
				return withLabel(calleeSink(name, to).label, err)
			}
			m.c.Observer.SinkCommitted(name, epoch)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := m.store.MarkCommitted(epoch); err != nil {
		return err
	}
	m.c.Observer.StepDone("commit", m.c.since(started))
	m.c.Observer.EpochCommitted(epoch, m.store.Size())
	return nil
}

// commitAgain commits what the checkpoint has, which may be committed already, when
// the pipeline is opened.
func (m *committer) commitAgain(ctx context.Context) error {
	if err := m.commit(ctx, m.checkpoint.Epoch, m.checkpoint.Committables); err != nil {
		return fmt.Errorf("committing epoch %d again: %w", m.checkpoint.Epoch, err)
	}
	m.published = true
	return nil
}

// once calls first before the first call of then.
func once(first, then commitFunc) commitFunc {
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

// tell reports to the sources that everything up to the cursors has taken effect:
// never before the epoch is saved (I1).
func (m *committer) tell(ctx context.Context, p *preparedEpoch) error {
	if err := m.c.hook(StepTell, p.epoch); err != nil {
		return err
	}
	for _, s := range m.sources {
		moved := p.barrier.cursors[s.Name]
		if len(moved) == 0 {
			continue
		}
		to := calleeSource(s.Name)
		err := m.calls.wait(ctx, to, "tell", "being told", func(ctx context.Context) error { return s.Source.Committed(ctx, moved) })
		if err != nil {
			return withLabel(to.label, err)
		}
	}
	return nil
}

// clean deletes the spools of the epoch and of those before, but for what is
// retained. Those of later epochs are in use.
func (m *committer) clean(p *preparedEpoch) error {
	if err := m.c.hook(StepClean, p.epoch); err != nil {
		return err
	}
	return m.cleanSpool(p.epoch, p.committables)
}

func (m *committer) cleanSpool(upTo int64, committables map[string]*pipeline.Committable) error {
	return m.calls.wait(context.Background(), calleeState, "clean", "cleaning of the spool", func(context.Context) error {
		return m.spool.clean(upTo, committables)
	})
}

// report says that an epoch went all its way.
func (m *committer) report(p *preparedEpoch) {
	m.onDone(p.epoch)
	var rows int64
	for _, n := range p.tally.Rows {
		rows += n
	}
	m.c.Log.Debug("epoch committed", "epoch", p.epoch, "records", p.barrier.records, "bytes", p.barrier.bytes, "rows", rows,
		"dead_letters", p.deadLetters, "duration", m.c.since(p.began))
	m.c.Observer.EpochDone(telemetry.CommittedEpoch{Epoch: p.epoch, Records: p.barrier.records, StateMemory: p.memory, Rows: p.rows})
}
