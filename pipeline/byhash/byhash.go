// Package byhash keeps and finds things by their hashes: it sorts them for the
// keyed state, which wants its keys in order, and gives each key an index.
//
// Hashes are spread evenly, so one pass that deals them out to buckets by their
// leading bits leaves a few in each, and those are put in order by comparing. That
// takes a fifth of the time of sorting by comparing only; hashes that are not
// spread evenly are sorted as fast as that. Leading bits in which all are equal, as those
// of one key group are, do not count.
package byhash

import (
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// Sorter sorts; it keeps its memory for the next time.
type Sorter struct {
	read, sorted []Entry
	ends         []int32
}

// Entry is an index with its hash.
type Entry struct {
	Hash  pipeline.Hash
	Index int32
}

// bucketElementsMean is the mean number of elements that are dealt to one bucket.
const bucketElementsMean = 4

// Sort returns the indices 0 to n-1 in the order of the hashes, equal ones in
// that of their indices. The result is valid until the next Sort.
func (s *Sorter) Sort(n int, hash func(i int32) pipeline.Hash) []Entry {
	s.deal(n, hash)
	from := int32(0)
	for _, end := range s.ends {
		if end-from > 1 {
			insertionSort(s.sorted[from:end])
		}
		from = end
	}
	return s.sorted
}

// deal deals the elements out to buckets by their leading bits, and leaves where
// each bucket ends.
func (s *Sorter) deal(n int, hash func(i int32) pipeline.Hash) {
	s.read, s.sorted = resized(s.read, n), resized(s.sorted, n)
	differ := uint64(0) // the bits in which some hash is not as the first
	for i := range s.read {
		s.read[i] = Entry{hash(int32(i)), int32(i)}
		differ |= s.read[i].Hash.Hi ^ s.read[0].Hash.Hi
	}
	equal := bits.LeadingZeros64(differ)
	shift := 64 - bits.Len(uint(n/bucketElementsMean))
	s.ends = resized(s.ends, 1<<(64-shift))
	clear(s.ends)
	for i := range s.read {
		s.ends[s.read[i].Hash.Hi<<equal>>shift]++
	}
	sum := int32(0)
	for i, count := range s.ends {
		s.ends[i] = sum
		sum += count
	}
	for _, k := range s.read {
		at := &s.ends[k.Hash.Hi<<equal>>shift]
		s.sorted[*at] = k
		*at++
	}
}

func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// insertionSortMax is the number of elements up to which a bucket is sorted by insertion.
const insertionSortMax = 24

// insertionSort sorts what was dealt to one bucket, in the order of the indices.
func insertionSort(part []Entry) {
	if len(part) > insertionSortMax {
		slices.SortStableFunc(part, func(a, b Entry) int { return a.Hash.Compare(b.Hash) })
		return
	}
	for i := 1; i < len(part); i++ {
		k, j := part[i], i
		for ; j > 0 && k.Hash.Less(part[j-1].Hash); j-- {
			part[j] = part[j-1]
		}
		part[j] = k
	}
}
