package spec

import (
	"errors"
	"slices"
	"strings"
)

// Locate returns a mistake without message, placed at the value that path leads
// to from a node, or at the deepest value on the way that the file has.
func (f *File) Locate(section, node string, path ...string) *Mistake {
	return f.root.find(append([]string{section, node}, path...)).Mistake("", "")
}

// MistakeAt returns a mistake at the value, or the name in a mapping, that a path leads
// to from the top of the file, or at the deepest on the way that the file has.
// Secrets are taken out.
func (f *File) MistakeAt(path []string, message, hint string) *Mistake {
	m := f.root.findKey(path).Mistake(message, hint)
	return f.redacted([]*Mistake{m})[0]
}

// Report adds the mistakes that building a node found: err and what is joined
// in it. A *FieldError is placed where its path leads, any other error at the
// node. Secrets are taken out of the messages.
func (f *File) Report(section, node string, err error) {
	at := f.root.find([]string{section, node})
	if n := f.root.Get(section); n != nil && n.Get(node) != nil {
		at = n.Get(node)
	}
	for _, e := range leaves(err) {
		f.mistakes = append(f.mistakes, at.locate(e))
	}
}

// ReportIn is Report for a section that is no mapping of nodes.
func (f *File) ReportIn(section string, err error) {
	for _, e := range leaves(err) {
		f.mistakes = append(f.mistakes, f.root.find([]string{section}).locate(e))
	}
}

// Warn adds what building a node found that is most likely not meant, though it is
// no mistake, placed as Report does.
func (f *File) Warn(section, node string, err error) {
	before := len(f.mistakes)
	f.Report(section, node, err)
	f.warnings = append(f.warnings, f.mistakes[before:]...)
	f.mistakes = f.mistakes[:before]
}

// Warnings returns what Warn has added, in the order of the places.
func (f *File) Warnings() []*Mistake { return f.redacted(f.warnings) }

// Add adds mistakes: those that the use of a value found.
func (f *parseState) Add(mistakes ...*Mistake) { f.mistakes = append(f.mistakes, mistakes...) }

// Err returns all mistakes found so far as *Errors, or nil.
func (f *parseState) Err() error {
	f.redactor = newRedactor(f.root.doc.secrets)
	if len(f.mistakes) == 0 {
		return nil
	}
	return &Errors{Mistakes: f.redacted(f.mistakes)}
}

// redacted returns mistakes as they are shown.
func (f *parseState) redacted(mistakes []*Mistake) []*Mistake {
	for _, m := range mistakes {
		m.Message, m.Hint, m.Excerpt = f.Redact(m.Message), f.Redact(m.Hint), mask(m.Excerpt, f.root.doc.secrets)
	}
	return sortMistakes(mistakes)
}

// notRead is the error of a text that is not YAML; nothing more is known of it.
func notRead(mistakes []*Mistake) error {
	for _, m := range mistakes {
		m.Excerpt = mask(m.Excerpt, nil)
	}
	return &Errors{Mistakes: mistakes}
}

// Redact replaces secrets by the names of their variables or asterisks: see the
// package comment. Whatever is shown to people and may hold a part of a
// configuration goes through it. It may be called once Err was.
func (f *parseState) Redact(s string) string { return f.redactor.redact(s) }

// leaves takes joined errors apart, down to those that have a place of their own.
func leaves(err error) []error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Mistake, *FieldError:
		return []error{e}
	case interface{ Unwrap() []error }:
		var all []error
		for _, inner := range e.Unwrap() {
			all = append(all, leaves(inner)...)
		}
		return all
	}
	inner := leaves(errors.Unwrap(err))
	if slices.ContainsFunc(inner, located) {
		return inner
	}
	return []error{err}
}

// located reports an error that has a place of its own.
func located(err error) bool {
	switch err.(type) {
	case *Mistake, *FieldError:
		return true
	}
	return false
}

// locate places an error at n, or below it where a *FieldError says so.
func (n *Node) locate(err error) *Mistake {
	switch e := err.(type) {
	case *Mistake:
		return e
	case *FieldError:
		hint := didYouMean(e.Name, e.Known)
		if Suggest(e.Name, e.Known) == "" && !slices.ContainsFunc(e.Known, func(k string) bool { return !strings.Contains(e.Message, k) }) {
			hint = "" // the message lists them already
		}
		if e.Hint != "" {
			hint = e.Hint
		}
		at := n.find(e.Path)
		if last := len(e.Path) - 1; last >= 0 && e.Path[last] == e.Name {
			at = n.findKey(e.Path)
		}
		return at.within(e.Within).Mistake(e.Message, hint)
	default:
		return n.owner().Mistake(err.Error(), "")
	}
}

// find returns the node at the end of the path, or the deepest on the way.
func (n *Node) find(path []string) *Node {
	for _, step := range path {
		next := n.child(step)
		if next == nil {
			break
		}
		n = next
	}
	return n.owner()
}

// findKey returns the key at the end of the path, or the deepest on the way.
func (n *Node) findKey(path []string) *Node {
	at := n.find(path)
	if at.key != nil && at.key.text == path[len(path)-1] {
		return at.key
	}
	return at
}
