package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// What the phases of an epoch say to each other. A body begins with what sorts it among those
// of one receiver: first its kind, then the time of its version.

// The kinds of messages to a member, in the order in which it takes them.
const (
	upsertMessage    byte = iota // the log brings attributes
	trackedMessage               // a tracked row has come, or has left
	referenceMessage             // a fact refers to it, or does no longer
	requestMessage               // facts want to know its surrogate key
)

// The kinds of messages to a row of a lookup table.
const (
	rowUnsubscribe byte = iota // a fact refers to it no longer
	rowSubscribe               // a fact refers to it, and a request may follow
	rowRequest                 // facts want to know the row
)

// rowRequestOf returns the request in a message to a row; empty = there is none.
func rowRequestOf(b []byte) []byte {
	if b[0] == rowRequest {
		return b[1:]
	}
	return b[1+hashBytes:]
}

// appendMemberHead begins a message to a member of a dimension.
func appendMemberHead(b []byte, kind byte, d *dimension) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind), uint16(d.number))
}

// memberHeadBytes is the length of what appendMemberHead appends.
const memberHeadBytes = 3

// memberHead reads what appendMemberHead wrote.
func (s *Star) memberHead(b []byte) (kind byte, d *dimension, rest []byte) {
	return b[0], s.dimensions[binary.BigEndian.Uint16(b[1:])], b[memberHeadBytes:]
}

// appendVersion appends a version that sorts by its time.
func appendVersion(b []byte, v *pipeline.Version) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(v.Time)^1<<63)
	return packed.AppendCandidate(b, &pipeline.Candidate{Version: *v})
}

// readVersion reads what appendVersion wrote.
func readVersion(c *packed.Cursor) pipeline.Version {
	return c.Candidate(readTime(c)).Version
}

// setTime sets the time that readTime reads.
func setTime(b []byte, at int64) { binary.BigEndian.PutUint64(b, uint64(at)^1<<63) }

func readTime(c *packed.Cursor) int64 {
	at := int64(binary.BigEndian.Uint64(c.B) ^ 1<<63)
	c.B = c.B[8:]
	return at
}

// markRowBytesMax is the length of rows up to which marks have them.
const markRowBytesMax = 256

// appendMark appends what a changed row of a lookup table says to a fact: its version, whose end
// it returns, and the row if it is short, so that the fact need not ask for it.
func appendMark(b []byte, v *pipeline.Version, r *lookupRow) (mark []byte, version int) {
	b = appendVersion(b, v)
	version = len(b)
	if len(r.row) <= markRowBytesMax {
		b = append(packed.AppendHash(b, r.hash), r.row...)
	}
	return b, version
}

// readMark reads what appendMark wrote.
func readMark(b []byte) (v pipeline.Version, row lookupQuestion, known bool) {
	c := packed.Cursor{B: b}
	if v = readVersion(&c); len(c.B) == 0 {
		return v, row, false
	}
	row.hash = c.Hash()
	row.row = c.B
	return v, row, true
}

// upsert is what a row of the log brings to a member. Those of one change sort by the places
// of their rows in it.
type upsert struct {
	time                   int64
	itemKey                []byte
	version                pipeline.Version
	naturalKey, attributes []byte // packed
}

// appendUpsert begins a message that brings an upsert: its natural key, after its length, and its
// attributes follow. place tells rows of one change apart.
func appendUpsert(b []byte, d *dimension, v *pipeline.Version, itemKey []byte, place int) []byte {
	b = binary.BigEndian.AppendUint64(appendMemberHead(b, upsertMessage, d), uint64(v.Time)^1<<63)
	b = packed.AppendCandidate(packed.AppendBytes(b, itemKey), &pipeline.Candidate{Version: *v})
	return binary.BigEndian.AppendUint32(b, uint32(place))
}

// readUpsert reads such a message, but for its head.
func readUpsert(b []byte) (u upsert) {
	c := packed.Cursor{B: b}
	u.time, u.itemKey = readTime(&c), c.Bytes()
	u.version = c.Candidate(u.time).Version
	c.B = c.B[4:] // the place in the change
	u.naturalKey, u.attributes = c.Bytes(), c.B
	return u
}

// readUpsertOrder reads only what tells the newest.
func readUpsertOrder(b []byte) (at int64, itemKey []byte) {
	c := packed.Cursor{B: b}
	return readTime(&c), c.Bytes()
}

// rowMessage is what a tracked row says to a member.
type rowMessage struct {
	version    pipeline.Version
	row        pipeline.Hash
	live       int64  // by how much the number of the member's rows changes
	moved      bool   // at has changed
	at         int64  // when the row left the member; noTime = it is one of its rows
	naturalKey []byte // packed; nil = the state has the member, or another message brings it
}

func (m *rowMessage) append(b []byte, d *dimension) []byte {
	b = appendVersion(appendMemberHead(b, trackedMessage, d), &m.version)
	b = packed.AppendHash(b, m.row)
	b = append(b, byte(m.live+1), byte(oneIf(m.moved)))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.at))
	return append(b, m.naturalKey...)
}

func readRowMessage(b []byte) (m rowMessage) {
	c := packed.Cursor{B: b}
	m.version, m.row = readVersion(&c), c.Hash()
	m.live, m.moved = int64(c.U8())-1, c.U8() == 1
	if m.at = int64(c.U64()); len(c.B) > 0 {
		m.naturalKey = c.B
	}
	return m
}

// An answer goes back to the part that asked, to the place where it keeps its questions: the
// hash that it is sent to has the first key group of that part, and the place. Answers need not be
// sorted, since no two have one place.

const placeShift = 64 - 7 - 32 // behind the key group, of 7 bits

// answerTo returns where an answer is sent to.
func answerTo(group int, place uint32) pipeline.Hash {
	h := pipeline.KeyGroupRange{First: group}.From()
	h.Hi |= uint64(place) << placeShift
	return h
}

// answerPlace returns the place of an answer that was sent to a hash.
func answerPlace(to pipeline.Hash) uint32 { return uint32(to.Hi >> placeShift) }

// requestBytes is the length of what appendRequest appends.
const requestBytes = 5

// appendRequest appends who asks: the first key group of the part, and the place.
func appendRequest(b []byte, group int, place uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(group)), place)
}

// readRequest reads what appendRequest wrote.
func readRequest(b []byte) (group int, place uint32) {
	return int(b[0]), binary.BigEndian.Uint32(b[1:])
}
