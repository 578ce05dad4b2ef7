package star

import (
	"bytes"
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline/packed"
)

// keptFact is what the state keeps of a fact.
type keptFact struct {
	waits   bool
	base    []byte // the base row; nil = there was none
	chained []byte // hashes of the keys of chained lookups
	used    []byte // hashes of the members of dimensions that take members away
	given   []byte // the row given out last, packed without the grain; nil = none
}

const (
	factGiven = 1 << iota
	factWaits
)

func (k *keptFact) append(b []byte, f *fact) []byte {
	flags := byte(0)
	if k.given != nil {
		flags |= factGiven
	}
	if k.waits {
		flags |= factWaits
	}
	b = append(binary.AppendUvarint(b, uint64(f.number)), flags)
	b = packed.AppendBytes(b, k.base)
	b = append(append(b, k.chained...), k.used...)
	return append(b, k.given...)
}

// decodeFact reads what append wrote, nothing of nil; the result shares b.
func decodeFact(b []byte, facts []*fact) (k keptFact) {
	if b == nil {
		return k
	}
	c := packed.Cursor{B: b}
	f := facts[c.Uvarint()]
	flags := c.U8()
	k.waits = flags&factWaits != 0
	k.base = c.Bytes()
	n := f.chained * hashBytes
	k.chained, c.B = c.B[:n:n], c.B[n:]
	n = f.uses * hashBytes
	k.used, c.B = c.B[:n:n], c.B[n:]
	if flags&factGiven != 0 {
		k.given = c.B
	}
	return k
}

// factWaiting reads only whether a fact waits.
func factWaiting(b []byte) bool {
	c := packed.Cursor{B: b}
	c.Uvarint()
	return c.U8()&factWaits != 0
}

// keep notes what the state has of the fact.
func (e *factEntry) keep(b []byte, facts []*fact) {
	c := packed.Cursor{B: b}
	e.kept, e.fact = b, facts[c.Uvarint()]
	base := decodeFact(b, facts).base
	if !e.came {
		e.base = base
	}
	e.skip = !e.must && (e.base == nil) == (base == nil) && bytes.Equal(e.base, base)
}
