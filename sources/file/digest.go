package file

import (
	"encoding/base64"
	"io"

	"github.com/cespare/xxhash/v2"
)

// digest is a hash of bytes that can be saved and continued. It is a value: what is added to
// a copy does not change the original. The zero value is the hash of no bytes.
type digest struct {
	hash  xxhash.Digest
	bytes int64
}

// add adds bytes.
func (d *digest) add(b []byte) {
	if d.bytes == 0 {
		d.hash.Reset()
	}
	d.bytes += int64(len(b))
	_, _ = d.hash.Write(b) // which never fails
}

// sum is the hash of the bytes so far.
func (d *digest) sum() uint64 {
	if d.bytes == 0 {
		return 0
	}
	return d.hash.Sum64()
}

// IsZero reports whether it is of no bytes.
func (d digest) IsZero() bool { return d.bytes == 0 }

// MarshalText returns its state.
func (d digest) MarshalText() ([]byte, error) {
	raw, err := d.hash.MarshalBinary()
	return base64.RawStdEncoding.AppendEncode(nil, raw), err
}

// UnmarshalText restores a state. The number of bytes is not in it: the cursor's offset is.
func (d *digest) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	return d.hash.UnmarshalBinary(raw)
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
