package settle

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// change is a change of an item, as the message about it to the item says. The body of the
// message begins with a head of fixed length, which is complete when the change has been added
// to an epoch:
//
//	the ordinal, big-endian: changes of one item sort in the order in which they were read
//	the time
//	the number of the logical table
//	flags: whether it is late, and how it removes the item
//
// After that follow the version, the item's key, and what the change yields: the rows of
// last-writer-wins, and for each policy a list of rows and one of keys. Rows are sorted by
// their keys.
type change struct {
	item     pipeline.Hash
	ordinal  uint64
	version  pipeline.Version
	key      []byte
	table    uint16 // of LogicalTables
	removal  pipeline.Removal
	late     bool
	rejected bool   // it came too late: it has no effect
	rows     []byte // by last-writer-wins, as readRows reads them
	policies []byte // for each policy, after its length, what readPolicyRows reads
}

// Places in the head of a change.
const (
	headTime  = 8
	headTable = 16
	headFlags = 18
	headBytes = 19
)

// Flags of a change. The removal is above them.
const (
	flagLate     = 1
	removalShift = 1
)

// lengthBytes is the size of the length of a section.
const lengthBytes = 4

// appendChange appends a change up to where its rows begin. The head is not complete.
func appendChange(b []byte, c *pipeline.Change) []byte {
	var head [headBytes]byte
	head[headFlags] = byte(c.Removal) << removalShift
	v := pipeline.Candidate{Version: c.Version}
	return packed.AppendBytes(packed.AppendCandidate(append(b, head[:]...), &v), c.Key)
}

// completeHead writes what is known of a change when it is in an epoch.
func completeHead(body []byte, ordinal uint64, time int64, table uint16, late bool) {
	binary.BigEndian.PutUint64(body, ordinal)
	binary.LittleEndian.PutUint64(body[headTime:], uint64(time))
	binary.LittleEndian.PutUint16(body[headTable:], table)
	if late {
		body[headFlags] |= flagLate
	}
}

// appendLength appends room for a length, which endLength fills in.
func appendLength(b []byte) (grown []byte, from int) {
	return append(b, make([]byte, lengthBytes)...), len(b)
}

// endLength writes the length of what was appended since appendLength.
func endLength(b []byte, from int) {
	binary.LittleEndian.PutUint32(b[from:], uint32(len(b)-from-lengthBytes))
}

// readLength reads what has its length before it.
func readLength(b []byte) (section, rest []byte) {
	end := lengthBytes + int(binary.LittleEndian.Uint32(b))
	return b[lengthBytes:end:end], b[end:]
}

// decode reads a message; what it has shares the memory of the body.
func (c *change) decode(m pipeline.Message) {
	b := m.Body
	*c = change{
		item: m.To, ordinal: binary.BigEndian.Uint64(b), table: binary.LittleEndian.Uint16(b[headTable:]),
		late: b[headFlags]&flagLate != 0, removal: pipeline.Removal(b[headFlags] >> removalShift),
	}
	r := packed.Cursor{B: b[headBytes:]}
	c.version = r.Candidate(int64(binary.LittleEndian.Uint64(b[headTime:]))).Version
	c.key = r.Bytes()
	c.rows, c.policies = readLength(r.B)
}

// packedRow is a row that an image yields.
type packedRow struct {
	table uint64 // id of the schema
	key   pipeline.Hash
	row   []byte
}

// readRows appends rows of last-writer-wins, whose memory they share.
func readRows(rows []packedRow, encoded []byte) []packedRow {
	for c := (packed.Cursor{B: encoded}); len(c.B) > 0; {
		rows = append(rows, packedRow{table: c.Uvarint(), key: c.Hash(), row: c.Bytes()})
	}
	return rows
}

// readPolicyRows reads the rows of a policy, and the keys of those that were left out.
func readPolicyRows(encoded []byte) (rows []packedRow, dropped []pipeline.Hash) {
	if len(encoded) == 0 {
		return nil, nil
	}
	c := packed.Cursor{B: encoded}
	if n := c.Uvarint(); n > 0 {
		rows = make([]packedRow, n)
	}
	for i := range rows {
		rows[i] = packedRow{key: c.Hash(), row: c.Bytes()}
	}
	for len(c.B) > 0 {
		dropped = append(dropped, c.Hash())
	}
	return rows, dropped
}
