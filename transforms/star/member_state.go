package star

import (
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
	latestAttributes

	// Of a dimension that tracks deletes:
	liveRows   int64          // the number of rows that have the natural key
	departures []rowDeparture // of rows that had it, up to departuresMax; of a flagged member
	refCount   int64          // the number of facts that refer to the member, where that matters
}

// rowDeparture tells that a row of a tracked table had the natural key, and was deleted or
// has another one.
type rowDeparture struct {
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
		b = binary.AppendUvarint(b, uint64(len(m.versions)))
		for i := range m.versions {
			b = packed.AppendCandidate(b, &m.versions[i].Candidate)
			if !m.versions[i].VersionOnly {
				b = packed.AppendBytes(b, m.versions[i].attributes)
			}
		}
	}
	if tracked {
		b = binary.AppendUvarint(b, uint64(m.liveRows))
		b = binary.AppendUvarint(b, uint64(m.refCount))
		b = binary.AppendUvarint(b, uint64(len(m.departures)))
		for _, d := range m.departures {
			b = binary.LittleEndian.AppendUint64(packed.AppendHash(b, d.row), uint64(d.at))
		}
	}
	return b
}

// appendMemberWithKey appends what append wrote of a member with key 0, with another key.
func appendMemberWithKey(b, member []byte, key int64) []byte {
	b = binary.AppendUvarint(append(b, member[0]), uint64(key))
	return append(b, member[2:]...)
}

// decodeMember reads what append wrote; the result shares b, and memory of versions.
func decodeMember(b []byte, versions *slab[attributeVersion]) memberState {
	c := packed.Cursor{B: b}
	flags := c.U8()
	m := memberState{key: int64(c.Uvarint()), naturalKey: c.Bytes(), latestAttributes: latestAttributes{seen: flags&memberSeen != 0}}
	if m.seen {
		m.time = int64(c.U64())
		m.itemKey = c.Bytes()
		m.versions = versions.take(int(c.Uvarint()))
		for i := range m.versions {
			m.versions[i].Candidate = c.Candidate(m.time)
			if !m.versions[i].VersionOnly {
				m.versions[i].attributes = c.Bytes()
			}
		}
	}
	if flags&memberTracked != 0 {
		m.liveRows, m.refCount = int64(c.Uvarint()), int64(c.Uvarint())
		m.departures = make([]rowDeparture, c.Uvarint())
		for i := range m.departures {
			m.departures[i] = rowDeparture{c.Hash(), int64(c.U64())}
		}
	}
	return m
}

// memberRow is the row of a member that sinks see, but for its keys.
type memberRow struct {
	exists     bool   // there is a row
	attributes []byte // packed; nil = it is inferred
	deleted    bool
	deletedAt  int64 // µs since 1970; noTime = null
}

const noTime = math.MinInt64

// visible returns the row that the state of the member makes.
func (m *memberState) visible(d *dimension) memberRow {
	s := memberRow{exists: true, deletedAt: noTime}
	if m.seen {
		s.attributes = m.versions[0].attributes
	}
	if !d.tracks() || m.liveRows > 0 {
		return s
	}
	if d.onDelete == pipeline.Delete {
		return memberRow{exists: m.refCount > 0, deletedAt: noTime}
	}
	s.deleted = m.seen
	if m.seen {
		// The member was there when its newest row came, whether or not it is known when that left.
		s.deletedAt = m.time
	}
	for _, r := range m.departures {
		s.deletedAt = max(s.deletedAt, r.at)
	}
	return s
}

// change returns what makes the row of what it was before; ok = false: nothing does.
func (s *memberRow) change(before *memberRow, d *dimension) (op pipeline.Op, ok bool) {
	switch {
	case !s.exists:
		return pipeline.OpDelete, before.exists
	case !before.exists:
		return pipeline.OpInsert, true
	}
	return pipeline.OpUpdate, !s.equal(before, d)
}

func (s *memberRow) inferred() bool { return s.exists && s.attributes == nil }

func (s *memberRow) equal(o *memberRow, d *dimension) bool {
	return s.exists == o.exists && (s.attributes == nil) == (o.attributes == nil) && d.attributeColumns.equal(s.attributes, o.attributes) &&
		s.deleted == o.deleted && s.deletedAt == o.deletedAt
}

// departuresMax is the number of departures that a member remembers, the last ones: only
// the last of them all tells when the member was deleted.
const departuresMax = 32

// addDeparture notes that a row has left the member, of which it knows no departure.
func (m *memberState) addDeparture(row pipeline.Hash, at int64) {
	m.departures = append(m.departures, rowDeparture{row, at})
	if len(m.departures) <= departuresMax {
		return
	}
	slices.SortFunc(m.departures, func(a, b rowDeparture) int { return cmp.Or(cmp.Compare(b.at, a.at), a.row.Compare(b.row)) })
	m.departures = m.departures[:departuresMax]
}

// removeDeparture notes that the row is one of the member's.
func (m *memberState) removeDeparture(row pipeline.Hash) {
	m.departures = slices.DeleteFunc(m.departures, func(d rowDeparture) bool { return d.row == row })
}
