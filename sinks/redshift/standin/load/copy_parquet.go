package load

import (
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/object"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/parquetfile"
)

// parquetFile loads an object of the format Parquet. It is read to a temporary file first:
// the footer stands at its end, and every page is looked at before the first value.
func (c *copier) parquetFile(ctx context.Context, s source) (err error) {
	body, size, err := c.store.Open(ctx, s.Path)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if s.entry != nil {
		if err := s.entry.CheckColumnar(size, c.options.Query); err != nil {
			return err
		}
	}
	o := c.columnar(s.Path)
	content, err := whole(body, s.Key)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(c.loader.options.TempDir, "standin-*.parquet")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	length, err := io.Copy(file, content)
	if err != nil {
		return fmt.Errorf("object %s: %w", s.Path, err)
	}
	reader, err := parquetfile.Open(file, length, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	done := FileResult{URL: s.String(), Bytes: size}
	defer func() { c.result.Files = append(c.result.Files, done) }()
	for ctx.Err() == nil {
		if c.rows, err = reader.Append(c.rows); err == io.EOF {
			return nil
		}
		if err != nil {
			c.note(err, s, done.Lines+1)
			return err
		}
		done.Lines++
		c.result.Rows++
		if err := c.flush(flushBytes); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// note keeps what is wrong with a row, if it is known to reach the tables of load errors.
func (c *copier) note(err error, s source, row int64) {
	var long *parquetfile.LengthError
	if !errors.As(err, &long) {
		return
	}
	c.result.Failed++
	c.result.Errors = append(c.result.Errors, LoadError{
		File: s.String(), Line: row, Column: long.Column.Name, Type: long.Column.Type.Short(), Length: long.Column.Type.LoadLength(),
		RawValue: clip(long.Value, maxRaw), Code: long.Code, Reason: clip([]byte(long.Reason), maxReason),
	})
}

func (c *copier) columnar(at object.Path) *parquetfile.Options {
	o := c.options
	return &parquetfile.Options{
		Columns: o.Columns, Query: o.Query, Location: o.Source,
		File:       c.fileName(at),
		FillRecord: o.FillRecord, SerializeToJSON: o.SerializeToJSON,
		AcceptInvalid: o.AcceptInvalid, Replacement: o.Replacement, PageV2: c.loader.options.PageV2,
	}
}

// whole takes off the compression of a whole file, which its extension tells
// (dg/copy-usage_notes-copy-from-columnar).
func whole(body io.Reader, key string) (io.Reader, error) {
	switch path.Ext(key) {
	case ".gz":
		return gzip.NewReader(body)
	case ".bz2":
		return bzip2.NewReader(body), nil
	case ".snappy":
		return nil, failure.Unsupported("COPY of Parquet files whose names end in .snappy, which are compressed as a whole,")
	}
	return body, nil
}
