package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// observedSource tells of each Read, and of what the one before gave; the splitter has
// taken that by then.
type observedSource struct {
	pipeline.Source
	reads func(before *pipeline.Records)
	last  *pipeline.Records
}

func (s *observedSource) Read(ctx context.Context) (*pipeline.Records, error) {
	s.reads(s.last)
	r, err := s.Source.Read(ctx)
	s.last = r
	return r, err
}

// observed puts an observedSource before the source.
func observed(c Config, reads func(before *pipeline.Records)) Config {
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source = &observedSource{Source: n.Sources[0].Source, reads: reads} })
	return c
}

// shardsConfig returns the world's pipeline over the shards of a stream.
func shardsConfig(w *world, s *sourcetest.Stream, latest bool) Config {
	c := w.config()
	source := partitions.New("s", s.Reader(latest), partitions.Options{Reads: 3, PollInterval: time.Millisecond, DiscoveryInterval: 5 * time.Millisecond})
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source = source })
	return c
}

// checkShards compares the targets with all records of the stream: each is in the log
// once, behind those before it in its shard and those of the shard's parents (I4).
func checkShards(t *testing.T, w *world, s *sourcetest.Stream) {
	t.Helper()
	var all []change
	place := map[int64]int{}
	for i, r := range logOf(w.log) {
		if _, twice := place[r.N]; twice {
			t.Fatalf("record %d is in the log twice", r.N)
		}
		place[r.N] = i
	}
	last := map[string]int{}
	for _, p := range s.Want() {
		after := -1
		for _, parent := range p.Parents {
			after = max(after, last[parent])
		}
		for _, text := range p.Records {
			var c change
			if err := json.Unmarshal([]byte(text), &c); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
			at, ok := place[c.N]
			if !ok || at <= after {
				t.Fatalf("record %d of %s is at %d of the log (there: %v), and belongs behind %d", c.N, p.Name, at, ok, after)
			}
			after = at
		}
		last[p.Name] = after
	}
	table, _, _ := want(all)
	if d := cmp.Diff(table, valuesOf(w.settled)); d != "" || len(place) != len(all) {
		t.Fatalf("%d of %d records; table (-want +got):\n%s", len(place), len(all), d)
	}
}

// TestShardsCrashAtEveryStep: shards that split, merge and end, with a crash at each step
// of each epoch, take effect exactly once.
func TestShardsCrashAtEveryStep(t *testing.T) {
	for _, step := range Steps {
		for epoch := int64(1); epoch <= 4; epoch++ {
			t.Run(fmt.Sprintf("%s %d", step, epoch), func(t *testing.T) {
				w, stream := newWorld(t.TempDir(), nil), sourcetest.NewStream(true)
				crash := true
				w.hook = func(s Step, e int64) error {
					if crash && s == step && e == epoch {
						return errCrash
					}
					return nil
				}
				ctx := t.Context()
				if err := Run(ctx, ctx, shardsConfig(w, stream, false)); !errors.Is(err, errCrash) {
					t.Fatalf("error %v, want the crash", err)
				}
				crash = false
				if err := Run(ctx, ctx, shardsConfig(w, stream, false)); err != nil {
					t.Fatal(err)
				}
				checkShards(t, w, stream)
				if n := stream.Readers(); n != 0 {
					t.Errorf("%d readers are open", n)
				}
			})
		}
	}
}

// TestShardsThatGoOn: a stream without end is killed and stopped again and again while its
// shards split and merge.
func TestShardsThatGoOn(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	w, stream := newWorld(t.TempDir(), nil), sourcetest.NewStream(false)
	w.limits.Interval = time.Millisecond
	records := func() (n int) {
		for _, p := range stream.Want() {
			n += len(p.Records)
		}
		return n
	}
	for round := range 12 {
		kill, killed := context.WithCancelCause(t.Context())
		stop, end := context.WithCancel(t.Context())
		for range rng.IntN(3) {
			stream.Resize(rng)
		}
		var left atomic.Int64 // steps before a kill
		left.Store(1 + rng.Int64N(8))
		all := records()
		endWhenAll := func() {
			if len(w.log.Published()) == all {
				end()
			}
		}
		w.hook = func(s Step, _ int64) error {
			if left.Add(-1) == 0 && round%2 == 0 {
				killed(errCrash)
				return errCrash
			}
			if s == StepDone {
				endWhenAll()
			}
			return nil
		}
		c := observed(shardsConfig(w, stream, false), func(*pipeline.Records) { endWhenAll() })
		if err := Run(stop, kill, c); err != nil && kill.Err() == nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		end()
		killed(nil)
	}
	t.Logf("seed %d", seed)
	checkShards(t, w, stream)
}

// TestPositionsOfQuietShards: a start at the newest record is saved though nothing comes,
// and so is the end of a shard that is empty.
func TestPositionsOfQuietShards(t *testing.T) {
	w, stream := newWorld(t.TempDir(), nil), &sourcetest.Stream{}
	a := stream.Add(3)
	run := func(last func(before *pipeline.Records) bool) {
		t.Helper()
		stop, end := context.WithCancel(t.Context())
		defer end()
		c := observed(shardsConfig(w, stream, true), func(before *pipeline.Records) {
			if before != nil && last(before) {
				end()
			}
		})
		if err := Run(stop, t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	run(func(*pipeline.Records) bool { return true })
	if got := cursorsOf(t, w); got[a.Name] != `{"at":"3"}` {
		t.Errorf("the cursors of a start at the newest record are %v", got)
	}
	stream.Put(a, 2)
	b := stream.Add(0, a)
	stream.Add(0, b)
	run(func(before *pipeline.Records) bool {
		return strings.Contains(string(before.Positions[b.Name]), "ended")
	})
	if got := cursorsOf(t, w); got[a.Name] != `{"at":"5","records":2,"ended":true,"read_until":"2026-01-01T00:00:05Z"}` || got[b.Name] != `{"first":2,"ended":true,"parents":["shard-000"]}` || len(w.log.Published()) != 2 {
		t.Errorf("the cursors are %v, and %d records were read", got, len(w.log.Published()))
	}
}

// cursorsOf returns the cursors that are saved.
func cursorsOf(t *testing.T, w *world) map[string]string {
	t.Helper()
	store, err := state.Open(w.dir, state.Options{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	saved, err := store.Cursors("s")
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for p, at := range saved {
		all[p] = string(at)
	}
	return all
}
