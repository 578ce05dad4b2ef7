package blob

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/minio/crc64nvme"
)

// NewCRC64NVME returns the hash whose text is Content.CRC64NVME: that of the NVM Express
// specification, which S3 has of whole objects, sent in parts or not.
func NewCRC64NVME() hash.Hash64 { return crc64nvme.New() }

// ChecksumText writes a checksum as S3 does: base64 of its bytes, the first one first.
func ChecksumText(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// contentOf reads an object through, and returns what it holds.
func contentOf(ctx context.Context, s Store, name string) (c Content, err error) {
	r, err := OpenRange(ctx, s, name, 0)
	if err != nil {
		return Content{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := NewCRC64NVME()
	n, err := io.CopyBuffer(h, r, make([]byte, checksumBufferBytes))
	return Content{Size: n, CRC64NVME: ChecksumText(h)}, err
}

// checksumBufferBytes is how much is hashed at once: each time costs a table.
const checksumBufferBytes = 256 << 10

// Compare returns a *ConflictError if an object has not the content. Without a checksum the
// sizes are compared; with one, an object of the same size is read, unless i has its checksum.
func (c *Content) Compare(ctx context.Context, s Store, i Info) error {
	found := Content{Size: i.Size, CRC64NVME: i.CRC64NVME}
	if i.Size == c.Size && c.CRC64NVME != "" && found.CRC64NVME == "" {
		var err error
		if found, err = contentOf(ctx, s, i.Name); err != nil {
			return err
		}
	}
	if found.Size == c.Size && (c.CRC64NVME == "" || found.CRC64NVME == c.CRC64NVME) {
		return nil
	}
	text := fmt.Sprintf("%d bytes", found.Size)
	if found.Size == c.Size {
		text = fmt.Sprintf("%d other bytes (CRC64NVME %s)", found.Size, found.CRC64NVME)
	}
	return &ConflictError{URL: s.URL(i.Name), Found: text, Wanted: *c}
}
