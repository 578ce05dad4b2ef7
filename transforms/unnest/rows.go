package unnest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// rowMaker makes the rows of a record's images in one table after the other.
type rowMaker struct {
	valueReader
	unnest *Unnest
	index  int    // of the record among those of the batch
	keys   keySet // of the rows that the record has in the table
	// dropped are rows that are left out of the record, without what they have in common.
	dropped []pipeline.DeadLetter
	lists   []*decode.Projection // of the elements of each level of the table
	level   int                  // that is reached
	// elementsMax is how many elements an image may have in a table, of all levels, and
	// dropsMax how many rows a record may leave out.
	elementsMax, dropsMax int
	elementsLeft          int
	// elementFailure is why the rows of a list can't be made.
	elementFailure *failure
	// visitElement and visitKeyed, bound once.
	visit       func(i int, slots []decode.Value) error
	visitMember func(i int, key decode.Value, slots []decode.Value) error
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
	r.old = old
	if t.explode == nil {
		return r.makeRow()
	}
	start := len(r.current.ops)
	f := r.explodedRows(at)
	if f != nil && old && r.wasRefused(f, start) {
		r.current.truncate(start)
		return nil
	}
	return f
}

// wasRefused reports whether the change that brought an image, now old, was refused for what
// fails now: then the image has no rows. Its rows begin at start.
func (r *rowMaker) wasRefused(f *failure, start int) bool {
	tooLarge := f.reason == pipeline.ReasonTooLarge && (r.elementsLeft < 0 || r.current.size(start) > changeBytesMax)
	return tooLarge || f.reason == pipeline.ReasonBadRecord
}

// A change's rows are bounded: an item can repeat its text in each of its elements, and
// levels that look at lists beside each other have a row of each element of the one with
// each of the other.
const (
	changeBytesMax    = 256 << 20
	changeElementsMax = 4 << 20 // of an image, in a table
	changeDropsMax    = 1 << 16 // rows that are left out
	batchBytesMax     = 1 << 30
	sizeCheckRows     = 64
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
				return r.badRow(c, row, r.conversionFailure(c, reason))
			}
			out.null()
		}
		if c.key && out.isNull(row) {
			return r.badRow(c, row, &failure{reason: pipeline.ReasonNullKey,
				message: fmt.Sprintf("table %s, column %s: null in the key%s", t.out.Name, c.name, r.elementText())})
		}
	}
	b.endRow(pipeline.OpUpsert)
	if !t.distinct && !r.keys.add(b.appendKey(r.keys.buffer(), row)) {
		return &failure{reason: pipeline.ReasonDuplicateKey,
			message: fmt.Sprintf("table %s: two rows of the item have one key%s", t.out.Name, r.elementText())}
	}
	return nil
}

// badRow leaves a row out, where the column that is wrong says so; else the change is refused.
func (r *rowMaker) badRow(c *column, row int, f *failure) *failure {
	if c.onError != onErrorDropRow {
		return f
	}
	if len(r.dropped) >= r.dropsMax {
		f.message = fmt.Sprintf("more than %d rows of the item are to be left out, the next: %s", r.dropsMax, f.message)
		return f
	}
	r.current.truncate(row)
	r.dropped = append(r.dropped, pipeline.DeadLetter{Reason: f.reason, Message: f.message,
		Row: &pipeline.DeadRow{Table: r.current.table.out.Name, Element: r.elementPath()}})
	return nil
}

func (r *rowMaker) checkSize() *failure {
	b := r.current
	all := b.size(0)
	if all <= changeBytesMax { // as usual
		return nil
	}
	if b.size(b.recordStart) > changeBytesMax {
		return &failure{reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of the item take more than %d MiB", b.table.out.Name, changeBytesMax>>20)}
	}
	if all > batchBytesMax {
		return &failure{fatal: true, reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of %d records take more than %d MiB; give the source smaller blocks", b.table.out.Name, r.index+1, batchBytesMax>>20)}
	}
	return nil
}

// oldRow makes the delete of a row of the old image, unless the new image
// yields the same key, the key does not convert, or the row was left out.
func (r *rowMaker) oldRow() {
	b := r.current
	t, row := b.table, len(b.ops)
	keys := len(t.out.Key)
	for n, i := range t.order {
		c, out := &t.columns[i], &b.columns[i]
		if r.cell(c, out) != "" {
			out.undo()
			if c.onError == onErrorDropRow {
				b.truncate(row)
				return
			}
			out.null()
		}
		if n < keys && out.isNull(row) || n == t.decisive-1 && !r.keys.add(b.appendKey(r.keys.buffer(), row)) {
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
