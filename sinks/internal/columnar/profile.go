package columnar

import (
	"math"

	"github.com/starlift-etl/starlift/pipeline"
)

// Profile is the kind of reader that a file is for, where not all of them take the same.
type Profile uint8

const (
	// Lake is for engines that query files where they lie. A decimal of up to 18 digits is an
	// INT64, and a longer one 16 bytes; a timestamp is local, as it is in the pipeline; a
	// document is annotated as JSON; a list is one.
	Lake Profile = iota
	// Copy is for COPY into Amazon Redshift, whose scanner compares physical types and no
	// names. Each decimal has as few bytes as its precision needs, and no other number of them
	// is taken. A timestamp is one of UTC, since without it writers leave out the converted type by
	// which the scanner knows a timestamp from a number; a document and a list are texts, for a VARCHAR
	// (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html,
	// https://github.com/apache/arrow/issues/38000, https://github.com/G-Research/ParquetSharp/issues/252).
	Copy
)

const (
	// maxInt64Digits is the longest decimal that is stored as INT64.
	maxInt64Digits = 18
	// wideBytes is the length of longer ones.
	wideBytes = 16
)

// isList reports whether a column is a list in the file, and not the text of one.
func (p Profile) isList(t pipeline.Type) bool { return p == Lake && t.Kind == pipeline.List }

// decimalBytes returns how many bytes store a decimal of the type; 0 = it is an INT64.
func (p Profile) decimalBytes(t pipeline.Type) int {
	switch {
	case p == Copy:
		return leastBytes(t.Precision)
	case t.Precision <= maxInt64Digits:
		return 0
	}
	return wideBytes
}

// leastBytes returns how many bytes hold every number of so many digits, in two's complement.
func leastBytes(digits int32) int {
	// No power of ten is one of two, so this is the length of 10^digits. One bit more is the sign.
	bits := int(float64(digits)*math.Log2(10)) + 1
	return (bits + 1 + 7) / 8
}
