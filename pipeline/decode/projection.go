package decode

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
)

var errTODO = errors.New("todo")

// Step is one step of a Path: a name in a map, or an index in a list.
type Step struct {
	Name    string
	Index   int
	IsIndex bool
}

// Path is a DynamoDB document path. The empty path is the value itself.
type Path []Step

// ParsePath reads a document path: names with dots and [n].
func ParsePath(s string) (Path, error) { return nil, errTODO }

// Projection is a set of wanted paths, compiled. It is read-only and shared.
type Projection struct{}

// NewProjection compiles paths; the i-th slot of a scan belongs to paths[i].
// typed says that values are DynamoDB JSON ({"S": …}), else plain JSON.
func NewProjection(paths []Path, typed bool) *Projection { return &Projection{} }

// Len returns the number of slots.
func (p *Projection) Len() int { return 0 }

// ScanList calls each for every element of a List or set value of rec, in
// order, with the slots of the paths relative to the element.
func (p *Projection) ScanList(rec []byte, list Value, each func(i int, slots []Value) error) error {
	return errTODO
}

// AppendText appends the plain text of a String, Number or Bool.
func AppendText(dst, rec []byte, v Value) ([]byte, error) { return nil, errTODO }

// AppendBytes appends the bytes of a Binary.
func AppendBytes(dst, rec []byte, v Value) ([]byte, error) { return nil, errTODO }

// AppendJSON appends the value as plain JSON: numbers digit for digit, sets as
// sorted arrays, binaries as base64 text. typed as in NewProjection.
func AppendJSON(dst, rec []byte, v Value, typed bool) ([]byte, error) { return nil, errTODO }

// Decoder decodes the records of one format. One goroutine uses it.
type Decoder struct{}

// NewDecoder returns a decoder.
func NewDecoder(f *pipeline.Format, o Options) *Decoder { return &Decoder{} }

// Decode decodes one record. ordinal is its number in its partition, from 0:
// the version of plain JSON records that carry none. An *Error says what is
// wrong with the record, and where.
func (d *Decoder) Decode(rec []byte, ordinal int64, r *Record) error { return errTODO }

// Error is a mistake in a record.
type Error struct {
	Offset  int // byte in the record, from 0
	Message string
}

// Error returns the message with its place.
func (e *Error) Error() string { return e.Message }
