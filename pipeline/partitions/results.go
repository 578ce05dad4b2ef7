package partitions

import (
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// handle goes on with the result of a read or a discovery.
func (d *dispatcher) handle(r result) error {
	now := time.Now()
	if r.of == nil {
		return d.handleDiscovery(r, now)
	}
	p := r.of
	d.inFlight--
	p.begun = time.Time{}
	var gap *pipeline.GapError
	isGap := errors.As(r.err, &gap)
	if r.read.Records != nil && (isGap || r.err != nil && !ended(r.err)) {
		return fmt.Errorf("partition %s gives records together with an error: %w", p.Name, r.err) // they would be lost (I3)
	}
	if r.read.Records == nil {
		d.memory.release(int64(p.allowance))
	}
	switch {
	case isGap:
		return d.handleGap(p, gap, now)
	case r.err != nil && !ended(r.err):
		return d.handleFailure(p, r.read.Wait, r.err, now)
	}
	return d.handleRead(p, r.read, ended(r.err), now)
}

// handleDiscovery takes what a discovery has found. One that has failed is tried again.
func (d *dispatcher) handleDiscovery(r result, now time.Time) error {
	d.discovering = false
	if r.err == nil {
		d.recovered(&d.discoveryFailures, "")
		d.discovered(r.found, now)
		return nil
	}
	r.err = fmt.Errorf("discovery of partitions: %w", r.err)
	if d.input.Bounded() && !pipeline.Retryable(r.err) {
		return r.err
	}
	d.discoveries-- // it did not take place
	d.nextDiscovery = now.Add(d.failed(&d.discoveryFailures, "", r.err, now))
	return nil
}

// handleFailure tries a partition again, later.
func (d *dispatcher) handleFailure(p *partition, wait time.Duration, err error, now time.Time) error {
	if d.input.Bounded() && !pipeline.Retryable(err) {
		return fmt.Errorf("partition %s: %w", p.Name, err)
	}
	d.scheduleAt(p, now.Add(max(wait, d.failed(&p.failures, p.displayName(), err, now))))
	return nil
}

// handleGap saves a gap, and goes on as on_gap says.
func (d *dispatcher) handleGap(p *partition, e *pipeline.GapError, now time.Time) error {
	g, err := newGap(p, e, d.position(p).ReadUntil, d.env.Now())
	if err != nil {
		return err
	}
	d.recovered(&p.failures, p.displayName())
	d.setScheduled(p, false)
	p.cursor.Gap = g
	if p.acceptGap && !p.read {
		p.acceptGap = false // another one behind it is none that the last run has left
		d.accept(p)
		if p.cursor.Ended {
			d.ended(p, false, now)
		}
		d.enqueueReady(p, now)
		return nil
	}
	if d.input.Bounded() {
		return g.err(d.options.GapAdvice)
	}
	p.unsaved = p.cursor.encode()
	if d.options.OnGap == GapWaits {
		d.noticeGap(p)
	} else {
		d.gaps = append(d.gaps, g)
	}
	d.unsaved = append(d.unsaved, p)
	d.tell(news{positions: map[string][]byte{p.Name: p.unsaved}, saveNow: true})
	return nil
}

// handleRead hands over what was read of a partition, and schedules it, or its children.
func (d *dispatcher) handleRead(p *partition, read pipeline.PartitionRecords, end bool, now time.Time) error {
	d.recovered(&p.failures, p.displayName())
	p.lagAt = time.Time{}
	if read.LagKnown {
		p.lag, p.lagAt = max(read.Lag, 0), now
	}
	// The children are saved with the end, or before: else they could be lost between the two,
	// as nobody asks the end again.
	children := d.addNamed(read.Children)
	var err error
	if records := read.Records; records != nil && records.Len() > 0 {
		p.lastBytes = int(d.memory.hold(records, p.allowance))
		err = d.handOver(p, &read, children.positions, end)
	} else {
		if records != nil {
			if records.Free != nil {
				records.Free()
			}
			d.memory.release(int64(p.allowance))
		}
		p.lastBytes = 0
		err = d.handOverPosition(p, &read, children.positions, end)
	}
	if err != nil {
		return fmt.Errorf("partition %s: %w", p.Name, err)
	}
	if children.saveNow {
		d.tell(children)
	}
	if end {
		d.ended(p, len(read.Children) > 0, now)
		return nil
	}
	wait := read.Wait
	if wait == 0 && read.CaughtUp {
		wait = d.options.PollInterval
	}
	d.scheduleAt(p, now.Add(wait))
	return nil
}

// handOver hands over records, with what has changed by them, and positions of others.
func (d *dispatcher) handOver(p *partition, read *pipeline.PartitionRecords, others map[string][]byte, end bool) error {
	records, before := read.Records, p.cursor
	if err := p.cursor.setAt(records.CursorAfter(records.Len())); err != nil {
		return err
	}
	p.cursor.readRecords(records, records.Len(), read.ReadUntil, end)
	delete(d.quiet, p)
	progress := d.progressOf(p, true, read.CaughtUp || end)
	if progress == nil && d.unread != d.unreadTold {
		progress = &pipeline.Progress{}
	}
	if progress != nil {
		progress.Unread, d.unreadTold = d.unread, d.unread
	}
	records.Source, records.Partition, records.DisplayName = d.source, p.Name, p.DisplayName
	records.First, records.CursorAfter, records.Progress = before.First+before.Records, before.after(records, read.ReadUntil, end), progress
	records.Positions = others
	d.outbox.put(records)
	return nil
}

// handOverPosition hands over how far a partition is that gave no records, and positions of
// others.
func (d *dispatcher) handOverPosition(p *partition, read *pipeline.PartitionRecords, others map[string][]byte, end bool) error {
	before := p.cursor
	if read.Cursor != nil {
		if err := p.cursor.setAt(read.Cursor); err != nil {
			return err
		}
	}
	p.cursor.readUntil(read.ReadUntil)
	p.cursor.Ended = end
	n := news{positions: others, progress: d.progressOf(p, false, read.CaughtUp || end)}
	switch {
	case p.cursor.At != before.At || end:
		n.positions[p.Name] = p.cursor.encode()
		delete(d.quiet, p)
	case p.cursor.ReadUntil != before.ReadUntil:
		d.quiet[p] = true
	}
	if len(n.positions) > 0 || n.progress != nil || d.unread != d.unreadTold {
		d.tell(n)
	}
	return nil
}

// progressOf returns what has changed in how far a partition is read; nil = nothing has. The
// engine counts a partition that gave records as behind until a Progress says otherwise.
func (d *dispatcher) progressOf(p *partition, records, caughtUp bool) *pipeline.Progress {
	first, was := !p.read, p.caughtUp && !records
	d.noteRead(p)
	if p.scheduled && caughtUp != p.caughtUp {
		if caughtUp {
			d.behind--
		} else {
			d.behind++
		}
	}
	p.caughtUp = caughtUp
	switch {
	case caughtUp && (first || !was):
		return &pipeline.Progress{CaughtUp: []string{p.Name}}
	case !caughtUp && !records && (first || was):
		return &pipeline.Progress{Behind: []string{p.Name}}
	}
	return nil
}

// ended goes on with the children of a partition that has ended. If it named none, they are
// searched for.
func (d *dispatcher) ended(p *partition, named bool, now time.Time) {
	d.setScheduled(p, false)
	d.noteEnd(p)
	if !named {
		d.lastEnd = d.discoveries
	}
	for _, child := range d.children[p.Name] {
		d.enqueueReady(child, now)
	}
}
