package spec

import (
	"strings"
	"unicode/utf8"
)

// Locate returns a mistake without message, placed at the value that path leads
// to from a node, or at the deepest value on the way that the file has.
func (f *File) Locate(section, node string, path ...string) *Mistake {
	return f.root.find(append([]string{section, node}, path...)).Mistake("", "")
}

// Report adds the mistakes that building a node found: err and what is joined
// in it. A *FieldError is placed where its path leads, any other error at the
// node. Values of the environment are taken out of the messages.
func (f *File) Report(section, node string, err error) {
	at := f.root.find([]string{section, node})
	if n := f.root.Get(section); n != nil && n.Get(node) != nil {
		at = n.Get(node)
	}
	for _, e := range leaves(err) {
		f.mistakes = append(f.mistakes, at.locate(e))
	}
}

// Err returns all mistakes found so far as *Errors, or nil.
func (f *File) Err() error {
	if len(f.mistakes) == 0 {
		return nil
	}
	for _, m := range f.mistakes {
		m.Message, m.Hint = f.Redact(m.Message), f.Redact(m.Hint)
		m.Excerpt = f.masker.redact(m.Excerpt)
	}
	return &Errors{Mistakes: sortMistakes(f.mistakes)}
}

// Redact replaces the values that came from the environment, and passwords in
// connection strings, by the names of their variables or asterisks. Whatever
// is shown to people and may hold a part of a configuration goes through it.
func (f *File) Redact(s string) string { return f.redactor.redact(s) }

// literals finds the passwords that are written in the file itself, for
// excerpts: they are masked there by asterisks of the same width.
func literals(n *Node) []secret {
	var found []secret
	if n.kind == Text && !strings.Contains(n.text, "${") {
		for _, p := range passwords(n.text, "") {
			found = append(found, secret{p.value, strings.Repeat("*", utf8.RuneCountInString(p.value))})
		}
	}
	for _, e := range n.entries {
		found = append(found, literals(e.value)...)
	}
	for _, item := range n.items {
		found = append(found, literals(item)...)
	}
	return found
}
