package file

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

func (g deliveredRecord) String() string {
	return fmt.Sprintf("%.14s at %s:%d, cursor %s %s", g.text, g.display, g.line, g.partition, g.cursor)
}

// rig drives a follower step by step, as the engine would use what it gives.
type rig struct {
	t         testing.TB
	cfg       Config
	block     int
	later     time.Duration // how much the clock is ahead
	s         *Source
	f         *follower
	delivered []deliveredRecord
	saved     int               // of given, those before the checkpoint
	cursors   map[string][]byte // of the checkpoint
	notices   []pipeline.Notice
	meanwhile func() // what happens to the files while a block is handed over; nil = nothing
}

// deliveredRecord is a record, and what the checkpoint behind it would change.
type deliveredRecord struct {
	text      string
	display   string
	line      int64
	ordinal   int64
	partition string
	cursor    []byte
	dropped   []string
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	cfg.Follow = true
	if cfg.Format == "" {
		cfg.Format = "dynamodb_cdc"
	}
	r := &rig{t: t, cfg: cfg, cursors: map[string][]byte{}}
	t.Cleanup(func() { r.f.close() })
	r.open()
	return r
}

// open starts a process at the checkpoint.
func (r *rig) open() {
	r.t.Helper()
	r.delivered = r.delivered[:r.saved]
	r.s = testSource(r.t, r.cfg, r.block)
	r.s.now = func() time.Time { return time.Now().Add(r.later) }
	r.s.env.Notify = func(n pipeline.Notice) { r.notices = append(r.notices, n) }
	r.s.format, r.s.buffers, r.s.queue = r.s.cfg.format(), newBuffers(r.s.block), make(chan *pipeline.Records, 1<<16)
	if err := r.s.restoreNumbers(r.cursors); err != nil {
		r.t.Fatal(err)
	}
	var err error
	if r.f, err = r.s.newFollower(maps.Clone(r.cursors)); err != nil {
		r.t.Fatal(err)
	}
	send := r.f.env.send
	r.f.env.send = func(ctx context.Context, t *followedFile, recs *pipeline.Records) error {
		err := send(ctx, t, recs)
		if r.meanwhile != nil {
			r.meanwhile()
		}
		return err
	}
}

// restart ends the process at any place and starts one at the checkpoint.
func (r *rig) restart() {
	r.t.Helper()
	r.f.close()
	r.open()
}

// poll reads what there is, also in files that just came.
func (r *rig) poll() {
	r.t.Helper()
	if err := r.tryPoll(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) tryPoll() error {
	r.f.listInterval = 0
	err := r.f.poll(context.Background())
	for {
		select {
		case recs := <-r.s.queue:
			r.collect(recs)
		default:
			return err
		}
	}
}

func (r *rig) collect(recs *pipeline.Records) {
	for i := range recs.Len() {
		one := recs.Slice(i, i+1)
		r.delivered = append(r.delivered, deliveredRecord{string(one.Bytes(0)), recs.DisplayName, one.Spans[0].Line, one.First, recs.Partition, one.CursorAfter(1), one.Dropped})
	}
	for i := range recs.Data {
		recs.Data[i] = '#'
	}
	if recs.Free != nil {
		recs.Free()
	}
}

// save makes a checkpoint behind so many records.
func (r *rig) save(n int) {
	for _, g := range r.delivered[r.saved:n] {
		for _, p := range g.dropped {
			delete(r.cursors, p)
		}
		r.cursors[g.partition] = g.cursor
	}
	r.saved = max(r.saved, n)
}

// elapse lets time pass in which nothing is written.
func (r *rig) elapse(d time.Duration) { r.later += d }

func (r *rig) texts() (texts []string) {
	for _, g := range r.delivered {
		texts = append(texts, g.text)
	}
	return texts
}
