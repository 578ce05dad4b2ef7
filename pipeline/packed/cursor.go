package packed

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
)

// Cursor reads, from the front, an encoding that this program wrote. What it
// returns shares the memory of the encoding.
type Cursor struct{ B []byte }

// U8 reads a byte.
func (c *Cursor) U8() byte {
	v := c.B[0]
	c.B = c.B[1:]
	return v
}

// U64 reads eight bytes, little-endian.
func (c *Cursor) U64() uint64 {
	v := binary.LittleEndian.Uint64(c.B)
	c.B = c.B[8:]
	return v
}

// Uvarint reads what binary.AppendUvarint wrote.
func (c *Cursor) Uvarint() uint64 {
	v, n := uvarint(c.B)
	c.B = c.B[n:]
	return v
}

// uvarint reads what binary.AppendUvarint wrote to the start of b, and returns its length. Of
// nothing, which stands for a row without columns, both are 0.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 { // as usual
		return uint64(b[0]), 1
	}
	return longUvarint(b)
}

//go:noinline
func longUvarint(b []byte) (v uint64, n int) { return binary.Uvarint(b) }

// Bytes reads what AppendBytes wrote.
func (c *Cursor) Bytes() []byte {
	from, n := 1, 0
	if len(c.B) > 0 && c.B[0] < 0x80 { // as usual; uvarint is too long for the compiler to inline
		n = int(c.B[0])
	} else {
		long, w := longUvarint(c.B)
		from, n = w, int(long)
	}
	end := from + n
	v := c.B[from:end:end]
	c.B = c.B[end:]
	return v
}

// Hash reads what AppendHash wrote.
func (c *Cursor) Hash() pipeline.Hash {
	return pipeline.Hash{Hi: c.U64(), Lo: c.U64()}
}

// Flags of a candidate's encoding.
const (
	flagHasOld = 1 << iota
	flagSeq
	flagNoNew // New is 0
	flagNoOld // Old is 0
	flagExisted
	flagEvent
	flagByArrival
	flagBare

	// flagSnapshot is what no other change has: of a snapshot neither is told.
	flagSnapshot = flagHasOld | flagExisted
)

// Candidate reads what AppendCandidate wrote.
func (c *Cursor) Candidate(time int64) pipeline.Candidate {
	flags := c.U8()
	v := pipeline.Candidate{VersionOnly: flags&flagBare != 0}
	v.Time, v.ByArrival = time, flags&flagByArrival != 0
	if v.Snapshot = flags&flagSnapshot == flagSnapshot; !v.Snapshot {
		v.HasOld, v.Existed = flags&flagHasOld != 0, flags&flagExisted != 0
	}
	if flags&flagNoNew == 0 {
		v.New = c.U64()
	}
	if flags&flagNoOld == 0 {
		v.Old = c.U64()
	}
	if flags&flagSeq != 0 {
		v.Seq = string(c.Bytes())
	}
	if flags&flagEvent != 0 {
		v.Event = binary.LittleEndian.Uint32(c.B)
		c.B = c.B[4:]
	}
	v.Partition = binary.LittleEndian.Uint16(c.B)
	c.B = c.B[2:]
	v.Ordinal = int64(c.Uvarint())
	return v
}

// AppendBytes appends b after its length.
func AppendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// AppendHash appends the 16 bytes of a hash.
func AppendHash(dst []byte, h pipeline.Hash) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, h.Hi), h.Lo)
}

// AppendCandidate appends a candidate without its time, which candidates
// share.
func AppendCandidate(dst []byte, v *pipeline.Candidate) []byte {
	at := len(dst)
	dst = append(dst, 0)
	flags := byte(0)
	if v.HasOld {
		flags |= flagHasOld
	}
	if v.Existed {
		flags |= flagExisted
	}
	if v.ByArrival {
		flags |= flagByArrival
	}
	if v.Snapshot {
		flags |= flagSnapshot
	}
	if v.VersionOnly {
		flags |= flagBare
	}
	if v.New == 0 {
		flags |= flagNoNew
	} else {
		dst = binary.LittleEndian.AppendUint64(dst, v.New)
	}
	if v.Old == 0 {
		flags |= flagNoOld
	} else {
		dst = binary.LittleEndian.AppendUint64(dst, v.Old)
	}
	if v.Seq != "" {
		flags |= flagSeq
		dst = binary.AppendUvarint(dst, uint64(len(v.Seq)))
		dst = append(dst, v.Seq...)
	}
	if v.Event != 0 {
		flags |= flagEvent
		dst = binary.LittleEndian.AppendUint32(dst, v.Event)
	}
	dst[at] = flags
	return binary.AppendUvarint(binary.LittleEndian.AppendUint16(dst, v.Partition), uint64(v.Ordinal))
}
