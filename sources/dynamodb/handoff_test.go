package dynamodb

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// warehouse is what an engine and its settled state come to: the newest change of each item, and no
// tombstone that nothing holds.
type warehouse struct {
	t       *testing.T
	w       place
	rng     *rand.Rand
	cursors map[string][]byte
	items   map[string]write
	removed int // SnapshotEnds

	quiet  bool          // nobody writes
	idle   time.Duration // after which nothing seems to come
	unread int           // as of the last records; -1 = the source has said nothing in this process
	epoch  epoch
}

// epoch is what is read and not saved.
type epoch struct {
	cursors map[string][]byte
	items   map[string]write
	removed int
}

// place is what a table is written in, and read from.
type place interface {
	clock() time.Time
	write(n int)
	table() map[string]int
	change(r *pipeline.Records, i int) (write, error)
	source(m mode) *Source
	caughtUp(cursors map[string][]byte) bool // the stream is read to its end
}

func newWarehouse(t *testing.T, w place, seed uint64) *warehouse {
	h := &warehouse{t: t, w: w, rng: rand.New(rand.NewPCG(seed, 2)), idle: 8 * time.Millisecond, cursors: map[string][]byte{}, items: map[string]write{}}
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
		in, err := h.w.change(r, i)
		if err != nil {
			h.t.Fatal(err)
		}
		if before, ok := h.epoch.items[in.Item]; !ok || !in.At.Before(before.At) {
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
		ctx, cancel := context.WithTimeout(h.t.Context(), h.idle)
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
func (h *warehouse) settle() {
	h.t.Helper()
	read := func() bool { return h.phase().open() == nil && h.w.caughtUp(h.cursors) }
	h.quiet = true
	if err := h.run(h.w.source(follows), -1, read); err != nil {
		h.t.Fatal(err)
	}
	h.quiet = false
	h.check()
}

// TestHandOff: killed at random steps, in whatever order snapshot and stream come, while the table is
// written to, what comes out is the table; the export is asked for once.
func TestHandOff(t *testing.T) {
	t.Parallel()
	for range 6 {
		seed := rand.Uint64()
		w := newWorld(seed)
		w.write(60)
		w.trim(40 / modelShards)
		w.advance(10 * time.Minute)
		h := newWarehouse(t, w, seed)
		for h.phase().open() != nil {
			if err := h.run(w.source(follows), 1+h.rng.IntN(25), nil); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		h.settle()
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
	t.Parallel()
	for steps := 1; steps <= 24; steps++ {
		t.Run(strconv.Itoa(steps), func(t *testing.T) {
			t.Parallel()
			w := newWorld(7)
			w.write(60)
			w.trim(10)
			w.advance(10 * time.Minute)
			h := newWarehouse(t, w, uint64(steps))
			if err := h.run(w.source(follows), steps, nil); err != nil {
				t.Fatal(err)
			}
			h.settle()
			if len(w.asked) != 1 {
				t.Errorf("asked for %d exports", len(w.asked))
			}
		})
	}
}

// TestRepair: after a gap, the rows that it has left wrong or over are right again, killed or not.
func TestRepair(t *testing.T) {
	t.Parallel()
	for round := range 6 {
		seed := rand.Uint64()
		w := newWorld(seed)
		w.write(60)
		w.advance(10 * time.Minute)
		h := newWarehouse(t, w, seed)
		h.settle()
		w.write(80)
		w.trim(5) // some records are lost which were not read
		err := h.run(w.source(follows), -1, nil)
		if !errors.Is(err, pipeline.ErrGap) {
			t.Fatalf("seed %d: after a loss: %v", seed, err)
		}
		for ended := false; !ended; {
			steps := 1 + h.rng.IntN(25)
			m := repairs
			if round%2 == 1 && h.phase().Repair != nil && h.rng.IntN(2) == 0 {
				m = follows // which goes on with it
			}
			switch err := h.run(w.source(m), steps, nil); {
			case err == io.EOF: //nolint:errorlint // as the engine
				ended = true
			case err != nil:
				t.Fatalf("seed %d: %v", seed, err)
			case m == follows && h.phase().Repaired != nil:
				ended = true
			}
		}
		h.settle()
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

// TestGapDuringRepair: records that are lost while a repair reads its export end it; the next one reads a newer export, and
// mends both gaps.
func TestGapDuringRepair(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	w := newWorld(seed)
	w.write(60)
	w.advance(10 * time.Minute)
	h := newWarehouse(t, w, seed)
	h.settle()
	w.write(80)
	w.trim(5)
	w.meanwhile = func() {
		w.writeLocked(60)
		w.now = w.now.Add(10 * time.Minute)
		w.trimLocked(0)
	}
	if err := h.run(w.source(repairs), -1, nil); !errors.Is(err, pipeline.ErrGap) {
		t.Fatalf("seed %d: after a loss while the export is read: %v", seed, err)
	}
	for range 2 {
		if err := h.run(w.source(follows), -1, nil); !errors.Is(err, pipeline.ErrGap) {
			t.Fatalf("seed %d: a run accepts the gap: %v", seed, err)
		}
	}
	if err := h.run(w.source(repairs), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
		t.Fatalf("seed %d: %v", seed, err)
	}
	if h.settle(); t.Failed() {
		t.Fatalf("seed %d", seed)
	}
	if len(w.asked) != 3 {
		t.Errorf("%d exports were asked for, want 3", len(w.asked))
	}
}

// TestRepairOfUnknown: what was lost without a trace is mended too, by an export that is made when someone wants it: not by
// one that is there.
func TestRepairOfUnknown(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	w := newWorld(seed)
	w.write(60)
	w.advance(10 * time.Minute)
	h := newWarehouse(t, w, seed)
	w.given = w.export()
	h.settle()
	w.advance(10 * time.Minute)
	w.untold(40)
	w.advance(10 * time.Minute)
	if err := h.run(w.source(repairs), -1, nil); err == nil || !strings.Contains(err.Error(), clock(w.given.Time)) {
		t.Fatalf("seed %d: with the export of before: %v", seed, err)
	}
	for range 2 { // again, when there was a gap which was mended before
		w.given = nil
		if err := h.run(w.source(repairs), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
			t.Fatalf("seed %d: %v", seed, err)
		}
		if h.settle(); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		w.write(30)
		w.trim(0)
		w.advance(10 * time.Minute)
		if err := h.run(w.source(repairs), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
			t.Fatalf("seed %d: %v", seed, err)
		}
		if h.settle(); t.Failed() {
			t.Fatalf("seed %d: after a gap", seed)
		}
		w.given = w.export()
		w.advance(10 * time.Minute)
		w.untold(40)
		w.advance(10 * time.Minute)
		if err := h.run(w.source(repairs), -1, nil); err == nil || !strings.Contains(err.Error(), clock(w.given.Time)) {
			t.Fatalf("seed %d: with the export of before: %v", seed, err)
		}
	}
}

// TestGivenExport: an export that is there is taken where it is new enough, and else refused, with both times
// and before anything is saved.
func TestGivenExport(t *testing.T) {
	t.Parallel()
	w := newWorld(3)
	w.write(60)
	w.trim(2)
	w.given = w.export()
	h := newWarehouse(t, w, 3)
	err := h.run(w.source(follows), 5, nil)
	if start, _ := (startedStream{w: w}).StartTime(); err == nil || !strings.Contains(err.Error(), clock(w.given.Time)) || !strings.Contains(err.Error(), clock(start)) || len(h.cursors) > 0 {
		t.Errorf("an export that is too old: %v, with %d cursors", err, len(h.cursors))
	}
	w.advance(10 * time.Minute)
	w.given = w.export()
	h.settle()
	if len(w.asked) > 0 {
		t.Error("another one was asked for")
	}
}

// TestRefused: another kind of bootstrap while one is not done; cursors without a phase; a phase that is none.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(4)
	w.write(20)
	w.advance(10 * time.Minute)
	h := newWarehouse(t, w, 4)
	for h.cursors[phasePartition] == nil {
		if err := h.run(w.source(follows), 3, nil); err != nil {
			t.Fatal(err)
		}
	}
	other := w.source(follows)
	other.kind = kindScan
	if err := h.run(other, 1, nil); err == nil || !strings.Contains(err.Error(), "bootstrap.type: export") {
		t.Errorf("another kind: %v", err)
	}
	h.settle()
	other = w.source(follows)
	other.kind = kindScan
	if err := h.run(other, 1, nil); err != nil {
		t.Errorf("another kind when it is done: %v", err)
	}
	if err := h.run(w.source(requests), 1, nil); err == nil || !strings.Contains(err.Error(), "--repair") {
		t.Errorf("an export for a bootstrap that is done: %v", err)
	}
	h.cursors[phasePartition] = []byte("{}")
	if err := h.run(w.source(follows), 1, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged phase: %v", err)
	}
	delete(h.cursors, phasePartition)
	if err := h.run(w.source(follows), 1, nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("no phase: %v", err)
	}
}

// TestPhases: what people are told, while it runs and from what is saved.
func TestPhases(t *testing.T) {
	t.Parallel()
	w := newWorld(5)
	w.write(20)
	w.advance(10 * time.Minute)
	h := newWarehouse(t, w, 5)
	h.settle()
	s := w.source(follows)
	phases, err := s.SavedPhases(h.cursors)
	if err != nil || len(phases) != 2 || phases[0].Name != "export" || phases[0].Ended.IsZero() || phases[1].Name != "stream" || phases[1].Began.IsZero() {
		t.Errorf("the phases are %+v, %v", phases, err)
	}
	if text := s.CursorText(phasePartition, h.cursors[phasePartition]); !strings.Contains(text, "the stream, since the export that ended at ") {
		t.Errorf("the phase is %q", text)
	}
	if phases := s.Phases(); phases != nil {
		t.Errorf("closed, its phases are %+v", phases)
	}
	if err := s.Open(t.Context(), h.options()); err != nil {
		t.Fatal(err)
	}
	if got := s.Phases(); !reflect.DeepEqual(got, phases) {
		t.Errorf("open, its phases are %+v, want %+v", got, phases)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
