package partitions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// hangsAfter is how long a read counts as one of Options.Reads.
	hangsAfter = time.Second
	// readUntilInterval is the time between two savings of what is known to be read of
	// quiet partitions. Services keep records for a day or more.
	readUntilInterval = time.Minute
	// readUntilFirst is the time of the first one after an opening: so processes that
	// never last a minute save it, too.
	readUntilFirst = 5 * time.Second
)

// dispatcher owns the partitions of one opening.
type dispatcher struct {
	source    string
	input     pipeline.PartitionSource
	options   Options
	env       pipeline.Env
	acceptGap bool
	noticed   map[string]bool        // gaps that people were told of, by partition and position
	retries   *prometheus.CounterVec // by source and reason
	gapsOpen  prometheus.Gauge

	running sync.WaitGroup // goroutines for reads and discoveries
	work    chan func() result
	results chan result
	told    chan map[string][]byte // what Committed was told
	asked   chan chan pipeline.PartitionReport
	done    chan struct{} // closed when run has ended

	lineage
	outbox     outbox
	unreadTold int // that was handed over last
	memory     *memory
	schedule   schedule
	turns      int64
	inFlight   int          // reads
	begun      []*flight    // reads that count, the oldest first
	behind     int          // partitions that are scheduled and not caught up
	unsaved    []*partition // those that wait for Committed
	quiet      map[*partition]bool
	quietAt    time.Time // when the ReadUntil of quiet ones was saved last
	gaps       []*gap    // that end the run when they are saved

	discovering       bool
	nextDiscovery     time.Time
	lastDiscovery     time.Time
	discoveryFailures failures
	warned            time.Time // when people were told of a failure last
}

// flight is a read that counts as one of Options.Reads.
type flight struct {
	of    *partition
	begun time.Time
}

func newDispatcher(source string, input pipeline.PartitionSource, o Options, from pipeline.SourceOptions, noticed map[string]bool) *dispatcher {
	d := &dispatcher{
		source: source, input: input, options: o, env: from.Env, acceptGap: from.AcceptGap, noticed: noticed,
		retries: from.Env.CounterVec(prometheus.CounterOpts{Name: "starlift_source_retries_total",
			Help: "Reads and discoveries of a source's partitions that had to be tried again."}, "source", "reason"),
		gapsOpen: from.Env.GaugeVec(prometheus.GaugeOpts{Name: "starlift_source_gaps",
			Help: "Partitions with a gap that nobody has accepted."}, "source").WithLabelValues(source),
		work: make(chan func() result), results: make(chan result), told: make(chan map[string][]byte), asked: make(chan chan pipeline.PartitionReport), done: make(chan struct{}),
		lineage: newLineage(), outbox: outbox{source: source}, memory: newMemory(o.MemoryBytes), quiet: map[*partition]bool{}, quietAt: time.Now().Add(readUntilFirst - readUntilInterval),
	}
	d.gapsOpen.Set(0)
	return d
}

// restore takes the cursors of a checkpoint. Gaps that nobody accepts are an error, with on_gap:
// fail.
func (d *dispatcher) restore(cursors map[string][]byte) error {
	var unaccepted []*gap
	for _, name := range slices.Sorted(maps.Keys(cursors)) {
		c, err := parseCursor(name, cursors[name])
		if err != nil {
			return err
		}
		p := &partition{Partition: pipeline.Partition{Name: name, Parents: c.Parents}, cursor: c, acceptGap: d.acceptGap}
		d.add(p)
		switch {
		case c.Gap == nil:
		case d.acceptGap:
			d.accept(p)
		case d.options.OnGap == GapWaits:
			d.noticeGap(p)
		default:
			unaccepted = append(unaccepted, c.Gap)
		}
	}
	return gapsError(unaccepted, d.options.GapAdvice)
}

// accept goes on behind the gap of a partition.
func (d *dispatcher) accept(p *partition) {
	g := p.cursor.acceptGap(d.env.Now())
	d.env.Notify(g.acceptedNotice())
	if p.cursor.Ended {
		d.noteEnd(p)
	}
	d.tell(news{positions: map[string][]byte{p.Name: p.cursor.encode()}, saveNow: true})
}

// noticeGap tells people of a gap behind which nothing is read, once in a process.
func (d *dispatcher) noticeGap(p *partition) {
	d.gapsOpen.Inc()
	g := p.cursor.Gap
	if at := p.Name + " " + g.Position; !d.noticed[at] {
		d.noticed[at] = true
		d.env.Notify(g.notice(d.options.GapAdvice))
	}
}

// tell hands over what has changed without records.
func (d *dispatcher) tell(n news) {
	d.unreadTold = d.unread
	d.outbox.tell(n, d.unread)
}

// run assigns reads and hands over what they bring, until ctx ends, gaps are saved,
// or, of a bounded source, all partitions have ended: io.EOF.
func (d *dispatcher) run(ctx context.Context, out chan<- *pipeline.Records) error {
	defer close(d.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		wake := d.assign(ctx, now)
		if done, err := d.finished(); done || err != nil {
			return err
		}
		head := d.outbox.head()
		handOver := out
		if head == nil {
			handOver = nil
		}
		timer.Reset(max(wake.Sub(now), time.Millisecond))
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case handOver <- head:
			d.outbox.taken()
		case r := <-d.results:
			err = d.handle(r)
		case cursors := <-d.told:
			err = d.saved(cursors)
		case answer := <-d.asked:
			answer <- d.report()
		case <-d.memory.freed:
		case <-timer.C:
		}
		if err != nil {
			return err
		}
	}
}

// finished reports whether nothing will ever come. Partitions that only wait for each
// other are an error: they would wait for ever.
func (d *dispatcher) finished() (done bool, err error) {
	if d.inFlight > 0 || len(d.schedule) > 0 || len(d.outbox.queue) > 0 || len(d.unsaved) > 0 || d.discovering || d.discoveryWanted() || len(d.gaps) > 0 {
		return false, nil
	}
	waits := false
	for name, p := range d.partitions {
		if !p.cursor.Ended && !d.behindGap(p) {
			return true, fmt.Errorf("partition %s and others are each other's parents", name)
		}
		waits = waits || !p.cursor.Ended
	}
	if d.input.Bounded() && !waits {
		return true, io.EOF
	}
	return false, nil
}

// assign starts what is to be done now, and returns when there may be more to do.
func (d *dispatcher) assign(ctx context.Context, now time.Time) (wake time.Time) {
	if len(d.gaps) > 0 {
		return now.Add(time.Hour) // until they are saved
	}
	d.saveReadUntil(now)
	wake = d.quietAt.Add(readUntilInterval)
	at := d.nextDiscovery
	if d.discoveryWanted() && d.discoveryFailures.count == 0 {
		at = d.lastDiscovery.Add(d.options.DiscoveryInterval / 30)
	}
	switch {
	case d.discovering:
	case at.After(now):
		wake = earlier(wake, at)
	default:
		d.discover(ctx, now)
	}
	for p := d.schedule.first(); p != nil; p = d.schedule.first() {
		if p.next.After(now) {
			return earlier(wake, p.next)
		}
		if d.outbox.full() {
			return wake // until some of it is taken
		}
		if free := d.freeFlight(now); free.After(now) {
			return earlier(wake, free)
		}
		p.allowance = d.memory.allowance(p, d.behind)
		if !d.memory.reserve(p.allowance) {
			return wake // until some is freed, or a read has ended
		}
		d.startRead(ctx, d.schedule.takeFirst(), now)
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// startRead starts a read of a partition, for which memory is reserved.
func (d *dispatcher) startRead(ctx context.Context, p *partition, now time.Time) {
	p.begun = now
	d.inFlight++
	d.begun = append(d.begun, &flight{p, now})
	info, at, allowance := p.Partition, d.position(p), p.allowance
	d.start(ctx, func() result { return d.read(ctx, p, info, at, allowance) })
}

// freeFlight returns when a further read may begin, now or later, and takes those that
// hang out of the count.
func (d *dispatcher) freeFlight(now time.Time) time.Time {
	if len(d.begun) < d.options.Reads {
		return now
	}
	d.begun = slices.DeleteFunc(d.begun, func(f *flight) bool {
		over := !f.of.begun.Equal(f.begun)
		return over || now.Sub(f.begun) >= hangsAfter
	})
	if len(d.begun) < d.options.Reads {
		return now
	}
	return d.begun[0].begun.Add(hangsAfter)
}

func (d *dispatcher) discover(ctx context.Context, now time.Time) {
	known := d.names()
	d.discoveries, d.discovering, d.lastDiscovery = d.discoveries+1, true, now
	d.start(ctx, func() (r result) {
		r.found, r.err = d.input.Discover(ctx, known)
		return r
	})
}

// position returns where a partition is to be read on. What it has came when its parents had ended: as long as nothing of
// it was read, it counts as read for as long as they were, however early the place is that its first start has set. So the
// last ones of a long line may wait for the first ones for hours, and nothing of them is taken for lost.
func (d *dispatcher) position(p *partition) (at pipeline.PartitionPosition) {
	if p.cursor.At != "" {
		at.Cursor = []byte(p.cursor.At)
	}
	at.ReadUntil = p.cursor.ReadUntil
	if p.cursor.Records > 0 || len(p.cursor.Accepted) > 0 {
		return at
	}
	if until := d.parentsReadUntil(p); until.After(at.ReadUntil) {
		at.ReadUntil = until
	}
	return at
}

// saveReadUntil saves from time to time what is known to be read of quiet partitions.
func (d *dispatcher) saveReadUntil(now time.Time) {
	if now.Sub(d.quietAt) < readUntilInterval {
		return
	}
	d.quietAt = now
	positions := map[string][]byte{}
	for p := range d.quiet {
		positions[p.Name] = p.cursor.encode()
	}
	if clear(d.quiet); len(positions) > 0 {
		d.tell(news{positions: positions})
	}
}

// saved goes on where something waited to be saved.
func (d *dispatcher) saved(cursors map[string][]byte) error {
	now := time.Now()
	d.unsaved = slices.DeleteFunc(d.unsaved, func(p *partition) bool {
		if !bytes.Equal(cursors[p.Name], p.unsaved) {
			return false
		}
		p.unsaved = nil
		if p.cursor.Gap == nil {
			d.enqueueReady(p, now)
		}
		return true
	})
	if len(d.unsaved) == 0 {
		return gapsError(d.gaps, d.options.GapAdvice)
	}
	return nil
}

// closeReaders closes what is open, when no read is in flight any longer.
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
