package state

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// BenchmarkDiskLookup is an epoch that looks up and puts some random keys in each of four
// keyspaces, whose entries take three quarters of the memory that they may, or twice as much,
// and its save: a small one is a batch, a large one is ingested.
func BenchmarkDiskLookup(b *testing.B) {
	const memory, parts = 32 << 20, 16
	for _, c := range []struct{ entries, keys int }{{35_000, 200}, {100_000, 200}, {100_000, 2_000}, {100_000, 10_000}} {
		b.Run(fmt.Sprintf("entries=%d/keys=%d", 4*c.entries, 4*c.keys), func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Options{Pipeline: "p", Memory: memory})
			defer s.Close()
			ks, err := s.Keyspaces(1, 2, 3, 4)
			if err != nil {
				b.Fatal(err)
			}
			e := &diskEpochs{s: s, ks: ks, keys: sortedHashes(c.entries, 1), r: rand.New(rand.NewPCG(5, 0)), b: b}
			for some := range slices.Chunk(e.keys, 1_000) { // as small epochs write it
				e.run(some, parts)
			}
			for range 2 * c.entries / max(c.keys, 1_000) {
				e.run(e.some(max(c.keys, 1_000)), parts)
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e.looked = 0
			from := cpuTime(b)
			for b.Loop() {
				e.run(e.some(c.keys), parts)
			}
			b.ReportMetric(float64(e.looked)/float64(b.N*4*c.keys), "lookup-ns/key")
			b.ReportMetric(float64(cpuTime(b)-from)/float64(b.N*4*c.keys), "cpu-ns/key")
		})
	}
}

// diskEpochs runs epochs of a state.
type diskEpochs struct {
	s      *Store
	ks     *Keyspaces
	keys   []pipeline.Hash
	r      *rand.Rand
	b      *testing.B
	looked time.Duration // what lookups took
}

// some returns n of the keys, in order.
func (e *diskEpochs) some(n int) []pipeline.Hash {
	at := e.r.Perm(len(e.keys))[:n]
	slices.Sort(at)
	some := make([]pipeline.Hash, n)
	for i := range some {
		some[i] = e.keys[at[i]]
	}
	return some
}

// run is one epoch, which looks keys up in some parts, and puts them.
func (e *diskEpochs) run(keys []pipeline.Hash, parts int) {
	values, value := make([][]byte, len(keys)), make([]byte, 150)
	for i := range value {
		value[i] = byte(e.r.Uint32())
	}
	for _, k := range e.ks.All {
		from := threadTime(e.b)
		for p := range parts {
			lo, hi := p*len(keys)/parts, (p+1)*len(keys)/parts
			if err := k.Lookup(keys[lo:hi], values[lo:hi]); err != nil {
				e.b.Fatal(err)
			}
		}
		e.looked += threadTime(e.b) - from
		for _, key := range keys {
			k.Put(key, value)
		}
	}
	deltas := takeBy(e.ks, &exchange.Runner{Workers: 1})
	if err := e.s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: deltas}); err != nil {
		e.b.Fatal(err)
	}
}

// threadTime returns the processor time that the thread has taken.
func threadTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	const thread = 1
	if err := syscall.Getrusage(thread, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
