package dynamodbtest

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"slices"
	"sort"
	"strings"
	"time"
)

// primaryKey is where an item is in its table: in the order of the hash of its partition key, as
// the service keeps and scans items, and then of its sort key.
type primaryKey struct {
	hash uint64
	text string // of the partition key, with its type
	sort string // bytes that are ordered as the service orders sort keys
}

func (k primaryKey) compare(o primaryKey) int {
	return cmp.Or(cmp.Compare(k.hash, o.hash), strings.Compare(k.text, o.text), strings.Compare(k.sort, o.sort))
}

// hashOf is that of a partition key. At the service it is another one, which nobody knows.
func hashOf(text string) uint64 {
	sum := md5.Sum([]byte(text))
	return binary.BigEndian.Uint64(sum[:])
}

// row is one image of an item. It is never changed: the table, its log and its streams share it.
type row struct {
	key  primaryKey
	item Item
	json []byte
	size int
	time time.Time // of the write, in µs
}

// buckets is how many ranges of hashes an itemStore has.
const buckets = 1 << 12

// itemStore holds the newest images of a table's items, in the order of their keys.
type itemStore struct {
	buckets [buckets][]*row
	count   int
	bytes   int64
}

func bucketOf(hash uint64) int { return int(hash >> (64 - 12)) }

// find returns where a key is in its bucket, or would be.
func (s *itemStore) find(k primaryKey) (bucket *[]*row, i int, found bool) {
	bucket = &s.buckets[bucketOf(k.hash)]
	i, found = slices.BinarySearchFunc(*bucket, k, func(r *row, k primaryKey) int { return r.key.compare(k) })
	return bucket, i, found
}

// get returns the item of a key; nil = there is none.
func (s *itemStore) get(k primaryKey) *row {
	if bucket, i, found := s.find(k); found {
		return (*bucket)[i]
	}
	return nil
}

// set puts the newest image of a key in the place of the old one; nil = the item is deleted.
func (s *itemStore) set(k primaryKey, r *row) {
	bucket, i, found := s.find(k)
	if found {
		s.count--
		s.bytes -= int64((*bucket)[i].size)
	}
	if r != nil {
		s.count++
		s.bytes += int64(r.size)
	}
	switch {
	case found && r != nil:
		(*bucket)[i] = r
	case found:
		*bucket = slices.Delete(*bucket, i, i+1)
	case r != nil:
		*bucket = slices.Insert(*bucket, i, r)
	}
}

// from calls each with the items behind a key, in their order, until it returns false. A nil key is
// before all.
func (s *itemStore) from(after *primaryKey, each func(*row) bool) {
	first, skip := 0, 0
	if after != nil {
		_, i, found := s.find(*after)
		first, skip = bucketOf(after.hash), i
		if found {
			skip++
		}
	}
	for b := first; b < buckets; b++ {
		for _, r := range s.buckets[b][skip:] {
			if !each(r) {
				return
			}
		}
		skip = 0
	}
}

// partition returns the items of a partition key, in the order of their sort keys.
func (s *itemStore) partition(hash uint64, text string) []*row {
	bucket := s.buckets[bucketOf(hash)]
	k := primaryKey{hash: hash, text: text}
	first := sort.Search(len(bucket), func(i int) bool { return bucket[i].key.compare(k) >= 0 })
	end := first
	for end < len(bucket) && bucket[end].key.hash == hash && bucket[end].key.text == text {
		end++
	}
	return bucket[first:end]
}
