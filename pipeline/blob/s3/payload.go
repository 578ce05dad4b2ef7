package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// payload is the body of a request: an object, or a part of one. The server compares what
// arrives with its checksum.
type payload struct {
	// open is called for each attempt; what it returns says whenever it was read.
	open func(moved func()) io.ReadSeeker
	size int64
	crc  *string // CRC-64/NVME; nil = the server does not know it
	md5  *string // nil = crc is there
}

// payloadOf returns the payload of bytes, which must not change.
func (b *bucket) payloadOf(content []byte) *payload {
	p := &payload{open: func(moved func()) io.ReadSeeker {
		return &payloadReader{ReadSeeker: bytes.NewReader(content), moved: moved}
	}, size: int64(len(content))}
	sums := b.newSums()
	sums.write(content)
	p.crc, p.md5 = sums.headers()
	return p
}

// sums are what goes with a payload.
type sums struct {
	hash io.Writer
	text func() string
	md5  bool
}

func (b *bucket) newSums() *sums {
	if b.o.S3.Checksum == whenRequired {
		h := md5.New()
		return &sums{hash: h, text: func() string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }, md5: true}
	}
	h := blob.NewCRC64NVME()
	return &sums{hash: h, text: func() string { return blob.ChecksumText(h) }}
}

func (s *sums) write(b []byte) { s.hash.Write(b) } // a hash returns no error

func (s *sums) headers() (crc, md5 *string) {
	text := s.text()
	if s.md5 {
		return nil, &text
	}
	return &text, nil
}

// upload is a file that is sent.
type upload struct {
	parts   []*payload // one = it is sent as a whole
	content blob.Content
}

// bufferBytes is how much of a file is hashed at once.
const bufferBytes = 256 << 10

// read reads a file through, and returns what is to be sent of it; partSize 0 = as a whole.
// What is sent is read again, by ranges: the memory it takes does not depend on its size.
func (b *bucket) read(ctx context.Context, f *os.File, partSize int64, progress func()) (*upload, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	u := &upload{content: blob.Content{Size: info.Size()}}
	if partSize == 0 {
		partSize = info.Size()
	}
	whole, buffer := blob.NewCRC64NVME(), make([]byte, bufferBytes)
	for offset := int64(0); offset < info.Size() || len(u.parts) == 0; offset += partSize {
		part := sectionOf(f, offset, min(partSize, info.Size()-offset), progress)
		sums := b.newSums()
		for r := part.open(func() {}); ; {
			n, err := r.Read(buffer)
			whole.Write(buffer[:n])
			sums.write(buffer[:n])
			if err == io.EOF {
				break
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return nil, fmt.Errorf("read of %s: %w", f.Name(), err)
			}
		}
		part.crc, part.md5 = sums.headers()
		u.parts = append(u.parts, part)
	}
	u.content.CRC64NVME = blob.ChecksumText(whole)
	return u, nil
}

// sectionOf returns the payload of a part of a file, without its checksum.
func sectionOf(f *os.File, offset, size int64, progress func()) *payload {
	return &payload{size: size, open: func(moved func()) io.ReadSeeker {
		return &payloadReader{ReadSeeker: io.NewSectionReader(f, offset, size), moved: func() {
			moved()
			if progress != nil {
				progress()
			}
		}}
	}}
}

// payloadReader tells of what is read.
type payloadReader struct {
	io.ReadSeeker
	moved func()
}

// Read implements io.Reader.
func (r *payloadReader) Read(b []byte) (int, error) {
	n, err := r.ReadSeeker.Read(b)
	if n > 0 {
		r.moved()
	}
	return n, err
}
