package partitions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// TestHangs: more shards than there are reads hang until their deadline, again and again; the
// others are read all the while, and the lag of those that hang rises.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &sourcetest.Stream{}
		hanging := map[string]bool{}
		for range 20 {
			hanging[stream.Add(1).Name] = true
		}
		other := stream.Add(3)
		var mu sync.Mutex
		heals := false
		stream.Fault = func(ctx context.Context, shard string) error {
			mu.Lock()
			hangs := hanging[shard] && !heals
			mu.Unlock()
			if !hangs {
				return nil
			}
			select {
			case <-time.After(30 * time.Second):
				return pipeline.TransientFor("timeout", context.DeadlineExceeded)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r := follow(t, New("stream", stream.Reader(false), Options{Reads: 4}), pipeline.SourceOptions{})
		r.after(10*time.Second, other)
		for minute := range 3 {
			stream.Put(other, 1)
			if n := r.after(2*time.Second+hangsAfter, other); n != 4+minute {
				t.Errorf("minute %d: %d records of the other shard", minute, n)
			}
			r.after(time.Minute, other)
		}
		mu.Lock()
		heals = true
		mu.Unlock()
		r.after(time.Minute, other)
		for name := range hanging {
			r.mu.Lock()
			n := r.records[name]
			r.mu.Unlock()
			if n != 1 {
				t.Errorf("%d records of %s when it answers again", n, name)
			}
		}
		r.close()
	})
}

// TestLag: the lag of a shard is what the service says, grows while it is not answered, and is gone
// with the shard.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, f := &sourcetest.Stream{EmptyPages: 20}, &fault{}
		a, b := stream.Add(100), stream.Add(0)
		stream.Fault = f.answer
		s := New("stream", stream.Reader(false), Options{MemoryBytes: 1})
		r := follow(t, s, pipeline.SourceOptions{})
		r.after(time.Second, a)
		lag := func(p *sourcetest.Shard) time.Duration {
			for _, l := range s.Report().Lags {
				if l.Partition == p.Name {
					return l.Lag
				}
			}
			return -1
		}
		if lag(a) != 0 || lag(b) != 0 {
			t.Errorf("read to the end, the lags are %v and %v", lag(a), lag(b))
		}
		f.set(a.Name, errThrottled)
		r.after(time.Minute, a)
		if got := lag(a); got < time.Minute || got > time.Minute+2*time.Second || lag(b) != 0 {
			t.Errorf("after a minute without an answer the lags are %v and %v", got, lag(b))
		}
		f.set("", nil)
		c := stream.Add(1, b)
		r.after(time.Minute, c)
		if lag(a) != 0 || lag(b) != -1 || lag(c) != 0 {
			t.Errorf("in the end the lags are %v, %v and %v", lag(a), lag(b), lag(c))
		}
		r.close()
	})
}

// TestMemory: what is read and not freed stays within the limit, also of shards far behind, and
// goes on when it is freed; a record larger than the limit passes alone.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, size = 4 << 20, 100 << 10
		stream := &sourcetest.Stream{}
		all := 0
		var shards []*sourcetest.Shard
		for range 64 {
			p := stream.Add(0)
			shards = append(shards, p)
			for range 6 {
				stream.PutBytes(p, size)
				all++
			}
		}
		large := stream.Add(0)
		stream.PutBytes(large, 2*limit)
		stream.PutBytes(large, 100)
		s := New("stream", stream.Reader(false), Options{MemoryBytes: limit})
		r := follow(t, s, pipeline.SourceOptions{})
		r.mu.Lock()
		r.free = false
		r.mu.Unlock()
		for range 10_000 {
			r.after(0, large)
			held, _ := stream.Held()
			if held > limit+2*limit+1<<20 {
				t.Fatalf("%d bytes are held", held)
			}
			r.mu.Lock()
			for _, free := range r.held {
				free()
			}
			r.held = nil
			read := 0
			for _, n := range r.records {
				read += n
			}
			r.mu.Unlock()
			if read == all+2 {
				break
			}
			time.Sleep(time.Second)
		}
		for _, p := range shards {
			if n := r.after(0, p); n != 6 {
				t.Errorf("%d records of %s", n, p.Name)
			}
		}
		if n := r.after(0, large); n != 2 {
			t.Errorf("%d large records", n)
		}
		if _, most := stream.Held(); most > 3*limit+1<<20 {
			t.Errorf("%d bytes were held at once", most)
		}
		if used := s.dispatcher.memory.used.Load(); used < 0 || used > limit {
			t.Errorf("%d bytes are counted when all is freed", used)
		}
		r.close()
	})
}

// TestUnderPressure: while nobody takes anything, what waits to be handed over does not grow.
func TestUnderPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &sourcetest.Stream{}
		for range 10 {
			stream.Add(20)
		}
		s := New("stream", stream.Reader(false), Options{})
		openAt(t, s, nil)
		for range 60 {
			time.Sleep(time.Minute)
			stream.Add(0)
		}
		s.Report() // the dispatcher is at rest behind it
		if n := len(s.dispatcher.outbox.queue); n > 2*10*20+1 {
			t.Errorf("%d batches wait after an hour", n)
		}
		closeIt(t, s, stream)
	})
}

// TestNothingTaken: while nobody takes what was read, no more of it is read than is of use.
func TestNothingTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		stream := &sourcetest.Stream{}
		for range 4 {
			p := stream.Add(0)
			for range 20 {
				stream.PutBytes(p, size)
			}
		}
		s := New("stream", stream.Reader(false), Options{})
		openAt(t, s, nil)
		time.Sleep(time.Minute)
		s.Report() // the dispatcher is at rest behind it
		if held, _ := stream.Held(); held < readAheadMax || held > readAheadMax+4*allowanceMax {
			t.Errorf("%d bytes are held", held)
		}
		closeIt(t, s, stream)
	})
}

// TestThousands: thousands of shards are read, in their order.
func TestThousands(t *testing.T) {
	stream := &sourcetest.Stream{NamesChildren: true}
	for range 1500 {
		stream.Add(1)
	}
	for _, parent := range stream.Shards() {
		stream.Add(1, parent)
	}
	s := New("stream", stream.Reader(false), Options{PollInterval: time.Minute})
	openAt(t, s, nil)
	left, read := 3000, map[string]bool{}
	parent := map[string]string{}
	for _, p := range stream.Shards()[1500:] {
		parent[p.Name] = p.Parents[0]
	}
	readUntil(t, s, map[string][]byte{}, func(r *pipeline.Records) bool {
		if r.Len() > 0 {
			read[r.Partition] = true
			if of := parent[r.Partition]; of != "" && !read[of] {
				t.Fatalf("%s is read before its parent", r.Partition)
			}
		}
		left -= r.Len()
		return left == 0
	})
	closeIt(t, s, stream)
}

// TestIdle: 500 quiet shards cost their requests and little else; a record on one of them is
// there within a poll.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &sourcetest.Stream{}
		var last *sourcetest.Shard
		for range 500 {
			last = stream.Add(1)
		}
		r := follow(t, New("stream", stream.Reader(false), Options{}), pipeline.SourceOptions{})
		r.after(time.Second, last)
		before := stream.Reads()
		r.after(10*time.Second, last)
		if n := stream.Reads() - before; n < 4500 || n > 5500 {
			t.Errorf("%d reads of 500 shards in ten seconds", n)
		}
		stream.Put(last, 1)
		if n := r.after(time.Second, last); n != 2 {
			t.Errorf("%d records after a second", n)
		}
		r.close()
	})
}

// BenchmarkIdle: the CPU of an hour of 500 quiet shards that are polled once a second, per read.
func BenchmarkIdle(b *testing.B) {
	stream := &sourcetest.Stream{}
	for range 500 {
		stream.Add(1)
	}
	s := New("stream", stream.Reader(false), Options{PollInterval: time.Nanosecond})
	if err := s.Open(b.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			if _, err := s.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	for target := stream.Reads() + b.N; stream.Reads() < target; {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// TestRandomLife: a random stream whose shards split and merge, with empty pages, children that
// are named or listed late, throttles and a reader that is killed and opened again at any of its
// cursors, gives each record once, in the order of its lineage.
func TestRandomLife(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range uint64(30) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, round))
			stream := sourcetest.NewStream(false)
			stream.NamesChildren, stream.EmptyPages = rng.IntN(2) == 0, rng.IntN(3)
			var mu sync.Mutex
			faults := rand.New(rand.NewPCG(seed, round+1000))
			stream.Fault = func(context.Context, string) error {
				mu.Lock()
				defer mu.Unlock()
				if faults.IntN(40) == 0 {
					return errThrottled
				}
				return nil
			}
			sourcetest.RunRandom(t, rng, randomInput{stream, rng.IntN(4), map[string]bool{}})
		})
	}
}

// randomInput is a stream whose new shards may be listed late, read with some options.
type randomInput struct {
	*sourcetest.Stream
	options int
	hidden  map[string]bool // shards that the end of their parent names, and that are not listed
}

func (in randomInput) Source(testing.TB) pipeline.Source {
	o := Options{PollInterval: time.Millisecond, DiscoveryInterval: 10 * time.Millisecond}
	o.Reads, o.MemoryBytes = []int{0, 1, 3, 0}[in.options], []int64{0, 0, 1, 100}[in.options]
	return New("stream", in.Reader(false), o)
}

func (in randomInput) Grow(r *rand.Rand) {
	before := len(in.Shards())
	in.Resize(r)
	if in.NamesChildren {
		for _, p := range in.Shards()[before:] {
			in.hidden[p.Name] = r.IntN(2) == 0 || slices.ContainsFunc(p.Parents, func(name string) bool { return in.hidden[name] })
			in.Hide(p, in.hidden[p.Name])
		}
	}
}
