package exchange

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Sender has what one sender has sent.
type Sender struct {
	parts  Parts
	memory *Memory
	boxes  []box // by part
	pages  []*page
	large  [][]byte // bodies that are not in pages

	_ [64]byte // other senders are written by other processors
}

// box holds the messages of one sender to one part, one behind the other in a chain of pages.
// So they are written where the last one ended, and read in the order of their addresses: no
// message costs a wait for memory of its own, and none has pointers.
type box struct {
	last     *page
	left     uint32 // bytes of the last page
	first    uint32 // in Sender.pages
	messages uint32
}

// page has some messages behind a head: the next page's place in Sender.pages, and where the
// messages end.
type page [pageBytes]byte

const (
	pageBytes     = 4 << 10
	pageHeadBytes = 8
	// messageHeadBytes is what a message has before its body: its hash, and the length.
	messageHeadBytes = 16 + 4
	// bodyBytesMax is the length of bodies up to which they are in pages, so that little of
	// a page is left over. Longer ones have largeBody and their place in Sender.large as their length.
	bodyBytesMax = 700
	largeBody    = 1 << 31
)

// Send sends a message with a copy of the body.
func (s *Sender) Send(to pipeline.Hash, body []byte) {
	b := &s.boxes[s.parts.Of(to)]
	length := uint32(len(body))
	if len(body) > bodyBytesMax {
		length = largeBody | uint32(len(s.large))
		s.large, body = append(s.large, s.memory.arena.Copy(body)), nil
	}
	n := uint32(messageHeadBytes + len(body))
	if b.left < n {
		s.extend(b)
	}
	at := b.last[pageBytes-b.left:]
	b.left -= n
	b.messages++
	binary.LittleEndian.PutUint64(at, to.Hi)
	binary.LittleEndian.PutUint64(at[8:], to.Lo)
	binary.LittleEndian.PutUint32(at[16:], length)
	copy(at[messageHeadBytes:], body)
}

// extend gives a box another page.
func (s *Sender) extend(b *box) {
	place := uint32(len(s.pages))
	next := s.memory.page()
	next[0] = 0 // Send looks first whether it is nil, and memory that is read before it is written costs two faults
	s.pages = append(s.pages, next)
	if b.last == nil {
		b.first = place
	} else {
		b.last.end(place, b.left)
	}
	b.last, b.left = next, pageBytes-pageHeadBytes
}

// end writes the head of a page that another one follows.
func (p *page) end(next, left uint32) {
	binary.LittleEndian.PutUint32(p[:], next)
	binary.LittleEndian.PutUint32(p[4:], pageBytes-left)
}

// next returns the page that follows one in a box; nil = it is the last.
func (s *Sender) next(b *box, p *page) *page {
	if p == b.last {
		return nil
	}
	return s.pages[binary.LittleEndian.Uint32(p[:])]
}

// appendTo appends the messages to a part to others.
func (s *Sender) appendTo(messages []pipeline.Message, part int) []pipeline.Message {
	if s.sent(part) == 0 {
		return messages
	}
	b := &s.boxes[part]
	for p := s.pages[b.first]; p != nil; p = s.next(b, p) {
		end := pageBytes - b.left
		if p != b.last {
			end = binary.LittleEndian.Uint32(p[4:])
		}
		for rest := p[pageHeadBytes:end]; len(rest) > 0; {
			to := pipeline.Hash{Hi: binary.LittleEndian.Uint64(rest), Lo: binary.LittleEndian.Uint64(rest[8:])}
			length := binary.LittleEndian.Uint32(rest[16:])
			rest = rest[messageHeadBytes:]
			var body []byte
			switch {
			case length&largeBody != 0:
				body = s.large[length&^largeBody]
			case length > 0:
				body = rest[:length:length]
				rest = rest[length:]
			}
			messages = append(messages, pipeline.Message{To: to, Order: order(body), Body: body})
		}
	}
	return messages
}

// free takes the pages of a part.
func (s *Sender) free(part int, memory *Memory) {
	if s.sent(part) == 0 {
		return
	}
	b := &s.boxes[part]
	for p := s.pages[b.first]; p != nil; {
		next := s.next(b, p)
		reuse.Overwrite(p[:])
		memory.free = append(memory.free, p)
		p = next
	}
	*b = box{}
}

// sent returns the number of messages to a part.
func (s *Sender) sent(part int) int {
	if s.boxes == nil {
		return 0
	}
	return int(s.boxes[part].messages)
}
