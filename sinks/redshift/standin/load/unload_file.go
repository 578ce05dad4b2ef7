package load

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/parquetfile"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// unloadFile is a file of an UNLOAD before it is an object.
type unloadFile struct {
	temp   *os.File
	count  counter
	encode rowEncoder
	// closers end what is before the file, the first one first.
	closers []func() error
	buffer  []byte
	out     io.Writer
	parquet *parquetfile.Writer
	rows    int64
	header  bool
}

// rowEncoder adds a row as text.
type rowEncoder interface {
	header(dst []byte) []byte
	row(dst []byte, values [][]byte) ([]byte, error)
}

// counter counts the bytes that reach the file.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// open puts the format's writer before the file.
func (f *unloadFile) open(u *unloader) error {
	o := u.options
	f.count.w = f.temp
	var columns []schema.Column
	for _, i := range u.written {
		columns = append(columns, o.Columns[i])
	}
	if o.Format == Parquet {
		f.parquet = parquetfile.NewWriter(&f.count, columns, u.rowGroup())
		return nil
	}
	buffered := bufio.NewWriterSize(&f.count, 32<<10)
	f.out = buffered
	f.closers = []func() error{buffered.Flush}
	switch o.Compression {
	case GZIP:
		z := gzip.NewWriter(buffered)
		f.out, f.closers = z, []func() error{z.Close, buffered.Flush}
	case ZSTD:
		z, err := zstd.NewWriter(buffered, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		f.out, f.closers = z, []func() error{z.Close, buffered.Flush}
	}
	f.encode = newEncoder(o, columns)
	f.header = o.Header
	if f.header {
		_, err := f.out.Write(f.encode.header(nil))
		return err
	}
	return nil
}

func (f *unloadFile) append(values [][]byte) error {
	f.rows++
	if f.parquet != nil {
		return f.parquet.Append(values)
	}
	var err error
	if f.buffer, err = f.encode.row(f.buffer[:0], values); err != nil {
		return err
	}
	_, err = f.out.Write(f.buffer)
	return err
}

// size is about how long the file is by now.
func (f *unloadFile) size() int64 {
	if f.parquet != nil {
		return f.count.n + f.parquet.Buffered()
	}
	return f.count.n
}

// lines are rows as manifests count them: with the header.
func (f *unloadFile) lines() int64 {
	if f.header {
		return f.rows + 1
	}
	return f.rows
}

// finish ends the file, and leaves it at its beginning.
func (f *unloadFile) finish() (size int64, err error) {
	if f.parquet != nil {
		if err = f.parquet.Close(); err == nil {
			err = parquetfile.AsVersion1(f.temp, f.count.n)
		}
	}
	for _, end := range f.closers {
		err = errors.Join(err, end())
	}
	f.closers = nil
	if err != nil {
		return 0, err
	}
	_, err = f.temp.Seek(0, io.SeekStart)
	return f.count.n, err
}

// discard removes the file. What is wrong then harms nobody: the object is made, or the
// UNLOAD has failed already.
func (f *unloadFile) discard() {
	for _, end := range f.closers {
		_ = end() // a compressor gives back its memory
	}
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}
