package settle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// contribution is what one item contributes to a row.
type contribution struct {
	item      pipeline.Hash
	itemKey   []byte
	table     uint16            // of the item, by LogicalTables
	time      int64             // of the item's last change that yields the row
	dead      bool              // its newest change does not
	deletedAt int64             // of a dead one: the time of the change by which the row went
	fate      pipeline.OnDelete // of a dead one: what becomes of the row; Delete = it only says when it went
	values    [][]byte
	times     []int64 // of the changes that the values are from
	none      bool    // a transform left the row out, so nothing is stored of it
}

// keyContribution is the contribution of an item in the row of a key.
type keyContribution struct {
	key pipeline.Hash
	contribution
}

func (s *contribution) append(b []byte) []byte {
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

// appendContributions appends the entry of a row key that has few contributions.
func appendContributions(b []byte, contributions []contribution) []byte {
	b = binary.AppendUvarint(append(b, inlineEntry), uint64(len(contributions)))
	for i := range contributions {
		b = contributions[i].append(b)
	}
	return b
}

// decodeContributions reads what appendContributions wrote; the result shares b.
func decodeContributions(b []byte, rules *policyRules) []contribution {
	if b == nil {
		return nil
	}
	c := packed.Cursor{B: b[1:]}
	all := make([]contribution, c.Uvarint())
	for i := range all {
		all[i].decode(&c, rules)
	}
	return all
}

// decode reads what append wrote.
func (s *contribution) decode(c *packed.Cursor, rules *policyRules) {
	if dead := c.U8(); dead > 0 {
		s.dead, s.fate = true, pipeline.OnDelete(dead-1)
	}
	s.item, s.itemKey, s.table, s.time = c.Hash(), c.Bytes(), uint16(c.Uvarint()), int64(c.U64())
	if s.dead {
		s.deletedAt = int64(c.U64())
	}
	s.values = packed.SplitRow(make([][]byte, 0, len(rules.widths)), c.Bytes(), rules.widths)
	s.times = make([]int64, len(rules.widths))
	for k, v := range s.values {
		if v != nil {
			s.times[k] = s.time - int64(c.Uvarint())
		}
	}
}

// newerThan reports whether what s says at time a is newer than what o says at time b.
func (s *contribution) newerThan(a int64, o *contribution, b int64) bool {
	if a != b {
		return a > b
	}
	return cmp.Or(bytes.Compare(s.itemKey, o.itemKey), s.item.Compare(o.item)) > 0
}

// row returns the packed row that the contributions make, with the columns of Flag if the
// policy has them; nil = there is none.
func (rules *policyRules) row(contributions []contribution) []byte {
	live := rules.bestLive(contributions)
	var values [][]byte
	switch {
	case live != nil && rules.fillsNulls:
		values = rules.filled(contributions)
	case live != nil:
		values = live.values
	}
	return rules.rowOf(values, lastDead(contributions))
}

// rowOf returns the row of the given values, which live contributions make; without values,
// the row that the last dead contribution left. nil = there is no row.
func (rules *policyRules) rowOf(values [][]byte, dead *contribution) []byte {
	live := values != nil
	switch {
	case live:
	case dead != nil && dead.fate != pipeline.Delete:
		values = dead.values
	default:
		return nil
	}
	if !rules.flags {
		return packed.JoinRow(nil, values)
	}
	flagged := append(make([][]byte, 0, len(values)+2), values...)
	if live || dead.fate != pipeline.Flag {
		return packed.JoinRow(nil, append(flagged, []byte{0}, nil))
	}
	return packed.JoinRow(nil, append(flagged, []byte{1}, binary.LittleEndian.AppendUint64(nil, uint64(dead.deletedAt))))
}

// bestLive returns the newest of the live contributions; of first rows, the oldest.
func (rules *policyRules) bestLive(contributions []contribution) (best *contribution) {
	for i := range contributions {
		s := &contributions[i]
		if !s.dead && (best == nil || s.newerThan(s.time, best, best.time) != rules.first) {
			best = s
		}
	}
	return best
}

// lastDead returns the dead contribution that was the last to live.
func lastDead(contributions []contribution) (best *contribution) {
	for i := range contributions {
		s := &contributions[i]
		if s.dead && (best == nil || s.newerThan(s.deletedAt, best, best.deletedAt)) {
			best = s
		}
	}
	return best
}

// replace puts an item's new contribution in the place of its old one; nil = it
// contributes no longer.
func (rules *policyRules) replace(contributions []contribution, item pipeline.Hash, by *contribution) []contribution {
	i := slices.IndexFunc(contributions, func(s contribution) bool { return s.item == item })
	if i < 0 {
		if by = rules.next(nil, by); by == nil {
			return contributions
		}
		return append(contributions, *by)
	}
	was := &contributions[i]
	switch now := rules.next(was, by); now {
	case was:
		return contributions
	case nil:
		return slices.Delete(contributions, i, i+1)
	default:
		return append(slices.Delete(contributions, i, i+1), *now)
	}
}

// next returns what an item's contribution becomes, nil = none.
func (rules *policyRules) next(was, by *contribution) *contribution {
	if was != nil && rules.releases && was.released(by) {
		return was
	}
	if by == nil || by.none {
		return nil
	}
	return by
}

// released reports whether a row that stayed when its item expired no longer belongs to the
// item: a change that came late, and says that the row had gone before or was left out,
// does not take it away.
func (s *contribution) released(by *contribution) bool {
	if !s.dead || s.fate != pipeline.Keep || by == nil || !by.dead {
		return false
	}
	return by.fate == pipeline.Delete && by.deletedAt < s.deletedAt || by.none && by.deletedAt <= s.deletedAt
}

// forget drops the contributions of items that lost the row so long ago that their removal
// is forgotten, but for the last one: an older change of such an item becomes a dead letter,
// so the contribution can't matter any more.
func forget(contributions []contribution, tables *LogicalTables) []contribution {
	last := lastDead(contributions)
	if last == nil {
		return contributions
	}
	item := last.item
	return slices.DeleteFunc(contributions, func(s contribution) bool { return s.dead && s.item != item && tables.forgotten(s.table, s.deletedAt) })
}

// allForgotten reports whether it is forgotten that a row went, and nothing is left of it.
func allForgotten(contributions []contribution, tables *LogicalTables) bool {
	for i := range contributions {
		if s := &contributions[i]; !s.dead || s.fate != pipeline.Delete || !tables.forgotten(s.table, s.deletedAt) {
			return false
		}
	}
	return true
}

// filled returns the newest value of each column that is not null.
func (rules *policyRules) filled(contributions []contribution) [][]byte {
	values := make([][]byte, len(rules.widths))
	from := make([]*contribution, len(rules.widths))
	for i := range contributions {
		s := &contributions[i]
		if s.dead {
			continue
		}
		for c, v := range s.values {
			if v != nil && (from[c] == nil || s.newerThan(s.times[c], from[c], from[c].times[c])) {
				values[c], from[c] = v, s
			}
		}
	}
	return values
}
