package columnar

import (
	"encoding/binary"
	"fmt"

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

// eachListPage is eachPage for lists. A page has whole rows, and so many entries, or those of a row that has more.
func (e *Encoder) eachListPage(entries int, enc format.Encoding, values func(dst []byte, from, to int) ([]byte, error)) error {
	l, at, count := e.lists, 0, int32(0)
	for row := 0; row < len(l.starts)-1; {
		from := l.starts[row]
		for row++; row < len(l.starts)-1 && l.starts[row+1]-from <= entries; row++ {
		}
		to, present := l.starts[row], 0
		for _, d := range l.definition[from:to] {
			if d == element {
				present++
			}
		}
		body, err := appendLevelRuns(e.body[:0], 1, l.repetition[from:to])
		if err == nil {
			body, err = appendLevelRuns(body, 2, l.definition[from:to])
		}
		if err == nil {
			body, err = values(body, at, at+present)
		}
		if err != nil {
			return err
		}
		e.body = body
		at += present
		if err := e.addPage(to-from, enc); err != nil {
			return err
		}
		count++
	}
	e.countPages(enc, count)
	return nil
}

// appendLevelRuns appends levels of so many bits in the form of data pages of version 1.
func appendLevelRuns(dst []byte, bits int, all []byte) ([]byte, error) {
	runs, err := (&rle.Encoding{BitWidth: bits}).EncodeLevels(nil, all)
	if err != nil {
		return nil, fmt.Errorf("levels of lists: %w", err)
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(runs))), runs...), nil
}
