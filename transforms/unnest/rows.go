package unnest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// rowMaker makes the rows of a record's images in one table after the other.
type rowMaker struct {
	valueReader
	unnest *Unnest
	index  int    // of the record among those of the batch
	keys   keySet // of the rows that the record has in the table
	// elementFailure is why the rows of a list can't be made.
	elementFailure *failure
	visit          func(i int, slots []decode.Value) error // visitElement, bound once
}

// makeRows makes the record's rows in all tables that want it.
func (m *mapper) makeRows() *failure {
	d := &m.rows.binding.record
	for i := range m.tables {
		b := &m.tables[i]
		if !b.wanted {
			continue
		}
		m.rows.current = b
		m.rows.keys.reset()
		if b.matchNew {
			if f := m.rows.imageRows(d.New, &m.rows.binding.newImages[i], i, false); f != nil {
				return f
			}
		}
		switch {
		case b.table.archives && m.rows.binding.record.Event == decode.Remove && b.matchOld:
			if f := m.rows.imageRows(d.Old, &m.rows.binding.oldImages[i], i, false); f != nil {
				return f
			}
		case b.deletes && b.matchOld:
			if f := m.rows.oldImageRows(i); f != nil {
				return f
			}
		}
		if len(b.ops) == b.recordStart {
			continue // as in most tables
		}
		if f := m.rows.checkSize(); f != nil {
			return f
		}
	}
	return nil
}

// oldImageRows adds the deletes of an old image to the current table, before the
// rows of the new image.
func (r *rowMaker) oldImageRows(i int) *failure {
	b := r.current
	mid := len(b.ops)
	switch {
	case b.fullOldImages:
		r.keys.reset()
	case b.table.distinct:
		for row := b.recordStart; row < mid; row++ {
			r.keys.add(b.appendKey(r.keys.buffer(), row))
		}
	}
	if f := r.imageRows(r.binding.record.Old, &r.binding.oldImages[i], i, true); f != nil {
		return f
	}
	if b.recordStart < mid && mid < len(b.ops) {
		b.swap(b.recordStart, mid)
	}
	return nil
}

// imageRows makes the rows that an image yields in the current table.
func (r *rowMaker) imageRows(slots []decode.Value, v *imageProjection, at int, old bool) *failure {
	t := r.current.table
	r.item = slots[v.itemSlot : v.itemSlot+len(t.item)]
	r.element, r.ordinal, r.old = r.current.emptyElement, 0, old
	if t.explode == nil {
		return r.makeRow()
	}
	list := r.item[t.explode.lists[0]]
	for _, at := range t.explode.lists[1:] {
		if list.Kind <= decode.Null {
			list = r.item[at]
		}
	}
	r.elementFailure = nil
	before := len(r.current.ops)
	err := r.explode(r.binding.lists[at], list)
	switch {
	case errors.Is(err, errFailed):
		return r.elementFailure
	case err != nil:
		return &failure{reason: pipeline.ReasonBadRecord, message: r.unnest.maskMessage(fmt.Sprintf("table %s: %v", t.out.Name, err))}
	}
	if r.ordinal == 0 && r.elementFailure == nil && t.explode.outer && len(r.current.ops) == before {
		r.element = r.current.emptyElement
		return r.makeRow()
	}
	return nil
}

// errFailed stops a list; rowMaker.elementFailure says why.
var errFailed = errors.New("failed")

// explode makes a row of each element.
func (r *rowMaker) explode(p *decode.Projection, list decode.Value) error {
	switch list.Kind {
	case decode.Missing, decode.Null:
		return nil
	case decode.List:
		return p.ScanList(r.rec, list, r.visit)
	case decode.StringSet, decode.NumberSet, decode.BinarySet:
		return r.explodeSet(list)
	default:
		r.elementFailure = &failure{reason: pipeline.ReasonBadValue,
			message: fmt.Sprintf("table %s: explode wants a list or a set, not a %s", r.current.table.out.Name, list.Kind)}
		if r.old {
			return nil
		}
		return errFailed
	}
}

// visitElement makes the row of an element.
func (r *rowMaker) visitElement(i int, slots []decode.Value) error {
	r.element, r.ordinal = slots, int64(i)+1
	if len(r.current.coverage.element) > 0 && !r.old {
		r.coverElement()
	}
	if r.elementFailure = r.makeRow(); r.elementFailure != nil {
		return errFailed
	}
	return nil
}

// explodeSet makes a row of each element of a set, sorted: numbers by value,
// others by their bytes.
func (r *rowMaker) explodeSet(set decode.Value) error {
	type element struct {
		key   []byte
		value decode.Value
	}
	var elements []element
	err := r.binding.sets.ScanList(r.rec, set, func(_ int, slots []decode.Value) error {
		e := element{value: slots[0]}
		var err error
		if set.Kind == decode.BinarySet {
			e.key, err = decode.AppendBytes(nil, r.rec, e.value)
		} else {
			e.key, err = decode.AppendText(nil, r.rec, e.value)
		}
		elements = append(elements, e)
		return err
	})
	if err != nil {
		return fmt.Errorf("set: %w", err)
	}
	compare := bytes.Compare
	if set.Kind == decode.NumberSet {
		compare = decimal.Compare
	}
	slices.SortStableFunc(elements, func(a, b element) int { return compare(a.key, b.key) })
	slots := make([]decode.Value, len(r.current.table.element))
	for i, e := range elements {
		for k, path := range r.current.table.element {
			if len(path) == 0 {
				slots[k] = e.value
			}
		}
		if err := r.visitElement(i, slots); err != nil {
			return err
		}
	}
	return nil
}

// A change's rows are bounded: an item can repeat its text in each of its
// elements.
const (
	changeBytesMax = 256 << 20
	batchBytesMax  = 1 << 30
	sizeCheckRows  = 64
)

// makeRow makes one row.
func (r *rowMaker) makeRow() *failure {
	if r.old {
		r.oldRow()
	} else if f := r.newRow(); f != nil {
		return f
	}
	if b := r.current; (len(b.ops)-b.recordStart)%sizeCheckRows == sizeCheckRows-1 {
		return r.checkSize()
	}
	return nil
}

// newRow makes the upsert of a row of the new image.
func (r *rowMaker) newRow() *failure {
	b := r.current
	t, row := b.table, len(b.ops)
	for i := range t.columns {
		c, out := &t.columns[i], &b.columns[i]
		if reason := r.cell(c, out); reason != "" {
			out.undo()
			if c.onError != onErrorNull {
				return r.conversionFailure(c, reason)
			}
			out.null()
		}
		if c.key && out.isNull(row) {
			return &failure{reason: pipeline.ReasonNullKey,
				message: fmt.Sprintf("table %s, column %s: null in the key%s", t.out.Name, c.name, r.elementText())}
		}
	}
	b.endRow(pipeline.OpUpsert)
	if !t.distinct && !r.keys.add(b.appendKey(r.keys.buffer(), row)) {
		return &failure{reason: pipeline.ReasonDuplicateKey,
			message: fmt.Sprintf("table %s: two rows of the item have one key%s", t.out.Name, r.elementText())}
	}
	return nil
}

// elementText names the element for messages.
func (r *rowMaker) elementText() string {
	if r.ordinal == 0 {
		return ""
	}
	return fmt.Sprintf(", element %d", r.ordinal)
}

func (r *rowMaker) checkSize() *failure {
	b := r.current
	all := b.size(0)
	if all <= changeBytesMax { // as usual
		return nil
	}
	if b.size(b.recordStart) > changeBytesMax {
		return &failure{reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of the item take more than %d MiB of text", b.table.out.Name, changeBytesMax>>20)}
	}
	if all > batchBytesMax {
		return &failure{fatal: true, reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of %d records take more than %d MiB of text; give the source smaller blocks", b.table.out.Name, r.index+1, batchBytesMax>>20)}
	}
	return nil
}

// oldRow makes the delete of a row of the old image, unless the new image
// yields the same key or the key does not convert.
func (r *rowMaker) oldRow() {
	b := r.current
	t, row := b.table, len(b.ops)
	keys := len(t.out.Key)
	for n, i := range t.order {
		c, out := &t.columns[i], &b.columns[i]
		if r.cell(c, out) != "" {
			out.undo()
			out.null()
		}
		if n < keys && out.isNull(row) || n == keys-1 && !r.keys.add(b.appendKey(r.keys.buffer(), row)) {
			b.truncate(row)
			return
		}
	}
	b.endRow(pipeline.OpDelete)
}

// shownBytesMax is how much of a value a message shows.
const shownBytesMax = 80

func shorten(s string) string {
	if len(s) <= shownBytesMax {
		return s
	}
	return strings.ToValidUTF8(s[:shownBytesMax], "") + "…"
}

// showValue writes a value for a message: a text as it is, in quotes, and a document as
// JSON in one line.
func (r *valueReader) showValue(v decode.Value) string {
	if text, err := decode.AppendText(nil, r.rec, v); err == nil {
		return strconv.Quote(shorten(string(text)))
	}
	if document, err := decode.AppendJSON(nil, r.rec, v, r.binding.typed); err == nil && v.Kind != decode.Binary {
		return shorten(string(document))
	}
	return strconv.Quote(shorten(string(v.Raw(r.rec))))
}

// conversionFailure says why a value does not fit its column.
func (r *rowMaker) conversionFailure(c *column, reason string) *failure {
	shown := ""
	if c.masked {
		shown = "a masked value "
		if c.shape == computed {
			shown, reason = "", "its expression fails, or gives what does not fit (it is of masked values)"
		}
	} else if v := r.valueOf(&c.source); v.Kind != decode.Missing && c.shape != computed {
		shown = r.showValue(v) + " "
	}
	return &failure{
		reason: pipeline.ReasonBadValue, fatal: c.onError == onErrorFail,
		message: fmt.Sprintf("table %s, column %s (%s): %s%s%s", r.current.table.out.Name, c.name, c.typ, shown, reason, r.elementText()),
	}
}
