package columnar

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
)

// RowGroup is an encoded row group. Offsets in Meta count from the start of Data.
type RowGroup struct {
	Data []byte
	Meta format.RowGroup
}

// Encoder turns records of one schema into row groups. One goroutine uses it.
type Encoder struct {
	columns []pipeline.Column
	profile Profile
	pages   *pages

	valid   validity
	dict    dict
	words   []uint64
	halves  []int32 // days, or integers
	plain   []byte  // truth values, a byte each, or decimals
	indexes []byte
	body    []byte
	arrays  []arrow.Array
	lists   *levels // of the column's lists; nil = it has none
}

// released holds encoders, for the memory that they have.
var released sync.Pool

// NewEncoder returns an encoder for records with these columns.
func NewEncoder(columns []pipeline.Column, profile Profile, codec Codec) (*Encoder, error) {
	e, ok := released.Get().(*Encoder)
	if !ok {
		e = &Encoder{pages: newPages()}
	}
	e.columns, e.profile = columns, profile
	if err := e.pages.setCodec(codec); err != nil {
		return nil, err
	}
	return e, nil
}

// Release gives the encoder's memory to those that are made next: it may not be used any more.
func (e *Encoder) Release() {
	clear(e.arrays[:cap(e.arrays)])
	e.columns, e.pages.meta = nil, nil
	released.Put(e)
}

// Encode returns the records' rows as one row group. Its Data is the encoder's
// own, until the next call. A record that does not have the encoder's columns
// is an error.
func (e *Encoder) Encode(records []arrow.Record) (_ *RowGroup, err error) {
	rows := int64(0)
	for _, r := range records {
		if err := check(e.columns, r); err != nil {
			return nil, err
		}
		rows += r.NumRows()
	}
	e.pages.out = e.pages.out[:0]
	rg := &RowGroup{Meta: format.RowGroup{NumRows: rows, Columns: make([]format.ColumnChunk, len(e.columns))}}
	for i, c := range e.columns {
		e.arrays = e.arrays[:0]
		for _, r := range records {
			e.arrays = append(e.arrays, r.Column(i))
		}
		meta := &rg.Meta.Columns[i].MetaData
		meta.Type = e.profile.physical(c.Type)
		meta.PathInSchema = e.profile.path(c)
		meta.NumValues = rows
		meta.DataPageOffset = noOffset
		meta.Encoding = thrift.Slice[format.Encoding]{format.Plain, format.RLE}
		e.pages.start(meta)
		if e.profile.isList(c.Type) {
			err = e.listColumn(c, meta)
		} else {
			err = e.column(c.Type, meta)
		}
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		rg.Meta.TotalByteSize += meta.TotalUncompressedSize
		rg.Meta.TotalCompressedSize += meta.TotalCompressedSize
	}
	rg.Data = e.pages.out
	return rg, nil
}

// column encodes e.arrays, which are values of a type, as one chunk.
func (e *Encoder) column(t pipeline.Type, meta *format.ColumnMetaData) (err error) {
	e.valid.reset(e.arrays)
	meta.Statistics.NullCount = int64(e.valid.nulls)
	switch meta.Type {
	case format.Int64, format.Double:
		return e.wordColumn(meta)
	case format.Int32:
		if e.halves, err = halves(e.halves[:0], e.arrays); err != nil {
			return err
		}
		halfBounds(&meta.Statistics, e.halves)
		return e.fixedColumn(bytesOf(e.halves), 4)
	case format.FixedLenByteArray:
		return e.decimalColumn(meta, e.profile.decimalBytes(t))
	case format.Boolean:
		return e.boolColumn(meta)
	default:
		return e.textColumn(meta, t.Base() != pipeline.Binary)
	}
}

func (e *Encoder) wordColumn(meta *format.ColumnMetaData) (err error) {
	if e.words, err = words(e.words[:0], e.arrays); err != nil {
		return err
	}
	bounds := wordBounds
	if meta.Type == format.Double {
		bounds = doubleBounds
	}
	if e.wordDict() {
		bounds(&meta.Statistics, e.dict.words)
		return e.dictColumn(meta, len(e.dict.words), e.dict.plain)
	}
	bounds(&meta.Statistics, e.words)
	return e.fixedColumn(bytesOf(e.words), 8)
}

// decimalColumn encodes decimals as size bytes each. Those of up to eight may get a dictionary;
// they have no bounds, as longer ones have none: readers disagree about their order.
func (e *Encoder) decimalColumn(meta *format.ColumnMetaData, size int) (err error) {
	if size > 8 {
		if e.plain, err = wides(e.plain[:0], e.arrays, size); err != nil {
			return err
		}
		return e.fixedColumn(e.plain, size)
	}
	if e.words, err = words(e.words[:0], e.arrays); err != nil {
		return err
	}
	values, isDict := e.words, e.wordDict()
	if isDict {
		values = e.dict.words
	}
	if e.plain, err = appendShort(e.plain[:0], values, size); err != nil {
		return err
	}
	if isDict {
		return e.dictColumn(meta, len(values), e.plain)
	}
	return e.fixedColumn(e.plain, size)
}

// wordDict fills the dictionary from e.words and reports whether it pays.
func (e *Encoder) wordDict() bool {
	if len(e.words) < dictRowsMin {
		return false
	}
	e.dict.reset()
	for _, w := range e.words {
		if !e.dict.addWord(w) {
			return false
		}
	}
	return 2*len(e.dict.words) <= len(e.words)
}

// fixedColumn writes PLAIN pages of values that are size bytes each.
func (e *Encoder) fixedColumn(values []byte, size int) error {
	return e.eachPage(min(pageRowsMax, pageBytes/size), format.Plain, func(dst []byte, from, to int) ([]byte, error) {
		return append(dst, values[from*size:to*size]...), nil
	})
}

func (e *Encoder) boolColumn(meta *format.ColumnMetaData) error {
	e.plain = bools(e.plain[:0], e.arrays)
	values := e.plain
	if len(values) > 0 {
		b := byteBounds{}
		for i := range values {
			b.add(values[i : i+1])
		}
		b.put(&meta.Statistics)
	}
	return e.eachPage(pageRowsMax, format.Plain, func(dst []byte, from, to int) ([]byte, error) {
		for ; from < to; from += 8 {
			packed := byte(0)
			for i, v := range values[from:min(from+8, to)] {
				packed |= v << i
			}
			dst = append(dst, packed)
		}
		return dst, nil
	})
}

func (e *Encoder) textColumn(meta *format.ColumnMetaData, bounded bool) error {
	arrays, err := textsOf(e.arrays)
	if err != nil {
		return err
	}
	bounds := byteBounds{}
	defer func() {
		if bounded {
			bounds.put(&meta.Statistics)
		}
	}()
	if e.valid.rows-e.valid.nulls >= dictRowsMin && e.textDict(arrays) {
		for i := range e.dict.starts {
			bounds.add(e.dict.entry(i))
		}
		return e.dictColumn(meta, len(e.dict.starts), e.dict.plain)
	}
	bytes := 0
	for _, a := range arrays {
		bytes += int(a.offsets[a.rows()] - a.offsets[0])
	}
	rows := min(pageRowsMax, pageBytes/(4+bytes/max(1, e.valid.rows)))
	cur := textCursor{arrays: arrays}
	return e.eachPage(rows, format.Plain, func(dst []byte, from, to int) ([]byte, error) {
		return cur.append(dst, to-from, &bounds), nil
	})
}

// textDict fills the dictionary and reports whether it pays.
func (e *Encoder) textDict(arrays []texts) bool {
	e.dict.reset()
	for _, a := range arrays {
		for i := range a.rows() {
			if a.nulls != nil && a.nulls.IsNull(i) {
				continue
			}
			if !e.dict.addBytes(a.data[a.offsets[i]:a.offsets[i+1]]) {
				return false
			}
		}
	}
	return 2*len(e.dict.starts) <= len(e.dict.indexes)
}

// textCursor walks over the values of a chunk, page after page.
type textCursor struct {
	arrays []texts
	row    int // in the first of arrays
}

// append appends the next n values as PLAIN.
func (c *textCursor) append(dst []byte, n int, bounds *byteBounds) []byte {
	for n > 0 {
		a := &c.arrays[0]
		i := c.row
		for ; i < a.rows() && n > 0; i++ {
			if a.nulls != nil && a.nulls.IsNull(i) {
				continue
			}
			v := a.data[a.offsets[i]:a.offsets[i+1]]
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
			dst = append(dst, v...)
			bounds.add(v)
			n--
		}
		if c.row = i; i == a.rows() {
			c.arrays, c.row = c.arrays[1:], 0
		}
	}
	return dst
}

// dictColumn writes the dictionary, whose entries are given as PLAIN, and pages of indexes into it.
func (e *Encoder) dictColumn(meta *format.ColumnMetaData, entries int, plain []byte) error {
	meta.Encoding = append(meta.Encoding, format.RLEDictionary)
	enc := rle.Encoding{BitWidth: width(entries)}
	h := format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
		NumValues: int32(entries), Encoding: format.Plain})}
	if err := e.pages.add(&h, plain); err != nil {
		return err
	}
	meta.EncodingStats = thrift.Slice[format.PageEncodingStats]{{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1}}
	return e.eachPage(pageRowsMax, format.RLEDictionary, func(dst []byte, from, to int) (_ []byte, err error) {
		if e.indexes, err = enc.EncodeInt32(e.indexes[:0], e.dict.indexes[from:to]); err != nil {
			return nil, fmt.Errorf("dictionary indexes: %w", err)
		}
		return append(append(dst, byte(enc.BitWidth)), e.indexes...), nil
	})
}

// entries are those of a chunk that have levels: its rows, or the elements of its lists.
type entries interface {
	count() int
	// pageEnd returns where a page of about so many ends that begins at an entry.
	pageEnd(from, most int) int
	// appendLevels appends the levels of those from … to-1 in the form of data pages of version 1, and
	// returns how many have a value.
	appendLevels(dst []byte, from, to int) (_ []byte, present int, err error)
}

// eachPage cuts the chunk into data pages of about so many entries; values appends
// those numbered from … to-1, nulls not counted.
func (e *Encoder) eachPage(most int, enc format.Encoding, values func(dst []byte, from, to int) ([]byte, error)) error {
	var all entries = &e.valid
	if e.lists != nil {
		all = e.lists
	}
	at, count := 0, int32(0)
	for from := 0; from < all.count(); count++ {
		to := all.pageEnd(from, most)
		body, present, err := all.appendLevels(e.body[:0], from, to)
		if err == nil {
			body, err = values(body, at, at+present)
		}
		if err != nil {
			return err
		}
		e.body = body
		if err := e.addPage(to-from, enc); err != nil {
			return err
		}
		from, at = to, at+present
	}
	meta := e.pages.meta
	meta.EncodingStats = append(meta.EncodingStats, format.PageEncodingStats{PageType: format.DataPage, Encoding: enc, Count: count})
	return nil
}

// addPage adds e.body as a data page of so many entries.
func (e *Encoder) addPage(n int, enc format.Encoding) error {
	return e.pages.add(&format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues: int32(n), Encoding: enc, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})}, e.body)
}
