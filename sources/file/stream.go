package file

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// compression tells by the first bytes of a file how it is compressed.
func compression(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18}): // a frame to skip
		return "zstd"
	case len(head) >= 4 && bytes.HasPrefix(head, []byte("BZh")) && head[3] >= '1' && head[3] <= '9':
		return "bzip2"
	}
	return ""
}

const (
	readBufferBytes = 256 << 10 // of a compressed file
	// zstdWindowBytesMax bounds the memory that a zstd stream may ask for: what zstd --long uses.
	zstdWindowBytesMax = 128 << 20
)

// errShorter says that a compressed stream is whole, and ends before the offset from which it
// is to be read.
var errShorter = fmt.Errorf("it has less content than was read of it: %w", io.ErrUnexpectedEOF)

// errOther says that a compressed stream has other content than was read of it.
var errOther = errors.New("the content before that, which was read, is another one")

// storedError is an error of the store, or of the disk, from which a file is read.
type storedError struct{ error }

func (e *storedError) Unwrap() error { return e.error }

// counter adds the bytes read from a file to each of its counts. It checks ctx, so that
// decompressing up to a far offset can be stopped.
type counter struct {
	ctx    context.Context
	r      io.Reader
	counts []*atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	for _, count := range c.counts {
		count.Add(int64(n))
	}
	if err != nil && err != io.EOF {
		err = &storedError{err}
	}
	return n, err
}

// storedBytes is the content of a file as it is stored: of an object of a store, or of a
// followed file, which stays open on the local disk since another may get its name.
type storedBytes interface {
	io.ReaderAt
	Range(ctx context.Context, offset, length int64) (io.ReadCloser, error)
}

// openContent opens a file and returns a reader of all its content; close closes
// both.
func openContent(files *listing.Tree, path string) (r io.Reader, close func() error, err error) {
	f, err := files.Open(context.Background(), path)
	if err != nil {
		return nil, nil, err
	}
	var at, read atomic.Int64
	r, free, err := decompressed(context.Background(), f, digest{}, &at, &read)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return r, func() error { free(); return f.Close() }, nil
}

// decompressed returns a reader of the file's content behind passed, which was read before;
// close frees it, but not the file. A compressed file is read from its start, and its content
// there is compared with passed. at gets the offset in the file, in stored bytes; what is read
// is added to read.
func decompressed(ctx context.Context, f storedBytes, passed digest, at, read *atomic.Int64) (r io.Reader, close func(), err error) {
	head := make([]byte, 4)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, nil, &storedError{err}
	}
	offset, start := passed.bytes, int64(0) // a followed file may have been read before
	packed := compression(head[:n]) != ""
	if !packed {
		start = offset
	}
	stored, err := f.Range(ctx, start, -1)
	if err != nil {
		return nil, nil, &storedError{err}
	}
	free := func() { _ = stored.Close() } // nothing was written
	at.Store(start)
	raw := &counter{ctx, stored, []*atomic.Int64{at, read}}
	if !packed {
		return raw, free, nil
	}
	r, end, err := contentOf(raw)
	if err != nil {
		free()
		return nil, nil, err
	}
	close = func() { end(); free() }
	was, whole, err := digestOf(r, offset)
	switch {
	case err == nil && !whole:
		err = errShorter
	case err == nil && was.sum() != passed.sum():
		err = errOther
	}
	if err != nil {
		close()
		return nil, nil, fmt.Errorf("going on at byte %d of the decompressed content: %w", offset, err)
	}
	return r, close, nil
}

// contentOf returns the content of a stream, decompressed if it is compressed; close
// frees its reader.
func contentOf(raw io.Reader) (r io.Reader, close func(), err error) {
	buffered := bufio.NewReaderSize(raw, readBufferBytes)
	head, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch compression(head) {
	case "":
		return buffered, func() {}, nil
	case "bzip2":
		return bzip2.NewReader(buffered), func() {}, nil
	case "gzip":
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	}
	z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindowBytesMax))
	if err != nil {
		return nil, nil, fmt.Errorf("zstd: %w", err)
	}
	return z, z.Close, nil
}
