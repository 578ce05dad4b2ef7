package engine

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// splitter divides what the readers bring into tasks and epochs: it decides where
// an epoch ends, and sends a barrier there. It alone knows how far each source is
// read.
type splitter struct {
	limits  Limits
	sources []graph.SourceNode
	pace    *pace
	clock   func() time.Time
	// snapshotsOf returns the versions that an epoch is pinned to, and beginTime the wall
	// time at which it begins, both by the epoch's number; nil = there are none.
	snapshotsOf func(epoch int64) []any
	beginTime   func(epoch int64) time.Time

	results chan readResult // from the readers
	tasks   chan *task      // to the workers
	events  chan event      // the same tasks, and barriers, to the epoch builder

	before   int64     // the epoch before those of the run
	number   int       // of the open epoch, counted from the start of the run
	open     barrier   // of the open epoch, as far as it was read
	movedAt  time.Time // when the first position moved in the open epoch without records; zero = none did
	finished map[string]bool
	progress map[string]*readProgress // of the sources without end
	timer    *epochTimer              // ends epochs with records
	wanted   *time.Timer              // ends epochs without
	wantedAt time.Time                // when wanted is to send; zero = it does not run
}

// positionsInterval is the least time between two epochs that hold nothing but positions
// of quiet partitions, unless the interval of epochs is longer.
const positionsInterval = 5 * time.Second

// run splits until every source has ended or stop does. It closes tasks in any case,
// and events when the last epoch has its barrier.
func (s *splitter) run(stop, ctx context.Context) error {
	defer close(s.tasks)
	defer s.timer.Stop()
	s.wanted = newStoppedTimer()
	defer s.wanted.Stop()
	s.begin()
	for open := len(s.sources); open > 0; {
		if stop.Err() != nil { // before what was read already: select would take either
			return s.end(ctx, false)
		}
		var err error
		s.startWanted()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop.Done():
			return s.end(ctx, false)
		case <-s.pace.signal:
			err = s.endIfOver(ctx)
		case <-s.timer.C:
			s.timer.fired()
			err = s.endIfOver(ctx)
		case <-s.wanted.C:
			s.pace.takeWanted()
			s.open.wanted = true
			err = s.endEpoch(ctx)
		case in := <-s.results:
			if ended(in.err) {
				s.finish(in.source)
				open--
				continue
			}
			if in.err == nil {
				err = s.take(stop, ctx, in)
			} else if stop.Err() == nil { // after stop, the error is only that reading was cancelled
				err = fmt.Errorf("source %s: %w", s.sources[in.source].Name, in.err)
			}
			if err == nil && stop.Err() != nil {
				return s.end(ctx, false) // take may have left records behind
			}
		}
		if err != nil {
			return err
		}
	}
	return s.end(ctx, true)
}

// endIfOver ends the open epoch if it is time.
func (s *splitter) endIfOver(ctx context.Context) error {
	if s.pace.begun.Load() == s.epoch() {
		s.timer.begun()
	}
	if !s.timer.over(s.pace.committed.Load()) {
		return nil
	}
	return s.endEpoch(ctx)
}

// startWanted lets the timer wanted send when an epoch is wanted though there are no
// records. It counts from now on: if the clock of the machine is set meanwhile, that does
// not hold the epoch up.
func (s *splitter) startWanted() {
	var at time.Time
	if s.open.records == 0 {
		at = earliest(s.positionsWantedAt(), s.pace.wanted())
	}
	if at.Equal(s.wantedAt) {
		return
	}
	if s.wantedAt = at; at.IsZero() {
		s.wanted.Stop()
	} else {
		s.wanted.Reset(max(demandAgeMin, at.Sub(s.clock())))
	}
}

// earliest returns the earlier of two times, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// begin opens the next epoch.
func (s *splitter) begin() {
	s.open, s.movedAt = barrier{cursors: map[string]map[string][]byte{}}, time.Time{}
	s.number++
	s.timer.open(s.epoch())
	s.wanted.Stop()
	s.wantedAt = time.Time{}
}

// finish notes that a source is at its end. The inbox only is for now.
func (s *splitter) finish(source int) {
	if name := s.sources[source].Name; name != inboxSource {
		s.finished[name] = true
	}
}

// take sends the records on, with a barrier wherever an epoch is full. After stop
// it leaves what is behind the next barrier: a stop waits for an epoch, not for all
// that was read (I7).
func (s *splitter) take(stop, ctx context.Context, in readResult) error {
	source := s.sources[in.source].Name
	b := newBuffer(in.records)
	defer b.release()
	if in.records.SnapshotEnd != nil {
		if err := s.beginSnapshotEnd(ctx, source, in.records); err != nil || stop.Err() != nil {
			return err
		}
		s.open.snapshot = &sourceSnapshotEnd{source, in.records.SnapshotEnd}
	}
	s.progress[source].take(in.records)
	s.notePositions(source, in.records)
	for recs := in.records; recs.Len() > 0; {
		n, size := s.fit(recs)
		if err := s.send(ctx, source, b, recs.Slice(0, n)); err != nil {
			return err
		}
		s.open.records += int64(n)
		s.open.bytes += size
		s.noteCursor(source, recs, n)
		s.timer.read()
		if s.open.records >= s.limits.Records || s.open.bytes >= s.limits.Bytes {
			if err := s.endEpoch(ctx); err != nil || stop.Err() != nil {
				return err
			}
		}
		recs = recs.Slice(n, recs.Len())
	}
	s.progress[source].done(in.records)
	if in.records.SaveNow {
		s.open.wanted = true
		return s.endEpoch(ctx)
	}
	return nil
}

// beginSnapshotEnd makes the open epoch one that ends a snapshot, and has no records: so what
// it removes does not depend on what else was read by then.
func (s *splitter) beginSnapshotEnd(ctx context.Context, source string, recs *pipeline.Records) error {
	if recs.Len() > 0 || !recs.SaveNow {
		return fmt.Errorf("source %s ends a snapshot with records, or without saving", source)
	}
	if s.open.records > 0 {
		return s.endEpoch(ctx)
	}
	return nil
}

// fit returns how many of the records still go into the epoch, at least one,
// and their bytes.
func (s *splitter) fit(recs *pipeline.Records) (n int, size int64) {
	room := int(min(int64(recs.Len()), s.limits.Records-s.open.records))
	for n < room && (n == 0 || s.open.bytes+size < s.limits.Bytes) {
		size += int64(recs.Spans[n].End - recs.Spans[n].Start)
		n++
	}
	return n, size
}

// noteCursor sets the cursor of the open epoch to the one after the first n records.
func (s *splitter) noteCursor(source string, recs *pipeline.Records, n int) {
	s.cursors(source)[recs.Partition] = recs.CursorAfter(n)
}

// notePositions adds the positions that come with records, or without, to the open epoch. A
// dropped partition has the cursor nil.
func (s *splitter) notePositions(source string, recs *pipeline.Records) {
	if len(recs.Positions) == 0 && len(recs.Dropped) == 0 {
		return
	}
	cursors := s.cursors(source)
	for _, p := range recs.Dropped {
		cursors[p] = nil
	}
	maps.Copy(cursors, recs.Positions)
	if s.movedAt.IsZero() {
		s.movedAt = s.clock()
	}
}

// cursors returns those of the open epoch of a source.
func (s *splitter) cursors(source string) map[string][]byte {
	if s.open.cursors[source] == nil {
		s.open.cursors[source] = map[string][]byte{}
	}
	return s.open.cursors[source]
}

// positionsWantedAt returns when an epoch is wanted for nothing but positions; zero = never.
func (s *splitter) positionsWantedAt() time.Time {
	if s.movedAt.IsZero() {
		return time.Time{}
	}
	return s.movedAt.Add(max(s.limits.Interval, positionsInterval))
}

// send gives the records to the workers and, in order, to the epoch builder.
func (s *splitter) send(ctx context.Context, source string, b *buffer, recs *pipeline.Records) error {
	b.retain()
	header := s.header()
	recs.EpochTime = header.micros()
	t := &task{buffer: b, epoch: s.epoch(), header: header, source: source, records: recs, done: make(chan struct{})}
	if s.snapshotsOf != nil {
		t.snapshots = s.snapshotsOf(s.epoch())
	}
	select {
	case s.events <- event{task: t}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case s.tasks <- t:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endEpoch sends the barrier of the open epoch, and opens the next.
func (s *splitter) endEpoch(ctx context.Context) error {
	done := s.open
	done.header, done.finished = s.header(), maps.Clone(s.finished)
	s.begin()
	select {
	case s.events <- event{barrier: &done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end sends the last barrier of this run.
func (s *splitter) end(ctx context.Context, last bool) error {
	s.open.last = last
	s.open.wanted = s.open.wanted || !s.movedAt.IsZero() // or else positions would be lost
	if err := s.endEpoch(ctx); err != nil {
		return err
	}
	close(s.events)
	return nil
}

// epoch returns the number of the open epoch.
func (s *splitter) epoch() int64 { return s.before + int64(s.number) }
