package reference

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/charset"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func readCSV(ctx context.Context, f *format, r *snapshotBuilder, file blob.Object) (err error) {
	in, err := r.utf8Text(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	lines := csv.NewReader(in)
	lines.Comma, lines.ReuseRecord = f.delimiter, true
	fields, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return r.wrong(filePosition{}, "the file is empty: its first line must name the columns")
	}
	if err == nil && !valid(fields) {
		return r.notUTF8(file)
	}
	if err != nil {
		return r.csvError(lines, fields, err)
	}
	where, err := r.header(lines, fields)
	if err != nil {
		return err
	}
	for {
		fields, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case !valid(fields):
			return r.notUTF8(file)
		case err != nil:
			return r.csvError(lines, fields, err)
		}
		if err := r.csvRow(lines, fields, where); err != nil {
			return err
		}
	}
}

// header returns where in a line the columns of the layout are.
func (r *snapshotBuilder) header(lines *csv.Reader, names []string) ([]int, error) {
	first := map[string]int{}
	for i, name := range names {
		if other, twice := first[name]; twice && name != "" { // what has no name can't be meant
			line, column := lines.FieldPos(i)
			return nil, r.wrong(filePosition{line, column}, "the header names %q twice: fields %d and %d; give one of them another name, or remove it", name, other+1, i+1)
		}
		first[name] = i
	}
	return r.find(names, filePosition{line: 1}, headerHint(names))
}

// headerHint says what may be wrong with a header that lacks a column.
func headerHint(names []string) string {
	switch {
	case strings.HasPrefix(names[0], "sep="):
		return "remove the first line, which is for Excel alone, and give the delimiter in the pipeline file"
	case slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "\r") }):
		return `the lines end with carriage returns alone: save the file with \n or \r\n at the end of each line`
	case len(names) > 1:
		return ""
	}
	for _, other := range ";\t|," {
		if strings.ContainsRune(names[0], other) {
			return fmt.Sprintf("if the fields stand between %q, write delimiter: %q", other, string(other))
		}
	}
	return ""
}

func (r *snapshotBuilder) csvRow(lines *csv.Reader, fields []string, where []int) error {
	for c, i := range where {
		if fields[i] == "" {
			r.builders[c].AppendNull()
			continue
		}
		line, column := lines.FieldPos(i)
		if err := r.value(c, []byte(fields[i]), filePosition{line, column}); err != nil {
			return err
		}
	}
	line, _ := lines.FieldPos(0)
	return r.endRow(filePosition{line: line})
}

// csvError says what the parser found, in words of those who write CSV. fields are
// what it read of the line.
func (r *snapshotBuilder) csvError(lines *csv.Reader, fields []string, err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", r.source, err)
	}
	at := filePosition{parse.Line, parse.Column}
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		want := lines.FieldsPerRecord
		at.line, at.column = lines.FieldPos(min(want, len(fields)-1))
		hint := "leave a field empty for a null, but keep the delimiter"
		if len(fields) > want {
			hint = fmt.Sprintf("put a field that holds %q in quotes", lines.Comma)
		}
		return r.wrong(at, "the line has %s, and the header has %d: %s", spec.Count(len(fields), "field"), want, hint)
	case errors.Is(err, csv.ErrBareQuote):
		return r.wrong(at, `a quote stands inside a field that does not begin with one: put the whole field in quotes, and write "" for a quote in it`)
	case errors.Is(err, csv.ErrQuote) && parse.StartLine < parse.Line:
		return r.wrong(at, `a field in quotes is not closed, or goes on behind its closing quote; its row begins at line %d: write "" for a quote inside a field`, parse.StartLine)
	case errors.Is(err, csv.ErrQuote):
		return r.wrong(at, `a field in quotes is not closed, or goes on behind its closing quote: write "" for a quote inside a field`)
	}
	return r.wrong(at, "%v", parse.Err)
}

func valid(fields []string) bool {
	for _, f := range fields {
		if !utf8.ValidString(f) {
			return false
		}
	}
	return true
}

// utf8Text returns the text of a file behind its byte order mark. A file that begins
// as other encodings do is refused.
func (r *snapshotBuilder) utf8Text(ctx context.Context, file blob.Object) (io.ReadCloser, error) {
	first := make([]byte, 4)
	n, err := file.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", r.source, err)
	}
	if packed := compression(first[:n]); packed != "" {
		return nil, r.wrong(filePosition{1, 1}, "the file is compressed with %s: unpack it", packed)
	}
	if other := charset.Other(first[:n]); other != "" {
		return nil, r.wrong(filePosition{1, 1}, "the file is %s: save it as UTF-8", other)
	}
	from := 0
	if strings.HasPrefix(string(first[:n]), charset.Mark) {
		from = len(charset.Mark)
	}
	text, err := file.Range(ctx, int64(from), -1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.source, err)
	}
	return text, nil
}

// compression names how a file is compressed by its first bytes; empty = it is not.
func compression(first []byte) string {
	switch {
	case bytes.HasPrefix(first, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(first, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	case bytes.HasPrefix(first, []byte("BZh")) && len(first) > 3 && '1' <= first[3] && first[3] <= '9':
		return "bzip2"
	}
	return ""
}

// notUTF8 says where a file is not UTF-8.
func (r *snapshotBuilder) notUTF8(file blob.Object) error {
	b, at, found, err := charset.Invalid(io.NewSectionReader(file, 0, file.Info().Size))
	if err != nil || !found {
		return fmt.Errorf("%s: not UTF-8: %w", r.source, errors.Join(errUnstable, err))
	}
	return &fileError{path: r.source, at: filePosition{at.Line, at.Column}, characters: true,
		message: fmt.Sprintf("the byte 0x%02x is not UTF-8: save the file as UTF-8 (it may be in Windows-1252 or ISO 8859-1)", b)}
}
