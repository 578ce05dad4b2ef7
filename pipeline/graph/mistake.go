package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Section is a part of a pipeline file.
type Section string

// The sections that have nodes.
const (
	SectionSources    Section = "sources"
	SectionTransforms Section = "transforms"
	SectionSinks      Section = "sinks"
)

// node is what a node of the section is called.
func (s Section) node() string { return strings.TrimSuffix(string(s), "s") }

// Mistake is something that is wrong with a pipeline, at the node and key to which
// it belongs.
type Mistake struct {
	Section Section
	Node    string
	Key     []string // below the node, as inputs and the number of one; empty = the node as a whole
	Message string
	// Name and Known, when set, are what was written and what would be right.
	Name  string
	Known []string
	// Err, when set, is what the node itself reports: Message is its text.
	Err error

	read *Output // Key is that of the input by which the node reads it
}

// Error returns the message with the node.
func (m *Mistake) Error() string {
	at := ""
	if len(m.Key) > 0 {
		at = ", " + strings.Join(m.Key, ".")
	}
	return fmt.Sprintf("%s %s%s: %s", m.Section.node(), m.Node, at, m.Message)
}

// mistakes collects what is wrong.
type mistakes struct{ all []*Mistake }

// node notes a mistake of a node, at a key of it or as a whole.
func (m *mistakes) node(section Section, node string, key []string, format string, args ...any) {
	m.all = append(m.all, &Mistake{Section: section, Node: node, Key: key, Message: fmt.Sprintf(format, args...)})
}

// input notes a mistake at one of a node's inputs, by its number.
func (m *mistakes) input(section Section, node string, input int, format string, args ...any) *Mistake {
	at := &Mistake{Section: section, Node: node, Key: inputKey(input), Message: fmt.Sprintf(format, args...)}
	m.all = append(m.all, at)
	return at
}

// read notes a mistake at the input by which a node reads an output.
func (m *mistakes) read(section Section, node string, o Output, format string, args ...any) {
	m.all = append(m.all, &Mistake{Section: section, Node: node, Message: fmt.Sprintf(format, args...), read: &o})
}

func inputKey(input int) []string { return []string{"inputs", strconv.Itoa(input)} }
