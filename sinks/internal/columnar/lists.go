package columnar

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/scalar"
)

// levels are those of a chunk of lists: an entry for each element, and for each row without one.
type levels struct {
	repetition []byte // whether the entry goes on with the row before
	definition []byte
	starts     []int // the entry that each row begins with, and the end of all
}

// The definition levels of a list.
const (
	nullList byte = iota
	emptyList
	nullElement
	element
)

// add adds the rows of an array, whose lists have been taken apart.
func (l *levels) add(column arrow.Array, lists *scalar.Lists) {
	for row := range column.Len() {
		l.starts = append(l.starts, len(l.definition))
		from, to := lists.Offsets[row], lists.Offsets[row+1]
		if from == to {
			level := emptyList
			if column.IsNull(row) {
				level = nullList
			}
			l.repetition, l.definition = append(l.repetition, 0), append(l.definition, level)
		}
		for i := from; i < to; i++ {
			level, repeated := element, byte(1)
			if i == from {
				repeated = 0
			}
			if lists.Values.IsNull(int(i)) {
				level = nullElement
			}
			l.repetition, l.definition = append(l.repetition, repeated), append(l.definition, level)
		}
	}
}

// listColumn encodes e.arrays, which are lists, as one chunk.
func (e *Encoder) listColumn(c pipeline.Column, meta *format.ColumnMetaData) error {
	e.lists = &levels{}
	values := make([]arrow.Array, len(e.arrays))
	defer func() {
		e.lists = nil
		for _, v := range values {
			if v != nil {
				v.Release()
			}
		}
	}()
	for i, a := range e.arrays {
		lists, err := scalar.ReadLists(c.Type, a.(*array.String))
		if err != nil {
			return err
		}
		values[i] = lists.Values
		e.lists.add(a, lists)
	}
	e.lists.starts = append(e.lists.starts, len(e.lists.definition))
	e.arrays = append(e.arrays[:0], values...)
	if err := e.column(c.Type.Element(), meta); err != nil {
		return err
	}
	meta.NumValues = int64(len(e.lists.definition))
	meta.Statistics.NullCount = meta.NumValues - int64(e.valid.rows-e.valid.nulls)
	return nil
}

// count implements entries.
func (l *levels) count() int { return len(l.definition) }

// pageEnd implements entries. A page has whole rows: so many entries, or those of a row that has more.
func (l *levels) pageEnd(from, most int) int {
	next, _ := slices.BinarySearch(l.starts, from+most+1)
	if end := l.starts[next-1]; end > from {
		return end
	}
	return l.starts[next]
}

// appendLevels implements entries.
func (l *levels) appendLevels(dst []byte, from, to int) (_ []byte, present int, err error) {
	for _, d := range l.definition[from:to] {
		if d == element {
			present++
		}
	}
	if dst, err = appendLevelRuns(dst, 1, l.repetition[from:to]); err == nil {
		dst, err = appendLevelRuns(dst, 2, l.definition[from:to])
	}
	return dst, present, err
}

// appendLevelRuns appends levels of so many bits in the form of data pages of version 1.
func appendLevelRuns(dst []byte, bits int, all []byte) ([]byte, error) {
	runs, err := (&rle.Encoding{BitWidth: bits}).EncodeLevels(nil, all)
	if err != nil {
		return nil, fmt.Errorf("levels of lists: %w", err)
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(runs))), runs...), nil
}
