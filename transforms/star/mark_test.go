package star

import (
	"bytes"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestMark: a mark has its version and the row, be it gone, or nothing of one that is long.
func TestMark(t *testing.T) {
	version := pipeline.Version{Time: 7, New: 1, HasOld: true, Ordinal: 3}
	for _, length := range []int{0, 1, markRowBytesMax, markRowBytesMax + 1} {
		r := &lookupRow{hash: pipeline.Hash{Hi: 1, Lo: 2}, row: bytes.Repeat([]byte{1}, length)}
		mark, end := appendMark(nil, &version, r)
		v, row, known := readMark(mark)
		if v != version || known != (length <= markRowBytesMax) {
			t.Errorf("%d bytes: version %+v, the row is known: %v", length, v, known)
		}
		if known && (row.hash != r.hash || !bytes.Equal(row.row, r.row)) {
			t.Errorf("%d bytes: row %v %x", length, row.hash, row.row)
		}
		if v, _, known := readMark(mark[:end]); v != version || known {
			t.Errorf("%d bytes: of the version alone, version %+v, the row is known: %v", length, v, known)
		}
	}
}
