package star

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// memberState is what the state keeps of a member.
type memberState struct {
	naturalKey []byte // a packed row
	key        int64
	newest

	// Of a dimension that tracks deletes:
	live int64     // rows that have the natural key
	dead []deadRow // rows that had it and have gone, up to maxDead
	uses int64     // facts that refer to the member
}

// newest holds the upserts that have, or may turn out to have, the newest
// attributes of a member: those of one time and item, put together by
// pipeline.AddCandidate.
type newest struct {
	seen    bool // there is one; otherwise the member is inferred
	time    int64
	itemKey []byte
	brought []bringing // of a member of the state, the first is the newest
}

// bringing is an upsert that brought the attributes.
type bringing struct {
	pipeline.Candidate
	attributes []byte // a packed row
}

func contenderOf(b *bringing) *pipeline.Candidate { return &b.Candidate }

// deadRow is a row of a tracked table that had the natural key and was deleted, or
// has another one.
type deadRow struct {
	row pipeline.Hash
	at  int64 // since when, µs since 1970
}

const (
	memberSeen = 1 << iota
	memberTracked
)

func (m *memberState) append(b []byte, tracked bool) []byte {
	flags := byte(0)
	if m.seen {
		flags |= memberSeen
	}
	if tracked {
		flags |= memberTracked
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(m.key))
	b = packed.AppendBytes(b, m.naturalKey)
	if m.seen {
		b = binary.LittleEndian.AppendUint64(b, uint64(m.time))
		b = packed.AppendBytes(b, m.itemKey)
		b = binary.AppendUvarint(b, uint64(len(m.brought)))
		for i := range m.brought {
			b = packed.AppendCandidate(b, &m.brought[i].Candidate)
			if !m.brought[i].VersionOnly {
				b = packed.AppendBytes(b, m.brought[i].attributes)
			}
		}
	}
	if tracked {
		b = binary.AppendUvarint(b, uint64(m.live))
		b = binary.AppendUvarint(b, uint64(m.uses))
		b = binary.AppendUvarint(b, uint64(len(m.dead)))
		for _, d := range m.dead {
			b = binary.LittleEndian.AppendUint64(packed.AppendHash(b, d.row), uint64(d.at))
		}
	}
	return b
}

// decodeMember reads what append wrote; the result shares b.
func decodeMember(b []byte) memberState {
	c := packed.Cursor{B: b}
	flags := c.U8()
	m := memberState{key: int64(c.Uvarint()), naturalKey: c.Bytes(), newest: newest{seen: flags&memberSeen != 0}}
	if m.seen {
		m.time = int64(c.U64())
		m.itemKey = c.Bytes()
		m.brought = make([]bringing, c.Uvarint())
		for i := range m.brought {
			m.brought[i].Candidate = c.Candidate(m.time)
			if !m.brought[i].VersionOnly {
				m.brought[i].attributes = c.Bytes()
			}
		}
	}
	if flags&memberTracked != 0 {
		m.live, m.uses = int64(c.Uvarint()), int64(c.Uvarint())
		m.dead = make([]deadRow, c.Uvarint())
		for i := range m.dead {
			m.dead[i] = deadRow{c.Hash(), int64(c.U64())}
		}
	}
	return m
}

// shown is what a member's row says besides its keys.
type shown struct {
	there      bool   // there is a row
	attributes []byte // packed; nil = it is inferred
	deleted    bool
	deletedAt  int64 // µs since 1970; noTime = null
}

const noTime = math.MinInt64

// shown returns what the member's row says.
func (m *memberState) shown(d *dimension) shown {
	s := shown{there: true, deletedAt: noTime}
	if m.seen {
		s.attributes = m.brought[0].attributes
	}
	if !d.tracks() || m.live > 0 {
		return s
	}
	if d.onDelete == pipeline.Delete {
		return shown{there: m.uses > 0, deletedAt: noTime}
	}
	s.deleted = m.seen
	if m.seen {
		s.deletedAt = m.time // no row left before its newest; of those that left first it is not always known when
	}
	for _, r := range m.dead {
		s.deletedAt = max(s.deletedAt, r.at)
	}
	return s
}

func (s *shown) inferred() bool { return s.there && s.attributes == nil }

func (s *shown) equal(o *shown, d *dimension) bool {
	return s.there == o.there && (s.attributes == nil) == (o.attributes == nil) && d.shownAs.same(s.attributes, o.attributes) &&
		s.deleted == o.deleted && s.deletedAt == o.deletedAt
}

// beats compares an upsert with those that brought the attributes: 1 when it is
// newer by time or item, 0 when it is of the same, -1 when it is older.
func (n *newest) beats(v *pipeline.Version, itemKey []byte) int {
	switch {
	case !n.seen || v.Time > n.time:
		return 1
	case v.Time < n.time:
		return -1
	}
	return bytes.Compare(itemKey, n.itemKey)
}

// bring offers an upsert that is not older.
func (n *newest) bring(v *pipeline.Version, itemKey, attributes []byte) {
	b := bringing{pipeline.Candidate{Version: *v}, attributes}
	if n.beats(v, itemKey) > 0 {
		n.seen, n.time, n.itemKey = true, v.Time, itemKey
		n.brought = append(n.brought[:0], b)
		return
	}
	n.put(b)
}

// put adds an upsert of the time and item. Of two rows of one change, the later one
// counts.
func (n *newest) put(b bringing) {
	if i := slices.IndexFunc(n.brought, func(o bringing) bool { return o.Version == b.Version }); i >= 0 {
		n.brought[i].attributes = b.attributes
		return
	}
	n.brought, _ = pipeline.AddCandidate(n.brought, contenderOf, b)
}

// join offers the upserts of o, which are taken over, and reports whether they are
// not older.
func (n *newest) join(o *newest) bool {
	switch than := n.beats(&o.brought[0].Version, o.itemKey); {
	case than < 0:
		return false
	case than > 0:
		*n = *o
	default:
		for _, b := range o.brought {
			n.put(b)
		}
	}
	// The log does not tell what was there before.
	n.brought = pipeline.Newest(n.brought, contenderOf, pipeline.Image{})
	return true
}

// maxDead is the number of rows that left a member that it remembers, those that
// left last: only the last of them all tells when the member was deleted.
const maxDead = 32

// bury notes that a row has left the member, which had no word of it; raise, that it
// is back.
func (m *memberState) bury(row pipeline.Hash, at int64) {
	m.dead = append(m.dead, deadRow{row, at})
	if len(m.dead) <= maxDead {
		return
	}
	slices.SortFunc(m.dead, func(a, b deadRow) int { return cmp.Or(cmp.Compare(b.at, a.at), a.row.Compare(b.row)) })
	m.dead = m.dead[:maxDead]
}

func (m *memberState) raise(row pipeline.Hash) {
	m.dead = slices.DeleteFunc(m.dead, func(d deadRow) bool { return d.row == row })
}
