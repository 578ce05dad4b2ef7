package warehouse

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
)

// fold makes one change a key of the settled rows of several epochs, which are added
// in order. The result has, for each key, its last row, and the operation that leads
// from before the first epoch to after the last:
//
//	first \ last  insert   update   delete
//	insert        insert   insert   nothing
//	update        update   update   delete
//	delete        update   update   delete
//
// What a key was before its first row, and is after its last, is all that counts, so
// folding folded rows once more changes nothing. Memory is about 64 bytes and the
// bytes of the key for each key.
type fold struct {
	keys map[string]*keyChange
	rows int64 // that were added
}

// keyChange is what has become of a key.
type keyChange struct {
	existed, exists bool  // before its first row, after its last
	lastRow         int64 // counted from 0 in the order of all rows
}

func newFold() *fold { return &fold{keys: map[string]*keyChange{}} }

// add adds the next row. One that can't follow the row of its key before is an error:
// the rows were not settled.
func (f *fold) add(key []byte, op pipeline.Op) error {
	row := f.rows
	f.rows++
	c, known := f.keys[string(key)]
	if !known {
		c = &keyChange{existed: op != pipeline.OpInsert, exists: op != pipeline.OpInsert}
		f.keys[string(key)] = c
	}
	if c.exists == (op == pipeline.OpInsert) {
		return fmt.Errorf("operation %s of a row that is %s", op, map[bool]string{true: "there", false: "not there"}[c.exists])
	}
	c.exists, c.lastRow = op != pipeline.OpDelete, row
	return nil
}

// noRow marks a row that is not in the result.
const noRow = pipeline.OpUpsert

// ops returns the operation of each row that was added; noRow = it is not in the
// result.
func (f *fold) ops() []pipeline.Op {
	all := make([]pipeline.Op, f.rows)
	for _, c := range f.keys {
		switch {
		case c.existed && c.exists:
			all[c.lastRow] = pipeline.OpUpdate
		case c.existed:
			all[c.lastRow] = pipeline.OpDelete
		case c.exists:
			all[c.lastRow] = pipeline.OpInsert
		}
	}
	return all
}

// appendKey appends bytes that are equal for rows of one key, and for no others. The
// types of the columns are the same for all rows.
func appendKey(dst []byte, columns []arrow.Array, row int) ([]byte, error) {
	for _, column := range columns {
		if column.IsNull(row) {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		switch a := column.(type) {
		case *array.String:
			dst = append(binary.AppendUvarint(dst, uint64(a.ValueLen(row))), a.Value(row)...)
		case *array.Binary:
			dst = append(binary.AppendUvarint(dst, uint64(a.ValueLen(row))), a.Value(row)...)
		case *array.Boolean:
			dst = append(dst, map[bool]byte{true: 1, false: 0}[a.Value(row)])
		case *array.Int64:
			dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value(row)))
		case *array.Float64:
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(a.Value(row)))
		case *array.Date32:
			dst = binary.BigEndian.AppendUint32(dst, uint32(a.Value(row)))
		case *array.Timestamp:
			dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value(row)))
		case *array.Decimal128:
			v := a.Value(row)
			dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(v.HighBits())), v.LowBits())
		default:
			return nil, fmt.Errorf("arrow type %s is not one of the pipeline's", column.DataType())
		}
	}
	return dst, nil
}
