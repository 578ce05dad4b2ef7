package columnar

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/bitutil"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
)

// validity is a chunk's bitmap: bit i tells that row i has a value. It is also,
// bit for bit, the definition levels of an optional column.
type validity struct {
	bits  []byte
	rows  int
	nulls int
}

func (v *validity) reset(arrays []arrow.Array) {
	v.rows, v.nulls = 0, 0
	for _, a := range arrays {
		v.rows += a.Len()
		v.nulls += a.NullN()
	}
	if v.nulls == 0 {
		return
	}
	n := (v.rows + 7) / 8
	if cap(v.bits) < n {
		v.bits = make([]byte, n)
	}
	v.bits = v.bits[:n]
	clear(v.bits)
	at := 0
	for _, a := range arrays {
		if a.NullN() == 0 {
			bitutil.SetBitsTo(v.bits, int64(at), int64(a.Len()), true)
		} else {
			bitutil.CopyBitmap(a.NullBitmapBytes(), a.Data().Offset(), a.Len(), v.bits, at)
		}
		at += a.Len()
	}
}

// present returns the number of values in rows from … to-1.
func (v *validity) present(from, to int) int {
	if v.nulls == 0 {
		return to - from
	}
	return bitutil.CountSetBits(v.bits, from, to-from)
}

// count implements entries.
func (v *validity) count() int { return v.rows }

// pageEnd implements entries. A page has a multiple of eight rows.
func (v *validity) pageEnd(from, most int) int { return min(from+max(8, most&^7), v.rows) }

// appendLevels implements entries: a length, then one run.
func (v *validity) appendLevels(dst []byte, from, to int) (_ []byte, present int, err error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	n := to - from
	switch present = v.present(from, to); present {
	case n, 0:
		dst = binary.AppendUvarint(dst, uint64(n)<<1)
		level := byte(1)
		if present == 0 {
			level = 0
		}
		dst = append(dst, level)
	default:
		groups := (n + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = append(dst, v.bits[from/8:from/8+groups]...)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, present, nil
}

// words appends the eight-byte values of the arrays, without the nulls.
func words(dst []uint64, arrays []arrow.Array) ([]uint64, error) {
	for _, a := range arrays {
		var src []uint64
		switch a := a.(type) {
		case *array.Int64:
			src = cast[uint64](a.Int64Values())
		case *array.Timestamp:
			src = cast[uint64](a.TimestampValues())
		case *array.Float64:
			src = cast[uint64](a.Float64Values())
		case *array.Decimal128:
			var err error
			if dst, err = narrow(dst, a); err != nil {
				return nil, err
			}
			continue
		default:
			return nil, fmt.Errorf("no eight-byte values in arrow type %s", a.DataType())
		}
		if a.NullN() == 0 {
			dst = append(dst, src...)
			continue
		}
		for i, w := range src {
			if a.IsValid(i) {
				dst = append(dst, w)
			}
		}
	}
	return dst, nil
}

// narrow appends decimals of up to 18 digits as their unscaled 64-bit value.
func narrow(dst []uint64, a *array.Decimal128) ([]uint64, error) {
	for i, v := range a.Values() {
		if a.IsNull(i) {
			continue
		}
		low := int64(v.LowBits())
		if v.HighBits() != low>>63 {
			return nil, fmt.Errorf("value %s does not fit %s", v.BigInt(), a.DataType())
		}
		dst = append(dst, uint64(low))
	}
	return dst, nil
}

// halves appends the four-byte values of the arrays, days or integers, without the nulls.
func halves(dst []int32, arrays []arrow.Array) ([]int32, error) {
	for _, a := range arrays {
		if a, ok := a.(*array.Int64); ok {
			for i, v := range a.Int64Values() {
				switch {
				case a.IsNull(i):
				case v != int64(int32(v)):
					return nil, fmt.Errorf("value %d does not fit 32 bits", v)
				default:
					dst = append(dst, int32(v))
				}
			}
			continue
		}
		src := cast[int32](a.(*array.Date32).Date32Values())
		if a.NullN() == 0 {
			dst = append(dst, src...)
			continue
		}
		for i, v := range src {
			if a.IsValid(i) {
				dst = append(dst, v)
			}
		}
	}
	return dst, nil
}

// bools appends the truth values of the arrays, without the nulls, a byte each.
func bools(dst []byte, arrays []arrow.Array) []byte {
	for _, a := range arrays {
		b := a.(*array.Boolean)
		for i := range b.Len() {
			if b.IsNull(i) {
				continue
			}
			v := byte(0)
			if b.Value(i) {
				v = 1
			}
			dst = append(dst, v)
		}
	}
	return dst
}

// wides appends decimals as size big-endian bytes, more than eight, without the nulls.
func wides(dst []byte, arrays []arrow.Array, size int) ([]byte, error) {
	spare := 64 - 8*(size-8) // bits of the upper half that are not written
	for _, a := range arrays {
		for i, v := range a.(*array.Decimal128).Values() {
			if a.IsNull(i) {
				continue
			}
			if v.HighBits()<<spare>>spare != v.HighBits() {
				return nil, fmt.Errorf("value %s does not fit %s", v.BigInt(), a.DataType())
			}
			dst = appendWide(dst, v, size)
		}
	}
	return dst, nil
}

func appendWide(dst []byte, v decimal128.Num, size int) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(v.HighBits()))
	binary.BigEndian.PutUint64(b[8:], v.LowBits())
	return append(dst, b[16-size:]...)
}

// appendShort appends numbers as size big-endian bytes, eight at most.
func appendShort(dst []byte, values []uint64, size int) ([]byte, error) {
	spare := 64 - 8*size
	var b [8]byte
	for _, w := range values {
		if v := int64(w); v<<spare>>spare != v {
			return nil, fmt.Errorf("unscaled value %d does not fit %d bytes", v, size)
		}
		binary.BigEndian.PutUint64(b[:], w)
		dst = append(dst, b[8-size:]...)
	}
	return dst, nil
}

// texts is one array of strings or byte strings: value i is
// data[offsets[i]:offsets[i+1]].
type texts struct {
	offsets []int32
	data    []byte
	nulls   arrow.Array // nil = it has none
}

func textsOf(arrays []arrow.Array) ([]texts, error) {
	out := make([]texts, 0, len(arrays))
	for _, a := range arrays {
		if a.Len() == 0 {
			continue
		}
		t := texts{}
		switch a := a.(type) {
		case *array.String:
			t.offsets = a.ValueOffsets()
		case *array.Binary:
			t.offsets = a.ValueOffsets()
		default:
			return nil, fmt.Errorf("no strings in arrow type %s", a.DataType())
		}
		if b := a.Data().Buffers()[2]; b != nil {
			t.data = b.Bytes()
		}
		if a.NullN() > 0 {
			t.nulls = a
		}
		out = append(out, t)
	}
	return out, nil
}

// rows returns the number of rows.
func (t *texts) rows() int { return len(t.offsets) - 1 }

// cast views a slice as another type of the same size.
func cast[T, S any](s []S) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// bytesOf views fixed-width values as their bytes in memory, which on the
// little-endian machines that Go's Arrow runs on are PLAIN.
func bytesOf[T uint64 | int32](s []T) []byte {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}
