package settle

import (
	"bytes"
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// share is what one item contributes to a row.
type share struct {
	item      pipeline.Hash
	itemKey   []byte
	time      int64 // of the item's last change that yields the row
	dead      bool  // its newest change does not
	deletedAt int64 // of a dead one: the time of the change after the last that did
	values    [][]byte
	times     []int64 // of the changes that the values are from
}

// keyedShare is the share of an item in the row of a key.
type keyedShare struct {
	key pipeline.Hash
	share
}

func (s *share) append(b []byte) []byte {
	dead := byte(0)
	if s.dead {
		dead = 1
	}
	b = packed.AppendBytes(packed.AppendHash(append(b, dead), s.item), s.itemKey)
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

func appendShares(b []byte, shares []share) []byte {
	b = binary.AppendUvarint(b, uint64(len(shares)))
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
	c := packed.Cursor{B: b}
	all := make([]share, c.Uvarint())
	for i := range all {
		s := &all[i]
		s.dead = c.U8() == 1
		s.item, s.itemKey, s.time = c.Hash(), c.Bytes(), int64(c.U64())
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
	return all
}

// beats reports whether a value or row of time a and item x is newer than one of
// time b and item y.
func beats(a int64, x []byte, b int64, y []byte) bool {
	return a > b || a == b && bytes.Compare(x, y) > 0
}

// row returns the row that the shares make, with the flags where there are any,
// packed; nil = there is none.
func (m *mergeRules) row(shares []share) []byte {
	live, dead := newestShare(shares), lastShare(shares)
	var values [][]byte
	switch {
	case live != nil && m.fill:
		values = m.filled(shares)
	case live != nil:
		values = live.values
	case dead != nil && m.retains:
		values = dead.values
	default:
		return nil
	}
	if !m.flags {
		return packed.JoinRow(nil, values)
	}
	flagged := append(make([][]byte, 0, len(values)+2), values...)
	if live != nil {
		return packed.JoinRow(nil, append(flagged, []byte{0}, nil))
	}
	return packed.JoinRow(nil, append(flagged, []byte{1}, binary.LittleEndian.AppendUint64(nil, uint64(dead.deletedAt))))
}

// newestShare returns the newest of the live shares.
func newestShare(shares []share) (best *share) {
	for i := range shares {
		s := &shares[i]
		if !s.dead && (best == nil || beats(s.time, s.itemKey, best.time, best.itemKey)) {
			best = s
		}
	}
	return best
}

// lastShare returns the dead share that was the last to live.
func lastShare(shares []share) (best *share) {
	for i := range shares {
		s := &shares[i]
		if s.dead && (best == nil || beats(s.deletedAt, s.itemKey, best.deletedAt, best.itemKey)) {
			best = s
		}
	}
	return best
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
			if v != nil && (from[c] == nil || beats(s.times[c], s.itemKey, from[c].times[c], from[c].itemKey)) {
				values[c], from[c] = v, s
			}
		}
	}
	return values
}
