package star

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestKeyCache: a cache may forget, but never gives another member's key, and it
// stays within its bound.
func TestKeyCache(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := keyCache{max: cacheSlotsMax}
		for range rapid.IntRange(0, 3000).Draw(t, "puts") {
			n := rapid.Uint64Range(1, 1<<40).Draw(t, "member")
			s.put(pipeline.Hash{Hi: n, Lo: n & rapid.SampledFrom([]uint64{3, 1 << 39, ^uint64(0)}).Draw(t, "bits")}, int64(n))
			if len(s.slots) > 1<<15 {
				t.Fatalf("%d slots", len(s.slots))
			}
		}
		filled := 0
		for _, c := range s.slots {
			if c.key == 0 {
				continue
			}
			filled++
			if key, ok := s.get(c.member); !ok || key != c.key || uint64(key) != c.member.Hi {
				t.Fatalf("get(%v) = %d, %v, and %d is there", c.member, key, ok, c.key)
			}
		}
		if filled != s.filled {
			t.Fatalf("%d slots are filled, and %d counted", filled, s.filled)
		}
		if key, ok := s.get(pipeline.Hash{Hi: 1 << 50}); ok {
			t.Fatalf("a member that was never put has key %d", key)
		}
	})
}

// TestKeyCacheRemembers: with room for all, nearly all are remembered.
func TestKeyCacheRemembers(t *testing.T) {
	s := keyCache{max: cacheSlotsMax}
	const n = 50_000
	member := func(i int) pipeline.Hash { return hashOf([]byte{byte(i), byte(i >> 8), byte(i >> 16)}) }
	for i := range n {
		s.put(member(i), int64(i+1))
	}
	remembered := 0
	for i := range n {
		if key, ok := s.get(member(i)); ok && key == int64(i+1) {
			remembered++
		}
	}
	if remembered < n*8/10 {
		t.Errorf("%d of %d are remembered, in %d slots", remembered, n, len(s.slots))
	}
}

// TestKeyCacheIdles: a cache in which few of very many members are found stays empty for some
// epochs, and one in which many are does not.
func TestKeyCacheIdles(t *testing.T) {
	for members, idles := range map[uint64]bool{cacheSlotsMin: false, 100 * cacheSlotsMin: true} {
		s, r := keyCache{max: cacheSlotsMin}, rand.New(rand.NewPCG(1, 2))
		var usedEpochs []int
		for epoch := range 2 * cacheIdleEpochs {
			for range 4 * cacheGetsMin {
				n := 1 + r.Uint64N(members)
				member := hashOf(binary.LittleEndian.AppendUint64(nil, n))
				if _, ok := s.get(member); !ok {
					s.put(member, int64(n))
				}
			}
			if s.filled > 0 {
				usedEpochs = append(usedEpochs, epoch)
			}
			s.endEpoch()
		}
		if got := len(usedEpochs) < cacheIdleEpochs; got != idles || idles && len(usedEpochs) < 2 {
			t.Errorf("with %d members it was used in epochs %v", members, usedEpochs)
		}
	}
}
