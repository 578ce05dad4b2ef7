package settle

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// keptRow is a row that an image yields.
type keptRow struct {
	table uint64 // id of the schema
	key   pipeline.Hash
	row   []byte
}

// contender is a change that is, or may turn out to be, the newest of its item.
type contender struct {
	seq      string
	new, old uint64
	hasOld   bool
	rows     []keptRow // sorted by key
	order    int32     // the change's place in the epoch; -1 = from the state
}

func (c *contender) same(o *contender) bool {
	return c.seq == o.seq && c.new == o.new && c.old == o.old && c.hasOld == o.hasOld
}

// item is the state of an item. contenders[0] is the winner.
type item struct {
	time       int64
	key        []byte
	contenders []contender
}

// Flags of a contender's encoding.
const (
	flagOld = 1 << iota
	flagSeq
)

// append appends the encoding of the item.
func (it *item) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(it.time))
	b = binary.AppendUvarint(b, uint64(len(it.key)))
	b = append(b, it.key...)
	b = binary.AppendUvarint(b, uint64(len(it.contenders)))
	for i := range it.contenders {
		c := &it.contenders[i]
		flags := byte(0)
		if c.hasOld {
			flags |= flagOld
		}
		if c.seq != "" {
			flags |= flagSeq
		}
		b = append(b, flags)
		b = binary.LittleEndian.AppendUint64(b, c.new)
		if c.hasOld {
			b = binary.LittleEndian.AppendUint64(b, c.old)
		}
		if c.seq != "" {
			b = append(binary.AppendUvarint(b, uint64(len(c.seq))), c.seq...)
		}
		b = binary.AppendUvarint(b, uint64(len(c.rows)))
		for _, r := range c.rows {
			b = binary.AppendUvarint(b, r.table)
			b = binary.LittleEndian.AppendUint64(b, r.key.Hi)
			b = binary.LittleEndian.AppendUint64(b, r.key.Lo)
			b = append(binary.AppendUvarint(b, uint64(len(r.row))), r.row...)
		}
	}
	return b
}

// decode reads what append wrote; the item's slices share b, and use its own
// memory again.
func (it *item) decode(b []byte, rows *[]keptRow) {
	r := reader{b}
	it.time = int64(r.u64())
	it.key = r.bytes()
	it.contenders = it.contenders[:0]
	for range r.uvarint() {
		c := contender{order: -1}
		flags := r.u8()
		c.new = r.u64()
		if c.hasOld = flags&flagOld != 0; c.hasOld {
			c.old = r.u64()
		}
		if flags&flagSeq != 0 {
			c.seq = string(r.bytes())
		}
		from := len(*rows)
		for range r.uvarint() {
			*rows = append(*rows, keptRow{table: r.uvarint(), key: pipeline.Hash{Hi: r.u64(), Lo: r.u64()}, row: r.bytes()})
		}
		c.rows = (*rows)[from:len(*rows):len(*rows)]
		it.contenders = append(it.contenders, c)
	}
}

// tombstone reports whether the item, as it stands, yields no rows.
func (it *item) tombstone() bool { return len(it.contenders[0].rows) == 0 }

// reader reads an encoding that this package wrote.
type reader struct{ b []byte }

func (r *reader) u8() byte {
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u64() uint64 {
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := int(r.uvarint())
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// newest puts the newest of the contenders first, and drops those that can not
// become it any more. All have the same time. The result does not depend on
// their order.
func newest(cs []contender) []contender {
	if len(cs) == 1 {
		return cs
	}
	if !slices.ContainsFunc(cs, func(c contender) bool { return c.seq == "" }) {
		best := 0
		for i := range cs {
			if seqLess(cs[best].seq, cs[i].seq) {
				best = i
			}
		}
		cs[0] = cs[best]
		return cs[:1]
	}
	best := 0
	for i := range cs {
		if later(cs, i, best) {
			best = i
		}
	}
	cs[0], cs[best] = cs[best], cs[0]
	if !slices.ContainsFunc(cs, func(c contender) bool { return c.hasOld }) {
		return cs[:1] // no chain can ever make another one the newest
	}
	return cs
}

// later reports whether contender i comes after j: first by whether the walk
// over the images ends at its new image, then by the greater new image. Of two
// with one new image either will do: their rows are the same.
func later(cs []contender, i, j int) bool {
	ei, ej := walkEnds(cs, cs[i].new), walkEnds(cs, cs[j].new)
	if ei != ej {
		return ei
	}
	return cs[i].new > cs[j].new
}

// walkEnds reports whether more edges lead into the image than out of it.
func walkEnds(cs []contender, image uint64) bool {
	balance := 0
	for i := range cs {
		if cs[i].new == image {
			balance++
		}
		if cs[i].hasOld && cs[i].old == image {
			balance--
		}
	}
	return balance > 0
}

// seqLess compares sequence numbers: decimal digits without leading zeros.
func seqLess(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
