package exchange

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
)

// Parts is the number of parts that the key groups are divided into for an epoch, a power of
// two up to pipeline.KeyGroups: each is a range of as many key groups.
type Parts int

// messagesPerPart is the number of messages from which a part is worth a goroutine's turn.
const messagesPerPart = 512

// PartsFor returns the number of parts for an epoch with so many messages.
func PartsFor(messages int) Parts {
	n := min(messages/messagesPerPart, pipeline.KeyGroups)
	if n < 2 {
		return 1
	}
	return Parts(1) << (bits.Len(uint(n)) - 1)
}

// Of returns the part that a hash lies in.
func (n Parts) Of(h pipeline.Hash) int { return h.KeyGroup() * int(n) / pipeline.KeyGroups }

// Range returns the key groups of a part.
func (n Parts) Range(part int) pipeline.KeyGroupRange {
	size := pipeline.KeyGroups / int(n)
	return pipeline.KeyGroupRange{First: part * size, End: (part + 1) * size}
}

// Exchange takes messages from the senders of one phase to the parts of the next. Each sender
// is used by one goroutine; when all are done, each part is received by one.
type Exchange struct {
	runner pipeline.Runner
	parts  Parts
	boxes  [][][]pipeline.Message // by sender and part
}

// New returns an exchange of some senders and parts.
func New(r pipeline.Runner, senders int, parts Parts) *Exchange {
	x := &Exchange{runner: r, parts: parts, boxes: make([][][]pipeline.Message, senders)}
	for i := range x.boxes {
		x.boxes[i] = make([][]pipeline.Message, parts)
	}
	return x
}

// Send sends a message from a sender, which must not change its body afterwards.
func (x *Exchange) Send(sender int, to pipeline.Hash, body []byte) {
	box := &x.boxes[sender][x.parts.Of(to)]
	*box = append(*box, pipeline.Message{To: to, Body: body})
}

// Receive returns what was sent to a part, sorted, and forgets it. Memory of in is used.
func (x *Exchange) Receive(part int, in *Inbox) []pipeline.Message {
	n := 0
	for _, boxes := range x.boxes {
		n += len(boxes[part])
	}
	in.messages = slices.Grow(in.messages[:0], n)
	for _, boxes := range x.boxes {
		in.messages = append(in.messages, boxes[part]...)
		boxes[part] = nil
	}
	x.runner.Shuffle(in.messages)
	return in.sort()
}

// Inbox is the memory in which one goroutine receives messages. What was received is valid
// until the next Receive with it.
type Inbox struct {
	messages, sorted []pipeline.Message
	sorter           byhash.Sorter
}

// sort returns the messages in order of their hashes, and of their bytes where those are equal.
func (in *Inbox) sort() []pipeline.Message {
	in.sorted = slices.Grow(in.sorted[:0], len(in.messages))
	equal := 0 // how many messages at the end have one hash
	for _, e := range in.sorter.Sort(len(in.messages), func(i int32) pipeline.Hash { return in.messages[i].To }) {
		if n := len(in.sorted); n > 0 && in.sorted[n-1].To != e.Hash {
			sortBodies(in.sorted[n-equal:])
			equal = 0
		}
		in.sorted = append(in.sorted, in.messages[e.Index])
		equal++
	}
	sortBodies(in.sorted[len(in.sorted)-equal:])
	clear(in.messages)
	return in.sorted
}

func sortBodies(messages []pipeline.Message) {
	if len(messages) > 1 {
		slices.SortFunc(messages, func(a, b pipeline.Message) int { return bytes.Compare(a.Body, b.Body) })
	}
}
