package load

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/klauspost/compress/zstd"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/convert"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/object"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/textfile"
)

// textLoad is a COPY of text files.
type textLoad struct {
	*copier
	convert *convert.Converter
	files   textfile.Options
}

func (c *copier) newTextLoad(ctx context.Context) (*textLoad, error) {
	o, text := c.options, c.options.Text
	if o.Compression == LZOP {
		return nil, failure.Unsupported("COPY with LZOP")
	}
	converter, err := convert.New(o.Columns, convert.Options{
		EmptyAsNull: text.EmptyAsNull, BlanksAsNull: text.BlanksAsNull, TrimBlanks: text.TrimBlanks,
		TruncateColumns: text.TruncateColumns, RoundDecimals: text.RoundDecimals,
		AcceptAnyDate: text.AcceptAnyDate, AcceptInvalid: o.AcceptInvalid, Replacement: o.Replacement,
		DateFormat: text.DateFormat, TimeFormat: text.TimeFormat,
	})
	if err != nil {
		return nil, err
	}
	t := &textLoad{copier: c, convert: converter, files: textfile.Options{
		Delimiter: text.Delimiter, Quote: text.Quote, Null: text.Null, Encoding: text.Encoding, Widths: text.Widths,
		IgnoreHeader: text.IgnoreHeader, IgnoreBlankLines: text.IgnoreBlankLines,
		Escape: text.Escape, RemoveQuotes: text.RemoveQuotes, FillRecord: o.FillRecord,
	}}
	if !text.NullSet {
		t.files.Null = `\N`
	}
	for _, column := range o.Columns {
		t.files.Columns = append(t.files.Columns, column.Name)
	}
	switch o.Format {
	case CSV:
		t.files.Format = textfile.CSV
		t.files.Delimiter, t.files.Quote = orByte(text.Delimiter, ','), orByte(text.Quote, '"')
	case FixedWidth:
		t.files.Format = textfile.FixedWidth
	case JSON:
		t.files.Format = textfile.JSON
		t.files.Paths, err = t.paths(ctx)
	default:
		t.files.Delimiter = orByte(text.Delimiter, '|')
	}
	return t, err
}

func orByte(b, otherwise byte) byte {
	if b == 0 {
		return otherwise
	}
	return b
}

// paths reads the file of JSON paths, if the statement names one.
func (t *textLoad) paths(ctx context.Context) (textfile.Paths, error) {
	word := t.options.Text.JSONPaths
	var file []byte
	if bytes.HasPrefix([]byte(word), []byte("s3://")) {
		at, err := object.Parse(word)
		if err != nil {
			return textfile.Paths{}, err
		}
		body, _, err := t.store.Open(ctx, at)
		if err != nil {
			return textfile.Paths{}, err
		}
		defer body.Close() //nolint:errcheck // it was only read
		if file, err = io.ReadAll(io.LimitReader(body, textfile.MaxRecord)); err != nil {
			return textfile.Paths{}, err
		}
	} else if word != "" && word != "auto" && word != "auto ignorecase" && word != "noshred" {
		return textfile.Paths{}, failure.Invalid("Invalid JSON option %q: it is 'auto', 'auto ignorecase', 'noshred' or the URL of a JSONPaths file", word)
	}
	if word == "noshred" && (len(t.options.Columns) != 1 || t.options.Columns[0].Type.Kind != schema.Super) {
		return textfile.Paths{}, failure.Invalid("JSON 'noshred' loads one column of type SUPER")
	}
	return textfile.PathsOf(word, file, len(t.options.Columns), t.options.Query)
}

// file loads an object.
func (t *textLoad) file(ctx context.Context, s source) error {
	body, size, err := t.store.Open(ctx, s.Path)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	done := FileResult{URL: s.String(), Bytes: size}
	if size == 0 {
		t.result.Files = append(t.result.Files, done)
		return nil // it is no file of its compression either
	}
	content, closer, err := t.plain(body)
	if err == nil {
		defer closer()
		err = t.records(ctx, s, content, &done)
	}
	t.result.Files = append(t.result.Files, done)
	if errors.Is(err, textfile.ErrEncoding) {
		// The rest of the file is skipped, and the load goes on.
		return t.refuse(LoadError{File: s.String(), Line: 1, Code: textfile.CodeEncoding, Reason: err.Error()})
	}
	return t.readable(ctx, err, s)
}

// records loads the records of a file.
func (t *textLoad) records(ctx context.Context, s source, content io.Reader, done *FileResult) error {
	reader, err := textfile.New(content, &t.files)
	if err != nil {
		return err
	}
	var record textfile.Record
	for ctx.Err() == nil {
		err := reader.Read(&record)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		done.Lines++
		if err := t.record(s, &record); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// record adds a row, or a load error.
func (t *textLoad) record(s source, record *textfile.Record) error {
	textfile.CheckCount(record, &t.files)
	if record.Fault != nil {
		return t.refuse(t.loadError(s, record, record.Fault, record.Column))
	}
	start := len(t.rows)
	for i := range t.options.Columns {
		t.rows = copytext.AppendField(t.rows, i)
		if fault := t.value(record, i); fault != nil {
			t.rows = t.rows[:start]
			return t.refuse(t.loadError(s, record, fault, i))
		}
	}
	t.rows = append(t.rows, '\n')
	t.result.Rows++
	return t.flush(flushBytes)
}

// value adds the value of a column.
func (t *textLoad) value(record *textfile.Record, i int) (fault *convert.Fault) {
	if i >= len(record.Fields) {
		t.rows, fault = t.convert.Missing(t.rows, i)
		return fault
	}
	f := &record.Fields[i]
	if f.Null {
		t.rows, fault = t.convert.Null(t.rows, i)
		return fault
	}
	if f.JSON {
		if t.options.Columns[i].Type.Kind == schema.Super {
			t.rows, fault = t.convert.Super(t.rows, f.Value)
			return fault
		}
		value, err := textfile.Scalar(f.Value)
		if err != nil {
			return &convert.Fault{Code: 1216, Reason: err.Error()}
		}
		if t.files.Null != "" && string(value) == t.files.Null {
			t.rows, fault = t.convert.Null(t.rows, i)
			return fault
		}
		f.Value, f.Empty = value, len(value) == 0
	}
	t.rows, fault = t.convert.Field(t.rows, i, f.Value, f.Empty)
	return fault
}

// The longest texts that the tables of load errors keep, in bytes.
const (
	maxRaw    = 1024
	maxReason = 100
)

func (t *textLoad) loadError(s source, record *textfile.Record, fault *convert.Fault, column int) LoadError {
	e := LoadError{
		File: s.String(), Line: record.Line, Code: fault.Code, Position: fault.Position,
		RawLine: clip(record.Raw, maxRaw), Reason: clip([]byte(fault.Reason), maxReason),
	}
	if column >= 0 && column < len(t.options.Columns) {
		c := t.options.Columns[column]
		e.Column, e.Type, e.Length = c.Name, c.Type.Short(), c.Type.LoadLength()
		if column < len(record.Fields) {
			e.RawValue = clip(record.Fields[column].Value, maxRaw)
		}
	}
	return e
}

// clip is a text that a column of a system table can have: valid, without NUL, and cut.
func clip(text []byte, limit int) string {
	text = text[:min(len(text), limit)]
	text = convert.Replace(nil, text, '?')
	return string(bytes.ReplaceAll(text, []byte{0}, []byte("?")))
}

// plain is a file's content without its compression.
func (t *textLoad) plain(body io.Reader) (io.Reader, func(), error) {
	switch t.options.Compression {
	case GZIP:
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, err
		}
		return z, func() {}, nil
	case BZIP2:
		return bzip2.NewReader(body), func() {}, nil
	case ZSTD:
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return body, func() {}, nil
}

// readable tells a file whose compression is broken in the service's words.
func (t *textLoad) readable(ctx context.Context, err error, s source) error {
	var told *pgconn.PgError
	var write writeError
	if err == nil || t.options.Compression == None || errors.As(err, &told) || errors.As(err, &write) || ctx.Err() != nil {
		return err
	}
	return failure.Block{
		Message: fmt.Sprintf("Failed to inflate the file: %v", err), Code: 8001,
		Context: "S3 key being read : " + s.String(), Query: t.options.Query,
		Location: "table_s3_scanner.cpp:354", Process: "query0_30 [pid=17220]",
	}.Error()
}
