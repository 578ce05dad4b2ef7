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

// rows makes the record's rows in all tables that want it.
func (m *mapper) rows() *failure {
	d := &m.bound.record
	for i := range m.builds {
		b := &m.builds[i]
		if !b.wanted {
			continue
		}
		m.build = b
		m.keys.reset()
		if b.matchNew {
			if f := m.image(d.New, &m.bound.news[i], i, false); f != nil {
				return f
			}
		}
		switch {
		case b.table.archives && m.bound.record.Event == decode.Remove && b.matchOld:
			if f := m.image(d.Old, &m.bound.olds[i], i, false); f != nil {
				return f
			}
		case b.deletes && b.matchOld:
			if f := m.oldImage(i); f != nil {
				return f
			}
		}
		if f := m.tooLarge(); f != nil {
			return f
		}
	}
	return nil
}

// oldImage adds the deletes of an old image to the current table, before the
// rows of the new image.
func (m *mapper) oldImage(i int) *failure {
	b := m.build
	mid := len(b.ops)
	switch {
	case b.olds:
		m.keys.reset()
	case b.table.distinct:
		for row := b.mark; row < mid; row++ {
			m.keys.add(b.appendKey(m.keys.buffer(), row))
		}
	}
	if f := m.image(m.bound.record.Old, &m.bound.olds[i], i, true); f != nil {
		return f
	}
	if b.mark < mid && mid < len(b.ops) {
		b.swap(b.mark, mid)
	}
	return nil
}

// image makes the rows that an image yields in the current table.
func (m *mapper) image(slots []decode.Value, v *view, at int, old bool) *failure {
	t := m.build.table
	m.item = slots[v.item : v.item+len(t.item)]
	m.element, m.ordinal, m.old = m.build.nothing, 0, old
	if t.explode == nil {
		return m.row()
	}
	list := m.item[t.explode.lists[0]]
	for _, at := range t.explode.lists[1:] {
		if list.Kind <= decode.Null {
			list = m.item[at]
		}
	}
	m.failed = nil
	before := len(m.build.ops)
	err := m.explode(m.bound.lists[at], list)
	switch {
	case errors.Is(err, errFailed):
		return m.failed
	case err != nil:
		return &failure{reason: pipeline.ReasonBadRecord, message: m.unnest.discreet(fmt.Sprintf("table %s: %v", t.out.Name, err))}
	}
	if m.ordinal == 0 && m.failed == nil && t.explode.outer && len(m.build.ops) == before {
		m.element = m.build.nothing
		return m.row()
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
		m.failed = &failure{reason: pipeline.ReasonBadValue,
			message: fmt.Sprintf("table %s: explode wants a list or a set, not a %s", m.build.table.out.Name, list.Kind)}
		if m.old {
			return nil
		}
		return errFailed
	}
}

// visitElement makes the row of an element.
func (m *mapper) visitElement(i int, slots []decode.Value) error {
	m.element, m.ordinal = slots, int64(i)+1
	if len(m.build.coverage.element) > 0 && !m.old {
		m.seekElement()
	}
	if m.failed = m.row(); m.failed != nil {
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
	err := m.bound.sets.ScanList(m.rec, set, func(_ int, slots []decode.Value) error {
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
	slots := make([]decode.Value, len(m.build.table.element))
	for i, e := range elements {
		for k, path := range m.build.table.element {
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
	maxChangeBytes = 256 << 20
	maxBatchBytes  = 1 << 30
	checkRows      = 64
)

// row makes one row.
func (m *mapper) row() *failure {
	if m.old {
		m.oldRow()
	} else if f := m.newRow(); f != nil {
		return f
	}
	if b := m.build; (len(b.ops)-b.mark)%checkRows == checkRows-1 {
		return m.tooLarge()
	}
	return nil
}

// newRow makes the upsert of a row of the new image.
func (m *mapper) newRow() *failure {
	b := m.build
	t, row := b.table, len(b.ops)
	for i := range t.columns {
		c, out := &t.columns[i], &b.cells[i]
		if reason := m.cell(c, out); reason != "" {
			out.undo()
			if c.onError != onErrorNull {
				return m.misfit(c, reason)
			}
			out.null()
		}
		if c.key && out.isNull(row) {
			return &failure{reason: pipeline.ReasonNullKey,
				message: fmt.Sprintf("table %s, column %s: null in the key%s", t.out.Name, c.name, m.place())}
		}
	}
	b.done(pipeline.OpUpsert)
	if !t.distinct && !m.keys.add(b.appendKey(m.keys.buffer(), row)) {
		return &failure{reason: pipeline.ReasonDuplicateKey,
			message: fmt.Sprintf("table %s: two rows of the item have one key%s", t.out.Name, m.place())}
	}
	return nil
}

// place names the element for messages.
func (m *mapper) place() string {
	if m.ordinal == 0 {
		return ""
	}
	return fmt.Sprintf(", element %d", m.ordinal)
}

func (m *mapper) tooLarge() *failure {
	b := m.build
	all := b.size(0)
	if all <= maxChangeBytes { // as usual
		return nil
	}
	if b.size(b.mark) > maxChangeBytes {
		return &failure{reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of the item take more than %d MiB of text", b.table.out.Name, maxChangeBytes>>20)}
	}
	if all > maxBatchBytes {
		return &failure{fatal: true, reason: pipeline.ReasonTooLarge,
			message: fmt.Sprintf("table %s: the rows of %d records take more than %d MiB of text; give the source smaller blocks", b.table.out.Name, m.index+1, maxBatchBytes>>20)}
	}
	return nil
}

// oldRow makes the delete of a row of the old image, unless the new image
// yields the same key or the key does not convert.
func (m *mapper) oldRow() {
	b := m.build
	t, row := b.table, len(b.ops)
	keys := len(t.out.Key)
	for n, i := range t.order {
		c, out := &t.columns[i], &b.cells[i]
		if m.cell(c, out) != "" {
			out.undo()
			out.null()
		}
		if n < keys && out.isNull(row) || n == keys-1 && !m.keys.add(b.appendKey(m.keys.buffer(), row)) {
			b.truncate(row)
			return
		}
	}
	b.done(pipeline.OpDelete)
}

// maxShown is how much of a value a message shows.
const maxShown = 80

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// shown writes a value for a message: a text as it is, in quotes, and a document as
// JSON in one line.
func (m *mapper) shown(v decode.Value) string {
	if text, err := decode.AppendText(nil, m.rec, v); err == nil {
		return strconv.Quote(shorten(string(text)))
	}
	if document, err := decode.AppendJSON(nil, m.rec, v, m.bound.typed); err == nil && v.Kind != decode.Binary {
		return shorten(string(document))
	}
	return strconv.Quote(shorten(string(v.Raw(m.rec))))
}

// misfit says why a value does not fit its column.
func (m *mapper) misfit(c *column, reason string) *failure {
	shown := ""
	if c.masked {
		shown = "a masked value "
		if c.shape == computed {
			shown, reason = "", "its expression fails, or gives what does not fit (it is of masked values)"
		}
	} else if v := m.valueOf(&c.source); v.Kind != decode.Missing && c.shape != computed {
		shown = m.shown(v) + " "
	}
	return &failure{
		reason: pipeline.ReasonBadValue, fatal: c.onError == onErrorFail,
		message: fmt.Sprintf("table %s, column %s (%s): %s%s%s", m.build.table.out.Name, c.name, c.typ, shown, reason, m.place()),
	}
}
