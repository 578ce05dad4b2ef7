package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// cpuTime returns the processor time that the process has taken: other processes may keep
// the processors busy.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sortedHashes returns n hashes in order, the same every time.
func sortedHashes(n int, seed uint64) []pipeline.Hash {
	r := rand.New(rand.NewPCG(seed, 0))
	keys := make([]pipeline.Hash, n)
	for i := range keys {
		keys[i] = pipeline.Hash{Hi: r.Uint64(), Lo: r.Uint64()}
	}
	slices.SortFunc(keys, pipeline.Hash.Compare)
	return keys
}

// BenchmarkEpoch is what an epoch of some puts into five keyspaces takes of the epoch's
// goroutine, beside its save.
func BenchmarkEpoch(b *testing.B) {
	for _, puts := range []int{1, 100, 100_000} {
		b.Run(fmt.Sprint(puts), func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Options{Pipeline: "p", Memory: 256 << 20})
			defer s.Close()
			ks, err := s.Keyspaces(1, 2, 3, 4, 5)
			if err != nil {
				b.Fatal(err)
			}
			keys, value := sortedHashes(100_000, 1), make([]byte, 100)
			for _, k := range ks.All {
				for _, key := range keys {
					k.Put(key, value)
				}
			}
			saved(takeBy(ks, &exchange.Runner{Workers: 1}))
			step := len(keys) / puts
			var some []pipeline.Hash
			from := cpuTime(b)
			for b.Loop() {
				for _, k := range ks.All {
					for i := 0; i < puts; i += 64 {
						n := min(64, puts-i)
						some = some[:0]
						for j := range n {
							some = append(some, keys[(i+j)*step])
						}
						k.Prefetch(some)
						for _, key := range some {
							k.Put(key, value)
						}
					}
				}
				saved(takeBy(ks, &exchange.Runner{Workers: 1}))
			}
			b.ReportMetric(float64((cpuTime(b)-from))/float64(b.N*5*puts), "cpu-ns/put")
		})
	}
}

// saved notes deltas as saved.
func saved(deltas []*Delta) {
	for _, d := range deltas {
		d.endSave()
	}
}

// BenchmarkLookup is a lookup of all of 200,000 keys, a key group at a time.
func BenchmarkLookup(b *testing.B) {
	s := mustOpen(b, b.TempDir(), Options{Pipeline: "p", Memory: 256 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(1)
	if err != nil {
		b.Fatal(err)
	}
	k, keys, value := ks.All[0], sortedHashes(200_000, 1), make([]byte, 100)
	k.PutAll(keys, slices.Repeat([][]byte{value}, len(keys)))
	saved(takeBy(ks, &exchange.Runner{Workers: 1}))
	for name, missing := range map[string]bool{"there": false, "missing": true} {
		if missing {
			keys = sortedHashes(200_000, 2)
		}
		values := make([][]byte, len(keys))
		b.Run(name, func(b *testing.B) {
			from := cpuTime(b)
			for b.Loop() {
				for i := 0; i < len(keys); i += 1600 {
					if err := k.Lookup(keys[i:min(i+1600, len(keys))], values[i:]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64((cpuTime(b)-from))/float64(b.N*len(keys)), "cpu-ns/key")
		})
	}
}

// BenchmarkPutBatches puts 200,000 keys, a key group at a time, with Prefetch before.
func BenchmarkPutBatches(b *testing.B) {
	s := mustOpen(b, b.TempDir(), Options{Pipeline: "p", Memory: 256 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(1)
	if err != nil {
		b.Fatal(err)
	}
	k, keys, value := ks.All[0], sortedHashes(200_000, 1), make([]byte, 100)
	from := cpuTime(b)
	for b.Loop() {
		for i := 0; i < len(keys); i += 64 {
			some := keys[i:min(i+64, len(keys))]
			k.Prefetch(some)
			for _, key := range some {
				k.Put(key, value)
			}
		}
		saved(takeBy(ks, &exchange.Runner{Workers: 1}))
	}
	b.ReportMetric(float64((cpuTime(b)-from))/float64(b.N*len(keys)), "cpu-ns/put")
}

// BenchmarkSave saves an epoch of 200,000 entries of 100 bytes as tables.
func BenchmarkSave(b *testing.B) {
	keys, value := sortedHashes(200_000, 1), make([]byte, 100)
	r := rand.New(rand.NewPCG(7, 0))
	for i := range value {
		value[i] = byte(r.Uint32())
	}
	s := mustOpen(b, b.TempDir(), Options{Pipeline: "p", Memory: 1 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(1, 2)
	if err != nil {
		b.Fatal(err)
	}
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		for i, key := range keys {
			ks.All[i%2].Put(key, value)
		}
		deltas := takeBy(ks, &exchange.Runner{Workers: 1})
		b.StartTimer()
		from := cpuTime(b)
		if err := s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: deltas}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime(b) - from
	}
	b.ReportMetric(float64(cpu)/float64(b.N*len(keys)), "cpu-ns/entry")
}
