package postgres

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// arrayHeader is the length of what an array begins with in the binary format: the number of its
// dimensions, whether there are nulls, the type of its elements, and how many there are, from
// which number on. Each element is its length and its bytes, as in COPY. One without elements has no
// dimension, and ends behind the type.
const (
	arrayHeader = 20
	emptyArray  = 12
)

// appendArrayHeader begins an array of n elements, which is not empty.
func appendArrayHeader(dst []byte, oid uint32, n int, nulls bool) []byte {
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 0)
	if nulls {
		dst[len(dst)-1] = 1
	}
	dst = binary.BigEndian.AppendUint32(dst, oid)
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	return append(dst, 0, 0, 0, 1)
}

// list returns the cell of a column of lists.
func list(t pipeline.Type, column *array.String) (cell, error) {
	of, err := arrayTypeOf(sqlType(t.Element()))
	if err != nil {
		return nil, err
	}
	lists, err := scalar.ReadLists(t, column)
	if err != nil {
		return nil, err
	}
	// The values are Go memory, and stay for as long as the cell.
	element, err := cellOf(t.Element(), lists.Values)
	if err != nil {
		return nil, fmt.Errorf("elements of the lists: %w", err)
	}
	return func(dst []byte, row int) []byte {
		from, to := int(lists.Offsets[row]), int(lists.Offsets[row+1])
		if from == to {
			dst = append(appendLength(dst, emptyArray), 0, 0, 0, 0, 0, 0, 0, 0)
			return binary.BigEndian.AppendUint32(dst, of.oid)
		}
		at, nulls := len(dst), false
		for i := from; i < to && !nulls; i++ {
			nulls = lists.Values.IsNull(i)
		}
		dst = appendArrayHeader(append(dst, 0, 0, 0, 0), of.oid, to-from, nulls)
		for i := from; i < to; i++ {
			dst = element(dst, i)
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		return dst
	}, nil
}

// hasOtherArrays reports whether a table has, or may have, an array of another type of texts than its rows: COPY
// takes only the type that an array says it is of, and statements convert it.
func hasOtherArrays(s *warehouse.StagedTable, found warehouse.Columns) bool {
	for i, t := range s.Types {
		element, isArray := strings.CutSuffix(t, arraySuffix)
		have := strings.TrimSuffix(found[s.Columns[i]].Type, arraySuffix)
		if isArray && isText(element) && withoutArguments(have) != withoutArguments(element) {
			return true
		}
	}
	return false
}
