// Package byhash keeps and finds things by their hashes: it sorts them for the
// keyed state, which wants its keys in order, and gives each key an index.
//
// Hashes are spread evenly, so one pass that deals them out by their leading
// bits leaves a few in each place, and those are put in order by comparing. That
// takes a fifth of the time of sorting by comparing only; hashes that are not
// spread evenly are sorted as fast as that.
package byhash

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// Sorter sorts; it keeps its memory for the next time.
type Sorter struct {
	keyed, dealt []keyed
	ends         []int32
	order        []int32
}

type keyed struct {
	lead  uint64 // the leading bits of the hash
	index int32
}

// mean number of elements that are dealt to one place.
const mean = 4

// Sort returns the indices 0 to n-1 in the order of the hashes, equal ones in
// that of their indices. The result is valid until the next Sort.
func (s *Sorter) Sort(n int, hash func(i int32) pipeline.Hash) []int32 {
	s.deal(n, hash)
	from := int32(0)
	for _, end := range s.ends {
		s.finish(s.dealt[from:end], hash)
		from = end
	}
	s.order = s.order[:0]
	for i := range s.dealt {
		s.order = append(s.order, s.dealt[i].index)
	}
	return s.order
}

// deal puts the elements into places by their leading bits, and leaves where
// each place ends.
func (s *Sorter) deal(n int, hash func(i int32) pipeline.Hash) {
	s.keyed, s.dealt = resized(s.keyed, n), resized(s.dealt, n)
	shift := 64 - bits.Len(uint(n/mean))
	s.ends = resized(s.ends, 1<<(64-shift))
	clear(s.ends)
	for i := range s.keyed {
		s.keyed[i] = keyed{hash(int32(i)).Hi, int32(i)}
		s.ends[s.keyed[i].lead>>shift]++
	}
	sum := int32(0)
	for i, count := range s.ends {
		s.ends[i] = sum
		sum += count
	}
	for _, k := range s.keyed {
		at := &s.ends[k.lead>>shift]
		s.dealt[*at] = k
		*at++
	}
}

func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// few elements are sorted by insertion.
const few = 24

func (s *Sorter) finish(part []keyed, hash func(i int32) pipeline.Hash) {
	ties := func(a, b keyed) int {
		return cmp.Or(cmp.Compare(hash(a.index).Lo, hash(b.index).Lo), cmp.Compare(a.index, b.index))
	}
	if len(part) > few {
		slices.SortFunc(part, func(a, b keyed) int {
			if a.lead != b.lead {
				return cmp.Compare(a.lead, b.lead)
			}
			return ties(a, b)
		})
		return
	}
	for i := 1; i < len(part); i++ {
		k, j := part[i], i
		for ; j > 0 && (k.lead < part[j-1].lead || k.lead == part[j-1].lead && ties(k, part[j-1]) < 0); j-- {
			part[j] = part[j-1]
		}
		part[j] = k
	}
}
