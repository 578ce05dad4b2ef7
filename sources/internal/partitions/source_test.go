package partitions

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance: shards that split, merge and are trimmed, with an end and without.
func TestConformance(t *testing.T) {
	t.Run("bounded", func(t *testing.T) {
		conformance.Run(t, func(testing.TB) conformance.Input { return newToyStream(true) })
	})
	t.Run("followed", func(t *testing.T) {
		conformance.Run(t, func(testing.TB) conformance.Input { return growing{newToyStream(false)} })
	})
}

// openToy opens a source of the stream at cursors, and returns all that it tells people.
func openToy(t *testing.T, s pipeline.Source, cursors map[string][]byte) (notices chan pipeline.Notice) {
	t.Helper()
	notices = make(chan pipeline.Notice, 10)
	env := pipeline.NewEnv()
	env.Notify = func(n pipeline.Notice) { notices <- n }
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: env, Cursors: maps.Clone(cursors)}); err != nil {
		t.Fatal(err)
	}
	return notices
}

// readUntil reads, keeping the cursors, until done says so of what was read last.
func readUntil(t *testing.T, s pipeline.Source, cursors map[string][]byte, done func(r *pipeline.Records) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		r, err := s.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Dropped {
			delete(cursors, p)
		}
		maps.Copy(cursors, r.Positions)
		if r.Len() > 0 {
			cursors[r.Partition] = r.CursorAfter(r.Len())
		}
		if done(r) {
			return
		}
	}
}

func closeToy(t *testing.T, s pipeline.Source, stream *toyStream) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if stream.opened != 0 {
		t.Errorf("%d readers are open after Close", stream.opened)
	}
}

// TestForgets: an ended shard is forgotten when it is not listed any longer and its
// children are read, and not before.
func TestForgets(t *testing.T) {
	stream := newToyStream(false)
	cursors := map[string][]byte{}
	s := stream.Source(t)
	openToy(t, s, nil)
	n := 0
	readUntil(t, s, cursors, func(r *pipeline.Records) bool {
		n += r.Len()
		return n == stream.records && r.Progress != nil && r.Progress.Unread == 0
	})
	began := len(stream.shards) - 1 // the last one is open and empty
	if len(cursors) != began {
		t.Errorf("%d cursors of %d shards that are all listed", len(cursors), began)
	}
	stream.mu.Lock()
	stream.shards[0].gone = true
	stream.mu.Unlock()
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return slices.Contains(r.Dropped, "shard-00") })
	closeToy(t, s, stream)
	if _, ok := cursors["shard-00"]; ok || len(cursors) != began-1 {
		t.Errorf("the cursors are of %v", slices.Sorted(maps.Keys(cursors)))
	}

	// One whose child was never read stays, though it is gone.
	stream.shards[1].gone = true
	only := map[string][]byte{"shard-01": cursors["shard-01"], "shard-02": cursor{Parents: []string{"shard-00"}}.encode()}
	d := newDispatcher("toy", &toySource{stream: stream}, Options{}, pipeline.NewEnv())
	if err := d.restore(only); err != nil {
		t.Fatal(err)
	}
	found, err := d.input.Discover(t.Context(), d.known())
	if err != nil {
		t.Fatal(err)
	}
	if d.discovered(found); d.partitions["shard-01"] == nil || len(d.outbox[0].Dropped) > 0 {
		t.Error("a parent was forgotten before its child was read")
	}
}

// TestLatest: a source that begins at the newest records says where before it reads
// anything, and loses nothing from there on, though it is killed before the first record.
func TestLatest(t *testing.T) {
	stream := &toyStream{}
	a, b := stream.add(), stream.add()
	stream.put(a, 3)
	stream.put(b, 3)
	latest := func() pipeline.Source {
		return New("toy", &toySource{stream: stream, latest: true}, Options{PollInterval: time.Millisecond, DiscoveryInterval: time.Millisecond})
	}
	cursors := map[string][]byte{}
	s := latest()
	openToy(t, s, nil)
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return true })
	if want := "shard-00/3, after 0 records"; len(cursors) != 2 || s.CursorText("shard-00", cursors["shard-00"]) != want {
		t.Errorf("the first cursors are %q, want %s", cursors, want)
	}
	closeToy(t, s, stream)
	stream.put(a, 2)
	c, _ := stream.split(b)
	stream.put(c, 2)
	s = latest()
	openToy(t, s, cursors)
	var got []string
	readUntil(t, s, cursors, func(r *pipeline.Records) bool {
		for i := range r.Len() {
			got = append(got, string(r.Bytes(i)))
		}
		return len(got) == 4
	})
	closeToy(t, s, stream)
	if want := append(slices.Clone(a.records[3:]), c.records...); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("it read %v, want %v", got, want)
	}
}

// TestGone: a shard that is gone before it was read to its end is a gap, told with its
// place; its children are read.
func TestGone(t *testing.T) {
	stream := &toyStream{}
	a := stream.add()
	stream.put(a, 4)
	cursors := map[string][]byte{a.Name: cursor{At: "shard-00/2", Records: 2}.encode()}
	b, _ := stream.split(a)
	stream.put(b, 1)
	a.gone = true
	s := stream.Source(t)
	notices := openToy(t, s, cursors)
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return r.Partition == b.Name })
	closeToy(t, s, stream)
	if n := <-notices; !n.Gap || n.Partition != a.Name || n.Position != "shard-00/2, after 2 records" {
		t.Errorf("the notice is %+v", n)
	}
}

// TestFair: a shard that never ends keeps no other one waiting, with one worker, and no
// more is in memory than it and the dispatcher hold.
func TestFair(t *testing.T) {
	stream := &toyStream{}
	busy, quiet := stream.add(), stream.add()
	stream.put(busy, 1000)
	stream.put(quiet, 4)
	s := New("toy", &toySource{stream: stream}, Options{Workers: 1, PollInterval: time.Millisecond})
	openToy(t, s, nil)
	reads, left := 0, 4
	readUntil(t, s, map[string][]byte{}, func(r *pipeline.Records) bool {
		reads++
		if r.Partition == quiet.Name {
			left -= r.Len()
		}
		return left == 0
	})
	closeToy(t, s, stream)
	if reads > 10 {
		t.Errorf("the quiet shard was read after %d reads", reads)
	}
}

// TestCircle: partitions that wait for each other for ever are an error.
func TestCircle(t *testing.T) {
	stream := &toyStream{bounded: true}
	a, b := stream.add(), stream.add()
	a.Parents, b.Parents = []string{b.Name}, []string{a.Name}
	s := stream.Source(t)
	openToy(t, s, nil)
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "each other's parents") {
		// What it tells first has no records.
		if _, err = s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "each other's parents") {
			t.Errorf("the error is %v", err)
		}
	}
	closeToy(t, s, stream)
}
