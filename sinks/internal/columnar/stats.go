package columnar

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// maxBoundBytes is the longest text that is repeated in the metadata as a
// minimum or maximum.
const maxBoundBytes = 256

// byteBounds keeps the least and the greatest of the values it is shown.
type byteBounds struct {
	min, max []byte
	any      bool
}

func (b *byteBounds) add(v []byte) {
	switch {
	case !b.any:
		b.min, b.max, b.any = v, v, true
	case bytes.Compare(v, b.min) < 0:
		b.min = v
	case bytes.Compare(v, b.max) > 0:
		b.max = v
	}
}

func (b *byteBounds) put(s *format.Statistics) {
	if b.any && len(b.min) <= maxBoundBytes && len(b.max) <= maxBoundBytes {
		setBounds(s, append([]byte{}, b.min...), append([]byte{}, b.max...))
	}
}

func setBounds(s *format.Statistics, least, greatest []byte) {
	s.MinValue, s.MaxValue = least, greatest
}

func wordBounds(s *format.Statistics, values []uint64) {
	if len(values) == 0 {
		return
	}
	least, greatest := int64(values[0]), int64(values[0])
	for _, v := range values {
		least, greatest = min(least, int64(v)), max(greatest, int64(v))
	}
	setBounds(s, binary.LittleEndian.AppendUint64(nil, uint64(least)), binary.LittleEndian.AppendUint64(nil, uint64(greatest)))
}

// doubleBounds follows the format's rules: no bounds where there is a NaN, and
// zeros widened to -0 and +0.
func doubleBounds(s *format.Statistics, values []uint64) {
	if len(values) == 0 {
		return
	}
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, w := range values {
		v := math.Float64frombits(w)
		if math.IsNaN(v) {
			return
		}
		least, greatest = min(least, v), max(greatest, v)
	}
	if least == 0 {
		least = math.Copysign(0, -1)
	}
	if greatest == 0 {
		greatest = 0
	}
	setBounds(s, binary.LittleEndian.AppendUint64(nil, math.Float64bits(least)), binary.LittleEndian.AppendUint64(nil, math.Float64bits(greatest)))
}

func halfBounds(s *format.Statistics, values []int32) {
	if len(values) == 0 {
		return
	}
	least, greatest := values[0], values[0]
	for _, v := range values {
		least, greatest = min(least, v), max(greatest, v)
	}
	setBounds(s, binary.LittleEndian.AppendUint32(nil, uint32(least)), binary.LittleEndian.AppendUint32(nil, uint32(greatest)))
}
