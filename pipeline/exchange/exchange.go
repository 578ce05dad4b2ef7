package exchange

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Exchange takes messages from the senders of one phase, or several, to the parts of the next.
// When all senders are done, each part is received by one goroutine, and once.
type Exchange struct {
	runner  pipeline.Runner
	parts   Parts
	senders []Sender
}

// New returns an exchange of so many senders at most, and some parts.
func New(r pipeline.Runner, senders int, parts Parts) *Exchange {
	return &Exchange{runner: r, parts: parts, senders: make([]Sender, senders)}
}

// Sender returns the i-th sender, which one goroutine uses at a time. What it sends is in a
// Memory, the same each time, and is valid until that is released. The fewer senders there are,
// the less memory is touched: one for each goroutine is best.
func (x *Exchange) Sender(i int, memory *Memory) *Sender {
	s := &x.senders[i]
	if s.boxes == nil {
		s.boxes, s.parts = make([]box, x.parts), x.parts
	}
	s.memory = memory
	return s
}

// Receive returns what was sent to a part, sorted. It is valid until the next Receive with
// the Inbox, its bodies until Free, or until the memory of the senders is released; an empty body is nil.
func (x *Exchange) Receive(part int, in *Inbox) []pipeline.Message {
	return in.Receive(x.runner, x.parts.Range(part), x.sent(part), func(messages []pipeline.Message) []pipeline.Message {
		return x.appendTo(messages, part)
	})
}

// ReceiveUnsorted is Receive without the sorting, for messages whose order plays no part, as that
// of answers does not, each of which has a place of its own.
func (x *Exchange) ReceiveUnsorted(part int, in *Inbox) []pipeline.Message {
	in.unsorted = x.appendTo(slices.Grow(reuse.Emptied(in.unsorted), x.sent(part)), part)
	x.runner.Shuffle(in.unsorted)
	return in.unsorted
}

// Free lets the goroutine that has received a part send in the memory of what was sent to it:
// nothing of that may be used any more.
func (x *Exchange) Free(part int, memory *Memory) {
	for i := range x.senders {
		x.senders[i].free(part, memory)
	}
}

// sent returns the number of messages to a part.
func (x *Exchange) sent(part int) (n int) {
	for i := range x.senders {
		n += x.senders[i].sent(part)
	}
	return n
}

// appendTo appends the messages to a part to others.
func (x *Exchange) appendTo(messages []pipeline.Message, part int) []pipeline.Message {
	for i := range x.senders {
		messages = x.senders[i].appendTo(messages, part)
	}
	return messages
}
