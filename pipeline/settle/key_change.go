package settle

import (
	"bytes"
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// keyChange is what an item's new image does to one row key, as the message to the row key
// says. The body begins with the ordinal of the change by which it does, big-endian: those of
// one key sort in the order in which they were read.
type keyChange struct {
	packedRow        // the contribution; of a removal, the one that goes
	was       []byte // the item's former contribution to the key, or nil
	item      pipeline.Hash
	remove    bool
	rest      []byte // the time that the item had, if was is not nil; its key; the cause
}

// Flags of a keyChange.
const (
	keyRemoves  = 1 << iota // the item does not yield the row any longer; was is the row
	keyContinue             // the item yielded the row before
	keyUnmoved              // and it was the same; was is the row
)

// appendKeyChange appends one without its rest.
func appendKeyChange(b []byte, ordinal uint64, item pipeline.Hash, table uint64, row, was []byte, remove bool) []byte {
	flags := byte(0)
	switch {
	case remove:
		flags = keyRemoves | keyContinue | keyUnmoved
	case was != nil && bytes.Equal(row, was):
		flags = keyContinue | keyUnmoved
	case was != nil:
		flags = keyContinue
	}
	b = append(binary.BigEndian.AppendUint64(b, ordinal), flags)
	b = packed.AppendBytes(binary.AppendUvarint(packed.AppendHash(b, item), table), row)
	if flags == keyContinue {
		b = packed.AppendBytes(b, was)
	}
	return b
}

// appendCause appends the version of a change, to the end of a message.
func appendCause(b []byte, v *pipeline.Version) []byte {
	c := pipeline.Candidate{Version: *v}
	return packed.AppendCandidate(binary.LittleEndian.AppendUint64(b, uint64(v.Time)), &c)
}

// readCause reads what appendCause appended.
func readCause(b []byte) pipeline.Version {
	c := packed.Cursor{B: b}
	return c.Candidate(int64(c.U64())).Version
}

// decode reads a message; what it has shares the memory of the body.
func (k *keyChange) decode(m pipeline.Message) {
	flags := m.Body[8]
	c := packed.Cursor{B: m.Body[9:]}
	k.key, k.remove, k.was = m.To, flags&keyRemoves != 0, nil
	k.item, k.table, k.row = c.Hash(), c.Uvarint(), c.Bytes()
	switch {
	case flags&keyUnmoved != 0:
		k.was = k.row
	case flags&keyContinue != 0:
		k.was = c.Bytes()
	}
	k.rest = c.B
}

// details are what the rest of a keyChange says.
type details struct {
	was     int64 // the time that the item had
	itemKey []byte
	cause   []byte
}

func (k *keyChange) details() (d details) {
	c := packed.Cursor{B: k.rest}
	if k.was != nil {
		d.was = int64(c.U64())
	}
	d.itemKey = c.Bytes()
	d.cause = c.B
	return d
}

// rowChange is a settled row.
type rowChange struct {
	packedRow
	op    pipeline.Op
	cause []byte // the version of the change that brought it, as appendCause has it
}

// setContents makes it lead from one content of the row's key to another, nil = none,
// and reports whether they differ.
func (r *rowChange) setContents(before, after []byte) (differs bool) {
	r.row = after
	switch {
	case before == nil && after == nil, bytes.Equal(before, after):
		return false
	case before == nil:
		r.op = pipeline.OpInsert
	case after == nil:
		r.op, r.row = pipeline.OpDelete, before
	default:
		r.op = pipeline.OpUpdate
	}
	return true
}
