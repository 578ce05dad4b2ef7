package engine

import (
	"context"
	"fmt"
	"maps"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// epochBuilder takes the tasks in the order in which they were split, gives their rows
// to those who take them, and makes epochs that are ready to be saved. It owns
// the dataflow, and all that a checkpoint says of epochs but their sinks' tokens.
type epochBuilder struct {
	c          *Config
	calls      *calls
	flow       *dataflow
	references *references
	refusals   *refusals // which the committer finds
	pace       *pace
	formats    map[string]pipeline.Format // of sources, as far as the pipeline file says them

	budget    *budget
	coverage  *coverage
	gathering map[string]bool // sinks with rows that wait to be published
	finished  map[string]bool // the sources that the last checkpoint has as finished
	ended     map[string]bool // those that were at their end in this run when the last epoch ended
	// restart names the sources that are read from their start, and rewound holds, of
	// those that keep something of their reading before, the cursors that they begin
	// with: until they are saved with the first epoch.
	restart []string
	rewound map[string]map[string][]byte

	epoch    int64           // the last one that was begun
	open     *openEpoch      // nil between epochs
	stop     context.Context // when it ends, no further epoch is begun
	complete bool            // the sources have ended, and nothing is left to do
}

// preparedEpoch is an epoch that is ready to be saved.
type preparedEpoch struct {
	*openEpoch
	epoch        int64
	barrier      *barrier
	committables map[string]*pipeline.Committable
	deltas       []*state.Delta                  // of the state
	states       map[string]*state.OperatorState // what the checkpoint is to have of each operator
	memory       int64                           // bytes that the state takes
	budget       []byte
	refused      map[string]int64 // refused rows that budget counts, by sink
	coverage     []byte
	unmatched    []telemetry.UnmatchedPath // the paths that lead to nothing by then
	restart      []string
}

// run takes events until the splitter has ended, in the order in which they were
// split, whichever worker was faster (I4). It closes prepared.
func (b *epochBuilder) run(ctx context.Context, events <-chan event, prepared chan<- *preparedEpoch) error {
	defer close(prepared)
	defer b.abort()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-events:
			if !ok {
				return nil
			}
			var err error
			if e.barrier != nil {
				err = b.endEpoch(ctx, e.barrier, prepared)
			} else {
				err = b.add(ctx, e.task)
			}
			if err != nil {
				return err
			}
		}
	}
}

// abort drops the open epoch.
func (b *epochBuilder) abort() {
	if b.open != nil {
		b.open.abort()
		b.open = nil
	}
}

// endEpoch finishes the open epoch, and hands it to the committer. Where operators have
// more to do when the sources have ended, further epochs follow.
func (b *epochBuilder) endEpoch(ctx context.Context, c *barrier, prepared chan<- *preparedEpoch) error {
	if b.open != nil || b.needed(c) {
		for more := c; more != nil; {
			p, rest, err := b.finishEpoch(ctx, more)
			if err != nil {
				return err
			}
			select {
			case prepared <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
			if more = rest; more != nil && b.stop.Err() != nil {
				return nil // the next run goes on
			}
		}
	}
	b.complete = c.last
	return nil
}

// needed reports whether an epoch without records is needed: to publish what
// sinks have gathered, to do what operators have left, to save positions, or to note in the
// checkpoint that sources are finished, and their reading is.
func (b *epochBuilder) needed(c *barrier) bool {
	if c.wanted || !c.last {
		return c.wanted
	}
	if b.flow.pending(true) || b.budget.begun(b.c.Sources) {
		return true
	}
	for _, gathering := range b.gathering {
		if gathering {
			return true
		}
	}
	return !maps.Equal(c.finished, b.finished)
}

// begin opens the next epoch.
func (b *epochBuilder) begin(h *epochHeader) error {
	b.epoch++
	b.open = &openEpoch{flow: b.flow, sinks: b.c.Sinks, header: b.header(h), began: b.c.now(), rows: map[string]map[string]int64{}, tally: telemetry.NewTally()}
	if err := b.c.hook(StepBegin, b.epoch); err != nil {
		return err
	}
	settled := false
	for _, s := range b.flow.stages {
		if s.settler != nil {
			s.settler.Begin(&b.open.header)
			settled = settled || h.snapshot != nil && s.Reads(h.snapshot.source)
		}
	}
	if h.snapshot != nil && !settled && h.snapshot.end.Part == 0 {
		b.c.Log.Warn("what the snapshot does not have stays: nobody takes settled rows of the source", "source", h.snapshot.source)
	}
	return b.open.begin(b.c.DeadLetters)
}

// add waits until a worker has done a task, and adds its batches to the epoch.
func (b *epochBuilder) add(ctx context.Context, t *task) error {
	select {
	case <-t.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.err != nil {
		return replaying(t.records, t.err)
	}
	if b.open == nil {
		if err := b.begin(t.header); err != nil {
			return err
		}
		b.pace.epochBegun(t.epoch)
	}
	b.c.Observer.RecordsRead(t.read)
	if t.records.Replays == nil {
		b.budget.addRecords(t.records.Source, int64(t.records.Len()))
	}
	read := false
	for i, batch := range t.batches {
		if batch == nil {
			continue
		}
		read = true
		err := b.addBatch(b.flow.stages[i], batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	if o := t.records.Replays; o != nil && !read {
		return fmt.Errorf("dead letter %s: there is no transform %s that reads %s", o[0].Origin.ReplayOf.ID, o[0].Origin.Transform, t.records.Source)
	}
	t.buffer.release()
	return nil
}

// replaying adds to an error that it is about replayed dead letters, and how to go on without
// them.
func replaying(r *pipeline.Records, err error) error {
	if r.Replays == nil {
		return err
	}
	return fmt.Errorf("reading dead letters again, %s among them: %w; to go on without them, take their request out of the inbox (dead_letters.url)",
		r.Replays[0].Origin.ReplayOf.ID, err)
}

// addBatch adds a batch of a stage to the epoch: its changes are settled at the epoch's end,
// and its log is emitted now.
func (b *epochBuilder) addBatch(s *stage, batch *stageBatch) error {
	e := b.open
	first := e.changes
	e.changes += int64(len(batch.Changes))
	b.coverage.add(s.Name, batch.Batch)
	cut := false
	if s.settler != nil {
		var err error
		if cut, err = coarsen(s, batch.Batch, b.c.Log); err != nil {
			return err
		}
		if err := s.settler.Add(batch.packet, batch.Batch, first); err != nil {
			return err
		}
	}
	for _, rows := range batch.Tables {
		o := s.Log[rows.Table]
		if o.Empty() {
			continue
		}
		if err := e.emitLog(s.NodeOf(rows.Table), o, batch.Changes, rows); err != nil {
			return err
		}
	}
	for _, l := range batch.logs {
		if cut {
			retime(l.PackedLog, batch.Changes)
		}
		b.flow.operators[l.operator].instance.Log(first, l.PackedLog)
	}
	return b.addDeadLetters(s, batch.Batch)
}

// addDeadLetters adds the batch's dead letters to the epoch, and counts its records in the
// budget one by one: a record that is in no sink is a dead letter, or fails the epoch (I3).
// Replayed dead letters were counted when they became ones.
func (b *epochBuilder) addDeadLetters(s *stage, batch *pipeline.Batch) error {
	b.budget.addRefused(b.refusals.all())
	if len(batch.DeadLetters) == 0 && batch.Records.Replays == nil {
		b.budget.addGood(int64(batch.Records.Len())) // the usual case costs nothing a record
		return nil
	}
	next := 0
	for i := range batch.Records.Len() {
		dead := false
		for next < len(batch.DeadLetters) && batch.DeadLetters[next].At == i {
			d := &batch.DeadLetters[next]
			next++
			d.Origin = batch.Records.Origin(i)
			if err := b.addLetter(s, d, !dead || d.Row == nil); err != nil {
				return err
			}
			dead = true
		}
		if batch.Records.Replays != nil {
			if err := b.open.addReplayed(batch.Records.Replays[i].Origin.ReplayOf); err != nil {
				return err
			}
			continue
		}
		b.budget.add(dead)
		if dead && b.budget.exceeded() {
			return b.overBudget(&batch.DeadLetters[next-1])
		}
	}
	if next != len(batch.DeadLetters) {
		return fmt.Errorf("node %s: a dead letter at %s is not of its batch", batch.DeadLetters[next].Node, batch.DeadLetters[next].Pos)
	}
	return nil
}

// addLetter adds a dead letter to the epoch; counts says whether its record is to be counted:
// of rows of one record, the first does.
func (b *epochBuilder) addLetter(s *stage, d *pipeline.DeadLetter, counts bool) error {
	if counts && d.Origin.ReplayOf == nil {
		b.budget.addLetter(d)
	}
	return b.open.addLetter(s, d)
}

func (b *epochBuilder) overBudget(d *pipeline.DeadLetter) error {
	return fmt.Errorf("too many dead letters: %d of the last %d records, more than dead_letters.max_ratio %g allows; epoch %d takes no effect; the last one: %w",
		b.budget.bad, min(b.budget.n, budgetWindowRecords), b.budget.max, b.epoch, d)
}

// settle ends the epoch in all stages and operators, in the direction of the data, and emits
// their rows. Operators keep what was settled until they have finished.
func (b *epochBuilder) settle(last bool) error {
	e := b.open
	to := &emitter{epoch: e, runner: b.c.Runner}
	defer b.flow.releaseRows()
	for _, s := range b.flow.stages {
		if s.settler == nil {
			continue
		}
		if err := b.settleStage(s, to); err != nil {
			return fmt.Errorf("settling %s: %w", s.Name, err)
		}
	}
	end := e.end(last)
	for i, o := range b.flow.operators {
		if i == len(b.flow.operators)-1 {
			end.ReleaseRows = b.flow.releaseRows
		}
		err := o.instance.Finish(end, func(rows *pipeline.Rows) error { return to.addRows(o.Name, o.Outputs[rows.Table], rows) })
		if err == nil {
			err = to.flush()
		}
		if err != nil {
			return fmt.Errorf("transform %s: %w", o.Name, err)
		}
	}
	return nil
}

// settleStage ends the epoch in a stage.
func (b *epochBuilder) settleStage(s *stage, to *emitter) error {
	r, err := s.settler.Settle(b.c.Runner)
	if err != nil {
		return err
	}
	e := b.open
	e.rejected = append(e.rejected, r.Rejected...)
	if r.Reread > 0 {
		e.tally.Reread[s.Name] += r.Reread
	}
	if r.Missing > 0 {
		b.c.Log.Info("items that the snapshot does not have are removed", "node", s.Name, "items", r.Missing, "epoch", b.epoch)
	}
	if err := b.addLateLetters(s, r.DeadLetters); err != nil {
		return err
	}
	for _, rows := range r.Rows {
		o := s.outputs[rows.Output]
		if err := to.addSettled(o.node, o.to, rows); err != nil {
			return err
		}
	}
	return to.flush()
}

// addLateLetters adds the dead letters that settling made.
func (b *epochBuilder) addLateLetters(s *stage, letters []pipeline.DeadLetter) error {
	for i := range letters {
		d := &letters[i]
		if err := b.addLetter(s, d, true); err != nil {
			return err
		}
		if d.Origin.ReplayOf != nil {
			continue // it was counted when it became one
		}
		b.budget.mark()
		if b.budget.exceeded() {
			return b.overBudget(d)
		}
	}
	return nil
}

// saveCounts puts the counts of dead letters and of paths, as they are at the epoch's end,
// into it.
func (b *epochBuilder) saveCounts(p *preparedEpoch) (err error) {
	if p.barrier.last {
		b.budget.end(b.c.Sources)
	}
	p.refused = maps.Clone(b.budget.refused)
	if p.budget, err = b.budget.save(); err != nil {
		return err
	}
	p.coverage, err = b.coverage.save(p.barrier.last)
	p.unmatched = b.coverage.unmatched()
	return err
}

// takeRewound adds the cursors with which a backfill begins to those of the epoch, for the
// partitions that have not moved since: so they are saved with it (I2).
func (b *epochBuilder) takeRewound(c *barrier) {
	for source, parts := range b.rewound {
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
	b.rewound = nil
}
