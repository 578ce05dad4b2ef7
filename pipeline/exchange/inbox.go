package exchange

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Inbox is the memory in which one goroutine receives messages. Its zero value is ready, and
// it is worth keeping: what it needed for one part is there for the next.
type Inbox struct {
	unsorted []pipeline.Message
	sorted   []pipeline.Message
	ends     []int32 // of the buckets that messages are dealt to
}

// bucketMessagesMean is the mean number of messages that are dealt to one bucket.
const bucketMessagesMean = 4

// Receive returns the messages that read appends, sorted as those of an exchange, and valid until
// the next Receive. They are of some key groups, and n, or about as many.
func (in *Inbox) Receive(r pipeline.Runner, groups pipeline.KeyGroupRange, n int, read func(messages []pipeline.Message) []pipeline.Message) []pipeline.Message {
	in.unsorted = read(slices.Grow(reuse.Emptied(in.unsorted), n))
	in.deal(groups)
	in.sort(r)
	return in.sorted
}

// deal deals the messages to buckets by those leading bits of their hashes in which the part's
// differ, which leaves a few in each, and leaves where each bucket ends.
func (in *Inbox) deal(groups pipeline.KeyGroupRange) {
	n := len(in.unsorted)
	in.sorted = slices.Grow(reuse.Emptied(in.sorted), n)[:n]
	equal := bits.LeadingZeros64(groups.From().Hi ^ (groups.To().Hi - 1))
	shift := 64 - bits.Len(uint(n/bucketMessagesMean))
	in.ends = slices.Grow(in.ends[:0], 1<<(64-shift))[:1<<(64-shift)]
	clear(in.ends)
	for i := range in.unsorted {
		in.ends[in.unsorted[i].To.Hi<<equal>>shift]++
	}
	sum := int32(0)
	for i, count := range in.ends {
		in.ends[i] = sum
		sum += count
	}
	for i := range in.unsorted {
		m := &in.unsorted[i]
		at := &in.ends[m.To.Hi<<equal>>shift]
		in.sorted[*at] = *m
		*at++
	}
}

// order returns the Order of a message with the body.
func order(body []byte) uint64 {
	if len(body) >= 8 {
		return binary.BigEndian.Uint64(body)
	}
	var first [8]byte
	copy(first[:], body)
	return binary.BigEndian.Uint64(first[:])
}

// sort sorts the messages by their hashes, and by their bodies where those are equal.
func (in *Inbox) sort(r pipeline.Runner) {
	from := int32(0)
	for _, end := range in.ends {
		if end-from > 1 {
			r.Shuffle(in.sorted[from:end])
			sortBucket(in.sorted[from:end])
		}
		from = end
	}
}

// insertionSortMax is the number of messages up to which a bucket is sorted by insertion.
const insertionSortMax = 16

// sortBucket sorts what was dealt to one bucket.
func sortBucket(messages []pipeline.Message) {
	if len(messages) > insertionSortMax {
		slices.SortFunc(messages, func(a, b pipeline.Message) int { return compare(&a, &b) })
		return
	}
	for i := 1; i < len(messages); i++ {
		if compare(&messages[i-1], &messages[i]) <= 0 {
			continue
		}
		m, j := messages[i], i
		for ; j > 0 && compare(&messages[j-1], &m) > 0; j-- {
			messages[j] = messages[j-1]
		}
		messages[j] = m
	}
}

// compare compares messages by their hashes, and then by their bodies.
func compare(a, b *pipeline.Message) int {
	if n := a.To.Compare(b.To); n != 0 {
		return n
	}
	if a.Order != b.Order {
		return cmp.Compare(a.Order, b.Order)
	}
	return bytes.Compare(a.Body, b.Body)
}
