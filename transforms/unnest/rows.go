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

// makeRows makes the record's rows in all tables that want it.
func (m *mapper) makeRows() *failure {
	d := &m.binding.record
	for i := range m.tables {
		b := &m.tables[i]
		if !b.wanted {
			continue
		}
		m.current = b
		m.keys.reset()
		if b.matchNew {
			if f := m.imageRows(d.New, &m.binding.newImages[i], i, false); f != nil {
				return f
			}
		}
		switch {
		case b.table.archives && m.binding.record.Event == decode.Remove && b.matchOld:
			if f := m.imageRows(d.Old, &m.binding.oldImages[i], i, false); f != nil {
				return f
			}
		case b.deletes && b.matchOld:
			if f := m.oldImageRows(i); f != nil {
				return f
			}
		}
		if f := m.checkSize(); f != nil {
			return f
		}
	}
	return nil
}

// oldImageRows adds the deletes of an old image to the current table, before the
// rows of the new image.
func (m *mapper) oldImageRows(i int) *failure {
	b := m.current
	mid := len(b.ops)
	switch {
	case b.fullOldImages:
		m.keys.reset()
	case b.table.distinct:
		for row := b.recordStart; row < mid; row++ {
			m.keys.add(b.appendKey(m.keys.buffer(), row))
		}
	}
	if f := m.imageRows(m.binding.record.Old, &m.binding.oldImages[i], i, true); f != nil {
		return f
	}
	if b.recordStart < mid && mid < len(b.ops) {
		b.swap(b.recordStart, mid)
	}
	return nil
}

// imageRows makes the rows that an image yields in the current table.
func (m *mapper) imageRows(slots []decode.Value, v *imageProjection, at int, old bool) *failure {
	t := m.current.table
	m.item = slots[v.itemSlot : v.itemSlot+len(t.item)]
	m.element, m.ordinal, m.old = m.current.emptyElement, 0, old
	if t.explode == nil {
		return m.makeRow()
	}
	list := m.item[t.explode.lists[0]]
	for _, at := range t.explode.lists[1:] {
		if list.Kind <= decode.Null {
			list = m.item[at]
		}
	}
	m.elementFailure = nil
	before := len(m.current.ops)
	err := m.explode(m.binding.lists[at], list)
	switch {
	case errors.Is(err, errFailed):
		return m.elementFailure
	case err != nil:
		return &failure{reason: pipeline.ReasonBadRecord, message: m.unnest.maskMessage(fmt.Sprintf("table %s: %v", t.out.Name, err))}
	}
	if m.ordinal == 0 && m.elementFailure == nil && t.explode.outer && len(m.current.ops) == before {
		m.element = m.current.emptyElement
		return m.makeRow()
	}
	return nil
}

// errFailed stops a list; mapper.failed says why.
var errFailed = errors.New("failed")

// explode makes a row of each element.
func (m *mapper) explode(p *decode.Projection, list decode.Value) error {
	switch list.Kind {
	case decode.Missing, decode.Null:
		return nil
	case decode.List:
		return p.ScanList(m.rec, list, m.visit)
	case decode.StringSet, decode.NumberSet, decode.BinarySet:
		return m.explodeSet(list)
	default:
		m.elementFailure = &failure{reason: pipeline.ReasonBadValue,
			message: fmt.Sprintf("table %s: explode wants a list or a set, not a %s", m.current.table.out.Name, list.Kind)}
		if m.old {
			return nil
		}
		return errFailed
	}
}

// visitElement makes the row of an element.
func (m *mapper) visitElement(i int, slots []decode.Value) error {
	m.element, m.ordinal = slots, int64(i)+1
	if len(m.current.coverage.element) > 0 && !m.old {
		m.coverElement()
	}
	if m.elementFailure = m.makeRow(); m.elementFailure != nil {
		return errFailed
	}
	return nil
}

// explodeSet makes a row of each element of a set, sorted: numbers by value,
// others by their bytes.
func (m *mapper) explodeSet(set decode.Value) error {
	type element struct {
		key   []byte
		value decode.Value
	}
	var elements []element
	err := m.binding.sets.ScanList(m.rec, set, func(_ int, slots []decode.Value) error {
		e := element{value: slots[0]}
		var err error
		if set.Kind == decode.BinarySet {
			e.key, err = decode.AppendBytes(nil, m.rec, e.value)
		} else {
			e.key, err = decode.AppendText(nil, m.rec, e.value)
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
	slots := make([]decode.Value, len(m.current.table.element))
	for i, e := range elements {
		for k, path := range m.current.table.element {
			if len(path) == 0 {
				slots[k] = e.value
			}
		}
		if err := m.visitElement(i, slots); err != nil {
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
func (m *mapper) makeRow() *failure {
	if m.old {
		m.oldRow()
	} else if f := m.newRow(); f != nil {
		return f
	}
	if b := m.current; (len(b.ops)-b.recordStart)%sizeCheckRows == sizeCheckRows-1 {
		return m.checkSize()
	}
	return nil
}

// newRow makes the upsert of a row of the new image.
func (m *mapper) newRow() *failure {
	b := m.current
	t, row := b.table, len(b.ops)
	for i := range t.columns {
		c, out := &t.columns[i], &b.columns[i]
		if reason := m.cell(c, out); reason != "" {
			out.undo()
			if c.onError != onErrorNull {
				return m.conversionFailure(c, reason)
			}
			out.null()
		}
		if c.key && out.isNull(row) {
			return &failure{reason: pipeline.ReasonNullKey,
				message: fmt.Sprintf("table %s, column %s: null in the key%s", t.out.Name, c.name, m.elementText())}
		}
	}
	b.endRow(pipeline.OpUpsert)
	if !t.distinct && !m.keys.add(b.appendKey(m.keys.buffer(), row)) {
		return &failure{reason: pipeline.ReasonDuplicateKey,
			message: fmt.Sprintf("table %s: two rows of the item have one key%s", t.out.Name, m.elementText())}
	}
	return nil
}

// elementText names the element for messages.
func (m *mapper) elementText() string {
	if m.ordinal == 0 {
		return ""
	}
	return fmt.Sprintf(", element %d", m.ordinal)
}

func (m *mapper) checkSize() *failure {
	b := m.current
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
			message: fmt.Sprintf("table %s: the rows of %d records take more than %d MiB of text; give the source smaller blocks", b.table.out.Name, m.index+1, batchBytesMax>>20)}
	}
	return nil
}

// oldRow makes the delete of a row of the old image, unless the new image
// yields the same key or the key does not convert.
func (m *mapper) oldRow() {
	b := m.current
	t, row := b.table, len(b.ops)
	keys := len(t.out.Key)
	for n, i := range t.order {
		c, out := &t.columns[i], &b.columns[i]
		if m.cell(c, out) != "" {
			out.undo()
			out.null()
		}
		if n < keys && out.isNull(row) || n == keys-1 && !m.keys.add(b.appendKey(m.keys.buffer(), row)) {
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
func (m *mapper) showValue(v decode.Value) string {
	if text, err := decode.AppendText(nil, m.rec, v); err == nil {
		return strconv.Quote(shorten(string(text)))
	}
	if document, err := decode.AppendJSON(nil, m.rec, v, m.binding.typed); err == nil && v.Kind != decode.Binary {
		return shorten(string(document))
	}
	return strconv.Quote(shorten(string(v.Raw(m.rec))))
}

// conversionFailure says why a value does not fit its column.
func (m *mapper) conversionFailure(c *column, reason string) *failure {
	shown := ""
	if c.masked {
		shown = "a masked value "
		if c.shape == computed {
			shown, reason = "", "its expression fails, or gives what does not fit (it is of masked values)"
		}
	} else if v := m.valueOf(&c.source); v.Kind != decode.Missing && c.shape != computed {
		shown = m.showValue(v) + " "
	}
	return &failure{
		reason: pipeline.ReasonBadValue, fatal: c.onError == onErrorFail,
		message: fmt.Sprintf("table %s, column %s (%s): %s%s%s", m.current.table.out.Name, c.name, c.typ, shown, reason, m.elementText()),
	}
}
