package partitions

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sourceOf returns a source of the stream that does not keep a test waiting.
func sourceOf(s *sourcetest.Stream, latest bool) *Source {
	return New("stream", s.Reader(latest), Options{Reads: 3, PollInterval: time.Millisecond, DiscoveryInterval: 5 * time.Millisecond})
}

// bounded and followed are streams as the suite sees them.
type (
	bounded  struct{ *sourcetest.Stream }
	followed struct{ *sourcetest.Stream }
)

func (s bounded) Source(testing.TB) pipeline.Source  { return sourceOf(s.Stream, false) }
func (s followed) Source(testing.TB) pipeline.Source { return sourceOf(s.Stream, false) }
func (s followed) Grow(r *rand.Rand)                 { s.Resize(r) }

// TestSource: shards that split, merge and are trimmed, with an end and without.
func TestSource(t *testing.T) {
	t.Run("bounded", func(t *testing.T) {
		sourcetest.Run(t, func(testing.TB) sourcetest.Input { return bounded{sourcetest.NewStream(true)} })
	})
	t.Run("followed", func(t *testing.T) {
		sourcetest.Run(t, func(testing.TB) sourcetest.Input { return followed{sourcetest.NewStream(false)} })
	})
}

// openAt opens a source of the stream at cursors, and returns all that it tells people.
func openAt(t *testing.T, s pipeline.Source, cursors map[string][]byte) (notices chan pipeline.Notice) {
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
		if r.SaveNow {
			if err := s.Committed(ctx, maps.Clone(cursors)); err != nil {
				t.Fatal(err)
			}
		}
		if done(r) {
			return
		}
	}
}

func closeIt(t *testing.T, s pipeline.Source, stream *sourcetest.Stream) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := stream.Readers(); n != 0 {
		t.Errorf("%d readers are open after Close", n)
	}
}

// TestForgets: an ended shard is forgotten when it is not listed any longer and its
// children are read, and not before.
func TestForgets(t *testing.T) {
	stream := &sourcetest.Stream{}
	a, b := stream.Add(3), stream.Add(2)
	c := stream.Add(2, a)
	cursors := map[string][]byte{}
	s := sourceOf(stream, false)
	openAt(t, s, nil)
	n := 0
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { n += r.Len(); return n == 7 })
	if len(cursors) != 3 {
		t.Errorf("%d cursors of 3 shards that are all listed", len(cursors))
	}
	stream.Remove(a)
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return slices.Contains(r.Dropped, a.Name) })
	closeIt(t, s, stream)
	if got := slices.Sorted(maps.Keys(cursors)); !slices.Equal(got, []string{b.Name, c.Name}) {
		t.Errorf("the cursors are of %v", got)
	}

	// One whose child was never read stays, though it is gone.
	d := newDispatcher("stream", stream.Reader(false), Options{}, pipeline.SourceOptions{Env: pipeline.NewEnv()}, map[string]bool{})
	if err := d.restore(map[string][]byte{a.Name: cursor{Ended: true}.encode(), c.Name: cursor{Parents: []string{a.Name}}.encode()}); err != nil {
		t.Fatal(err)
	}
	found, err := d.input.Discover(t.Context(), d.names())
	if err != nil {
		t.Fatal(err)
	}
	if d.open(found, time.Now()); d.partitions[a.Name] == nil {
		t.Error("a parent was forgotten before its child was read")
	}
}

// TestLatest: a source that begins at the newest records says where before it reads
// anything, and loses nothing from there on, though it is killed before the first record.
func TestLatest(t *testing.T) {
	stream := &sourcetest.Stream{}
	a, b := stream.Add(3), stream.Add(3)
	cursors := map[string][]byte{}
	s := sourceOf(stream, true)
	openAt(t, s, nil)
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return true })
	if want := "3, after 0 records"; len(cursors) != 2 || s.CursorText(a.Name, cursors[a.Name]) != want {
		t.Errorf("the first cursors are %q, want %s", cursors, want)
	}
	closeIt(t, s, stream)
	stream.Put(a, 2)
	stream.Add(2, b)
	stream.Add(0, b)
	s = sourceOf(stream, true)
	openAt(t, s, cursors)
	var got []string
	readUntil(t, s, cursors, func(r *pipeline.Records) bool {
		for i := range r.Len() {
			got = append(got, string(r.Bytes(i)))
		}
		return len(got) == 4
	})
	closeIt(t, s, stream)
	want := append(slices.Clone(stream.Want()[0].Records[3:]), stream.Want()[2].Records...)
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("it read %v, want %v", got, want)
	}
}

// TestNamedBesideUnknown: the end of a shard names a child of which another parent is not known
// yet, since it came after the last discovery: it is read before the child all the same.
func TestNamedBesideUnknown(t *testing.T) {
	stream := &sourcetest.Stream{NamesChildren: true}
	a, b := stream.Add(1), stream.Add(1)
	var held sync.Mutex
	held.Lock() // a is not read until the child of b is known
	stream.Fault = func(_ context.Context, shard string) error {
		if shard == a.Name {
			held.Lock()
			defer held.Unlock()
		}
		return nil
	}
	s := New("stream", stream.Reader(false), Options{Reads: 3, PollInterval: time.Millisecond, DiscoveryInterval: time.Hour})
	openAt(t, s, nil)
	cursors := map[string][]byte{}
	readUntil(t, s, cursors, func(r *pipeline.Records) bool { return r.Partition == b.Name })
	first, second := stream.Add(3, a), stream.Add(2, a)
	merged := stream.Add(2, second, b)
	readUntil(t, s, cursors, func(*pipeline.Records) bool { return cursors[merged.Name] != nil })
	held.Unlock()
	var order []string
	readUntil(t, s, cursors, func(r *pipeline.Records) bool {
		for range r.Len() {
			order = append(order, r.Partition)
		}
		return len(order) == 8
	})
	closeIt(t, s, stream)
	if slices.Index(order, merged.Name) < len(order)-1-slices.Index(reversed(order), second.Name) {
		t.Errorf("%s, whose parents are %s and %s, was read too early: %v; another is %s", merged.Name, second.Name, b.Name, order, first.Name)
	}
}

func reversed(all []string) []string {
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

// TestFair: a shard that is always behind keeps no other one waiting, with one worker.
func TestFair(t *testing.T) {
	stream := &sourcetest.Stream{}
	stream.Add(1000)
	quiet := stream.Add(4)
	s := New("stream", stream.Reader(false), Options{Reads: 1, PollInterval: time.Millisecond})
	openAt(t, s, nil)
	reads, left := 0, 4
	readUntil(t, s, map[string][]byte{}, func(r *pipeline.Records) bool {
		reads++
		if r.Partition == quiet.Name {
			left -= r.Len()
		}
		return left == 0
	})
	closeIt(t, s, stream)
	if reads > 10 {
		t.Errorf("the quiet shard was read after %d reads", reads)
	}
}

// TestCircle: partitions that wait for each other for ever are an error.
func TestCircle(t *testing.T) {
	stream := &sourcetest.Stream{}
	a, b := stream.Add(1), stream.Add(1)
	a.Parents, b.Parents = []string{b.Name}, []string{a.Name}
	s := sourceOf(stream, false)
	openAt(t, s, nil)
	var err error
	for range 2 { // what it tells first has no records
		if err == nil {
			_, err = s.Read(t.Context())
		}
	}
	if err == nil || !strings.Contains(err.Error(), "each other's parents") {
		t.Errorf("the error is %v", err)
	}
	closeIt(t, s, stream)
}
