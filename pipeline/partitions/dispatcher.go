package partitions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// partition is what the dispatcher knows of one. While a worker has it, reader and
// nothing else is the worker's.
type partition struct {
	pipeline.Partition
	cursor   cursor
	reader   pipeline.PartitionReader // nil = not open
	queued   bool                     // its parents have ended: it is in the queue, or with a worker
	read     bool                     // in this opening
	caughtUp bool                     // as it was reported last
	next     time.Time                // when it is read again
	endedAt  int                      // the number of discoveries that had begun when it ended in this opening
}

// job is a read of a partition; of none, a discovery. It holds all that the worker may
// look at, but for the reader.
type job struct {
	of        *partition
	partition pipeline.Partition
	at        []byte // nil = its start
	known     map[string]bool
}

// jobOf returns a read of a partition.
func jobOf(p *partition) job {
	j := job{of: p, partition: p.Partition}
	if p.cursor.At != "" {
		j.at = []byte(p.cursor.At)
	}
	return j
}

// result is what became of a job.
type result struct {
	job
	read  pipeline.PartitionRecords
	found []pipeline.Partition
	err   error
}

// dispatcher owns the partitions of one opening.
type dispatcher struct {
	source  string
	input   pipeline.PartitionSource
	options Options
	env     pipeline.Env

	jobs    chan job
	results chan result

	partitions     map[string]*partition
	queue          []*partition        // to be read, the one that has waited longest first
	outbox         []*pipeline.Records // to be handed over
	busy           int                 // jobs that workers have
	reportedUnread int

	discoveries   int  // that have begun
	discovering   bool // a worker is at it
	nextDiscovery time.Time
}

func newDispatcher(source string, input pipeline.PartitionSource, o Options, env pipeline.Env) *dispatcher {
	return &dispatcher{source: source, input: input, options: o, env: env, jobs: make(chan job), results: make(chan result),
		partitions: map[string]*partition{}, discoveries: 1}
}

// restore takes the cursors of a checkpoint.
func (d *dispatcher) restore(cursors map[string][]byte) error {
	for name, raw := range cursors {
		c, err := parseCursor(name, raw)
		if err != nil {
			return err
		}
		d.partitions[name] = &partition{Partition: pipeline.Partition{Name: name, Parents: c.Parents}, cursor: c}
	}
	return nil
}

// known names the partitions that have a cursor, or were found in this opening.
func (d *dispatcher) known() map[string]bool {
	all := make(map[string]bool, len(d.partitions))
	for name := range d.partitions {
		all[name] = true
	}
	return all
}

// discovered takes the partitions that the last discovery lists.
func (d *dispatcher) discovered(found []pipeline.Partition) {
	d.nextDiscovery = time.Now().Add(d.options.DiscoveryInterval)
	starts, listed := map[string][]byte{}, map[string]bool{}
	for _, f := range found {
		listed[f.Name] = true
		p := d.partitions[f.Name]
		if p == nil {
			p = &partition{Partition: f, cursor: cursor{At: string(f.Start), Parents: f.Parents}}
			d.partitions[f.Name] = p
			if f.Start != nil {
				starts[f.Name] = p.cursor.encode()
			}
		}
		p.DisplayName = f.DisplayName
	}
	d.enqueueReady()
	dropped := d.forget(listed)
	if r := d.progress(starts, dropped, nil); r != nil {
		d.outbox = append(d.outbox, r)
	}
}

// enqueueReady queues the partitions whose parents have ended by now, in the order of
// their names, so that a first reading is the same each time.
func (d *dispatcher) enqueueReady() {
	for _, name := range slices.Sorted(maps.Keys(d.partitions)) {
		p := d.partitions[name]
		if p.queued || p.cursor.Ended || slices.ContainsFunc(p.Parents, d.stillOpen) {
			continue
		}
		p.queued = true
		d.queue = append(d.queue, p)
	}
}

// stillOpen reports whether a partition is there, or was read, and has not ended (I4).
func (d *dispatcher) stillOpen(name string) bool {
	p := d.partitions[name]
	return p != nil && !p.cursor.Ended
}

// forget takes out the partitions that have ended, are not listed any longer, and whose
// children, which a discovery has found that began after the end, are being read.
func (d *dispatcher) forget(listed map[string]bool) (dropped []string) {
	for name, p := range d.partitions {
		if !p.cursor.Ended || listed[name] || p.endedAt >= d.discoveries {
			continue
		}
		waits := false
		for _, child := range d.partitions {
			waits = waits || !child.read && !child.cursor.Ended && slices.Contains(child.Parents, name)
		}
		if !waits {
			dropped = append(dropped, name)
		}
	}
	for _, name := range dropped {
		delete(d.partitions, name)
	}
	slices.Sort(dropped)
	return dropped
}

// unread counts the partitions of which nothing was read in this opening.
func (d *dispatcher) unread() (n int) {
	for _, p := range d.partitions {
		if !p.read && !p.cursor.Ended {
			n++
		}
	}
	return n
}

// progress returns records without Spans that say what has changed; nil = nothing has.
func (d *dispatcher) progress(positions map[string][]byte, dropped []string, change *pipeline.Progress) *pipeline.Records {
	unread := d.unread()
	if len(positions) == 0 && len(dropped) == 0 && change == nil && unread == d.reportedUnread {
		return nil
	}
	if change == nil {
		change = &pipeline.Progress{}
	}
	change.Unread, d.reportedUnread = unread, unread
	return &pipeline.Records{Source: d.source, Format: &pipeline.Format{}, Progress: change, Positions: positions, Dropped: dropped}
}

// run assigns reads to workers and hands over what they bring, until ctx ends, something fails,
// or, of a bounded source, all partitions have ended: io.EOF.
func (d *dispatcher) run(ctx context.Context, out chan<- *pipeline.Records) error {
	timer := time.NewTimer(d.options.PollInterval)
	defer timer.Stop()
	for {
		if done, err := d.finished(); done || err != nil {
			return err
		}
		var jobs chan<- job
		next, wait := d.nextJob(time.Now())
		var head *pipeline.Records
		var handOver chan<- *pipeline.Records
		if len(d.outbox) > 0 {
			head, handOver = d.outbox[0], out
		} else if wait <= 0 {
			jobs = d.jobs
		}
		timer.Reset(max(wait, time.Millisecond))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case jobs <- next:
			d.assigned(next)
		case handOver <- head:
			d.outbox = slices.Delete(d.outbox, 0, 1)
		case r := <-d.results:
			if err := d.handle(r); err != nil {
				return err
			}
		case <-timer.C:
		}
	}
}

// finished reports whether nothing will ever come. Partitions that only wait for each
// other are an error: they would wait for ever.
func (d *dispatcher) finished() (done bool, err error) {
	if d.busy > 0 || len(d.queue) > 0 || len(d.outbox) > 0 || d.discoveryWanted() {
		return false, nil
	}
	for name, p := range d.partitions {
		if !p.cursor.Ended {
			return true, fmt.Errorf("partition %s and others are each other's parents", name)
		}
	}
	if d.input.Bounded() {
		return true, io.EOF
	}
	return false, nil
}

// discoveryWanted reports whether a partition has ended since the last discovery began:
// its children have to be found.
func (d *dispatcher) discoveryWanted() bool {
	for _, p := range d.partitions {
		if p.cursor.Ended && p.endedAt >= d.discoveries {
			return true
		}
	}
	return false
}

// nextJob returns the job to assign next, and how long to wait until then.
func (d *dispatcher) nextJob(now time.Time) (next job, wait time.Duration) {
	wait = d.nextDiscovery.Sub(now)
	if d.discovering {
		wait = time.Hour
	} else if wait <= 0 || d.discoveryWanted() {
		return job{known: d.known()}, 0
	}
	for _, p := range d.queue {
		if left := p.next.Sub(now); left <= 0 {
			return jobOf(p), 0
		} else if left < wait {
			wait = left
		}
	}
	return job{}, max(wait, time.Nanosecond)
}

// assigned notes that a worker has taken a job.
func (d *dispatcher) assigned(j job) {
	d.busy++
	if j.of == nil {
		d.discoveries, d.discovering = d.discoveries+1, true
		return
	}
	d.queue = slices.DeleteFunc(d.queue, func(p *partition) bool { return p == j.of })
}

// handle goes on with the result of a job.
func (d *dispatcher) handle(r result) error {
	d.busy--
	var gap *pipeline.GapError
	switch {
	case r.of == nil && r.err != nil:
		return fmt.Errorf("discovery of partitions: %w", r.err)
	case r.of == nil:
		d.discovering = false
		d.discovered(r.found)
		return nil
	case errors.As(r.err, &gap) && r.read.Records != nil:
		return fmt.Errorf("partition %s gives records together with a gap, which come before it", r.of.Name) // they would be lost (I3)
	case errors.As(r.err, &gap) && !d.input.Bounded():
		return d.handleGap(r.of, gap)
	case r.err != nil && !ended(r.err):
		return fmt.Errorf("partition %s: %w", r.of.Name, r.err)
	}
	return d.handleRead(r.of, r.read, ended(r.err))
}

// handleGap reports what is lost, and goes on behind it.
func (d *dispatcher) handleGap(p *partition, gap *pipeline.GapError) error {
	name, position := p.displayName(), p.cursor.text()
	if gap.Position != "" {
		position = gap.Position
	}
	d.env.Notify(pipeline.Notice{Event: pipeline.EventLost, Message: gap.Error(), Partition: name, Position: position, Lost: gap.Lost, Gap: true})
	if gap.Resume == nil {
		return d.handleRead(p, pipeline.PartitionRecords{}, true)
	}
	return d.handleRead(p, pipeline.PartitionRecords{Cursor: gap.Resume}, false)
}

// displayName returns what people call the partition.
func (p *partition) displayName() string {
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.Name
}

// handleRead hands over what was read of a partition, and queues it, or its children.
func (d *dispatcher) handleRead(p *partition, read pipeline.PartitionRecords, end bool) error {
	before, at := p.cursor, read.Cursor
	records := read.Records
	if records != nil && records.Len() == 0 {
		if records.Free != nil {
			records.Free()
		}
		records = nil
	}
	if records != nil {
		at = records.CursorAfter(records.Len())
		p.cursor.Records += int64(records.Len())
	}
	if at != nil {
		if err := p.cursor.setAt(at); err != nil {
			return fmt.Errorf("partition %s: %w", p.Name, err)
		}
	}
	p.cursor.Ended = end
	change := d.progressOf(p, records != nil, read.CaughtUp || end)
	if records != nil {
		records.Source, records.Partition, records.DisplayName = d.source, p.Name, p.DisplayName
		records.First, records.CursorAfter = before.Records, before.after(records, end)
		if change != nil || d.unread() != d.reportedUnread {
			records.Progress = d.progress(nil, nil, change).Progress
		}
		d.outbox = append(d.outbox, records)
	} else {
		var positions map[string][]byte
		if p.cursor.At != before.At || end {
			positions = map[string][]byte{p.Name: p.cursor.encode()}
		}
		if r := d.progress(positions, nil, change); r != nil {
			d.outbox = append(d.outbox, r)
		}
	}
	if end {
		p.endedAt = d.discoveries
		d.enqueueReady()
		return nil
	}
	p.next = time.Time{}
	if read.CaughtUp {
		p.next = time.Now().Add(d.options.PollInterval)
	}
	d.queue = append(d.queue, p)
	return nil
}

// progressOf returns what has changed in how far a partition is read; nil = nothing has. The
// engine counts a partition that gave records as behind until a Progress says otherwise.
func (d *dispatcher) progressOf(p *partition, records, caughtUp bool) *pipeline.Progress {
	first := !p.read
	was := p.caughtUp && !records
	p.read, p.caughtUp = true, caughtUp
	switch {
	case caughtUp && (first || !was):
		return &pipeline.Progress{CaughtUp: []string{p.Name}}
	case !caughtUp && !records && (first || was):
		return &pipeline.Progress{Behind: []string{p.Name}}
	}
	return nil
}

// closeReaders closes what is open, when nobody works any longer.
func (d *dispatcher) closeReaders() error {
	var errs []error
	for _, p := range d.partitions {
		if p.reader != nil {
			errs = append(errs, p.reader.Close())
			p.reader = nil
		}
	}
	return errors.Join(errs...)
}
