package engine

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// epochBuilder takes the tasks in order into the sinks' spools and the settle steps.
type epochBuilder struct {
	r        *run
	stop     context.Context // when it ends, no further epoch is begun
	events   <-chan event
	pace     *pace
	prepared chan<- *preparedEpoch
	epoch    int64
	header   pipeline.EpochHeader // of the open epoch
	ended    map[string]bool      // sources that were at their end when the last epoch was cut

	sinks []pipeline.EpochWriter // of the open epoch; nil between epochs
	dead  pipeline.DeadLetterWriter
	count int64 // dead letters of the open epoch
	// changes counts those of all transforms in the open epoch; late holds the
	// ordinals of those that became dead letters when they were settled.
	changes int64
	late    []int64
	rows    map[string]map[string]int64
	tally   *telemetry.Tally
	began   time.Time
}

// preparedEpoch is an epoch that is ready to be saved.
type preparedEpoch struct {
	epoch        int64
	barrier      *barrier
	committables map[string]*pipeline.Committable
	deltas       []*state.Delta
	steps        map[string]*state.OperatorState
	budget       []byte
	refused      map[string]int64 // refused rows that budget counts, by sink
	coverage     []byte
	// unmatched are the paths that lead to nothing by then.
	unmatched []telemetry.UnmatchedPath
	restart   []string
	dead      int64
	memory    int64 // bytes that the state takes
	rows      map[string]map[string]int64
	tally     *telemetry.Tally
	began     time.Time // when the first record was taken
}

// mapTasks turns tasks into batches; several of them run.
func (r *run) mapTasks(ctx context.Context, tasks <-chan *task) error {
	workers := make([]*worker, len(r.stages))
	for i, s := range r.stages {
		workers[i] = newWorker(s)
	}
	for p := range tasks {
		p.batches = make([]*pipeline.Batch, len(r.stages))
		for i, s := range r.stages {
			if p.err != nil || !reads(s, p.records) {
				continue
			}
			if p.batches[i], p.err = workers[i].mapper.Map(ctx, workers[i].filtered(p.records)); p.err != nil {
				p.err = fmt.Errorf("transform %s: %w", s.Name, p.err)
				continue
			}
			p.err = workers[i].mapRows(p.batches[i], p.pins)
		}
		close(p.done)
	}
	return nil
}

// reads reports whether the step reads the records. A dead letter goes to the
// transform that refused it: others have had it.
func reads(s *stage, r *pipeline.Records) bool {
	return (r.Replays == nil || r.Replays[0].Origin.Transform == s.Name) && s.Reads(r.Source)
}

// run takes events until the splitter has ended, in the order in which they were
// cut, whichever mapper was faster (I4). It closes prepared.
func (f *epochBuilder) run(ctx context.Context) error {
	defer close(f.prepared)
	defer f.abort()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-f.events:
			if !ok {
				return nil
			}
			if err := f.take(ctx, e); err != nil {
				return err
			}
		}
	}
}

func (f *epochBuilder) take(ctx context.Context, e event) error {
	if e.barrier == nil {
		return f.add(ctx, e.task)
	}
	if f.sinks == nil && !f.final(e.barrier) {
		f.r.ended = e.barrier.last
		return nil
	}
	for c := e.barrier; c != nil; {
		p, rest, err := f.finish(ctx, c)
		if err != nil {
			return err
		}
		select {
		case f.prepared <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c = rest; c != nil && f.stop.Err() != nil {
			return nil // the next run goes on
		}
	}
	f.r.ended = e.barrier.last
	return nil
}

// final reports whether an epoch without records is needed: to publish what
// sinks have gathered, to do what transforms have left, or to note in the
// checkpoint that sources are finished, and their reading is.
func (f *epochBuilder) final(c *barrier) bool {
	if !c.last {
		return c.wanted
	}
	if f.r.pending(true) || f.r.budget.begun(f.r.c.Sources) {
		return true
	}
	for _, carrying := range f.r.carrying {
		if carrying {
			return true
		}
	}
	return !maps.Equal(c.finished, f.r.finished)
}

func (f *epochBuilder) begin(started time.Time, h *epochHeader) error {
	f.epoch++
	f.began, f.count, f.changes, f.late = started, 0, 0, nil
	f.rows, f.tally = map[string]map[string]int64{}, telemetry.NewTally()
	if err := f.r.c.hook(StepBegin, f.epoch); err != nil {
		return err
	}
	f.header = f.headerOf(f.epoch, h)
	for _, s := range f.r.stages {
		if s.settler != nil {
			s.settler.Begin(&f.header)
		}
	}
	for _, s := range f.r.c.Sinks {
		e, err := s.Sink.Begin(f.epoch)
		if err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		f.sinks = append(f.sinks, e)
	}
	var err error
	if f.dead, err = f.r.c.DeadLetters.Begin(f.epoch); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// abort drops the open epoch.
func (f *epochBuilder) abort() {
	for _, e := range f.sinks {
		e.Abort()
	}
	if f.dead != nil {
		f.dead.Abort()
	}
	f.sinks, f.dead = nil, nil
}

// add waits for a task and takes what the mappers made of it.
func (f *epochBuilder) add(ctx context.Context, p *task) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.err != nil {
		return replaying(p.records, p.err)
	}
	if f.sinks == nil {
		if err := f.begin(f.r.c.now(), p.header); err != nil {
			return err
		}
		f.pace.epochBegun(p.epoch)
	}
	f.r.c.Observer.RecordsRead(readOf(p))
	if p.records.Replays == nil {
		f.r.budget.read(p.records.Source, int64(p.records.Len()))
	}
	read := false
	for i, b := range p.batches {
		if b == nil {
			continue
		}
		read = true
		err := f.batch(f.r.stages[i], b)
		b.Release()
		if err != nil {
			return err
		}
	}
	if o := p.records.Replays; o != nil && !read {
		return fmt.Errorf("dead letter %s: there is no transform %s that reads %s", o[0].Origin.ReplayOf.ID, o[0].Origin.Transform, p.records.Source)
	}
	p.buffer.release()
	return nil
}

// readOf returns what an observer is told of a task.
func readOf(t *task) telemetry.Read {
	r := telemetry.Read{Source: t.source, Records: int64(t.records.Len())}
	for _, s := range t.records.Spans {
		r.Bytes += int64(s.End - s.Start)
	}
	if t.records.Replays != nil {
		r.Source = deadLetterSink
		return r
	}
	r.Newest = newest(t.records, t.batches)
	return r
}

// newest returns when the last of some records' changes came about, as far as
// they tell, by their arrival, or else their creation; zero = they do not.
func newest(r *pipeline.Records, batches []*pipeline.Batch) time.Time {
	if n := len(r.Arrived); n > 0 {
		return time.UnixMicro(r.Arrived[n-1])
	}
	if r.Format.Encoding != pipeline.DynamoDBCDC {
		return time.Time{} // versions are not the times of changes
	}
	for _, b := range batches {
		if b != nil && len(b.Changes) > 0 {
			return time.UnixMicro(b.Changes[len(b.Changes)-1].Version.Time)
		}
	}
	return time.Time{}
}

// replaying says of an error that it is about dead letters that are read again.
func replaying(r *pipeline.Records, err error) error {
	if r.Replays == nil {
		return err
	}
	return fmt.Errorf("reading dead letters again, %s among them: %w; to go on without them, take their request out of the inbox (dead_letters.url)",
		r.Replays[0].Origin.ReplayOf.ID, err)
}

func (f *epochBuilder) batch(s *stage, b *pipeline.Batch) error {
	first := f.changes
	f.changes += int64(len(b.Changes))
	f.r.coverage.add(s.Name, b)
	if s.settler != nil {
		if err := f.coarsen(s, b); err != nil {
			return err
		}
		if err := s.settler.Add(b, first); err != nil {
			return err
		}
	}
	for _, rows := range b.Tables {
		o := s.Log[rows.Table]
		if o.Empty() {
			continue
		}
		if err := f.giveLog(s.NodeOf(rows.Table), o, first, b.Changes, rows); err != nil {
			return err
		}
	}
	return f.judge(s, b)
}

// judge keeps the batch's dead letters and holds them against the budget, record
// by record: what is not in a sink is there, or fails the epoch (I3). Dead letters
// that are read again have been held against it before.
func (f *epochBuilder) judge(s *stage, b *pipeline.Batch) error {
	f.r.budget.refuse(f.r.refusals.all())
	next := 0
	for i := range b.Records.Len() {
		dead := false
		for next < len(b.DeadLetters) && b.DeadLetters[next].At == i {
			d := &b.DeadLetters[next]
			next++
			dead = true
			d.Origin = b.Records.Origin(i)
			if err := f.deadLetter(s, d); err != nil {
				return err
			}
		}
		if b.Records.Replays != nil {
			if err := f.replayed(b.Records.Replays[i].Origin.ReplayOf); err != nil {
				return err
			}
			continue
		}
		f.r.budget.add(dead)
		if dead && f.r.budget.exceeded() {
			return f.overBudget(&b.DeadLetters[next-1])
		}
	}
	if next != len(b.DeadLetters) {
		return fmt.Errorf("node %s: a dead letter at %s is not of its batch", b.DeadLetters[next].Node, b.DeadLetters[next].Pos)
	}
	return nil
}

func (f *epochBuilder) deadLetter(s *stage, d *pipeline.DeadLetter) error {
	f.count++
	f.tally.CountLetter(d)
	if d.Origin.ReplayOf == nil {
		f.r.budget.dead(d)
	}
	d.Origin.Transform = s.Name
	if err := f.dead.Add(d); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

// replayed notes that a dead letter was read again. That takes effect with the
// epoch, as the record does.
func (f *epochBuilder) replayed(l *pipeline.DeadLetterID) error {
	f.tally.CountReplayed(l)
	if err := f.dead.Replayed(l); err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	return nil
}

func (f *epochBuilder) overBudget(d *pipeline.DeadLetter) error {
	b := f.r.budget
	return fmt.Errorf("too many dead letters: %d of the last %d records, more than dead_letters.max_ratio %g allows; epoch %d takes no effect; the last one: %w",
		b.bad, min(b.n, budgetWindowRecords), b.max, f.epoch, d)
}

// finish settles and prepares the open epoch. Where transforms have more to do
// when the sources have ended, rest is the cut of a further epoch.
func (f *epochBuilder) finish(ctx context.Context, c *barrier) (p *preparedEpoch, rest *barrier, err error) {
	if f.sinks == nil {
		if err := f.begin(f.r.c.now(), c.header); err != nil {
			return nil, nil, err
		}
	}
	p = &preparedEpoch{epoch: f.epoch, barrier: c, committables: map[string]*pipeline.Committable{}, steps: map[string]*state.OperatorState{},
		restart: f.r.restart, rows: f.rows, tally: f.tally, began: f.began}
	f.restarted(c)
	f.r.restart = nil
	started := f.r.c.now()
	if err := f.r.c.hook(StepSettle, f.epoch); err != nil {
		return nil, nil, err
	}
	if err := f.settle(p); err != nil {
		return nil, nil, err
	}
	f.r.c.Observer.StepDone("settle", f.r.c.since(started))
	if c.last && f.r.pending(true) {
		before := *c
		before.last = false
		p.barrier, rest = &before, &barrier{last: true, finished: c.finished, header: f.r.restHeader(c.header, f.epoch+1)}
	}
	started = f.r.c.now()
	if err := f.prepare(ctx, p); err != nil {
		return nil, nil, err
	}
	f.r.c.Observer.StepDone("prepare", f.r.c.since(started))
	p.dead = f.count
	if p.barrier.last {
		f.r.budget.end(f.r.c.Sources)
	}
	p.refused = maps.Clone(f.r.budget.refused)
	if p.budget, err = f.r.budget.save(); err != nil {
		return nil, nil, err
	}
	p.coverage, err = f.r.coverage.save(p.barrier.last)
	p.unmatched = f.r.coverage.unmatched()
	f.sinks, f.dead = nil, nil
	f.r.finished, f.ended = c.finished, c.finished
	return p, rest, err
}

// restarted adds the cursors to the cut that sources begin with which are read anew:
// they are saved with its epoch, where the source has not gone on from there (I2).
func (f *epochBuilder) restarted(c *barrier) {
	for source, parts := range f.r.restarted {
		for partition, at := range parts {
			if _, moved := c.cursors[source][partition]; moved {
				continue
			}
			if c.cursors == nil {
				c.cursors = map[string]map[string][]byte{}
			}
			if c.cursors[source] == nil {
				c.cursors[source] = map[string][]byte{}
			}
			c.cursors[source][partition] = at
		}
	}
	f.r.restarted = nil
}

// prepare makes every spool durable.
func (f *epochBuilder) prepare(ctx context.Context, p *preparedEpoch) error {
	if err := f.r.c.hook(StepPrepare, f.epoch); err != nil {
		return err
	}
	committables := make([]*pipeline.Committable, len(f.sinks)+1)
	g, ctx := errgroup.WithContext(ctx)
	for i, e := range f.sinks {
		g.Go(func() error {
			return f.prepareOne(ctx, f.r.c.Sinks[i].Name, func(ctx context.Context) (err error) {
				committables[i], err = e.Prepare(ctx, p.barrier.last)
				return err
			})
		})
	}
	g.Go(func() error {
		return f.prepareOne(ctx, deadLetterSink, func(ctx context.Context) (err error) {
			committables[len(f.sinks)], err = f.dead.Prepare(ctx)
			return err
		})
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for i, s := range f.r.c.Sinks {
		p.committables[s.Name] = committables[i]
		f.r.carrying[s.Name] = committables[i].SinkState != nil
	}
	p.committables[deadLetterSink] = committables[len(f.sinks)]
	f.r.pace.setWanted(p.committables, f.r.pending(false), f.r.c.now())
	return nil
}

// prepareOne prepares one sink's part, and says of an error whose it is.
func (f *epochBuilder) prepareOne(ctx context.Context, sink string, prepare func(context.Context) error) error {
	to := calleeSink(sink, nil)
	return named(to.label, f.r.calls.wait(ctx, to, "prepare", fmt.Sprintf("prepare of epoch %d", f.epoch), prepare))
}
