package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
)

// Reader reads the rows of a file. It may be used by one goroutine.
type Reader struct {
	options   *Options
	file      *parquet.File
	columns   []*node
	appenders []appender
	group     int   // that is read next
	left      int64 // rows of the one that is read
	cursors   []*cursor
}

// Open judges a file as a whole, so that nothing of one that Redshift refuses is read. The
// error is a *pgconn.PgError, or wraps one; so are those of the other methods.
func Open(r io.ReaderAt, size int64, o *Options) (opened *Reader, err error) {
	defer o.guard(&err)
	if err := o.checkMagic(r, size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, o.fail(codeFile, "File '%s' has invalid file metadata: %v", o.File, err)
	}
	meta := file.Metadata()
	columns, err := tree(meta.Schema)
	if err != nil {
		return nil, o.corrupt(err)
	}
	appenders, err := o.checkSchema(columns)
	if err != nil {
		return nil, err
	}
	var leaves []string
	for _, c := range columns {
		c.walk(func(*node) { leaves = append(leaves, o.column(c.Name)) })
	}
	for g := range meta.RowGroups {
		chunks := meta.RowGroups[g].Columns
		if len(chunks) != len(leaves) {
			return nil, o.corrupt(fmt.Errorf("row group %d has %d columns of %d", g, len(chunks), len(leaves)))
		}
		for i := range chunks {
			chunk := &chunks[i].MetaData
			if err := o.checkChunk(chunk, leaves[i]); err != nil {
				return nil, err
			}
			if err := o.checkPages(r, chunk, leaves[i]); err != nil {
				return nil, err
			}
		}
	}
	return &Reader{options: o, file: file, columns: columns, appenders: appenders}, nil
}

// guard makes an error of a panic: parquet-go trusts what a footer says more than a file of
// strangers deserves.
func (o *Options) guard(err *error) {
	if p := recover(); p != nil {
		*err = o.corrupt(fmt.Errorf("%v", p))
	}
}

const magic = "PAR1"

// checkMagic looks at both ends of the file, and at the footer's length.
func (o *Options) checkMagic(r io.ReaderAt, size int64) error {
	if size < 12 {
		return o.fail(codeFile, "File '%s' is too small to be a valid Parquet file: it has %d bytes", o.File, size)
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return o.corrupt(err)
	}
	var head [4]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return o.corrupt(err)
	}
	for _, m := range [][]byte{tail[4:], head[:]} {
		if string(m) != magic {
			return o.fail(codeFile, "File '%s' has an invalid version number: %q. Please check that it is a valid Parquet file", o.File, m)
		}
	}
	if length := int64(binary.LittleEndian.Uint32(tail[:])); length > size-12 {
		return o.fail(codeFile, "File '%s' has an incorrect footer length: %d bytes of a file of %d", o.File, length, size)
	}
	return nil
}

// Append adds the next row as PostgreSQL's COPY reads it. The error is io.EOF at the end.
func (r *Reader) Append(dst []byte) (row []byte, err error) {
	defer r.options.guard(&err)
	for r.left == 0 {
		if err := r.nextGroup(); err != nil {
			return dst, err
		}
	}
	r.left--
	for i, add := range r.appenders {
		dst = copytext.AppendField(dst, i)
		if dst, err = add(dst, r.cursors); err != nil {
			return dst, err
		}
	}
	// FILLRECORD: the file has no columns for the rest.
	for i := len(r.appenders); i < len(r.options.Columns); i++ {
		dst = copytext.AppendField(dst, i)
		if dst, err = r.options.null(dst, &r.options.Columns[i]); err != nil {
			return dst, err
		}
	}
	return append(dst, '\n'), nil
}

// nextGroup opens the next row group's columns.
func (r *Reader) nextGroup() error {
	if err := r.closeGroup(); err != nil {
		return err
	}
	groups := r.file.RowGroups()
	if r.group == len(groups) {
		return io.EOF
	}
	group := groups[r.group]
	r.group++
	r.left = group.NumRows()
	for _, chunk := range group.ColumnChunks() {
		r.cursors = append(r.cursors, &cursor{pages: chunk.Pages()})
	}
	return nil
}

func (r *Reader) closeGroup() error {
	var err error
	for _, c := range r.cursors {
		err = errors.Join(err, c.close())
	}
	r.cursors = r.cursors[:0]
	if err != nil {
		return r.options.corrupt(err)
	}
	return nil
}

// Close gives back what is held. It does not close the file.
func (r *Reader) Close() error { return r.closeGroup() }
