package decode

import "fmt"

// listScanner is the working memory of one ScanList or ScanMap.
type listScanner struct {
	s     scanner
	slots []Value
	keys  mapKeys
}

// ScanList calls each for every element of a List or set value of rec, in
// order, with the slots of the paths relative to the element; they are valid
// until each returns. The elements of a set are String, Number or Binary values
// at the empty path. An error of each ends the scan and is returned. The list
// must have been found by a scan of the same kind, typed or not. ScanList may
// be called from several goroutines, and from each.
func (p *Projection) ScanList(rec []byte, v Value, each func(i int, slots []Value) error) error {
	switch v.Kind {
	case List, StringSet, NumberSet, BinarySet:
	default:
		return &Error{Offset: int(v.Start), Message: fmt.Sprintf("a %s where a list is expected", v.Kind)}
	}
	l := p.pool.Get().(*listScanner)
	l.s.b, l.s.slots, l.s.starts = rec[:v.End], l.slots, l.s.starts[:0]
	err := l.scan(p, v, each)
	l.s.b = nil
	p.pool.Put(l)
	return err
}

func (l *listScanner) scan(p *Projection, v Value, each func(i int, slots []Value) error) error {
	s := &l.s
	i := s.space(int(v.Start) + 1)
	if s.peek(i) == ']' {
		return nil
	}
	for index, more := 0, true; more; index++ {
		clear(l.slots)
		switch { // s.value would be a call for each
		case v.Kind != List:
			var e Value
			i, e, _ = s.element(i, v.Kind)
			l.slots[p.root.slot] = e
		case p.typed:
			i, _ = s.typed(i, p.root, 1)
		default:
			i, _ = s.plain(i, p.root, 1)
		}
		if i < 0 {
			return s.err()
		}
		p.finish(l.slots)
		if err := each(index, l.slots[:len(p.paths):len(p.paths)]); err != nil {
			return err
		}
		if i, more = s.next(i, ']'); i < 0 {
			return s.err()
		}
	}
	return nil
}
