package unnest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// element is where a row is in the list, set or map of a level.
type element struct {
	slots   []decode.Value
	key     decode.Value // of a map's member
	ordinal int64        // from 1; 0 = there is none
	counted bool         // it is not the first of the record
}

// errFailed stops a list; rowMaker.elementFailure says why.
var errFailed = errors.New("failed")

// explodedRows makes the rows of the elements of an image.
func (r *rowMaker) explodedRows(at int) *failure {
	t := r.current.table
	for i := range t.explode {
		r.elements[i] = element{slots: r.current.noElements[i]}
	}
	r.lists, r.level, r.elementFailure, r.elementsLeft = r.binding.lists[at], 0, nil, r.elementsMax
	err := r.explode()
	switch {
	case errors.Is(err, errFailed):
		return r.elementFailure
	case err != nil:
		return &failure{reason: pipeline.ReasonBadRecord, message: r.unnest.maskMessage(fmt.Sprintf("table %s: %v", t.out.Name, err))}
	}
	return nil
}

// explode makes the rows of the level that is reached, and of those below it.
func (r *rowMaker) explode() error {
	at := r.level
	l := &r.current.table.explode[at]
	r.elements[at].ordinal = 0
	list := r.list(l)
	row := l.outer
	switch list.Kind {
	case decode.Missing, decode.Null:
	case decode.List:
		if err := r.lists[at].ScanList(r.rec, list, r.visit); err != nil {
			return err
		}
	case decode.Map:
		if err := r.lists[at].ScanMap(r.rec, list, r.visitMember); err != nil {
			return err
		}
	case decode.StringSet, decode.NumberSet, decode.BinarySet:
		if err := r.explodeSet(l, list); err != nil {
			return err
		}
	default:
		switch l.onError {
		case onErrorNull:
		case onErrorRow:
			row = true
		default:
			return r.notList(l, list)
		}
	}
	if !row || r.elements[at].ordinal > 0 {
		return nil
	}
	for i := at; i < len(r.current.table.explode); i++ {
		r.elements[i].slots, r.elements[i].key, r.elements[i].ordinal = r.current.noElements[i], decode.Value{}, 0
	}
	return r.elementRow()
}

// list returns what a level makes rows of.
func (r *rowMaker) list(l *level) decode.Value {
	v := r.valueOf(&l.lists[0])
	for i := 1; i < len(l.lists) && v.Kind <= decode.Null; i++ {
		v = r.valueOf(&l.lists[i])
	}
	return v
}

// notList refuses a value that has no elements. An old image of it has no rows.
func (r *rowMaker) notList(l *level, v decode.Value) error {
	if r.old {
		return nil
	}
	r.elementFailure = &failure{reason: pipeline.ReasonBadValue, fatal: l.onError == onErrorFail,
		message: fmt.Sprintf("table %s: explode of %s wants a list, a set or a map, not a %s%s", r.current.table.out.Name, l.from, v.Kind, r.elementText())}
	return errFailed
}

// tooManyElements refuses an item that would not end.
func (r *rowMaker) tooManyElements() error {
	advice := ""
	if len(r.current.table.explode) > 1 {
		advice = "; where levels look at lists beside each other, each element of the one comes with each of the other: make a table of each list"
	}
	r.elementFailure = &failure{reason: pipeline.ReasonTooLarge,
		message: fmt.Sprintf("table %s: explode comes to more than %d elements of one item%s", r.current.table.out.Name, r.elementsMax, advice)}
	return errFailed
}

// elementRow makes a row.
func (r *rowMaker) elementRow() error {
	if r.elementFailure = r.makeRow(); r.elementFailure != nil {
		return errFailed
	}
	return nil
}

// visitElement makes the rows of an element.
func (r *rowMaker) visitElement(i int, slots []decode.Value) error {
	return r.visitKeyed(i, decode.Value{}, slots)
}

// visitKeyed makes the rows of a map's member, or of an element, which has no key.
func (r *rowMaker) visitKeyed(i int, key decode.Value, slots []decode.Value) error {
	at, t := r.level, r.current.table
	if r.elementsLeft--; r.elementsLeft < 0 {
		return r.tooManyElements()
	}
	e := &r.elements[at]
	e.slots, e.key, e.ordinal = slots, key, int64(i)+1
	if key.Kind != decode.Missing {
		for _, slot := range t.explode[at].keySlots {
			slots[slot] = decode.Value{}
			if len(t.explode[at].element[slot]) == 1 {
				slots[slot] = key
			}
		}
	}
	if !r.old && r.current.coverage.elements != nil {
		r.coverElement(at)
	}
	if at+1 == len(t.explode) {
		return r.elementRow()
	}
	r.level = at + 1
	err := r.explode()
	r.level = at
	return err
}

// explodeSet makes the rows of each element of a set, sorted: numbers by value,
// others by their bytes.
func (r *rowMaker) explodeSet(l *level, set decode.Value) error {
	type member struct {
		key   []byte
		value decode.Value
	}
	var members []member
	err := r.binding.sets.ScanList(r.rec, set, func(_ int, slots []decode.Value) error {
		m := member{value: slots[0]}
		var err error
		if set.Kind == decode.BinarySet {
			m.key, err = decode.AppendBytes(nil, r.rec, m.value)
		} else {
			m.key, err = decode.AppendText(nil, r.rec, m.value)
		}
		members = append(members, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("set: %w", err)
	}
	compare := bytes.Compare
	if set.Kind == decode.NumberSet {
		compare = decimal.Compare
	}
	slices.SortStableFunc(members, func(a, b member) int { return compare(a.key, b.key) })
	slots := make([]decode.Value, len(l.element))
	for i, m := range members {
		for k, path := range l.element {
			if len(path) == 0 {
				slots[k] = m.value
			}
		}
		if err := r.visitElement(i, slots); err != nil {
			return err
		}
	}
	return nil
}

// elementPath names the element that a row is of: its place in each level, or its key in a
// map where no values are hidden, as 2.1; "" = there is none.
func (r *rowMaker) elementPath() string {
	var b []byte
	for i := range r.current.table.explode {
		e := &r.elements[i]
		if e.ordinal == 0 {
			break
		}
		if i > 0 {
			b = append(b, '.')
		}
		if e.key.Kind == decode.Missing || r.unnest.Masks() {
			b = strconv.AppendInt(b, e.ordinal, 10)
			continue
		}
		b = append(b, r.showValue(e.key)...)
	}
	return string(b)
}

// elementText names the element for messages.
func (r *rowMaker) elementText() string {
	if path := r.elementPath(); path != "" {
		return ", element " + path
	}
	return ""
}
