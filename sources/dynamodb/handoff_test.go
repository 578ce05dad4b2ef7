package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// warehouse is what an engine and its settled state come to: the newest change of each item, and no
// tombstone that nothing holds.
type warehouse struct {
	t       *testing.T
	w       *world
	rng     *rand.Rand
	cursors map[string][]byte
	items   map[string]write
	removed int // SnapshotEnds

	quiet  bool // nobody writes
	unread int  // as of the last records; -1 = the source has said nothing in this process
	epoch  epoch
}

// epoch is what is read and not saved.
type epoch struct {
	cursors map[string][]byte
	items   map[string]write
	removed int
}

func newWarehouse(t *testing.T, w *world, seed uint64) *warehouse {
	h := &warehouse{t: t, w: w, rng: rand.New(rand.NewPCG(seed, 2)), cursors: map[string][]byte{}, items: map[string]write{}}
	h.begin()
	return h
}

// begin begins an epoch, and forgets the deletions that nothing holds.
func (h *warehouse) begin() {
	h.epoch = epoch{maps.Clone(h.cursors), maps.Clone(h.items), h.removed}
	if h.unread == 0 {
		maps.DeleteFunc(h.epoch.items, func(_ string, r write) bool { return r.Deleted })
	}
}

func (h *warehouse) options() pipeline.SourceOptions {
	env := pipeline.NewEnv()
	env.Now = h.w.clock
	return pipeline.SourceOptions{Env: env, Cursors: maps.Clone(h.cursors)}
}

// apply takes records into the open epoch.
func (h *warehouse) apply(r *pipeline.Records) {
	h.t.Helper()
	if r.Progress != nil {
		h.unread = max(h.unread, r.Progress.Unread)
	} else if h.unread < 0 {
		h.t.Fatal("the first records of an opening have no progress: nothing holds tombstones")
	}
	for i := range r.Len() {
		var in write
		if err := json.Unmarshal(r.Bytes(i), &in); err != nil {
			h.t.Fatal(err)
		}
		if before, ok := h.epoch.items[in.Item]; !ok || in.At.After(before.At) {
			h.epoch.items[in.Item] = in
		}
	}
	if e := r.SnapshotEnd; e != nil {
		if !r.SaveNow || r.Len() > 0 {
			h.t.Fatal("the end of a snapshot has to be saved by itself")
		}
		h.epoch.removed++
		for item, is := range h.epoch.items {
			if at := time.UnixMicro(e.Time).UTC(); hashOf(item)%e.Parts == e.Part && is.At.Before(at) && !is.Deleted {
				h.epoch.items[item] = write{Item: item, Deleted: true, At: at}
			}
		}
	}
	for _, name := range r.Dropped {
		delete(h.epoch.cursors, name)
	}
	maps.Copy(h.epoch.cursors, r.Positions)
	if r.Len() > 0 {
		h.epoch.cursors[r.Partition] = r.CursorAfter(r.Len())
	}
	if r.Progress != nil {
		h.unread = r.Progress.Unread
	}
	if r.Free != nil {
		r.Free()
	}
}

// save saves the epoch, and tells the source what has moved, unless it is killed before that.
func (h *warehouse) save(s *Source, killed bool) {
	moved := map[string][]byte{}
	for name, raw := range h.epoch.cursors {
		if string(h.cursors[name]) != string(raw) {
			moved[name] = raw
		}
	}
	for name := range h.cursors {
		if _, ok := h.epoch.cursors[name]; !ok {
			moved[name] = nil
		}
	}
	h.cursors, h.items, h.removed = h.epoch.cursors, h.epoch.items, h.epoch.removed
	if !killed {
		if err := s.Committed(h.t.Context(), moved); err != nil {
			h.t.Fatal(err)
		}
	}
	h.begin()
}

// run runs a source until it ends, or until is true, or it is killed after some steps; steps < 0 = never.
func (h *warehouse) run(s *Source, steps int, until func() bool) (err error) {
	h.t.Helper()
	h.unread = -1
	h.begin()
	defer func() {
		if closeErr := s.Close(); closeErr != nil {
			h.t.Error(closeErr)
		}
	}()
	if err := s.Open(h.t.Context(), h.options()); err != nil {
		return err
	}
	for n := 0; steps < 0 || n < steps; n++ {
		if !h.quiet && h.rng.IntN(3) == 0 {
			h.w.write(h.rng.IntN(3))
		}
		ctx, cancel := context.WithTimeout(h.t.Context(), 8*time.Millisecond)
		r, err := s.Read(ctx)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			h.save(s, false)
			if until != nil && until() {
				return nil
			}
			continue
		case err != nil:
			if err == io.EOF { //nolint:errorlint // as the engine
				h.save(s, false)
			}
			return err
		}
		h.apply(r)
		if r.SaveNow || h.rng.IntN(4) == 0 {
			h.save(s, steps >= 0 && n == steps-1)
		}
	}
	return nil
}

// phase returns the one that is saved.
func (h *warehouse) phase() *phase {
	h.t.Helper()
	raw := h.cursors[phasePartition]
	if raw == nil {
		return &phase{Bootstrap: pass{Kind: kindExport}}
	}
	p, err := parsePhase(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// check compares what there is with the table.
func (h *warehouse) check() {
	h.t.Helper()
	got := map[string]int{}
	for item, r := range h.items {
		if !r.Deleted {
			got[item] = r.Value
		}
	}
	if want := h.w.table(); !reflect.DeepEqual(got, want) {
		h.t.Errorf("the items are\n%v\nand the table has\n%v", got, want)
	}
	for name := range h.cursors {
		if strings.HasPrefix(name, snapshotPrefix) {
			h.t.Errorf("cursor %s of the snapshot is left", name)
		}
	}
}

// settle stops the writes, reads all that there is, and compares.
func (h *warehouse) settle(s *modelSnapshots) {
	h.t.Helper()
	read := func() bool {
		h.w.mu.Lock()
		defer h.w.mu.Unlock()
		for i, records := range h.w.shards {
			var c struct{ At string }
			if err := json.Unmarshal(h.cursors[streamPrefix+"shard-"+string(rune('0'+i))], &c); err != nil {
				h.t.Fatal(err)
			}
			if c.At != itoa(len(records)) {
				return false
			}
		}
		return h.phase().open() == nil
	}
	h.quiet = true
	if err := h.run(h.w.source(follows, s), -1, read); err != nil {
		h.t.Fatal(err)
	}
	h.quiet = false
	h.check()
}

// TestHandOff: killed at random steps, in whatever order snapshot and stream come, while the table is
// written to, what comes out is the table; the export is asked for once.
func TestHandOff(t *testing.T) {
	for range 6 {
		seed := rand.Uint64()
		w := newWorld(seed)
		w.write(60)
		w.trim(40 / modelShards)
		w.advance(10 * time.Minute)
		s := &modelSnapshots{w: w}
		h := newWarehouse(t, w, seed)
		for h.phase().open() != nil {
			if err := h.run(w.source(follows, s), 1+h.rng.IntN(25), nil); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		h.settle(s)
		if len(w.asked) != 1 {
			t.Errorf("%d exports were asked for", len(w.asked))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestKilledAtEveryStep: the same, killed behind each single step of the hand-off.
func TestKilledAtEveryStep(t *testing.T) {
	for steps := 1; steps <= 24; steps++ {
		w := newWorld(7)
		w.write(60)
		w.trim(10)
		w.advance(10 * time.Minute)
		s := &modelSnapshots{w: w}
		h := newWarehouse(t, w, uint64(steps))
		if err := h.run(w.source(follows, s), steps, nil); err != nil {
			t.Fatal(err)
		}
		h.settle(s)
		if len(w.asked) != 1 || t.Failed() {
			t.Fatalf("killed behind step %d; asked for %d exports", steps, len(w.asked))
		}
	}
}

// TestRepair: after a gap, the rows that it has left wrong or over are right again, killed or not.
func TestRepair(t *testing.T) {
	for round := range 6 {
		seed := rand.Uint64()
		w := newWorld(seed)
		w.write(60)
		w.advance(10 * time.Minute)
		s := &modelSnapshots{w: w}
		h := newWarehouse(t, w, seed)
		h.settle(s)
		w.write(80)
		w.trim(5) // some records are lost which were not read
		err := h.run(w.source(follows, s), -1, nil)
		if !errors.Is(err, pipeline.ErrGap) {
			t.Fatalf("seed %d: after a loss: %v", seed, err)
		}
		for ended := false; !ended; {
			steps := 1 + h.rng.IntN(25)
			m := repairs
			if round%2 == 1 && h.phase().Repair != nil && h.rng.IntN(2) == 0 {
				m = follows // which goes on with it
			}
			switch err := h.run(w.source(m, s), steps, nil); {
			case err == io.EOF: //nolint:errorlint // as the engine
				ended = true
			case err != nil:
				t.Fatalf("seed %d: %v", seed, err)
			case m == follows && h.phase().Repaired != nil:
				ended = true
			}
		}
		h.settle(s)
		if h.removed == 0 {
			t.Error("nothing was removed")
		}
		if len(w.asked) != 2 {
			t.Errorf("%d exports were asked for, want 2", len(w.asked))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func itoa(n int) string {
	raw, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
