package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// piece is a run of one source's records within one epoch.
type piece struct {
	block   *block
	epoch   int // that it belongs to, counted from the start of the run
	header  *header
	source  int
	records *pipeline.Records
	pins    []any             // the versions of references that the epoch is pinned to
	batches []*pipeline.Batch // by step; nil where the step does not read the source
	err     error
	done    chan struct{} // closed when batches or err are set
}

// block is what one Read returned, in use by pieces.
type block struct {
	users atomic.Int32
	free  func()
}

func newBlock(r *pipeline.Records) *block {
	b := &block{free: r.Free}
	b.users.Store(1)
	return b
}

// release frees the block's memory when nobody uses it any more. Where an error
// keeps it from being called, the garbage collector does the work.
func (b *block) release() {
	if b.users.Add(-1) == 0 && b.free != nil {
		b.free()
	}
}

// cut ends an epoch.
type cut struct {
	last     bool // every source is at its end
	idle     bool // nothing was read, but an epoch is due
	header   *header
	cursors  map[string]map[string][]byte
	finished map[string]bool
	records  int64
	bytes    int64
}

// event is what the cutter sends the front, in order: a piece or a cut.
type event struct {
	piece *piece
	cut   *cut
}

type reading struct {
	source  int
	records *pipeline.Records
	err     error
}

// cutter divides what the readers bring into epochs and pieces.
type cutter struct {
	r        *run
	in       chan reading
	tasks    chan *piece
	events   chan event
	open     cut // the epoch being read
	finished map[string]bool
	number   int   // of the open epoch, counted from the start of the run
	first    int64 // the epoch before those of the run
	reached  map[string]*reached
	// pins returns the versions that such an epoch is pinned to; nil = there are
	// no references.
	pins  func(number int) []any
	timer *time.Timer
	begun *begun
}

// begun tells the cutter which epoch the front has begun. An epoch's interval
// counts from there: while the front is at work on the one before, records
// gather in the queue, and were their time counted, epochs would get the smaller
// the longer they take, and each record the dearer.
type begun struct {
	epoch atomic.Int64
	told  chan struct{} // has room for one
}

// lookForDue is how often it is looked whether an epoch is due, while nothing is
// read.
const lookForDue = 500 * time.Millisecond

// due is when an epoch is wanted whether records come or not: by the first of the
// sinks that has to publish what it gathered, or by a transform that has work left.
type due struct{ at atomic.Pointer[time.Time] } // nil = none does

// set notes what the committables of the last prepared epoch want, and the transforms.
func (d *due) set(committables map[string]*pipeline.Committable, pending bool) {
	var first *time.Time
	if pending {
		at := now()
		first = &at
	}
	for _, rc := range committables {
		if !rc.FlushBy.IsZero() && (first == nil || rc.FlushBy.Before(*first)) {
			first = &rc.FlushBy
		}
	}
	d.at.Store(first)
}

// resume notes what the committables of a checkpoint want. If the clock was set back
// since, it is time: nobody knows how long it has been.
func (d *due) resume(committables map[string]*pipeline.Committable, pending bool) {
	d.set(committables, pending)
	at := now()
	for _, rc := range committables {
		if !rc.FlushBy.IsZero() && rc.Started.After(at) {
			d.at.Store(&at)
		}
	}
}

// take reports whether it is time, once.
func (d *due) take() bool {
	at := d.at.Load()
	return at != nil && !now().Before(*at) && d.at.CompareAndSwap(at, nil)
}

func newBegun() *begun { return &begun{told: make(chan struct{}, 1)} }

// tell is called by the front; it does not wait.
func (b *begun) tell(epoch int) {
	b.epoch.Store(int64(epoch))
	select {
	case b.told <- struct{}{}:
	default:
	}
}

// read brings one source's records to the cutter until the source or ctx ends; first
// is what was read of it already, or nil.
func (r *run) read(ctx context.Context, source int, first *reading, in chan<- reading) {
	node, lags := r.sources[source], r.c.Metrics.lags
	for {
		lags.waits(node.Name)
		var recs *pipeline.Records
		var err error
		if first != nil {
			recs, err, first = first.records, first.err, nil
		} else {
			recs, err = node.Source.Read(ctx)
		}
		if !errors.Is(err, io.EOF) {
			lags.brought(node.Name)
		}
		select {
		case in <- reading{source, recs, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// run cuts until every source has ended or stop does. It closes tasks
// in any case, and events when every epoch was cut.
func (c *cutter) run(stop, ctx context.Context) error {
	defer close(c.tasks)
	c.timer = time.NewTimer(time.Hour)
	defer c.timer.Stop()
	quiet := time.NewTicker(lookForDue)
	defer quiet.Stop()
	c.begin()
	open := len(c.r.sources)
	for open > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop.Done():
			return c.end(ctx, false)
		case <-c.begun.told:
			if int(c.begun.epoch.Load()) == c.number {
				c.timer.Reset(c.r.c.Limits.Interval)
			}
		case <-c.timer.C:
			if c.open.records > 0 {
				if err := c.cut(ctx); err != nil {
					return err
				}
			}
		case <-quiet.C:
			if c.open.records == 0 && c.r.due.take() {
				c.open.idle = true
				if err := c.cut(ctx); err != nil {
					return err
				}
			}
		case in := <-c.in:
			name := c.r.sources[in.source].Name
			switch {
			case errors.Is(in.err, io.EOF):
				if name != inboxSource {
					c.finished[name] = true
				}
				open--
			case in.err != nil:
				if stop.Err() != nil {
					return c.end(ctx, false)
				}
				return fmt.Errorf("source %s: %w", name, in.err)
			default:
				if err := c.take(stop, ctx, name, in); err != nil {
					return err
				}
				if stop.Err() != nil {
					return c.end(ctx, false) // take may have left records behind
				}
			}
		}
	}
	return c.end(ctx, true)
}

func (c *cutter) begin() {
	c.open = cut{cursors: map[string]map[string][]byte{}}
	c.number++
	c.timer.Stop() // until the front has begun it
}

// take sends the records on, with a cut wherever an epoch is full. After stop
// it leaves what is behind the next cut: a stop waits for an epoch, not for all
// that was read (I7).
func (c *cutter) take(stop, ctx context.Context, source string, in reading) error {
	recs := in.records
	limits := &c.r.c.Limits
	b := newBlock(recs)
	defer b.release()
	c.reached[source].take(recs)
	for recs.Len() > 0 {
		n, size := c.fit(recs)
		if err := c.send(ctx, in.source, b, recs.Slice(0, n)); err != nil {
			return err
		}
		c.open.records += int64(n)
		c.open.bytes += size
		c.note(source, recs, n)
		if c.open.records >= limits.Records || c.open.bytes >= limits.Bytes {
			if err := c.cut(ctx); err != nil || stop.Err() != nil {
				return err
			}
		}
		recs = recs.Slice(n, recs.Len())
	}
	c.reached[source].done(in.records)
	return nil
}

// fit returns how many of the records still go into the epoch, at least one,
// and their bytes.
func (c *cutter) fit(recs *pipeline.Records) (n int, size int64) {
	limits := &c.r.c.Limits
	room := int(min(int64(recs.Len()), limits.Records-c.open.records))
	for n < room && (n == 0 || c.open.bytes+size < limits.Bytes) {
		size += int64(recs.Spans[n].End - recs.Spans[n].Start)
		n++
	}
	return n, size
}

// note keeps the cursor after the first n records; a dropped partition has none.
func (c *cutter) note(source string, recs *pipeline.Records, n int) {
	parts := c.open.cursors[source]
	if parts == nil {
		parts = map[string][]byte{}
		c.open.cursors[source] = parts
	}
	for _, p := range recs.Dropped {
		parts[p] = nil
	}
	parts[recs.Partition] = recs.CursorAfter(n)
}

func (c *cutter) send(ctx context.Context, source int, b *block, recs *pipeline.Records) error {
	b.users.Add(1)
	if c.open.header == nil {
		c.open.header = c.header()
	}
	recs.EpochTime = c.open.header.micros()
	p := &piece{block: b, epoch: c.number, header: c.open.header, source: source, records: recs, done: make(chan struct{})}
	if c.pins != nil {
		p.pins = c.pins(c.number)
	}
	select {
	case c.events <- event{piece: p}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case c.tasks <- p:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (c *cutter) cut(ctx context.Context) error {
	if c.open.header == nil {
		c.open.header = c.header()
	}
	done := c.open
	done.finished = map[string]bool{}
	for name := range c.finished {
		done.finished[name] = true
	}
	c.begin()
	select {
	case c.events <- event{cut: &done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end cuts the last epoch of this run.
func (c *cutter) end(ctx context.Context, last bool) error {
	c.open.last = last
	if err := c.cut(ctx); err != nil {
		return err
	}
	close(c.events)
	return nil
}
