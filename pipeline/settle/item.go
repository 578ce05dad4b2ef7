package settle

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// keptRow is a row that an image yields.
type keptRow struct {
	table uint64 // id of the schema
	key   pipeline.Hash
	row   []byte
}

// contender is a change that is, or may turn out to be, the newest of its item.
type contender struct {
	pipeline.Version
	rows  []keptRow // sorted by key
	order int32     // the change's place in the epoch; -1 = from the state
}

func versionOf(c *contender) *pipeline.Version { return &c.Version }

// item is the state of an item. contenders[0] is the winner.
type item struct {
	time       int64
	key        []byte
	contenders []contender
}

// append appends the encoding of the item.
func (it *item) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(it.time))
	b = packed.AppendBytes(b, it.key)
	b = binary.AppendUvarint(b, uint64(len(it.contenders)))
	for i := range it.contenders {
		c := &it.contenders[i]
		b = packed.AppendVersion(b, &c.Version)
		b = binary.AppendUvarint(b, uint64(len(c.rows)))
		for _, r := range c.rows {
			b = binary.AppendUvarint(b, r.table)
			b = packed.AppendBytes(packed.AppendHash(b, r.key), r.row)
		}
	}
	return b
}

// decode reads what append wrote; the item's slices share b, and use its own
// memory again.
func (it *item) decode(b []byte, rows *[]keptRow) {
	r := packed.Cursor{B: b}
	it.time = int64(r.U64())
	it.key = r.Bytes()
	it.contenders = it.contenders[:0]
	for range r.Uvarint() {
		c := contender{Version: r.Version(it.time), order: -1}
		from := len(*rows)
		for range r.Uvarint() {
			*rows = append(*rows, keptRow{table: r.Uvarint(), key: r.Hash(), row: r.Bytes()})
		}
		c.rows = (*rows)[from:len(*rows):len(*rows)]
		it.contenders = append(it.contenders, c)
	}
}

// tombstone reports whether the item, as it stands, yields no rows.
func (it *item) tombstone() bool { return len(it.contenders[0].rows) == 0 }
