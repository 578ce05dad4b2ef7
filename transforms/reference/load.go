package reference

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/charset"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// format is how a file is written.
type format struct {
	name      string
	delimiter rune // of CSV
	read      func(ctx context.Context, f *format, r *snapshotBuilder, file blob.Object) error
}

var formats = map[string]format{
	"csv":     {name: "csv", read: readCSV},
	"ndjson":  {name: "ndjson", read: readNDJSON},
	"parquet": {name: "parquet", read: readParquet},
}

var byExtension = map[string]string{".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".parquet": "parquet"}

// loadFile reads a file.
func (j *Join) loadFile(ctx context.Context, path string, f *format, o blob.Object) (*snapshot, error) {
	r := newSnapshotBuilder(path, &j.layout)
	if size := o.Info().Size; size > bytesMax {
		return nil, r.wrong(filePosition{}, "the file has %d MB, and a reference may have %d: it is held in memory", size/1e6, bytesMax/1_000_000)
	}
	if err := f.read(ctx, f, r, o); err != nil {
		return nil, inCharacters(err, o)
	}
	return r.finish(j.normalize)
}

// inCharacters counts the column of a mistake in characters, as editors do, where
// the one who found it counted bytes.
func inCharacters(err error, file blob.Object) error {
	var bad *fileError
	if !errors.As(err, &bad) || bad.at.column <= 1 || bad.characters {
		return err
	}
	column, readErr := charset.Column(io.NewSectionReader(file, 0, file.Info().Size), bad.at.line, bad.at.column)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	bad.at.column, bad.characters = column, true
	return err
}

// find returns where in a file's columns those of the layout are. hint, where it
// says something, is what to do when one is not there.
func (r *snapshotBuilder) find(names []string, at filePosition, hint string) ([]int, error) {
	where := make([]int, len(r.layout.columns))
	for i, c := range r.layout.columns {
		where[i] = slices.Index(names, c.Name)
		if where[i] >= 0 {
			continue
		}
		if like := spec.Suggest(c.Name, names); hint == "" && like != "" {
			hint = fmt.Sprintf("did you mean %q?", like)
		}
		if hint != "" {
			hint = ": " + hint
		}
		return nil, r.wrong(at, "there is no column %q; there are %s%s", c.Name, listed(names), hint)
	}
	return where, nil
}

// listedNamesMax bounds the names in a message.
const listedNamesMax = 30

// listed quotes names, so that spaces at their ends are seen.
func listed(names []string) string {
	quoted := make([]string, min(len(names), listedNamesMax))
	for i := range quoted {
		quoted[i] = strconv.Quote(cut([]byte(names[i])))
	}
	if more := len(names) - len(quoted); more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(quoted, ", ")
}

// lineBytesMax bounds a line of JSON.
const lineBytesMax = 16 << 20

func readNDJSON(ctx context.Context, _ *format, r *snapshotBuilder, file blob.Object) (err error) {
	in, err := r.utf8Text(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	paths := make([]decode.Path, len(r.layout.columns))
	for i, c := range r.layout.columns {
		paths[i] = decode.Path{{Name: c.Name}}
	}
	decoder := decode.NewDecoder(&pipeline.Format{Encoding: pipeline.JSON}, decode.Options{New: decode.NewProjection(paths, false)})
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), lineBytesMax)
	var rec decode.Record
	seen := make([]bool, len(paths))
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := decoder.Decode(lines.Bytes(), &rec); err != nil {
			if !utf8.Valid(lines.Bytes()) {
				return r.notUTF8(file)
			}
			return r.jsonError(err, n)
		}
		if err := r.object(lines.Bytes(), rec.New, n, seen); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return r.wrong(filePosition{line: n + 1}, "the line has more than %d bytes", lineBytesMax)
		}
		return fmt.Errorf("%s: %w", r.source, err)
	}
	for c, found := range seen {
		if !found && n > 0 {
			return r.wrong(filePosition{}, "no object has %q", r.layout.columns[c].Name)
		}
	}
	return nil
}

func (r *snapshotBuilder) jsonError(err error, line int) error {
	var bad *decode.Error
	if errors.As(err, &bad) {
		return r.wrong(filePosition{line, bad.Offset + 1}, "%s", bad.Message)
	}
	return fmt.Errorf("%s:%d: %w", r.source, line, err)
}

// object appends the row of a JSON object.
func (r *snapshotBuilder) object(line []byte, values []decode.Value, n int, seen []bool) error {
	for c, v := range values {
		at := filePosition{n, int(v.Start) + 1}
		seen[c] = seen[c] || v.Kind != decode.Missing
		switch v.Kind {
		case decode.Missing, decode.Null:
			r.builders[c].AppendNull()
			continue
		case decode.String, decode.Number, decode.Bool:
		default:
			return r.wrong(at, "column %s: a %s is no value of a column", r.layout.columns[c].Name, v.Kind)
		}
		text := v.Raw(line)
		if v.Escaped {
			var err error
			if text, err = decode.AppendText(nil, line, v); err != nil {
				return r.wrong(at, "%v", err)
			}
		}
		if err := r.value(c, text, at); err != nil {
			return err
		}
	}
	return r.endRow(filePosition{line: n})
}
