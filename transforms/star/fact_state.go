package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline/packed"
)

// factState is what the state keeps of a fact.
type factState struct {
	deferred       bool
	base           []byte // the base row; nil = there was none
	chainedKeys    []byte // hashes of the keys of chained lookups
	countedMembers []byte // keys in the state of the members in whose reference counts it is
	emitted        []byte // the row that was emitted last, packed without the grain; nil = none
}

const (
	factEmitted = 1 << iota
	factDeferred
)

func (k *factState) append(b []byte, f *fact) []byte {
	flags := byte(0)
	if k.emitted != nil {
		flags |= factEmitted
	}
	if k.deferred {
		flags |= factDeferred
	}
	b = append(binary.AppendUvarint(b, uint64(f.number)), flags)
	b = packed.AppendBytes(b, k.base)
	b = append(append(b, k.chainedKeys...), k.countedMembers...)
	return append(b, k.emitted...)
}

// decodeFact reads what append wrote, nothing of nil; the result shares b.
func decodeFact(b []byte, facts []*fact) (k factState) {
	if b == nil {
		return k
	}
	c := packed.Cursor{B: b}
	f := facts[c.Uvarint()]
	flags := c.U8()
	k.deferred = flags&factDeferred != 0
	k.base = c.Bytes()
	n := f.chainedLookups * hashBytes
	k.chainedKeys, c.B = c.B[:n:n], c.B[n:]
	n = f.countedKeys * hashBytes
	k.countedMembers, c.B = c.B[:n:n], c.B[n:]
	if flags&factEmitted != 0 {
		k.emitted = c.B
	}
	return k
}

// isDeferred reads only whether a fact is deferred.
func isDeferred(b []byte) bool {
	c := packed.Cursor{B: b}
	c.Uvarint()
	return c.U8()&factDeferred != 0
}
