package reference

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/scalar"
)

// snapshot is one version of a reference. It is read-only and shared; its
// memory is the garbage collector's.
type snapshot struct {
	version int64
	columns []arrow.Array
	rows    map[string]int32 // by key
	bytes   int64            // that it takes, about
}

// rowBytes is about what an entry of the index takes besides its key.
const rowBytes = 48

// measure adds up what the columns and the index take.
func (s *snapshot) measure() {
	for _, c := range s.columns {
		for _, b := range c.Data().Buffers() {
			if b != nil {
				s.bytes += int64(b.Cap())
			}
		}
	}
	for key := range s.rows {
		s.bytes += int64(len(key)) + rowBytes
	}
}

// normalization says how texts of keys are compared.
type normalization struct{ trim, fold bool }

func (n normalization) some() bool { return n.trim || n.fold }

func (n normalization) text(s string) string {
	if n.trim {
		s = strings.TrimSpace(s)
	}
	if n.fold {
		s = strings.ToLower(strings.ToUpper(s)) // some letters have several small forms
	}
	return s
}

// appendKey appends the key of row i, so that equal keys are equal bytes; null =
// there is a null in it.
func (n normalization) appendKey(dst []byte, columns []arrow.Array, i int) (key []byte, null bool) {
	for _, col := range columns {
		if col.IsNull(i) {
			return dst, true
		}
		if text, ok := col.(*array.String); ok && n.some() {
			dst = packed.AppendBytes(dst, []byte(n.text(text.Value(i))))
			continue
		}
		dst = packed.AppendValue(dst, col, i)
	}
	return dst, false
}

// same reports whether two snapshots of one layout give every row the same match. Rows with a null
// in the key are none.
func (s *snapshot) same(o *snapshot) bool {
	if len(s.rows) != len(o.rows) {
		return false
	}
	var a, b []byte
	for key, i := range s.rows {
		k, there := o.rows[key]
		if !there {
			return false
		}
		if a, b = s.appendRow(a[:0], i), o.appendRow(b[:0], k); !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

// appendRow appends the values of row i, so that equal rows are equal bytes.
func (s *snapshot) appendRow(dst []byte, i int32) []byte {
	for _, c := range s.columns {
		if c.IsNull(int(i)) {
			dst = append(dst, 0)
			continue
		}
		dst = packed.AppendValue(append(dst, 1), c, int(i))
	}
	return dst
}

// A reference is held in memory, and twice while a new version is loaded; its rows are numbered
// by 32 bits.
const (
	bytesMax = 1 << 30
	rowsMax  = 1 << 30
)

// snapshotBuilder collects the rows of a reference while it is read.
type snapshotBuilder struct {
	source    string // its name
	layout    *layout
	builders  []array.Builder
	positions []filePosition // of the rows
	bytes     int64          // of values
	// row is what row i, from 0, is called in a source that has no lines; nil = it is a file.
	row func(i int) string
}

// filePosition is the position of a row or a value in a file. 0 = unknown.
type filePosition struct{ line, column int }

func newSnapshotBuilder(source string, l *layout) *snapshotBuilder {
	r := &snapshotBuilder{source: source, layout: l}
	for _, c := range l.columns {
		r.builders = append(r.builders, array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow()))
	}
	return r
}

// fileError is what is wrong at a place of a file.
type fileError struct {
	path       string
	at         filePosition
	characters bool // that the column counts; else bytes
	message    string
}

// Error implements error.
func (e *fileError) Error() string {
	where := e.path
	if e.at.line > 0 {
		where += fmt.Sprintf(":%d", e.at.line)
	}
	if e.at.column > 0 {
		where += fmt.Sprintf(":%d", e.at.column)
	}
	return where + ": " + e.message
}

// wrong says what is wrong at a place of the file, whose column counts bytes, or in the row that
// is being read.
func (r *snapshotBuilder) wrong(at filePosition, format string, args ...any) error {
	if r.row != nil {
		return fmt.Errorf("%s: %s: %s", r.source, r.row(len(r.positions)), fmt.Sprintf(format, args...))
	}
	return &fileError{path: r.source, at: at, message: fmt.Sprintf(format, args...)}
}

// valueBytes is about what a value takes besides its text.
const valueBytes = 8

// value appends the text of a value to column c.
func (r *snapshotBuilder) value(c int, text []byte, at filePosition) error {
	col := &r.layout.columns[c]
	if r.bytes += int64(len(text)) + valueBytes; r.bytes > bytesMax {
		return r.wrong(at, "the reference has more than %d MB: it is held in memory", bytesMax/1_000_000)
	}
	if col.Type.Base() == pipeline.String && !utf8.Valid(text) {
		return r.wrong(at, "column %s: the text %q is not UTF-8", col.Name, cut(text))
	}
	if reason := scalar.Append(r.builders[c], col.Type, text); reason != "" {
		return r.wrong(at, "column %s (%s): %q %s", col.Name, col.Type, cut(text), reason)
	}
	return nil
}

// cut shortens a value for a message.
func cut(text []byte) string {
	const shownBytesMax = 80
	if len(text) > shownBytesMax {
		return strings.ToValidUTF8(string(text[:shownBytesMax]), "") + "…"
	}
	return string(text)
}

// endRow ends a row.
func (r *snapshotBuilder) endRow(at filePosition) error {
	if len(r.positions) == rowsMax {
		return r.wrong(at, "more than %d rows", rowsMax)
	}
	r.positions = append(r.positions, at)
	return nil
}

// finish indexes the rows. A repeated key is a mistake.
func (r *snapshotBuilder) finish(n normalization) (*snapshot, error) {
	s := &snapshot{rows: make(map[string]int32, len(r.positions))}
	for _, b := range r.builders {
		s.columns = append(s.columns, b.NewArray())
	}
	keys := s.columns[:r.layout.key]
	var key []byte
	for i := range r.positions {
		var null bool
		if key, null = n.appendKey(key[:0], keys, i); null {
			continue
		}
		if first, twice := s.rows[string(key)]; twice {
			return nil, r.repeatedKeyError(keys, i, int(first), n)
		}
		s.rows[string(key)] = int32(i)
	}
	s.measure()
	return s, nil
}

// repeatedKeyError says which key is there twice: in row i, and in the first one.
func (r *snapshotBuilder) repeatedKeyError(keys []arrow.Array, i, first int, n normalization) error {
	var parts []string
	for c, col := range keys {
		parts = append(parts, fmt.Sprintf("%s = %q", r.layout.columns[c].Name, cut([]byte(col.ValueStr(i)))))
	}
	as := ""
	if n.some() {
		as = ", normalized as the pipeline file says"
	}
	message := fmt.Sprintf("the key %s is repeated%s: it is ", strings.Join(parts, ", "), as)
	if r.row != nil {
		return fmt.Errorf("%s: %s: %sin %s already", r.source, r.row(i), message, r.row(first))
	}
	return &fileError{path: r.source, at: r.positions[i], message: fmt.Sprintf("%son line %d already", message, r.positions[first].line)}
}

// typeOf returns the type that a column is to have.
func (r *snapshotBuilder) typeOf(c int) pipeline.Type { return r.layout.columns[c].Type }
