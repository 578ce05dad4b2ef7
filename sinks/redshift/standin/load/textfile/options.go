package textfile

import (
	"bufio"
	"fmt"
	"io"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// Format is one of the text formats.
type Format uint8

// The text formats.
const (
	Delimited Format = iota
	CSV
	FixedWidth
	JSON
)

// Options say how a file is read; see COPY's.
type Options struct {
	Format               Format
	Delimiter, Quote     byte
	Null                 string
	Encoding             string
	Widths               []int
	IgnoreHeader         int
	IgnoreBlankLines     bool
	Escape, RemoveQuotes bool
	FillRecord           bool
	// Columns are the names of the columns, in the order of the fields.
	Columns []string
	// Paths are of JSON.
	Paths Paths
}

// New returns a reader of a file's content, which is not compressed any more. The error is
// a *pgconn.PgError about the options, or as a Reader's.
func New(r io.Reader, o *Options) (Reader, error) {
	decoded, err := decode(r, o.Encoding)
	if err != nil {
		return nil, err
	}
	l := &lines{r: bufio.NewReaderSize(decoded, 64<<10), line: 1}
	base := base{lines: l, options: o, nulByte: o.Null == "\x00" || o.Null == `\0` || o.Null == `\000`}
	switch o.Format {
	case JSON:
		if err := l.skip(o.IgnoreHeader); err != nil {
			return nil, err
		}
		return &jsonReader{lines: l, options: o}, nil
	case FixedWidth:
		if len(o.Widths) != len(o.Columns) {
			return nil, failure.Invalid("FIXEDWIDTH has %d columns, and %d are loaded", len(o.Widths), len(o.Columns))
		}
		return &fixedReader{base: base}, l.skip(o.IgnoreHeader)
	case CSV:
		c := &csvReader{base: base}
		var header Record
		for range o.IgnoreHeader {
			if err := c.Read(&header); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
		}
		return c, nil
	case Delimited:
		return &delimitedReader{base: base}, l.skip(o.IgnoreHeader)
	}
	return nil, fmt.Errorf("text format %d is not known", o.Format)
}

// base is what readers of lines have in common.
type base struct {
	lines   *lines
	options *Options
	nulByte bool // NULL AS is the byte 0
}

// isNull tells whether a field is the text that NULL AS says.
func (b *base) isNull(field []byte) bool {
	if b.nulByte {
		return len(field) == 1 && field[0] == 0
	}
	return string(field) == b.options.Null
}
