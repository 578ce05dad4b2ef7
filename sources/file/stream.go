package file

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compression tells by the first bytes of a file how it is compressed.
func compression(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	}
	return ""
}

// counter counts the bytes read from a file.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// decompressed returns a reader of the file's content from the offset on; close
// frees it, but not the file.
func decompressed(f *os.File, offset int64, read *atomic.Int64) (r io.Reader, close func(), err error) {
	head := make([]byte, 4)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	kind := compression(head[:n])
	if kind == "" {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, nil, err
		}
		read.Add(offset)
		return &counter{f, read}, func() {}, nil
	}
	raw := bufio.NewReaderSize(&counter{f, read}, 256<<10)
	close = func() {}
	if kind == "gzip" {
		if r, err = gzip.NewReader(raw); err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
	} else {
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		r, close = z, z.Close
	}
	if _, err := io.CopyN(io.Discard, r, offset); err != nil {
		close()
		return nil, nil, fmt.Errorf("going on at byte %d of the decompressed content: %w", offset, err)
	}
	return r, close, nil
}
