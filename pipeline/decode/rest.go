package decode

import "slices"

// Rest is what some paths leave of a document. It is read-only and shared.
type Rest struct {
	root  restNode
	taken []Path
}

// restNode is a point that paths lead through, or to.
type restNode struct {
	names map[string]*restNode
	taken bool // all that is there
}

// NewRest returns what is left when all that the paths lead to is taken. A path into a list
// takes nothing: the list stays whole.
func NewRest(taken []Path) *Rest {
	r := &Rest{}
	for _, p := range taken {
		r.take(p)
	}
	return r
}

func (r *Rest) take(p Path) {
	if slices.ContainsFunc(p, func(e PathElement) bool { return e.IsIndex }) {
		return
	}
	n := &r.root
	for _, e := range p {
		if n.names == nil {
			n.names = map[string]*restNode{}
		}
		if n.names[e.Name] == nil {
			n.names[e.Name] = &restNode{}
		}
		n = n.names[e.Name]
	}
	n.taken = true
	r.taken = append(r.taken, p)
}

// Taken returns the paths that are not left. The caller must not change them.
func (r *Rest) Taken() []Path { return r.taken }

// AppendJSON appends what is left of a Map, as the function AppendJSON does. A map in it
// that loses all of its members is left out.
func (r *Rest) AppendJSON(dst, rec []byte, v Value, typed bool) ([]byte, error) {
	w := jsonWriter{typed: typed}
	w.s.b, w.s.slots = rec[:v.End], w.slot[:]
	out, _ := w.rest(dst, int(v.Start), &r.root)
	if w.failed {
		return dst, w.s.err()
	}
	return out, nil
}

// rest writes what is left of the object at i, and reports whether it lost less than all.
func (w *jsonWriter) rest(dst []byte, i int, n *restNode) (_ []byte, left bool) {
	dst = append(dst, '{')
	i = w.s.space(i + 1)
	more := w.s.peek(i) != '}'
	for left = !more; more; {
		at, key := w.s.mapKey(i)
		end, v := -1, Value{}
		if at >= 0 {
			end, v = w.walk(at)
		}
		if end < 0 {
			w.failed = true
			return dst, left
		}
		out := dst
		if dst[len(dst)-1] != '{' {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), key.Raw(w.s.b)...), '"'), ':')
		stays := true
		switch below := n.names[string(w.text(key))]; {
		case below == nil || !below.taken && v.Kind != Map:
			out = w.value(out, v)
		case below.taken:
			stays = false
		default:
			out, stays = w.rest(out, int(v.Start), below)
		}
		if stays {
			dst, left = out, true
		}
		if i, more = w.s.next(end, '}'); i < 0 || w.failed {
			w.failed = true
			return dst, left
		}
	}
	return append(dst, '}'), left
}

// text returns the text of a name, valid until the next call.
func (w *jsonWriter) text(name Value) []byte {
	raw := name.Raw(w.s.b)
	if !name.Escaped {
		return raw
	}
	w.s.name, _ = appendUnescaped(w.s.name[:0], raw)
	return w.s.name
}
