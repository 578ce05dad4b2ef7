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
	v, n := binary.Uvarint(c.B)
	c.B = c.B[n:]
	return v
}

// Bytes reads what AppendBytes wrote.
func (c *Cursor) Bytes() []byte {
	n := int(c.Uvarint())
	v := c.B[:n:n]
	c.B = c.B[n:]
	return v
}

// Hash reads what AppendHash wrote.
func (c *Cursor) Hash() pipeline.Hash {
	return pipeline.Hash{Hi: c.U64(), Lo: c.U64()}
}

// Flags of a version's encoding.
const (
	flagOld = 1 << iota
	flagSeq
)

// Version reads what AppendVersion wrote.
func (c *Cursor) Version(time int64) pipeline.Version {
	v := pipeline.Version{Time: time}
	flags := c.U8()
	v.New = c.U64()
	if v.HasOld = flags&flagOld != 0; v.HasOld {
		v.Old = c.U64()
	}
	if flags&flagSeq != 0 {
		v.Seq = string(c.Bytes())
	}
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

// AppendVersion appends a version without its time, which versions that
// contend share.
func AppendVersion(dst []byte, v *pipeline.Version) []byte {
	flags := byte(0)
	if v.HasOld {
		flags |= flagOld
	}
	if v.Seq != "" {
		flags |= flagSeq
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, flags), v.New)
	if v.HasOld {
		dst = binary.LittleEndian.AppendUint64(dst, v.Old)
	}
	if v.Seq != "" {
		dst = binary.AppendUvarint(dst, uint64(len(v.Seq)))
		dst = append(dst, v.Seq...)
	}
	return dst
}
