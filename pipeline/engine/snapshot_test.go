package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// snapshotStep is what a snapshotSource brings next: changes, or the end of a part of a snapshot.
type snapshotStep struct {
	changes []change
	end     *pipeline.SnapshotEnd
}

// snapshotSource brings changes, and between them ends of snapshots, of which it waits to be told. Its
// cursor counts steps.
type snapshotSource struct {
	steps []snapshotStep
	at    int
	waits bool // for a commit
	told  chan int
}

func (*snapshotSource) Bounded() bool                             { return true }
func (*snapshotSource) CursorText(_ string, cursor []byte) string { return string(cursor) }
func (*snapshotSource) Close() error                              { return nil }

func (s *snapshotSource) Open(_ context.Context, o pipeline.SourceOptions) (err error) {
	s.at, s.waits, s.told = 0, false, make(chan int, len(s.steps)+1)
	if c, ok := o.Cursors["p"]; ok {
		s.at, err = strconv.Atoi(string(c))
	}
	return err
}

func (s *snapshotSource) Read(ctx context.Context) (*pipeline.Records, error) {
	if s.waits {
		for told := -1; told < s.at; {
			select {
			case told = <-s.told:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	if s.at == len(s.steps) {
		return nil, io.EOF
	}
	step := s.steps[s.at]
	s.waits = step.end != nil
	before := strconv.Itoa(s.at)
	s.at++
	after := []byte(strconv.Itoa(s.at))
	if step.end != nil {
		return &pipeline.Records{Source: "s", Format: &pipeline.Format{}, Positions: map[string][]byte{"p": after}, SaveNow: true, SnapshotEnd: step.end}, nil
	}
	memory := &memorySource{changes: step.changes, block: len(step.changes)}
	r, err := memory.Read(ctx)
	if err != nil {
		return nil, err
	}
	r.CursorAfter = func(n int) []byte { // a step that was read in part is read again
		if n == len(step.changes) {
			return after
		}
		return []byte(before)
	}
	return r, nil
}

func (s *snapshotSource) Committed(_ context.Context, cursors map[string][]byte) error {
	n, err := strconv.Atoi(string(cursors["p"]))
	s.told <- n
	return err
}

// wantOf is what a table has after some steps: the newest change of each item, and a removal of those
// that were older when a snapshot ended.
func wantOf(steps []snapshotStep) map[string]int64 {
	newest := map[string]change{}
	for _, step := range steps {
		for _, c := range step.changes {
			if last, ok := newest[c.Item]; !ok || c.Time > last.Time || c.Time == last.Time && uint64(c.N)+1 > uint64(last.N)+1 {
				newest[c.Item] = c
			}
		}
		for item, c := range newest {
			if e := step.end; e != nil && c.N >= 0 && c.Time < e.Time {
				if part, _ := bits.Mul64(xxh3.Hash128([]byte(item)).Hi, uint64(e.Parts)); int(part) == e.Part {
					newest[item] = change{item, e.Time, -1}
				}
			}
		}
	}
	table := map[string]int64{}
	for item, c := range newest {
		if c.N >= 0 {
			table[item] = c.N
		}
	}
	return table
}

// TestSnapshotEnds: whenever the process ends, what a snapshot does not have is removed once, by what was
// read before its end, and nothing else is. A log has what was read.
func TestSnapshotEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s snapshotSource
		var all []change
		for range rapid.IntRange(1, 4).Draw(rt, "snapshots") {
			end := pipeline.SnapshotEnd{Time: 2 * int64(rapid.IntRange(1, 5).Draw(rt, "snapshot")), Parts: rapid.IntRange(1, 3).Draw(rt, "parts")}
			for end.Part = range end.Parts {
				for range rapid.IntRange(0, 2).Draw(rt, "blocks") {
					changes := drawChanges(rt)[:1]
					for i := range changes {
						changes[i].Time = 2*changes[i].Time + 1 // none has the time of a snapshot
						changes[i].N = min(changes[i].N, 99)
					}
					s.steps, all = append(s.steps, snapshotStep{changes: changes}), append(all, changes...)
				}
				part := end
				s.steps = append(s.steps, snapshotStep{end: &part})
			}
		}
		w := newWorld(tempDir(rt), nil)
		defer os.RemoveAll(w.dir)
		w.limits.Records = int64(rapid.IntRange(1, 6).Draw(rt, "epoch"))
		w.settled.Gather = rapid.Bool().Draw(rt, "gather")
		run := func() error {
			c := w.config()
			c.edit(func(n *graph.Nodes) { n.Sources[0].Source = &s })
			return Run(context.Background(), context.Background(), c)
		}
		for range rapid.IntRange(0, 3).Draw(rt, "crashes") {
			step, epoch := rapid.SampledFrom(Steps).Draw(rt, "step"), int64(rapid.IntRange(1, 12).Draw(rt, "at"))
			w.hook = func(s Step, e int64) error {
				if s == step && e == epoch {
					return errCrash
				}
				return nil
			}
			if err := run(); err != nil && !errors.Is(err, errCrash) {
				rt.Fatal(err)
			}
		}
		w.hook = nil
		if err := run(); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(wantOf(s.steps), valuesOf(w.settled)); d != "" {
			rt.Fatalf("table (-want +got):\n%s\nafter %+v", d, s.steps)
		}
		_, log, _ := want(all)
		if d := cmp.Diff(log, logOf(w.log)); d != "" {
			rt.Fatalf("log (-want +got):\n%s", d)
		}
	})
}

// TestSnapshotEndAlone: the epoch of a snapshot's end has nothing of what was read before, which is saved even
// if the end fails.
func TestSnapshotEndAlone(t *testing.T) {
	s := &snapshotSource{steps: []snapshotStep{{changes: []change{{"a", 1, 1}}}, {end: &pipeline.SnapshotEnd{Time: 5, Part: 1, Parts: 1}}}}
	w := newWorld(t.TempDir(), nil)
	c := w.config()
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source = s })
	err := Run(context.Background(), context.Background(), c)
	if err == nil || !strings.Contains(err.Error(), "part 1 of 1") {
		t.Fatalf("error %v", err)
	}
	s.steps[1].end = &pipeline.SnapshotEnd{Time: 5, Parts: 1}
	c = w.config()
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source = s })
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	var got []row
	for _, c := range w.settled.Published() {
		got = append(got, rowOf(&c))
	}
	if want := []row{{"insert", "a", 1}, {"delete", "a", 1}}; !slices.Equal(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
}

// brokenEnd ends a snapshot in a way that it may not.
type brokenEnd struct {
	*snapshotSource
	records pipeline.Records
}

func (b *brokenEnd) Read(context.Context) (*pipeline.Records, error) { r := b.records; return &r, nil }

// TestSnapshotEndRefused: the end of a snapshot comes without records, and is saved at once.
func TestSnapshotEndRefused(t *testing.T) {
	end := &pipeline.SnapshotEnd{Parts: 1}
	for _, r := range []pipeline.Records{
		{SnapshotEnd: end},
		{SnapshotEnd: end, SaveNow: true, Spans: make([]pipeline.Span, 1)},
	} {
		r.Source, r.Format = "s", &pipeline.Format{}
		w := newWorld(t.TempDir(), nil)
		c := w.config()
		c.edit(func(n *graph.Nodes) { n.Sources[0].Source = &brokenEnd{&snapshotSource{}, r} })
		if err := Run(context.Background(), context.Background(), c); err == nil || !strings.Contains(err.Error(), "source s ends a snapshot") {
			t.Errorf("error %v", err)
		}
	}
}

// TestSnapshotEndOfLogs: where nobody settles what a source brings, nothing can be removed, which is said once.
func TestSnapshotEndOfLogs(t *testing.T) {
	s := &snapshotSource{steps: []snapshotStep{{changes: []change{{"a", 1, 1}}}}}
	for part := range 3 {
		s.steps = append(s.steps, snapshotStep{end: &pipeline.SnapshotEnd{Time: 5, Part: part, Parts: 3}})
	}
	w := newWorld(t.TempDir(), nil)
	c := w.config()
	var out bytes.Buffer
	observe(&c, slog.New(slog.NewTextHandler(&out, nil)))
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source, n.Sinks = s, n.Sinks[1:] })
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "what the snapshot does not have stays"); n != 1 {
		t.Errorf("it is said %d times: %s", n, fmt.Sprint(out.String()))
	}
}
