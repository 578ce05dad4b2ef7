package exchange

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
)

// Exchange takes messages from the senders of one phase to the parts of the next. Each sender
// is used by one goroutine; when all are done, each part is received by one, and once. The
// memory of an exchange goes to later ones when all parts have been received.
type Exchange struct {
	runner  pipeline.Runner
	parts   Parts
	senders []sender
	unread  atomic.Int32 // parts that were not received yet
}

// New returns an exchange of some senders and parts.
func New(r pipeline.Runner, senders int, parts Parts) *Exchange {
	x := &Exchange{runner: r, parts: parts, senders: make([]sender, senders)}
	x.unread.Store(int32(parts))
	boxes := make([]box, senders*int(parts))
	for i := range x.senders {
		x.senders[i].boxes = boxes[i*int(parts) : (i+1)*int(parts)]
	}
	return x
}

// sender has what one sender has sent.
type sender struct {
	boxes  []box // by part
	blocks []*blocks
	used   int // of the last blocks

	_ [64]byte // other senders are written by other processors
}

// box holds the messages of one sender to one part: a chain of blocks, of which all but the
// last are full.
type box struct {
	first, last *block
	messages    int
}

// each calls f for all of its messages, some at a time.
func (b *box) each(f func([]pipeline.Message)) {
	left := b.messages
	for at := b.first; left > 0; {
		next := at.next
		n := min(left, blockMessages)
		f(at.messages[:n])
		at, left = next, left-n
	}
}

const (
	blockMessages = 8
	blocksAtATime = 64
)

// block holds some messages. Most boxes have a few, and a slice for each, grown by
// copying, would cost more than all else. How many are in it is known by the box: to send a
// message touches no memory but the box's, and where the message is to be.
type block struct {
	next     *block // read before the messages, so that the wait for it overlaps with theirs
	messages [blockMessages]pipeline.Message
}

// blocks is the memory that a sender takes at a time.
type blocks [blocksAtATime]block

var freeBlocks = sync.Pool{New: func() any { return new(blocks) }}

// Send sends a message from a sender, which must not change its body afterwards.
func (x *Exchange) Send(sender int, to pipeline.Hash, body []byte) {
	s := &x.senders[sender]
	b := &s.boxes[x.parts.Of(to)]
	at := b.messages % blockMessages
	if at == 0 {
		s.extend(b)
	}
	b.last.messages[at] = pipeline.Message{To: to, Order: order(body), Body: body}
	b.messages++
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

// extend gives a box another block.
func (s *sender) extend(b *box) {
	if len(s.blocks) == 0 || s.used == blocksAtATime {
		s.blocks, s.used = append(s.blocks, freeBlocks.Get().(*blocks)), 0
	}
	next := &s.blocks[len(s.blocks)-1][s.used]
	s.used++
	if b.last == nil {
		b.first = next
	} else {
		b.last.next = next
	}
	b.last = next
}

// Receive returns what was sent to a part, sorted. It is valid until the next Receive with
// the Inbox.
func (x *Exchange) Receive(part int, in *Inbox) []pipeline.Message {
	in.take(x.senders, part, x.parts.Range(part))
	if x.unread.Add(-1) == 0 {
		x.free()
	}
	in.sort(x.runner)
	return in.sorted
}

// free gives the memory back.
func (x *Exchange) free() {
	for i := range x.senders {
		s := &x.senders[i]
		for at, b := range s.blocks {
			used := blocksAtATime
			if at == len(s.blocks)-1 {
				used = s.used
			}
			clear(b[:used]) // what messages point to is not kept
			freeBlocks.Put(b)
		}
	}
	x.senders = nil
}
