package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// run is one opening of the pipeline.
type run struct {
	c             *Config
	session       *session
	store         *state.Store
	keyspaces     *state.Keyspaces    // of all operator states
	checkpoint    *state.Checkpoint   // the last saved; the committer owns it once run has begun
	taken         map[string][]string // tables by sink, of this opening and those before
	lastCommitted int64               // epoch, as far as is known at the start
	committed     bool                // every sink has committed the checkpoint's epoch, as far as is known at the start
	published     bool                // an epoch was committed in this opening; the committer owns it once run has begun
	restart       []string            // sources to be read from their start, until it is saved
	stages        []*stage            // as in the plan
	operators     []*operator         // as in the plan
	// settledMappers are those of the row transforms behind operators: of the epoch builder.
	settledMappers map[*graph.RowPath]pipeline.RowMapper
	references     *references
	budget         *budget                    // of the epoch builder
	coverage       *coverage                  // of the epoch builder
	carrying       map[string]bool            // of the epoch builder: sinks with rows that wait to be published
	finished       map[string]bool            // of the epoch builder: sources that the checkpoint has as finished
	deadline       deadline                   // when an epoch without records is needed
	sources        []graph.SourceNode         // those of the Config, and the inbox
	formats        map[string]pipeline.Format // of sources, as far as the pipeline file says them
	again          bool                       // the sources are read from their start again
	ended          bool                       // of the epoch builder: the sources are, and nothing is left to do
	running        bool                       // epochs after the checkpoint may have spools
	refusals       refusals
	definition     []byte // for the state to keep
	// restarted holds, of those that keep something of their reading before, the
	// cursors that they begin with, until they are saved.
	restarted map[string]map[string][]byte
}

// open opens state, sources and sinks at the checkpoint, and commits what was
// saved and may not have been committed.
//
// Whatever may refuse the start is asked first, in this order, and nothing is made
// or changed: the state, the steps that go by it, the sinks, the sources. Then
// folders and tables are made.
func open(ctx context.Context, s *session) (*run, error) {
	c := s.c
	var store *state.Store
	err := c.wait(ctx, "the state", stateNode, "open", "opening", nil, func(context.Context) (err error) {
		store, err = state.Look(c.StateDir, state.Options{Pipeline: c.Name, Memory: c.StateMemory})
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &run{c: c, session: s, store: store, carrying: map[string]bool{}, references: s.references, sources: slices.Clone(c.Sources)}
	if c.Inbox != nil {
		r.sources = append(r.sources, graph.SourceNode{Name: inboxSource, Source: c.Inbox})
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *run) open(ctx context.Context) error {
	if err := r.restore(); err != nil {
		return err
	}
	if err := r.compare(); err != nil {
		return err
	}
	if !r.store.New() {
		r.opened()
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := r.openOne(ctx, "the state", stateNode, nil, func(context.Context) error { return r.store.Make() }); err != nil {
		return err
	}
	r.opened()
	if err := r.openSinks(ctx); err != nil {
		return err
	}
	if !r.committed {
		if err := r.commit(ctx, r.checkpoint.Committables, r.checkpoint.Epoch); err != nil {
			return fmt.Errorf("committing epoch %d again: %w", r.checkpoint.Epoch, err)
		}
		r.published = true
	}
	if err := r.cleanSpool(r.checkpoint.Committables); err != nil {
		return err
	}
	if err := r.openInbox(ctx); err != nil {
		return err
	}
	return r.keepDefinition()
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
	if r.budget, err = restoreBudget(r.c.MaxRatio, r.checkpoint.Budget); err != nil {
		return err
	}
	if r.coverage, err = restoreCoverage(r.c.Changes, r.checkpoint.Coverage); err != nil {
		return err
	}
	r.c.Observer.UnmatchedKnown(r.coverage.unmatched())
	r.finished = r.checkpoint.Finished
	if r.lastCommitted, err = r.store.Committed(); err != nil {
		return err
	}
	r.committed = r.lastCommitted == r.checkpoint.Epoch
	return r.observeState()
}

// observeState tells what the state says.
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

// opened tells, once, that the state is open.
func (r *run) opened() {
	if r.c.Opened != nil {
		r.c.Opened(r.store.ID(), r.lastCommitted)
		r.c.Opened = nil
	}
}

// check asks whatever may refuse the start. Nothing is made or changed before it
// returns nil.
func (r *run) check(ctx context.Context) error {
	r.formats = formatsOf(r.c.Sources)
	r.again = r.c.FromStart && !slices.ContainsFunc(r.c.Sources, func(s graph.SourceNode) bool { return !r.checkpoint.Finished[s.Name] })
	if err := r.openStages(); err != nil {
		return err
	}
	r.deadline.resume(r.checkpoint.Committables, r.pending(false), r.c.now())
	if err := r.checkGathered(); err != nil {
		return err
	}
	if err := r.checkSinks(ctx); err != nil {
		return err
	}
	return r.openSources(ctx)
}

// checkGathered refuses to go on without a sink whose rows wait to be published:
// they would be deleted with the spool (I3).
func (r *run) checkGathered() error {
	for name, rc := range r.checkpoint.Committables {
		if len(rc.RetainEpochs) > 0 && r.committer(name) == nil {
			return fmt.Errorf("sink %s has rows that wait to be published, but is no longer in the pipeline file: run once with it, to the end of the sources", name)
		}
	}
	return nil
}

// checkSinks asks all sinks whether they could be opened, and refuses two that
// write the same.
func (r *run) checkSinks(ctx context.Context) error {
	taken := map[string]string{}
	for _, s := range r.c.Sinks {
		var names []string
		o := r.openingOf(s)
		err := r.openOne(ctx, r.nodeName(s.Name), s.Name, s.Sink, func(ctx context.Context) (err error) {
			names, err = s.Sink.Check(ctx, o)
			return err
		})
		if err != nil {
			return err
		}
		for _, name := range names {
			if other, ok := taken[name]; ok {
				return fmt.Errorf("sinks %s and %s both write %s: give each tables of its own", other, s.Name, name)
			}
			taken[name] = s.Name
		}
	}
	o := r.opening(deadLetterSink, nil)
	return r.openOne(ctx, r.nodeName(deadLetterSink), deadLetterSink, nil, func(ctx context.Context) error {
		_, err := r.c.DeadLetters.Check(ctx, o)
		return err
	})
}

func (r *run) openSinks(ctx context.Context) error {
	for _, s := range r.c.Sinks {
		o := r.openingOf(s)
		if err := r.openOne(ctx, r.nodeName(s.Name), s.Name, s.Sink, func(ctx context.Context) error { return s.Sink.Open(ctx, o) }); err != nil {
			return err
		}
	}
	o := r.opening(deadLetterSink, nil)
	err := r.openOne(ctx, r.nodeName(deadLetterSink), deadLetterSink, nil, func(ctx context.Context) error { return r.c.DeadLetters.Open(ctx, o) })
	if err != nil {
		return err
	}
	r.taken = takenTables(r.checkpoint.Tables, r.c.Sinks)
	return nil
}

// openOne opens a node, or asks it whether it could be opened, and says of an
// error whose it is.
func (r *run) openOne(ctx context.Context, node, name string, asked any, f func(context.Context) error) error {
	return named(node, r.c.wait(ctx, node, name, "open", "opening", asked, f))
}

// takenTables adds the tables of sinks that are open to those taken before.
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

func (r *run) openingOf(s graph.SinkNode) pipeline.SinkOptions {
	tables := make([]*pipeline.Table, len(s.Inputs))
	for i, in := range s.Inputs {
		tables[i] = in.Table
	}
	return r.opening(s.Name, tables)
}

func (r *run) opening(sink string, tables []*pipeline.Table) pipeline.SinkOptions {
	o := pipeline.SinkOptions{
		Pipeline: r.c.Name, StateID: r.store.ID(), Tables: tables,
		Spool:     func(epoch int64) string { return filepath.Join(r.spoolDir(epoch), sink) },
		Published: r.checkpoint.Published[sink],
		Taken:     r.checkpoint.Tables[sink],
	}
	if rc := r.checkpoint.Committables[sink]; rc != nil {
		o.SinkState = rc.SinkState
		r.carrying[sink] = rc.SinkState != nil
		if rc.Payload != nil && !r.committed {
			o.Pending, o.Published = rc, rc.PreviousEpoch
		}
	}
	return o
}

// openSources opens all sources but the inbox. They read only, so this comes
// before anything is made.
func (r *run) openSources(ctx context.Context) error {
	r.budget.restart(r.c.Sources, r.again)
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
	r.coverage.restart(r.c.Changes, r.restart)
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
	r.listen(s)
	return r.openOne(ctx, "source "+s.Name, s.Name, nil, func(ctx context.Context) error { return s.Source.Open(ctx, cursors) })
}

// restartSource returns the cursors that a source begins with which is read anew.
func (r *run) restartSource(s graph.SourceNode, cursors map[string][]byte) (map[string][]byte, error) {
	r.restart = append(r.restart, s.Name)
	delete(r.checkpoint.Finished, s.Name)
	again, ok := s.Source.(pipeline.Restartable)
	if !ok {
		return nil, nil
	}
	cursors, err := again.Restart(cursors)
	if r.restarted == nil {
		r.restarted = map[string]map[string][]byte{}
	}
	r.restarted[s.Name] = cursors
	return cursors, err
}

// listen tells the observer what the source notices.
func (r *run) listen(s graph.SourceNode) {
	noticing, ok := s.Source.(pipeline.Noticing)
	if !ok {
		return
	}
	noticing.OnNotice(func(n pipeline.Notice) { r.c.Observer.SourceNoticed(s.Name, n) })
}

// close closes in the order of the data.
func (r *run) close() error {
	var errs []error
	closing := func(node, name string, f func() error) {
		errs = append(errs, r.c.wait(context.Background(), node, name, "close", "closing", nil, func(context.Context) error { return f() }))
	}
	for _, s := range r.sources {
		closing("source "+s.Name, s.Name, s.Source.Close)
	}
	for _, s := range r.c.Sinks {
		closing(r.nodeName(s.Name), s.Name, s.Sink.Close)
	}
	closing(r.nodeName(deadLetterSink), deadLetterSink, r.c.DeadLetters.Close)
	closing("the state", stateNode, r.store.Close)
	return errors.Join(errs...)
}

func (r *run) spoolDir(epoch int64) string {
	return filepath.Join(r.c.StateDir, "spool", strconv.FormatInt(epoch, 10))
}

// cleanSpool deletes all spools but those that the committables keep and those of
// epochs that are not saved yet.
func (r *run) cleanSpool(committables map[string]*pipeline.Committable) error {
	return r.c.wait(context.Background(), "the state", stateNode, "clean", "cleaning of the spool", nil, func(context.Context) error {
		return r.clean(committables)
	})
}

func (r *run) clean(committables map[string]*pipeline.Committable) error {
	keep := map[string]bool{}
	for sink, rc := range committables {
		for _, e := range rc.RetainEpochs {
			keep[filepath.Join(strconv.FormatInt(e, 10), sink)] = true
		}
	}
	root := filepath.Join(r.c.StateDir, "spool")
	epochs, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cleaning the spool: %w", err)
	}
	for _, e := range epochs {
		n, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || n > r.checkpoint.Epoch && r.running {
			continue
		}
		if err := cleanEpoch(root, e.Name(), keep); err != nil {
			return fmt.Errorf("cleaning the spool: %w", err)
		}
	}
	return nil
}

func cleanEpoch(root, epoch string, keep map[string]bool) error {
	dir := filepath.Join(root, epoch)
	sinks, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	kept := 0
	for _, s := range sinks {
		if keep[filepath.Join(epoch, s.Name())] {
			kept++
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, s.Name())); err != nil {
			return err
		}
	}
	if kept > 0 {
		return nil
	}
	return os.RemoveAll(dir)
}

// tell reports to the sources that everything up to the cursors has taken effect.
func (r *run) tell(ctx context.Context, cursors map[string]map[string][]byte) error {
	for _, s := range r.sources {
		if moved := cursors[s.Name]; len(moved) > 0 {
			node := "source " + s.Name
			err := r.c.wait(ctx, node, s.Name, "tell", "being told", nil, func(ctx context.Context) error { return s.Source.Committed(ctx, moved) })
			if err != nil {
				return named(node, err)
			}
		}
	}
	return nil
}
