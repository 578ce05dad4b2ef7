package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
)

// handoff is one opening of a source: the goroutines that read the two sources, and the one that takes
// the steps of a pass, which reads the snapshot as well.
type handoff struct {
	s       *Source
	env     pipeline.Env
	cursors map[string][]byte // of the snapshot, at the opening

	cancel context.CancelFunc
	ended  chan struct{}
	out    chan message
	err    error // why out was closed; read after that

	// Of Read:
	router *router
	first  []byte              // the phase, until the stream's first records have taken it along
	next   []*pipeline.Records // to be returned before anything else

	mu       sync.Mutex
	at       *phase          // as far as it was decided
	saves    int64           // of the phase that is committed
	unread   int             // partitions of the stream of which nothing was read yet; -1 = not known
	moved    chan struct{}   // closed when saves or unread changes
	snapshot pipeline.Source // nil = none is open
	detail   string          // what the pass does now
	waits    bool            // detail is something that is waited for
}

// message is what Read is given to return.
type message struct {
	prefix  string // of the source that the records are of; empty = they are about the phase
	records *pipeline.Records
	ends    bool // the snapshot is done
	another bool // and one more follows
}

// newHandoff returns one that begins with the phase next, where at is saved; nil = nothing is.
func newHandoff(s *Source, o pipeline.SourceOptions, at, next *phase) *handoff {
	w := &handoff{s: s, env: o.Env, cursors: within(snapshotPrefix, o.Cursors), out: make(chan message), ended: make(chan struct{}),
		at: next, unread: -1, moved: make(chan struct{})}
	if at != nil {
		w.saves = at.Saves
	}
	if at == nil || !bytes.Equal(at.encode(), next.encode()) {
		next.Saves++
		w.first = next.encode()
	}
	w.router = newRouter(s.name, next.open() != nil, o.Cursors)
	return w
}

// start starts the goroutines. They end with an error, or, of a bounded source, with io.EOF.
func (o *handoff) start() {
	working, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	g, ctx := errgroup.WithContext(working)
	g.Go(func() error { return o.readAll(ctx, streamPrefix, o.s.stream) })
	g.Go(func() error { return o.takePasses(ctx) })
	go func() {
		defer close(o.ended)
		o.err = g.Wait()
		cancel()
		close(o.out)
	}()
}

// stop ends the goroutines, and waits for them.
func (o *handoff) stop() error {
	o.cancel()
	<-o.ended
	if inner := o.snapshotNow(); inner != nil {
		o.setSnapshot(nil)
		return inner.Close()
	}
	return nil
}

// read returns what is next. The goroutine that calls it decides on the order of all that is handed
// over, so that each Progress is that of its place.
func (o *handoff) read(ctx context.Context) (*pipeline.Records, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(o.next) > 0 {
		r := o.next[0]
		o.next = o.next[1:]
		return r, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case m, ok := <-o.out:
		if !ok {
			return nil, o.err
		}
		return o.take(m), nil
	}
}

// take makes of a message what Read returns.
func (o *handoff) take(m message) *pipeline.Records {
	switch {
	case m.ends:
		return o.router.end(m.records, m.another)
	case m.prefix == "":
		return o.router.hold(m.records)
	}
	r := o.router.take(m.prefix, m.records)
	if p := m.records.Progress; m.prefix == streamPrefix && p != nil {
		o.setUnread(p.Unread)
	}
	if m.prefix == streamPrefix && o.first != nil {
		// The stream's start and the phase are in one epoch, which ends at once: the snapshot waits for it.
		r.Positions[phasePartition] = o.first
		o.next = append(o.next, o.router.hold(o.router.position(o.first)))
		o.first = nil
	}
	return r
}

// send hands a message over to Read.
func (o *handoff) send(ctx context.Context, m message) error {
	select {
	case o.out <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readAll hands over what a source gives, until it ends.
func (o *handoff) readAll(ctx context.Context, prefix string, inner pipeline.Source) error {
	for {
		r, err := inner.Read(ctx)
		if err == io.EOF { //nolint:errorlint // an error that wraps it is none
			return nil
		}
		if err != nil {
			return err
		}
		if err := o.send(ctx, message{prefix: prefix, records: r}); err != nil {
			return err
		}
	}
}

// takePasses takes the passes that are not done, one after the other.
func (o *handoff) takePasses(ctx context.Context) error {
	if err := o.committed(ctx, o.phase().Saves); err != nil {
		return err
	}
	for o.phase().open() != nil {
		if err := o.takePass(ctx); err != nil {
			return err
		}
		o.cursors = nil // those of the snapshot that is done are dropped
	}
	o.tell("")
	if o.s.Bounded() {
		return io.EOF
	}
	return nil
}

// takePass makes a snapshot, reads it, and ends it, unless it is a repair that has to begin again.
func (o *handoff) takePass(ctx context.Context) error {
	at := o.phase()
	repair := at.open() == at.Repair
	if repair {
		if err := o.beginRepair(ctx); err != nil {
			return err
		}
	}
	if err := o.s.snapshots.make(ctx, o.env, o); err != nil {
		return err
	}
	o.tell("")
	if p := o.pass(); p.Removed == 0 {
		if err := o.readSnapshot(ctx, p); err != nil {
			return err
		}
	}
	if repair {
		if err := o.remove(ctx); err != nil {
			return err
		}
		if p := o.pass(); o.s.completeSince(o.phase(), p.Since).After(p.Since) {
			return nil // a gap has come meanwhile, and was accepted: it goes on behind that
		}
	}
	raw, saves := o.decide(func(p *pass) { p.Ended = wallTime(o.env) })
	if err := o.send(ctx, message{records: o.router.position(raw), ends: true, another: o.phase().open() != nil}); err != nil {
		return err
	}
	return o.committed(ctx, saves)
}

// readSnapshot hands over the records of a snapshot.
func (o *handoff) readSnapshot(ctx context.Context, p *pass) error {
	inner, err := o.s.snapshots.source(p)
	if err != nil {
		return err
	}
	if err := inner.Open(ctx, pipeline.SourceOptions{Env: o.env, Cursors: o.cursors}); err != nil {
		return errors.Join(fmt.Errorf("%s of the table: %w", p.Kind, err), inner.Close())
	}
	o.setSnapshot(inner)
	if err := p.checkTime(inner); err != nil {
		return err
	}
	if err := o.readAll(ctx, snapshotPrefix, inner); err != nil {
		return err // stop closes it
	}
	o.setSnapshot(nil)
	return inner.Close()
}

// decide changes the pass that goes on, and returns the phase as it is to be saved.
func (o *handoff) decide(change func(p *pass)) (raw []byte, saves int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.at.clone()
	change(next.open())
	next.Saves++
	o.at = next
	return next.encode(), next.Saves
}

// change changes the pass that goes on, and returns when that is committed.
func (o *handoff) change(ctx context.Context, change func(p *pass)) error {
	raw, saves := o.decide(change)
	if err := o.send(ctx, message{records: o.router.position(raw)}); err != nil {
		return err
	}
	return o.committed(ctx, saves)
}

// saved notes that a phase is committed.
func (o *handoff) saved(saves int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if saves > o.saves {
		o.saves = saves
		o.notify()
	}
}

// setUnread notes how much of the stream was not read.
func (o *handoff) setUnread(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n != o.unread {
		o.unread = n
		o.notify()
	}
}

// notify wakes those who wait. The lock is held.
func (o *handoff) notify() {
	close(o.moved)
	o.moved = make(chan struct{})
}

// committed waits until a phase is.
func (o *handoff) committed(ctx context.Context, saves int64) error {
	return o.until(ctx, func() bool { return o.saves >= saves })
}

// until waits for something that is guarded by the lock.
func (o *handoff) until(ctx context.Context, is func() bool) error {
	for {
		o.mu.Lock()
		done, moved := is(), o.moved
		o.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// phase returns what was decided so far. Nobody changes it.
func (o *handoff) phase() *phase {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at
}

func (o *handoff) snapshotNow() pipeline.Source {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.snapshot
}

func (o *handoff) setSnapshot(inner pipeline.Source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.snapshot = inner
}

// pass implements worksheet: the pass that goes on.
func (o *handoff) pass() *pass { return o.phase().open() }

// time implements worksheet.
func (o *handoff) time() time.Time { return wallTime(o.env) }

// sleep implements worksheet.
func (o *handoff) sleep(ctx context.Context, until time.Time) error {
	for {
		left := until.Sub(o.time())
		if left <= 0 {
			return nil
		}
		if err := o.s.pause(ctx, min(left, sleepMax)); err != nil {
			return err
		}
	}
}

// sleepMax is how long it takes at most until a change of the clock is noticed.
const sleepMax = time.Second

// tell says for people what the pass does now.
func (o *handoff) tell(detail string) { o.setDetail(detail, false) }

// waitsFor implements worksheet.
func (o *handoff) waitsFor(what string) { o.setDetail(what, true) }

func (o *handoff) setDetail(detail string, waits bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detail, o.waits = detail, waits
}

// waitText says what is waited for; empty = nothing.
func (o *handoff) waitText() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.waits {
		return ""
	}
	return o.detail
}
