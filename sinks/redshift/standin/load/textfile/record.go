package textfile

import (
	"errors"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/convert"
)

// MaxRecord is how many bytes a record may have.
const MaxRecord = 4 << 20

// The codes of load errors that are about records (dg/r_Load_Error_Reference).
const (
	codeExtra     = 1202
	codeFewer     = 1203
	codeDelimiter = 1214
	codeLine      = 1216
	// CodeEncoding is of a file whose encoding is not that which ENCODING says.
	CodeEncoding = 1221
)

// ErrEncoding is a file in another encoding than the one that was said.
var ErrEncoding = errors.New("the file's encoding is not that of the parameter ENCODING")

// Record is a row of a file, or what should have been one. Its memory is the Reader's and
// changes with the next record.
type Record struct {
	Line   int64 // at which it begins, from 1
	Raw    []byte
	Fields []Field
	// Fault is what is wrong with the record as a whole; Column is where, or -1.
	Fault  *convert.Fault
	Column int
}

// Field is a field of a record.
type Field struct {
	Value []byte
	Null  bool
	// Empty tells that there was nothing in the file, not even quotes.
	Empty bool
	// JSON tells that Value is a JSON text as it stood in the file.
	JSON bool
}

// Reader reads records. The error is io.EOF at the end, ErrEncoding, or the file's own.
type Reader interface {
	Read(*Record) error
}

func (r *Record) fail(code int, reason string, column int) {
	r.Fault, r.Column = &convert.Fault{Code: code, Reason: reason}, column
}

func (r *Record) reset(line int64) {
	*r = Record{Line: line, Fields: r.Fields[:0], Column: -1}
}
