package byhash

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestSort: whatever the hashes are like, the order is that of comparing them,
// stable.
func TestSort(t *testing.T) {
	var s Sorter
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.SampledFrom([]uint64{0, 1, 0xff, 0xff << 56, 1 << 63, ^uint64(0)}).Draw(t, "bits that differ")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		hashes := make([]pipeline.Hash, rapid.IntRange(0, 300).Draw(t, "n"))
		for i := range hashes {
			hashes[i] = pipeline.Hash{Hi: r.Uint64() & mask, Lo: r.Uint64() & mask & 3}
		}
		want := make([]int32, len(hashes))
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(a, b int32) int { return hashes[a].Compare(hashes[b]) })
		got := s.Sort(len(hashes), func(i int32) pipeline.Hash { return hashes[i] })
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v, of %x", got, want, hashes)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	hashes := make([]pipeline.Hash, 200_000)
	for i := range hashes {
		hashes[i] = pipeline.Hash{Hi: rand.Uint64(), Lo: rand.Uint64()}
	}
	var s Sorter
	for b.Loop() {
		s.Sort(len(hashes), func(i int32) pipeline.Hash { return hashes[i] })
	}
}
