package columnar

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A row group ends after the record that reaches one of these.
const (
	GroupRows  = 120 << 10
	GroupBytes = 16 << 20
)

const (
	magic            = "PAR1"
	createdBy        = "starlift"
	writeBufferBytes = 256 << 10
	rowGroupsMax     = 1<<15 - 1 // the format counts them in 16 bits
)

// Output is where the bytes of a file go: an *os.File, for one, from which and to
// which row groups are copied inside the kernel.
type Output interface {
	io.Writer
	// Sync makes what was written durable.
	Sync() error
	Close() error
	// Name is for messages.
	Name() string
}

// ChecksumOutput takes the checksum of what is written to an output: what is sent elsewhere
// later is compared with it on the other side. It is no *os.File, so nothing is copied past it.
type ChecksumOutput struct {
	Output
	Sum hash.Hash
}

// Write implements io.Writer.
func (o *ChecksumOutput) Write(b []byte) (int, error) {
	n, err := o.Output.Write(b)
	_, _ = o.Sum.Write(b[:n]) // never fails
	return n, err
}

// File is a Parquet file that is being written.
type File struct {
	file    Output
	buf     *bufio.Writer
	offset  int64
	encoder *Encoder
	groups  []format.RowGroup
	rows    int64
	waiting Buffer
}

// NewFile starts a file of the encoder's columns in an empty output, which belongs to it from
// now on. The encoder may be used for other files in turn.
func NewFile(to Output, encoder *Encoder) (*File, error) {
	w := &File{file: to, buf: bufio.NewWriterSize(to, writeBufferBytes), encoder: encoder}
	if err := w.write([]byte(magic)); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

// Write adds the record's rows. It may keep the record until the row group is
// full, and retains it for that.
func (f *File) Write(rec arrow.Record) error {
	f.waiting.Add(rec)
	if f.waiting.Full() {
		return f.Flush()
	}
	return nil
}

// Flush ends the row group.
func (f *File) Flush() error {
	if f.waiting.Rows == 0 {
		return nil
	}
	rg, err := f.encoder.Encode(f.waiting.Records)
	f.waiting.Release()
	if err != nil {
		return fmt.Errorf("parquet file %s: %w", f.file.Name(), err)
	}
	return f.Append(rg)
}

// Append adds a row group that an encoder for the same columns, profile and codec made. Rows
// written before come before.
func (f *File) Append(rg *RowGroup) error {
	if err := f.Flush(); err != nil {
		return err
	}
	at := f.offset
	if err := f.write(rg.Data); err != nil {
		return err
	}
	return f.append(rg.Meta, at)
}

// Copy is Append of a row group from where its bytes are now.
func (f *File) Copy(meta format.RowGroup, data io.Reader) error {
	if err := f.Flush(); err != nil {
		return err
	}
	at := f.offset
	if err := f.buf.Flush(); err != nil {
		return fmt.Errorf("parquet file %s: %w", f.file.Name(), err)
	}
	// From file to file this is a copy inside the kernel.
	n, err := io.Copy(f.file, io.LimitReader(data, meta.TotalCompressedSize))
	if err == nil && n != meta.TotalCompressedSize {
		err = fmt.Errorf("row group of %d bytes: %w", meta.TotalCompressedSize, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return fmt.Errorf("parquet file %s: %w", f.file.Name(), err)
	}
	f.offset += n
	return f.append(meta, at)
}

// append records a row group whose bytes begin at the offset.
func (f *File) append(meta format.RowGroup, at int64) error {
	if len(f.groups) == rowGroupsMax {
		return fmt.Errorf("parquet file %s: more than %d row groups", f.file.Name(), rowGroupsMax)
	}
	columns := make([]format.ColumnChunk, len(meta.Columns))
	copy(columns, meta.Columns)
	for i := range columns {
		m := &columns[i].MetaData
		m.DataPageOffset += at
		if len(m.EncodingStats) > 0 && m.EncodingStats[0].PageType == format.DictionaryPage {
			m.DictionaryPageOffset += at
		}
	}
	meta.Columns = columns
	meta.FileOffset = at
	meta.Ordinal = int16(len(f.groups))
	f.groups = append(f.groups, meta)
	f.rows += meta.NumRows
	return nil
}

// Size returns the bytes written so far; rows that wait for their row group do
// not count.
func (f *File) Size() int64 { return f.offset }

// Rows returns the rows written so far, those that wait included.
func (f *File) Rows() int64 { return f.rows + f.waiting.Rows }

// Close completes the file, syncs it and returns its size. Its name need not be
// durable. On an error the output is closed, and holds no Parquet file.
func (f *File) Close() (size int64, err error) {
	if err := f.finish(); err != nil {
		return 0, errors.Join(err, f.Abort())
	}
	if err := f.file.Sync(); err != nil {
		return 0, errors.Join(fmt.Errorf("sync %s: %w", f.file.Name(), err), f.Abort())
	}
	if err := f.file.Close(); err != nil {
		return 0, fmt.Errorf("close %s: %w", f.file.Name(), err)
	}
	return f.offset, nil
}

func (f *File) finish() error {
	if err := f.Flush(); err != nil {
		return err
	}
	meta := format.FileMetaData{
		Version: 2, Schema: f.encoder.profile.schema(f.encoder.columns), NumRows: f.rows, RowGroups: f.groups, CreatedBy: createdBy,
		ColumnOrders: make([]format.ColumnOrder, len(f.encoder.columns)),
	}
	for i := range meta.ColumnOrders {
		meta.ColumnOrders[i].Value = &format.TypeDefinedOrder{}
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return fmt.Errorf("parquet footer: %w", err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	if err := f.write(append(footer, magic...)); err != nil {
		return err
	}
	if err := f.buf.Flush(); err != nil {
		return fmt.Errorf("parquet file %s: %w", f.file.Name(), err)
	}
	return nil
}

// Abort closes the file without completing it. The caller removes it.
func (f *File) Abort() error {
	f.waiting.Release()
	if err := f.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close %s: %w", f.file.Name(), err)
	}
	return nil
}

func (f *File) write(b []byte) error {
	n, err := f.buf.Write(b)
	f.offset += int64(n)
	if err != nil {
		return fmt.Errorf("parquet file %s: %w", f.file.Name(), err)
	}
	return nil
}

// Buffer gathers records until they make a row group.
type Buffer struct {
	Records []arrow.Record
	Rows    int64
	Bytes   int64 // of the values
}

// Add retains the record.
func (b *Buffer) Add(rec arrow.Record) {
	if rec.NumRows() == 0 {
		return
	}
	rec.Retain()
	b.Records = append(b.Records, rec)
	b.Rows += rec.NumRows()
	b.Bytes += RecordBytes(rec)
}

// Full tells that the rows make a row group.
func (b *Buffer) Full() bool { return b.Rows >= GroupRows || b.Bytes >= GroupBytes }

// Release empties the buffer.
func (b *Buffer) Release() {
	for _, r := range b.Records {
		r.Release()
	}
	clear(b.Records)
	b.Records, b.Rows, b.Bytes = b.Records[:0], 0, 0
}
