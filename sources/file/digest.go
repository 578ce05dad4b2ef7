package file

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
)

// digest is a hash of bytes that can be saved and continued. It is a value: what is added to
// a copy does not change the original. The zero value is the hash of no bytes.
//
// The hash of each block of bytes is the seed of the next one's, the last one is shorter: so all there
// is to save is one hash and the bytes behind the last whole block.
type digest struct {
	whole uint64
	rest  [blockBytes]byte // the bytes behind the last whole block, then zeros
	bytes int64
}

// blockBytes is the greatest length that XXH3 takes a seed for without more work.
const blockBytes = 240

// add adds bytes.
func (d *digest) add(b []byte) {
	rest := int(d.bytes % blockBytes)
	d.bytes += int64(len(b))
	if rest > 0 {
		n := copy(d.rest[rest:], b)
		if b = b[n:]; rest+n < blockBytes {
			return
		}
		d.whole = xxh3.HashSeed(d.rest[:], d.whole)
		d.rest = [blockBytes]byte{}
	}
	for ; len(b) >= blockBytes; b = b[blockBytes:] {
		d.whole = xxh3.HashSeed(b[:blockBytes], d.whole)
	}
	copy(d.rest[:], b)
}

// sum is the hash of the bytes so far.
func (d *digest) sum() uint64 {
	if d.bytes == 0 {
		return 0
	}
	return xxh3.HashSeed(d.rest[:d.bytes%blockBytes], d.whole)
}

// IsZero reports whether it is of no bytes.
func (d digest) IsZero() bool { return d.bytes == 0 }

// MarshalText returns its state.
func (d digest) MarshalText() ([]byte, error) {
	raw := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+blockBytes), d.whole)
	raw = append(raw, d.rest[:d.bytes%blockBytes]...)
	return base64.RawStdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText restores a state. The number of bytes is not in it: the cursor's offset is.
func (d *digest) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if len(raw) < 8 || len(raw) >= 8+blockBytes {
		return fmt.Errorf("hash of a file's content: %d bytes", len(raw))
	}
	*d = digest{whole: binary.LittleEndian.Uint64(raw)}
	copy(d.rest[:], raw[8:])
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
