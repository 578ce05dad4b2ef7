package decode

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Mask is a set of document paths whose values people are not shown. The zero
// Mask hides nothing.
type Mask struct {
	root  maskNode
	paths []Path
}

// maskNode is a point in items. An index of a list stands for all of them.
type maskNode struct {
	names    map[string]*maskNode
	elements *maskNode
	every    *maskNode // of a list, a set or a map
	whole    bool      // all that is there is hidden
}

// maskNodes are what paths of a mask lead to at one point of an item.
type maskNodes []*maskNode

// whole reports whether all that is there is hidden.
func (all maskNodes) whole() bool {
	return slices.ContainsFunc(all, func(n *maskNode) bool { return n.whole })
}

// below returns what an element of a path leads to.
func (all maskNodes) below(e PathElement) (below maskNodes) {
	for _, n := range all {
		next := []*maskNode{n.every}
		switch {
		case e.Every:
			next = append(next, n.elements)
			next = slices.AppendSeq(next, maps.Values(n.names))
		case e.IsIndex:
			next = append(next, n.elements)
		default:
			next = append(next, n.names[e.Name])
		}
		below = append(below, slices.DeleteFunc(next, func(n *maskNode) bool { return n == nil })...)
	}
	return below
}

// Hidden is what stands for a hidden value.
const Hidden = "***"

// NotShown stands for a record that can't be told apart into hidden values and
// others.
const NotShown = "(not shown: it is broken, and may hold masked values)"

// Add hides what the path leads to.
func (m *Mask) Add(p Path) {
	m.paths = append(m.paths, p)
	n := &m.root
	for _, s := range p {
		n = n.child(s)
	}
	n.whole = true
}

// child returns the node that a element leads to, made when it is not there.
func (n *maskNode) child(s PathElement) *maskNode {
	if s.Every {
		if n.every == nil {
			n.every = &maskNode{}
		}
		return n.every
	}
	if s.IsIndex {
		if n.elements == nil {
			n.elements = &maskNode{}
		}
		return n.elements
	}
	if n.names == nil {
		n.names = map[string]*maskNode{}
	}
	if n.names[s.Name] == nil {
		n.names[s.Name] = &maskNode{}
	}
	return n.names[s.Name]
}

// Empty reports whether nothing is hidden.
func (m *Mask) Empty() bool { return len(m.paths) == 0 }

// Hides reports whether what the path leads to is hidden, or holds what is.
func (m *Mask) Hides(p Path) bool {
	if m.Empty() {
		return false
	}
	at := maskNodes{&m.root}
	for _, s := range p {
		if at.whole() {
			return true
		}
		at = at.below(s)
	}
	return len(at) > 0
}

// Record returns a record for people to see.
func (m *Mask) Record(f *pipeline.Format, record []byte) []byte {
	switch {
	case m.Empty():
		return record
	case !json.Valid(record):
		return []byte(NotShown)
	case f.Encoding == pipeline.JSON:
		return maskNodes{&m.withBefore(f).root}.plain(nil, record)
	}
	return m.envelope(nil, record)
}

// withBefore hides in before-images too what is hidden after changes.
func (m *Mask) withBefore(f *pipeline.Format) *Mask {
	_, all, err := parseKey(f)
	if err != nil || len(all) == 0 {
		return m
	}
	both := &Mask{}
	for _, p := range m.paths {
		both.Add(p)
		for _, i := range all {
			if q, ok := i.counterpart(p); ok {
				both.Add(q)
			}
		}
	}
	return both
}

// Key returns an item's key, in canonical JSON, for people to see.
func (m *Mask) Key(key []byte) []byte {
	if m.Empty() {
		return key
	}
	if !json.Valid(key) {
		return []byte(Hidden)
	}
	return object(nil, key, func(dst []byte, name string, value []byte) []byte {
		// In plain JSON the names of a key are paths.
		if p, err := ParsePath(name); m.Hides(Path{{Name: name}}) || err == nil && m.Hides(p) {
			return append(dst, `"`+Hidden+`"`...)
		}
		return append(dst, value...)
	})
}

// envelope hides what is in the images and keys of a record of DynamoDB.
func (m *Mask) envelope(dst, raw []byte) []byte {
	return object(dst, raw, func(dst []byte, name string, value []byte) []byte {
		switch folded := strings.ToLower(name); {
		case isImage(name):
			return maskNodes{&m.root}.attributes(dst, value)
		case slices.Contains(envelopes, folded):
			return m.envelope(dst, value)
		case slices.Contains(encoded, folded) && value[0] != 'n':
			return append(dst, `"`+Hidden+`"`...)
		}
		return append(dst, value...)
	})
}

// envelopes are members of records that hold images, and encoded those that hold
// whole records in base64, in lower case.
var (
	envelopes = []string{"dynamodb", "detail", "putrequest", "deleterequest", "put", "delete"}
	encoded   = []string{"data", "kinesis"}
)

// attributes hides what is in a map of typed values.
func (all maskNodes) attributes(dst, raw []byte) []byte {
	return object(dst, raw, func(dst []byte, name string, value []byte) []byte {
		below := all.below(PathElement{Name: name})
		if all.whole() { // the image
			below = all
		}
		if len(below) > 0 {
			return below.typed(dst, value)
		}
		return append(dst, value...)
	})
}

// typed hides what is in a typed value.
func (all maskNodes) typed(dst, raw []byte) []byte {
	elements := all.below(PathElement{IsIndex: true})
	return object(dst, raw, func(dst []byte, kind string, value []byte) []byte {
		switch {
		case all.whole():
			return append(dst, `"`+Hidden+`"`...)
		case codeOf([]byte(kind)) == codeM:
			return all.attributes(dst, value)
		case codeOf([]byte(kind)) == codeL && len(elements) > 0:
			return array(dst, value, elements.typed)
		case len(elements) > 0: // a set
			return all.plain(dst, value)
		}
		return append(dst, value...)
	})
}

// plain hides what is in a plain value.
func (all maskNodes) plain(dst, raw []byte) []byte {
	elements := all.below(PathElement{IsIndex: true})
	switch first := bytes.TrimLeft(raw, " \t\r\n"); {
	case all.whole():
		return append(dst, `"`+Hidden+`"`...)
	case first[0] == '{':
		return object(dst, raw, func(dst []byte, name string, value []byte) []byte {
			if below := all.below(PathElement{Name: name}); len(below) > 0 {
				return below.plain(dst, value)
			}
			return append(dst, value...)
		})
	case first[0] == '[' && len(elements) > 0:
		return array(dst, raw, elements.plain)
	}
	return append(dst, raw...)
}

// object writes a valid JSON object with its members as write has them; what is
// none stays as it is.
func object(dst, raw []byte, write func(dst []byte, name string, value []byte) []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return append(dst, raw...)
	}
	dst = append(dst, '{')
	for first := true; d.More(); first = false {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return append(dst, NotShown...) // of valid JSON, this can't be
		}
		if !first {
			dst = append(dst, ',')
		}
		text, err := json.Marshal(name)
		if err != nil {
			return append(dst, NotShown...)
		}
		dst = write(append(append(dst, text...), ':'), name.(string), value)
	}
	return append(dst, '}')
}

// array writes a valid JSON array with its elements as write has them; what is
// none stays as it is.
func array(dst, raw []byte, write func(dst, value []byte) []byte) []byte {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return append(dst, raw...)
	}
	dst = append(dst, '[')
	for i, value := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = write(dst, value)
	}
	return append(dst, ']')
}
