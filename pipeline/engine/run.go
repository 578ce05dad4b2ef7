package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// run is one opening of the pipeline.
type run struct {
	c             *Config
	session       *session
	calls         *calls
	spool         spool
	store         *state.Store
	sources       []graph.SourceNode // those of the Config, and the inbox
	checkpoint    *state.Checkpoint  // the one that this opening goes on at
	lastCommitted int64              // epoch, as far as is known at the start
	committed     bool               // every sink has committed the checkpoint's epoch, as far as is known at the start
	again         bool               // the sources are read from their start again
	definition    []byte             // for the state to keep

	flow      *dataflow
	builder   *epochBuilder
	committer *committer
}

// open opens state, sources and sinks at the checkpoint, and commits what was
// saved and may not have been committed.
//
// Whatever may refuse the start is asked first, in this order, and nothing is made
// or changed: the state, the stages and operators that keep something in it, the sinks, the sources. Then
// folders and tables are made. A stop that comes while a source waits to be opened ends
// that: what was saved is still committed, and there is no run then, and no error.
func open(stop, ctx context.Context, s *session) (*run, error) {
	c := s.c
	var store *state.Store
	err := s.calls.wait(ctx, calleeState, "open", "opening", func(context.Context) (err error) {
		store, err = state.Inspect(c.StateDir, state.Options{Pipeline: c.Name, Memory: c.StateMemory})
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &run{c: c, session: s, calls: s.calls, spool: newSpool(c.StateDir), store: store, sources: slices.Clone(c.Sources), flow: newDataflow(c.Plan)}
	if c.Inbox != nil {
		r.sources = append(r.sources, graph.SourceNode{Name: inboxSource, Source: c.Inbox})
	}
	if err := r.open(stop, ctx); err != nil {
		if errors.Is(err, errStoppedOpening) {
			err = nil
		}
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *run) open(stop, ctx context.Context) error {
	if err := r.restore(); err != nil {
		return err
	}
	if err := r.checkDefinition(); err != nil {
		return err
	}
	if !r.store.New() {
		r.notifyOpened()
	}
	err := r.check(stop, ctx)
	// A stop finishes the epoch that is saved, for which no source is needed.
	stopped := errors.Is(err, errStoppedOpening) && !r.committed
	if err != nil && !stopped {
		return err
	}
	if err := r.openTargets(ctx); err != nil {
		return err
	}
	if stopped {
		return err
	}
	if err := r.openInbox(ctx); err != nil {
		return err
	}
	return r.writeDefinition()
}

// openTargets opens the state for writing and the sinks, and commits what was saved and may
// not have been committed.
func (r *run) openTargets(ctx context.Context) error {
	if err := r.openOne(ctx, calleeState, func(context.Context) error { return r.store.Create() }); err != nil {
		return err
	}
	r.notifyOpened()
	if err := r.openSinks(ctx); err != nil {
		return err
	}
	if !r.committed {
		if err := r.committer.commitAgain(ctx); err != nil {
			return err
		}
	}
	return r.committer.cleanSpool(allEpochs, r.committer.checkpoint.Committables)
}

// restore reads the checkpoint.
func (r *run) restore() (err error) {
	if r.checkpoint, err = r.store.Checkpoint(); err != nil {
		return err
	}
	if r.checkpoint.Published == nil {
		r.checkpoint.Published = map[string]int64{}
	}
	if r.checkpoint.Finished == nil {
		r.checkpoint.Finished = map[string]bool{}
	}
	if err := r.makeOwners(); err != nil {
		return err
	}
	if r.lastCommitted, err = r.store.Committed(); err != nil {
		return err
	}
	r.committed = r.lastCommitted == r.checkpoint.Epoch
	return r.observeState()
}

// makeOwners makes the epoch builder and the committer from the checkpoint.
func (r *run) makeOwners() (err error) {
	found, pace := &refusals{}, newPace(r.checkpoint.Epoch)
	r.committer = &committer{
		c: r.c, calls: r.calls, store: r.store, spool: r.spool, sources: r.sources, references: r.session.references, pace: pace, checkpoint: r.checkpoint,
		refusals: found, onDone: func(epoch int64) { r.session.epoch = epoch },
	}
	r.builder = &epochBuilder{
		c: r.c, calls: r.calls, flow: r.flow, references: r.session.references, refusals: found, pace: pace, formats: formatsOf(r.c.Sources),
		gathering: map[string]bool{}, finished: r.checkpoint.Finished, rewound: map[string]map[string][]byte{}, epoch: r.checkpoint.Epoch,
	}
	if r.builder.budget, err = restoreBudget(r.c.MaxRatio, r.checkpoint.Budget); err != nil {
		return err
	}
	if r.builder.coverage, err = restoreCoverage(r.c.Changes, r.checkpoint.Coverage); err != nil {
		return err
	}
	r.c.Observer.UnmatchedKnown(r.builder.coverage.unmatched())
	return nil
}

// observeState reports the state to the observer.
func (r *run) observeState() error {
	partitions := map[string][]string{}
	for _, s := range r.c.Sources {
		cursors, err := r.store.Cursors(s.Name)
		if err != nil {
			return err
		}
		partitions[s.Name] = slices.Collect(maps.Keys(cursors))
	}
	r.c.Observer.StateOpened(telemetry.StateInfo{
		ID: r.store.ID(), Bytes: r.store.Size(), Checkpoint: r.checkpoint, Committed: r.lastCommitted, Partitions: partitions,
	})
	return nil
}

// notifyOpened calls Config.Opened, once.
func (r *run) notifyOpened() {
	if r.c.Opened != nil {
		r.c.Opened(r.store.ID(), r.lastCommitted)
		r.c.Opened = nil
	}
}

// check asks the stages, operators, sinks and sources whether they can start. Nothing is made
// or changed before it returns nil.
func (r *run) check(stop, ctx context.Context) error {
	r.again = r.c.FromStart && !slices.ContainsFunc(r.c.Sources, func(s graph.SourceNode) bool { return !r.checkpoint.Finished[s.Name] })
	opener := stateOpener{c: r.c, flow: r.flow, store: r.store, checkpoint: r.checkpoint, again: r.again}
	if err := opener.open(); err != nil {
		return err
	}
	r.builder.pace.resume(r.checkpoint.Committables, r.flow.pending(false), r.c.now())
	if err := r.c.checkGathered(r.checkpoint); err != nil {
		return err
	}
	if err := r.checkSinks(ctx); err != nil {
		return err
	}
	// A source may wait long for what it reads, and nothing is made yet: a stop ends that.
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	err := r.openSources(opening)
	if err != nil && opening.Err() != nil && ctx.Err() == nil {
		return errStoppedOpening // whatever the source makes of the end of its context
	}
	return err
}

// errStoppedOpening says that a stop came before the sources were open.
var errStoppedOpening = errors.New("stopped while the sources were opened")

// checkGathered refuses to go on without a sink whose rows wait to be published:
// they would be deleted with the spool (I3).
func (c *Config) checkGathered(checkpoint *state.Checkpoint) error {
	for name, rc := range checkpoint.Committables {
		if _, ok := c.target(name); len(rc.RetainEpochs) > 0 && !ok {
			return fmt.Errorf("sink %s has rows that wait to be published, but is no longer in the pipeline file: run once with it, to the end of the sources", name)
		}
	}
	return nil
}

// checkSinks asks all sinks whether they could be opened, and refuses two that
// write the same.
func (r *run) checkSinks(ctx context.Context) error {
	taken := takenNames{}
	for _, s := range r.c.Sinks {
		var names []string
		o := r.sinkOptions(s)
		err := r.openSink(ctx, s, func(ctx context.Context) (err error) {
			names, err = s.Sink.Check(ctx, o)
			return err
		})
		if err == nil {
			err = taken.add(s.Name, names)
		}
		if err != nil {
			return err
		}
	}
	o := r.targetOptions(deadLetterSink, nil)
	return r.openOne(ctx, calleeSink(deadLetterSink, r.c.DeadLetters), func(ctx context.Context) error {
		_, err := r.c.DeadLetters.Check(ctx, o)
		return err
	})
}

func (r *run) openSinks(ctx context.Context) error {
	for _, s := range r.c.Sinks {
		o := r.sinkOptions(s)
		if err := r.openSink(ctx, s, func(ctx context.Context) error { return s.Sink.Open(ctx, o) }); err != nil {
			return err
		}
	}
	o := r.targetOptions(deadLetterSink, nil)
	err := r.openOne(ctx, calleeSink(deadLetterSink, r.c.DeadLetters), func(ctx context.Context) error { return r.c.DeadLetters.Open(ctx, o) })
	if err != nil {
		return err
	}
	r.committer.tables = takenTables(r.checkpoint.Tables, r.c.Sinks)
	return nil
}

// openSink is openOne for a sink. What time can heal is waited for as long as a commit would be.
func (r *run) openSink(ctx context.Context, s graph.SinkNode, f func(context.Context) error) error {
	err := r.openOne(ctx, calleeSink(s.Name, s.Sink), f)
	if err != nil && pipeline.Retryable(err) && callTimes(s.Sink).Commit > 0 {
		return &awayError{err, r.c.commitTimeout(s.Sink)}
	}
	return err
}

// openOne runs the opening of a callee, or its check, as a watched call, and puts the
// callee's label before an error.
func (r *run) openOne(ctx context.Context, to callee, f func(context.Context) error) error {
	return withLabel(to.label, r.calls.wait(ctx, to, "open", "opening", f))
}

// takenTables adds the tables of the sinks, which are open now, to those taken before.
func takenTables(before map[string][]string, sinks []graph.SinkNode) map[string][]string {
	all := maps.Clone(before)
	if all == nil {
		all = map[string][]string{}
	}
	for _, s := range sinks {
		names := slices.Clone(all[s.Name])
		for _, in := range s.Inputs {
			names = append(names, in.Table.Name)
		}
		slices.Sort(names)
		all[s.Name] = slices.Compact(names)
	}
	return all
}

func (r *run) sinkOptions(s graph.SinkNode) pipeline.SinkOptions {
	return r.targetOptions(s.Name, inputTables(s))
}

func (r *run) targetOptions(sink string, tables []*pipeline.Table) pipeline.SinkOptions {
	if rc := r.checkpoint.Committables[sink]; rc != nil {
		r.builder.gathering[sink] = rc.SinkState != nil
	}
	p := startPoint{c: r.c, stateID: r.store.ID(), spool: r.spool, checkpoint: r.checkpoint, committed: r.committed}
	return p.options(sink, tables)
}

// openSources opens all sources but the inbox. They read only, so this comes
// before anything is made.
func (r *run) openSources(ctx context.Context) error {
	r.builder.budget.restart(r.c.Sources, r.again)
	for _, s := range r.c.Sources {
		cursors, err := r.store.Cursors(s.Name)
		if err != nil {
			return fmt.Errorf("cursors of %s: %w", s.Name, err)
		}
		if r.again {
			if cursors, err = r.restartSource(s, cursors); err != nil {
				return fmt.Errorf("source %s: %w", s.Name, err)
			}
		}
		if err := r.openSource(ctx, s, cursors); err != nil {
			return err
		}
	}
	r.builder.coverage.restart(r.c.Changes, r.builder.restart)
	return nil
}

// openInbox opens the inbox. It reads the folder of the dead letters, which are
// complete then, and may remove requests.
func (r *run) openInbox(ctx context.Context) error {
	if r.c.Inbox == nil {
		return nil
	}
	cursors, err := r.store.Cursors(inboxSource)
	if err != nil {
		return fmt.Errorf("cursors of %s: %w", inboxSource, err)
	}
	return r.openSource(ctx, graph.SourceNode{Name: inboxSource, Source: r.c.Inbox}, cursors)
}

func (r *run) openSource(ctx context.Context, s graph.SourceNode, cursors map[string][]byte) error {
	o := pipeline.SourceOptions{Env: r.c.sourceEnv(s.Name), Cursors: cursors, AcceptGap: r.c.AcceptGap}
	to := calleeSource(s.Name)
	to.inspector, _ = s.Source.(pipeline.CallInspector)
	return r.openOne(ctx, to, func(ctx context.Context) error { return s.Source.Open(ctx, o) })
}

// restartSource returns the cursors that a source begins with which is read anew.
func (r *run) restartSource(s graph.SourceNode, cursors map[string][]byte) (map[string][]byte, error) {
	r.builder.restart = append(r.builder.restart, s.Name)
	delete(r.checkpoint.Finished, s.Name)
	again, ok := s.Source.(pipeline.Rewinder)
	if !ok {
		return nil, nil
	}
	cursors, err := again.Rewind(cursors)
	r.builder.rewound[s.Name] = cursors
	return cursors, err
}

// splitter returns the splitter of the run, for so many workers.
func (r *run) splitter(workers int) *splitter {
	s := &splitter{
		limits: r.c.Limits, sources: r.sources, pace: r.builder.pace, clock: r.c.now,
		timer:   newEpochTimer(r.c.Limits, r.c.Bounded, r.c.Sinks),
		results: make(chan readResult), tasks: make(chan *task), events: make(chan event, 2*workers),
		before: r.checkpoint.Epoch, finished: r.othersFinished(), progress: newReadProgress(r.sources),
	}
	if len(r.c.Rows) > 0 {
		s.snapshotsOf = r.session.references.snapshotsOf
	}
	if !r.c.Timeless {
		s.beginTime = r.session.references.beginTime
	}
	return s
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

// close closes in the order of the data.
func (r *run) close() error {
	var errs []error
	closing := func(to callee, f func() error) {
		errs = append(errs, r.calls.wait(context.Background(), to.withoutInspector(), "close", "closing", func(context.Context) error { return f() }))
	}
	for _, s := range r.sources {
		closing(calleeSource(s.Name), s.Source.Close)
	}
	for _, s := range r.c.Sinks {
		closing(calleeSink(s.Name, s.Sink), s.Sink.Close)
	}
	closing(calleeSink(deadLetterSink, nil), r.c.DeadLetters.Close)
	closing(calleeState, r.store.Close)
	return errors.Join(errs...)
}
