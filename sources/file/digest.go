package file

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// digest is a hash of bytes that can be saved and continued. It is a value: what is added to
// a copy does not change the original. The zero value is the hash of no bytes.
//
// Of each stripe of bytes, two words go into each lane, by a product of 128 bits whose halves
// are folded, so that the processor works on all lanes at a time: bytes are hashed about as
// fast as they are read.
type digest struct {
	lanes [4]uint64
	rest  [stripeBytes]byte // the bytes behind the last whole stripe, then zeros
	bytes int64
}

const stripeBytes = 64

// laneSecrets are digits of pi.
var laneSecrets = [4]uint64{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89}

// add adds bytes.
func (d *digest) add(b []byte) {
	if d.bytes == 0 && len(b) > 0 {
		for i, s := range laneSecrets {
			d.lanes[i] = ^s // a product with 0 would lose the other word
		}
	}
	rest := int(d.bytes % stripeBytes)
	d.bytes += int64(len(b))
	if rest > 0 {
		n := copy(d.rest[rest:], b)
		if b = b[n:]; rest+n < stripeBytes {
			return
		}
		d.addStripes(d.rest[:])
		d.rest = [stripeBytes]byte{}
	}
	whole := len(b) / stripeBytes * stripeBytes
	d.addStripes(b[:whole])
	copy(d.rest[:], b[whole:])
}

// addStripes adds whole stripes.
func (d *digest) addStripes(b []byte) {
	l0, l1, l2, l3 := d.lanes[0], d.lanes[1], d.lanes[2], d.lanes[3]
	for ; len(b) >= stripeBytes; b = b[stripeBytes:] {
		s := (*[stripeBytes]byte)(b)
		l0 = fold(binary.LittleEndian.Uint64(s[0:])^laneSecrets[0], binary.LittleEndian.Uint64(s[8:])^l0)
		l1 = fold(binary.LittleEndian.Uint64(s[16:])^laneSecrets[1], binary.LittleEndian.Uint64(s[24:])^l1)
		l2 = fold(binary.LittleEndian.Uint64(s[32:])^laneSecrets[2], binary.LittleEndian.Uint64(s[40:])^l2)
		l3 = fold(binary.LittleEndian.Uint64(s[48:])^laneSecrets[3], binary.LittleEndian.Uint64(s[56:])^l3)
	}
	d.lanes = [4]uint64{l0, l1, l2, l3}
}

// fold mixes two words into one.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// sum is the hash of the bytes so far.
func (d digest) sum() uint64 {
	if d.bytes == 0 {
		return 0
	}
	n := uint64(d.bytes)
	d.addStripes(d.rest[:])
	return fold(fold(d.lanes[0]^laneSecrets[1], d.lanes[1]^n), fold(d.lanes[2]^laneSecrets[3], d.lanes[3]^laneSecrets[0]))
}

// IsZero reports whether it is of no bytes.
func (d digest) IsZero() bool { return d.bytes == 0 }

// MarshalText returns its state.
func (d digest) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(d.lanes)+stripeBytes)
	for _, l := range d.lanes {
		raw = binary.LittleEndian.AppendUint64(raw, l)
	}
	raw = append(raw, d.rest[:d.bytes%stripeBytes]...)
	return base64.RawStdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText restores a state. The number of bytes is not in it: the cursor's offset is.
func (d *digest) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if n := len(raw) - 8*len(d.lanes); n < 0 || n >= stripeBytes {
		return fmt.Errorf("hash of a file's content: %d bytes", len(raw))
	}
	*d = digest{}
	for i := range d.lanes {
		d.lanes[i], raw = binary.LittleEndian.Uint64(raw), raw[8:]
	}
	copy(d.rest[:], raw)
	return nil
}

// digestOf hashes the first n bytes of content; ok = it has so many. A stream that is
// cut short is an error.
func digestOf(content io.Reader, n int64) (d digest, ok bool, err error) {
	buf := make([]byte, readBufferBytes)
	for d.bytes < n {
		k, err := content.Read(buf[:min(int64(len(buf)), n-d.bytes)])
		d.add(buf[:k])
		if err != nil && d.bytes < n {
			if err == io.EOF {
				err = nil
			}
			return d, false, err
		}
	}
	return d, true, nil
}
