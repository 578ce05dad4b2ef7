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

// task is a run of one source's records within one epoch.
type task struct {
	buffer  *buffer
	epoch   int // that it belongs to, counted from the start of the run
	header  *epochHeader
	source  int
	records *pipeline.Records
	pins    []any             // the versions of references that the epoch is pinned to
	batches []*pipeline.Batch // by step; nil where the step does not read the source
	err     error
	done    chan struct{} // closed when batches or err are set
}

// buffer is what one Read returned, in use by tasks.
type buffer struct {
	users atomic.Int32
	free  func()
}

func newBuffer(r *pipeline.Records) *buffer {
	b := &buffer{free: r.Free}
	b.users.Store(1)
	return b
}

// release frees the block's memory when nobody uses it any more. Where an error
// keeps it from being called, the garbage collector does the work.
func (b *buffer) release() {
	if b.users.Add(-1) == 0 && b.free != nil {
		b.free()
	}
}

// barrier ends an epoch.
type barrier struct {
	last     bool // every source is at its end
	idle     bool // nothing was read, but an epoch is due
	header   *epochHeader
	cursors  map[string]map[string][]byte
	finished map[string]bool
	records  int64
	bytes    int64
}

// event is what the splitter sends the epoch builder, in order: a task or a cut.
type event struct {
	task    *task
	barrier *barrier
}

type readResult struct {
	source  int
	records *pipeline.Records
	err     error
}

// splitter divides what the readers bring into epochs and tasks.
type splitter struct {
	r        *run
	in       chan readResult
	tasks    chan *task
	events   chan event
	open     barrier // the epoch being read
	finished map[string]bool
	number   int   // of the open epoch, counted from the start of the run
	first    int64 // the epoch before those of the run
	progress map[string]*readProgress
	// pins returns the versions that such an epoch is pinned to; nil = there are
	// no references.
	pins    func(number int) []any
	timer   *time.Timer
	started *epochStart
}

// started tells the splitter which epoch the epoch builder has begun. An epoch's interval
// counts from there: while the epoch builder is at work on the one before, records
// gather in the queue, and were their time counted, epochs would get the smaller
// the longer they take, and each record the dearer.
type epochStart struct {
	epoch atomic.Int64
	told  chan struct{} // has room for one
}

// deadlineCheckInterval is how often it is looked whether an epoch is due, while nothing is
// read.
const deadlineCheckInterval = 500 * time.Millisecond

// deadline is when an epoch is wanted whether records come or not: by the first of the
// sinks that has to publish what it gathered, or by a transform that has work left.
type deadline struct{ at atomic.Pointer[time.Time] } // nil = none does

// set notes what the committables of the last prepared epoch want, and the transforms.
func (d *deadline) set(committables map[string]*pipeline.Committable, pending bool, now time.Time) {
	var first *time.Time
	if pending {
		first = &now
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
func (d *deadline) resume(committables map[string]*pipeline.Committable, pending bool, now time.Time) {
	d.set(committables, pending, now)
	for _, rc := range committables {
		if !rc.FlushBy.IsZero() && rc.Started.After(now) {
			d.at.Store(&now)
		}
	}
}

// take reports whether it is time, once.
func (d *deadline) take(now time.Time) bool {
	at := d.at.Load()
	return at != nil && !now.Before(*at) && d.at.CompareAndSwap(at, nil)
}

func newEpochStart() *epochStart { return &epochStart{told: make(chan struct{}, 1)} }

// tell is called by the epoch builder; it does not wait.
func (b *epochStart) tell(epoch int) {
	b.epoch.Store(int64(epoch))
	select {
	case b.told <- struct{}{}:
	default:
	}
}

// read brings one source's records to the splitter until the source or ctx ends; first
// is what was read of it already, or nil.
func (r *run) read(ctx context.Context, source int, first *readResult, in chan<- readResult) {
	node := r.sources[source]
	for {
		r.c.Observer.SourceWaits(node.Name)
		var recs *pipeline.Records
		var err error
		if first != nil {
			recs, err, first = first.records, first.err, nil
		} else {
			recs, err = node.Source.Read(ctx)
		}
		if !errors.Is(err, io.EOF) {
			r.c.Observer.SourceAnswered(node.Name)
		}
		select {
		case in <- readResult{source, recs, err}:
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
func (c *splitter) run(stop, ctx context.Context) error {
	defer close(c.tasks)
	c.timer = time.NewTimer(time.Hour)
	defer c.timer.Stop()
	quiet := time.NewTicker(deadlineCheckInterval)
	defer quiet.Stop()
	c.begin()
	open := len(c.r.sources)
	for open > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop.Done():
			return c.end(ctx, false)
		case <-c.started.told:
			if int(c.started.epoch.Load()) == c.number {
				c.timer.Reset(c.r.c.Limits.Interval)
			}
		case <-c.timer.C:
			if c.open.records > 0 {
				if err := c.endEpoch(ctx); err != nil {
					return err
				}
			}
		case <-quiet.C:
			if c.open.records == 0 && c.r.deadline.take(c.r.c.now()) {
				c.open.idle = true
				if err := c.endEpoch(ctx); err != nil {
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

func (c *splitter) begin() {
	c.open = barrier{cursors: map[string]map[string][]byte{}}
	c.number++
	c.timer.Stop() // until the epoch builder has begun it
}

// take sends the records on, with a cut wherever an epoch is full. After stop
// it leaves what is behind the next cut: a stop waits for an epoch, not for all
// that was read (I7).
func (c *splitter) take(stop, ctx context.Context, source string, in readResult) error {
	recs := in.records
	limits := &c.r.c.Limits
	b := newBuffer(recs)
	defer b.release()
	c.progress[source].take(recs)
	for recs.Len() > 0 {
		n, size := c.fit(recs)
		if err := c.send(ctx, in.source, b, recs.Slice(0, n)); err != nil {
			return err
		}
		c.open.records += int64(n)
		c.open.bytes += size
		c.note(source, recs, n)
		if c.open.records >= limits.Records || c.open.bytes >= limits.Bytes {
			if err := c.endEpoch(ctx); err != nil || stop.Err() != nil {
				return err
			}
		}
		recs = recs.Slice(n, recs.Len())
	}
	c.progress[source].done(in.records)
	return nil
}

// fit returns how many of the records still go into the epoch, at least one,
// and their bytes.
func (c *splitter) fit(recs *pipeline.Records) (n int, size int64) {
	limits := &c.r.c.Limits
	room := int(min(int64(recs.Len()), limits.Records-c.open.records))
	for n < room && (n == 0 || c.open.bytes+size < limits.Bytes) {
		size += int64(recs.Spans[n].End - recs.Spans[n].Start)
		n++
	}
	return n, size
}

// note keeps the cursor after the first n records; a dropped partition has none.
func (c *splitter) note(source string, recs *pipeline.Records, n int) {
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

func (c *splitter) send(ctx context.Context, source int, b *buffer, recs *pipeline.Records) error {
	b.users.Add(1)
	if c.open.header == nil {
		c.open.header = c.header()
	}
	recs.EpochTime = c.open.header.micros()
	p := &task{buffer: b, epoch: c.number, header: c.open.header, source: source, records: recs, done: make(chan struct{})}
	if c.pins != nil {
		p.pins = c.pins(c.number)
	}
	select {
	case c.events <- event{task: p}:
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

func (c *splitter) endEpoch(ctx context.Context) error {
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
	case c.events <- event{barrier: &done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end cuts the last epoch of this run.
func (c *splitter) end(ctx context.Context, last bool) error {
	c.open.last = last
	if err := c.endEpoch(ctx); err != nil {
		return err
	}
	close(c.events)
	return nil
}
