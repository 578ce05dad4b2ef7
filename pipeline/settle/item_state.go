package settle

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// candidate is a change that may be an item's newest, with its rows.
type candidate struct {
	pipeline.Candidate
	rows  []packedRow // sorted by key
	order int32       // the change among the epoch's of the item; -1 = from the state
}

func candidateOf(c *candidate) *pipeline.Candidate { return &c.Candidate }

// item is the state of an item. candidates[0] is the winner.
type item struct {
	time       int64
	key        []byte
	table      uint16 // of LogicalTables
	candidates []candidate
	past       past
}

// itemEntry leads the encoding of an item: below what package overflow has.
const itemEntry = 1

// append appends the encoding of the item.
func (it *item) append(b []byte) []byte {
	b = append(b, itemEntry)
	b = binary.LittleEndian.AppendUint64(b, uint64(it.time))
	b = binary.AppendUvarint(packed.AppendBytes(b, it.key), uint64(it.table))
	known := uint64(0)
	if it.past.known() {
		known = 1
	}
	b = binary.AppendUvarint(b, uint64(len(it.candidates))<<1|known)
	for i := range it.candidates {
		c := &it.candidates[i]
		b = packed.AppendCandidate(b, &c.Candidate)
		rows := c.rows
		if c.VersionOnly {
			rows = nil
		}
		b = binary.AppendUvarint(b, uint64(len(rows)))
		for _, r := range rows {
			b = binary.AppendUvarint(b, r.table)
			b = packed.AppendBytes(packed.AppendHash(b, r.key), r.row)
		}
	}
	if known == 1 {
		b = it.past.append(b, it)
	}
	return b
}

// decode reads what append wrote; the item's slices share b, and use its own
// memory again.
func (it *item) decode(b []byte, rows *[]packedRow) {
	r := packed.Cursor{B: b[1:]}
	it.time = int64(r.U64())
	it.key, it.table = r.Bytes(), uint16(r.Uvarint())
	it.candidates = it.candidates[:0]
	n := r.Uvarint()
	for range n >> 1 {
		c := candidate{Candidate: r.Candidate(it.time), order: -1}
		from := len(*rows)
		for range r.Uvarint() {
			*rows = append(*rows, packedRow{table: r.Uvarint(), key: r.Hash(), row: r.Bytes()})
		}
		c.rows = (*rows)[from:len(*rows):len(*rows)]
		it.candidates = append(it.candidates, c)
	}
	it.past.reset()
	if n&1 == 1 {
		it.past.decode(&r, it)
	}
}

// tombstone reports whether the item, as it stands, yields no rows.
func (it *item) tombstone() bool { return len(it.candidates[0].rows) == 0 }
