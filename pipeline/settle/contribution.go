package settle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// share is what one item contributes to a row.
type share struct {
	item      pipeline.Hash
	itemKey   []byte
	table     uint16            // of the item, by LogicalTables
	time      int64             // of the item's last change that yields the row
	dead      bool              // its newest change does not
	deletedAt int64             // of a dead one: the time of the change by which the row went
	fate      pipeline.OnDelete // of a dead one: what becomes of the row; Delete = it only says when it went
	values    [][]byte
	times     []int64 // of the changes that the values are from
	none      bool    // the row was left out: it is not kept
}

// keyedShare is the share of an item in the row of a key.
type keyedShare struct {
	key pipeline.Hash
	share
}

func (s *share) append(b []byte) []byte {
	dead := byte(0)
	if s.dead {
		dead = 1 + byte(s.fate)
	}
	b = packed.AppendBytes(packed.AppendHash(append(b, dead), s.item), s.itemKey)
	b = binary.AppendUvarint(b, uint64(s.table))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.time))
	if s.dead {
		b = binary.LittleEndian.AppendUint64(b, uint64(s.deletedAt))
	}
	b = packed.AppendBytes(b, packed.JoinRow(nil, s.values))
	for c, v := range s.values {
		if v != nil {
			b = binary.AppendUvarint(b, uint64(s.time-s.times[c]))
		}
	}
	return b
}

// appendShares appends the entry of a row key that has few shares.
func appendShares(b []byte, shares []share) []byte {
	b = binary.AppendUvarint(append(b, fewShares), uint64(len(shares)))
	for i := range shares {
		b = shares[i].append(b)
	}
	return b
}

// decodeShares reads what appendShares wrote; the result shares b.
func decodeShares(b []byte, m *mergeRules) []share {
	if b == nil {
		return nil
	}
	c := packed.Cursor{B: b[1:]}
	all := make([]share, c.Uvarint())
	for i := range all {
		all[i].decode(&c, m)
	}
	return all
}

// decode reads what append wrote.
func (s *share) decode(c *packed.Cursor, m *mergeRules) {
	if dead := c.U8(); dead > 0 {
		s.dead, s.fate = true, pipeline.OnDelete(dead-1)
	}
	s.item, s.itemKey, s.table, s.time = c.Hash(), c.Bytes(), uint16(c.Uvarint()), int64(c.U64())
	if s.dead {
		s.deletedAt = int64(c.U64())
	}
	s.values = packed.SplitRow(make([][]byte, 0, len(m.widths)), c.Bytes(), m.widths)
	s.times = make([]int64, len(m.widths))
	for k, v := range s.values {
		if v != nil {
			s.times[k] = s.time - int64(c.Uvarint())
		}
	}
}

// beats reports whether what share s says at time a is newer than what share o says at
// time b.
func (s *share) beats(a int64, o *share, b int64) bool {
	if a != b {
		return a > b
	}
	return cmp.Or(bytes.Compare(s.itemKey, o.itemKey), s.item.Compare(o.item)) > 0
}

// row returns the row that the shares make, with the flags where there are any,
// packed; nil = there is none.
func (m *mergeRules) row(shares []share) []byte {
	live := m.liveShare(shares)
	var values [][]byte
	switch {
	case live != nil && m.fill:
		values = m.filled(shares)
	case live != nil:
		values = live.values
	}
	return m.rowOf(values, lastShare(shares))
}

// rowOf returns the row that live shares make, which has these values, nil = there is
// none, or that the last dead one left.
func (m *mergeRules) rowOf(values [][]byte, dead *share) []byte {
	live := values != nil
	switch {
	case live:
	case dead != nil && dead.fate != pipeline.Delete:
		values = dead.values
	default:
		return nil
	}
	if !m.flags {
		return packed.JoinRow(nil, values)
	}
	flagged := append(make([][]byte, 0, len(values)+2), values...)
	if live || dead.fate != pipeline.Flag {
		return packed.JoinRow(nil, append(flagged, []byte{0}, nil))
	}
	return packed.JoinRow(nil, append(flagged, []byte{1}, binary.LittleEndian.AppendUint64(nil, uint64(dead.deletedAt))))
}

// liveShare returns the newest of the live shares; of first rows, the oldest.
func (m *mergeRules) liveShare(shares []share) (best *share) {
	for i := range shares {
		s := &shares[i]
		if !s.dead && (best == nil || s.beats(s.time, best, best.time) != m.first) {
			best = s
		}
	}
	return best
}

// lastShare returns the dead share that was the last to live.
func lastShare(shares []share) (best *share) {
	for i := range shares {
		s := &shares[i]
		if s.dead && (best == nil || s.beats(s.deletedAt, best, best.deletedAt)) {
			best = s
		}
	}
	return best
}

// replace puts an item's new share in the place of its old one; nil = it
// contributes no longer.
func (m *mergeRules) replace(shares []share, item pipeline.Hash, by *share) []share {
	i := slices.IndexFunc(shares, func(s share) bool { return s.item == item })
	if i < 0 {
		if by = m.next(nil, by); by == nil {
			return shares
		}
		return append(shares, *by)
	}
	was := &shares[i]
	switch now := m.next(was, by); now {
	case was:
		return shares
	case nil:
		return slices.Delete(shares, i, i+1)
	default:
		return append(slices.Delete(shares, i, i+1), *now)
	}
}

// next returns what an item's share becomes, nil = none.
func (m *mergeRules) next(was, by *share) *share {
	if was != nil && m.releases && was.released(by) {
		return was
	}
	if by == nil || by.none {
		return nil
	}
	return by
}

// released reports whether a row that stayed when its item expired is not for the
// item to take away any more: what says that it had gone before, or was left out,
// came late.
func (s *share) released(by *share) bool {
	if !s.dead || s.fate != pipeline.Keep || by == nil || !by.dead {
		return false
	}
	return by.fate == pipeline.Delete && by.deletedAt < s.deletedAt || by.none && by.deletedAt <= s.deletedAt
}

// forget drops the shares of items that had the row so long ago that their removal is
// forgotten, and were not the last: an older change of an item that is not known is a
// dead letter.
func forget(shares []share, tables *LogicalTables) []share {
	last := lastShare(shares)
	if last == nil {
		return shares
	}
	item := last.item
	return slices.DeleteFunc(shares, func(s share) bool { return s.dead && s.item != item && tables.forgotten(s.table, s.deletedAt) })
}

// over reports whether it is forgotten that a row went, and nothing is left of it.
func over(shares []share, tables *LogicalTables) bool {
	for i := range shares {
		if s := &shares[i]; !s.dead || s.fate != pipeline.Delete || !tables.forgotten(s.table, s.deletedAt) {
			return false
		}
	}
	return true
}

// filled returns the newest value of each column that is not null.
func (m *mergeRules) filled(shares []share) [][]byte {
	values := make([][]byte, len(m.widths))
	from := make([]*share, len(m.widths))
	for i := range shares {
		s := &shares[i]
		if s.dead {
			continue
		}
		for c, v := range s.values {
			if v != nil && (from[c] == nil || s.beats(s.times[c], from[c], from[c].times[c])) {
				values[c], from[c] = v, s
			}
		}
	}
	return values
}
