package byhash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// TestSort: whatever the hashes are like, the order is that of comparing them,
// stable.
func TestSort(t *testing.T) {
	var s Sorter
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.SampledFrom([]uint64{0, 1, 0xff, 0xff << 56, 1 << 63, ^uint64(0)}).Draw(t, "bits that differ")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		hashes := make([]pipeline.Hash, rapid.IntRange(0, 200).Draw(t, "n"))
		for i := range hashes {
			hashes[i] = pipeline.Hash{Hi: r.Uint64() & mask, Lo: r.Uint64() & mask & 3}
		}
		want := make([]int32, len(hashes))
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(a, b int32) int { return hashes[a].Compare(hashes[b]) })
		var got []int32
		for _, k := range s.Sort(len(hashes), func(i int32) pipeline.Hash { return hashes[i] }) {
			if k.Hash != hashes[k.Index] {
				t.Fatalf("%d has hash %x, got %x", k.Index, hashes[k.Index], k.Hash)
			}
			got = append(got, k.Index)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v, of %x", got, want, hashes)
		}
	})
}

// TestIndex: an Index is a map, and is empty once cleared.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Index
		want := map[pipeline.Hash]int32{}
		keys := rapid.SampledFrom([]uint64{3, 5000}).Draw(t, "keys")
		for range rapid.IntRange(0, 2000).Draw(t, "steps") {
			n := rapid.Uint64Range(0, keys).Draw(t, "key")
			// Low bits that do not differ, and highest ones that do now and then.
			key := pipeline.Hash{Hi: n/2 | n%3<<62 | n%5<<32, Lo: n % 2 << 40}
			if n%2 == 0 {
				x.Prefetch([]pipeline.Hash{key})
			}
			if n == keys {
				x.Clear()
				clear(want)
			}
			at, ok := x.Get(key)
			if wanted, there := want[key]; ok != there || ok && at != wanted {
				t.Fatalf("Get(%v) = %d, %v; want %d, %v", key, at, ok, wanted, there)
			}
			if rapid.Bool().Draw(t, "set") {
				want[key] = int32(n)
				x.Set(key, int32(n))
			}
			if rapid.Bool().Draw(t, "add") {
				next := int32(len(want))
				wanted, there := want[key]
				if !there {
					want[key], wanted = next, next
				}
				if have, added := x.Add(key, next); have != wanted || added == there {
					t.Fatalf("Add(%v, %d) = %d, %v; want %d, %v", key, next, have, added, wanted, !there)
				}
			}
		}
	})
}

// TestFinder: every key that the state has is found with its value, repeated
// ones each time.
func TestFinder(t *testing.T) {
	var f Finder
	rapid.Check(t, func(t *rapid.T) {
		state := pipelinetest.NewKeyspace()
		for _, n := range rapid.SliceOf(rapid.Uint64Range(0, 9)).Draw(t, "state") {
			state.Put(pipeline.Hash{Hi: n}, fmt.Append(nil, n))
		}
		keys := rapid.SliceOf(rapid.Uint64Range(0, 9)).Draw(t, "keys")
		got := make([]string, len(keys))
		err := f.Find(state, len(keys), func(i int32) pipeline.Hash { return pipeline.Hash{Hi: keys[i]} }, func(i int32, v []byte) { got[i] += string(v) })
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range keys {
			if want := string(state.Entries[pipeline.Hash{Hi: k}]); got[i] != want {
				t.Fatalf("key %d, the %d-th: %q, want %q", k, i, got[i], want)
			}
		}
	})
}

// TestSortWithinKeyGroup: hashes of one key group are dealt to all buckets, as those of all
// are; in 1/128 of them, each would be compared with hundreds.
func TestSortWithinKeyGroup(t *testing.T) {
	const n = 1 << 14
	var s Sorter
	most := func(hashes []pipeline.Hash) (most int32) {
		s.deal(len(hashes), func(i int32) pipeline.Hash { return hashes[i] })
		from := int32(0)
		for _, end := range s.ends {
			most, from = max(most, end-from), end
		}
		return most
	}
	if got := most(randomHashes(n, 127)); got > 8*bucketElementsMean {
		t.Errorf("%d of %d hashes are in one bucket", got, n)
	}
}

// randomHashes returns hashes that are the same every time, with some leading bits taken
// from a key group's.
func randomHashes(n int, group uint64) []pipeline.Hash {
	r := rand.New(rand.NewPCG(1, group))
	hashes := make([]pipeline.Hash, n)
	for i := range hashes {
		hashes[i] = pipeline.Hash{Hi: r.Uint64(), Lo: r.Uint64()}
		if group > 0 {
			hashes[i] = hashes[i].Beside(pipeline.Hash{Hi: group << 57})
		}
	}
	return hashes
}

func BenchmarkSort(b *testing.B) {
	for name, hashes := range map[string][]pipeline.Hash{"all": randomHashes(200_000, 0), "key group": randomHashes(1600, 5)} {
		b.Run(name, func(b *testing.B) {
			var s Sorter
			for b.Loop() {
				s.Sort(len(hashes), func(i int32) pipeline.Hash { return hashes[i] })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(hashes)), "ns/hash")
		})
	}
}

// BenchmarkSortShared sorts the hashes of one key group, and of all.
func BenchmarkSortShared(b *testing.B) {
	for _, of := range []struct {
		name   string
		shared int
	}{{"all", 0}, {"group", 7}} {
		b.Run(of.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			hashes := make([]pipeline.Hash, 1600)
			for i := range hashes {
				hashes[i] = pipeline.Hash{Hi: r.Uint64() >> of.shared, Lo: r.Uint64()}
			}
			var s Sorter
			for b.Loop() {
				s.Sort(len(hashes), func(i int32) pipeline.Hash { return hashes[i] })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(hashes)), "ns/hash")
		})
	}
}
