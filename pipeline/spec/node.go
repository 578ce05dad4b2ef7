package spec

import (
	"fmt"
	"reflect"
	"strconv"
)

// NodeKind is the kind of a YAML value.
type NodeKind uint8

// The kinds of YAML values.
const (
	// Unknown is a value that a mistake has already been reported for: it
	// decodes to nothing, silently.
	Unknown NodeKind = iota
	Null
	Bool
	Number
	Text
	List
	Mapping
)

// Node is a value of the pipeline file with its place. Aliases, merge keys and
// variables are resolved.
type Node struct {
	kind   NodeKind
	text   string // of a scalar, variables expanded
	source string // of a scalar, as written
	quoted bool
	// loose says that the text comes from the environment or the command line,
	// where quotes mean something else: it is what its field wants it to be.
	loose   bool
	hidden  bool // the text holds a secret
	entries []entry
	items   []*Node

	doc *document
	at  textRange
	set string // the setting of the command line that it comes from
	key *Node  // the key that it stands under, of a mapping's or its list's
}

type entry struct{ key, value *Node }

// document is the text of one pipeline file.
type document struct {
	name    string
	lines   []string
	secrets []secret // of the file, and of what was put into it
}

// NodeDecoder is implemented by a pointer to a type that decodes itself: one
// that may be written in more than one way. The error may be, or join, what
// Decode returned, *FieldError with a path relative to the node, or any other,
// which is placed at the node.
type NodeDecoder interface{ DecodeNode(n *Node) error }

// Alternatives is implemented by a NodeDecoder to tell the schema and the
// reference what it accepts: one value, of any type, for each way of writing it.
type Alternatives interface{ Alternatives() []any }

// Kind returns the kind of the value.
func (n *Node) Kind() NodeKind { return n.kind }

// Text returns the text of a scalar; "" for lists and mappings. It may hold a
// secret.
func (n *Node) Text() string { return n.text }

// Len returns the number of a list's items or a mapping's keys.
func (n *Node) Len() int { return len(n.items) + len(n.entries) }

// Keys returns the keys of a mapping, in order.
func (n *Node) Keys() []string {
	keys := make([]string, len(n.entries))
	for i, e := range n.entries {
		keys[i] = e.key.text
	}
	return keys
}

// Get returns the value of a mapping's key, or nil.
func (n *Node) Get(key string) *Node {
	if e := n.entry(key); e != nil {
		return e.value
	}
	return nil
}

func (n *Node) entry(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key.text == key {
			return &n.entries[i]
		}
	}
	return nil
}

// Items returns the items of a list.
func (n *Node) Items() []*Node { return n.items }

// Any returns the value without a schema: as Any has it. The error is a mistake
// in it.
func (n *Node) Any() (any, error) {
	d := &decoder{}
	v := d.any(n)
	if len(d.mistakes) > 0 {
		return nil, &Errors{Mistakes: d.mistakes}
	}
	return v, nil
}

// Location returns where the value is: the file, and line and column from 1; or the
// setting that it comes from, without line.
func (n *Node) Location() (file string, line, column int) {
	if n.set != "" {
		return "--set " + n.set, 0, 0
	}
	return n.doc.name, n.at.line, n.at.column
}

// Locate returns the mistakes that err is or joins, placed: a *FieldError where
// its path leads from the node, any other error at the node.
func (n *Node) Locate(err error) []*Mistake {
	var all []*Mistake
	for _, e := range leaves(err) {
		all = append(all, n.locate(e))
	}
	return all
}

// Decode decodes the node into *v, with defaults and checks. The error holds
// all mistakes.
func (n *Node) Decode(v any) error {
	d := &decoder{}
	d.decode(n, reflect.ValueOf(v).Elem(), &field{})
	if len(d.mistakes) == 0 {
		return nil
	}
	return &Errors{Mistakes: d.mistakes}
}

// Mistake returns a mistake placed at the node.
func (n *Node) Mistake(message, hint string) *Mistake {
	if n.set != "" {
		return &Mistake{File: "--set " + n.set, Message: message, Hint: hint}
	}
	return &Mistake{
		File: n.doc.name, Line: n.at.line, Column: n.at.column,
		Message: message, Hint: hint, Excerpt: excerpt(n.doc.lines, n.at),
	}
}

// owner is the node that stands for n where n as a whole is wrong: the key of
// a mapping, a list or an empty value.
func (n *Node) owner() *Node {
	if n.key != nil && (n.kind == Mapping || n.kind == List || n.kind == Null && n.at.width == 0) {
		return n.key
	}
	return n
}

// title names the value in messages.
func (n *Node) title() string {
	switch {
	case n.key == nil:
		return "the file"
	case n.key.text == "":
		return "the value"
	default:
		return n.key.text
	}
}

// describe says what the value is, without showing what must not be shown.
func (n *Node) describe() string {
	switch n.kind {
	case Null:
		if n.at.width == 0 {
			return "nothing"
		}
		return n.shown()
	case List:
		return "a list"
	case Mapping:
		return "a mapping"
	}
	what := map[NodeKind]string{Bool: "the truth value ", Number: "the number ", Text: "the text "}[n.kind]
	if n.kind == Text || n.hidden {
		return what + strconv.Quote(cut(newRedactor(n.doc.secrets).redact(n.shown()), 60))
	}
	return what + n.text
}

// shown returns a scalar as messages may show it: one that holds a secret variable
// as it is written. Other secrets are taken out of messages.
func (n *Node) shown() string {
	if n.hidden {
		return n.source
	}
	return n.text
}

// cut shortens a text for a message.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// clone copies the tree below an anchor, for one of its aliases. budget bounds
// what a file of aliases of aliases can grow to; nil = it is spent.
func (n *Node) clone(budget *int) *Node {
	if *budget--; *budget < 0 {
		return nil
	}
	c := *n
	c.entries, c.items = nil, nil
	for _, e := range n.entries {
		key, v := *e.key, e.value.clone(budget)
		if v == nil {
			return nil
		}
		v.setKey(&key)
		c.entries = append(c.entries, entry{&key, v})
	}
	for _, item := range n.items {
		v := item.clone(budget)
		if v == nil {
			return nil
		}
		c.items = append(c.items, v)
	}
	return &c
}

// setKey tells the value, and the items of a list, which key they stand under.
func (n *Node) setKey(key *Node) {
	n.key = key
	for i, item := range n.items {
		name := *item
		name.kind, name.text = Text, fmt.Sprintf("%s[%d]", key.text, i)
		item.setKey(&name)
	}
}

// child returns the value that a step of a path leads to, or nil.
func (n *Node) child(step string) *Node {
	if n.kind != List {
		return n.Get(step)
	}
	i, err := strconv.Atoi(step)
	if err != nil || i < 0 || i >= len(n.items) {
		return nil
	}
	return n.items[i]
}
