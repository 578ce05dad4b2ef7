package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Inside { } and [ ], a comma ends a text without quotes: {type: decimal(12,2)} has
// the text "decimal(12" and a key "2)", and [round(a, 2)] has two items. Nobody means
// that, and what YAML makes of it is hard to understand; so it is a mistake that says
// what to do.

// opensCall is a name with a bracket behind it that is not closed.
var opensCall = regexp.MustCompile(`[A-Za-z_0-9]\(`)

// cutHere reports whether a value looks like the begin of a text that a comma cut.
func (n *Node) cutHere() bool {
	return n.kind == Text && !n.quoted && opensCall.MatchString(n.text) && brackets(n.text) > 0
}

func brackets(text string) int { return strings.Count(text, "(") - strings.Count(text, ")") }

// cutEntries reports the texts of a flow mapping that a comma cut, and takes what
// became of their rest out.
func (b *treeBuilder) cutEntries(m *Node) {
	for i := 0; i < len(m.entries); i++ {
		value := m.entries[i].value
		if !value.cutHere() {
			continue
		}
		whole, end := value.text, i+1
		for end < len(m.entries) && brackets(whole) > 0 && m.entries[end].value.kind == Null && m.entries[end].value.at.width == 0 {
			whole += "," + m.entries[end].key.text
			end++
		}
		if brackets(whole) == 0 {
			b.cut(value, whole)
			m.entries = slices.Delete(m.entries, i+1, end)
		}
	}
}

// cutItems is cutEntries for a flow list.
func (b *treeBuilder) cutItems(list *Node) {
	for i := 0; i < len(list.items); i++ {
		value := list.items[i]
		if !value.cutHere() {
			continue
		}
		whole, end := value.text, i+1
		for end < len(list.items) && brackets(whole) > 0 && list.items[end].kind != Mapping && list.items[end].kind != List && !list.items[end].quoted {
			whole += ", " + list.items[end].text
			end++
		}
		if brackets(whole) == 0 {
			b.cut(value, whole)
			list.items = slices.Delete(list.items, i+1, end)
		}
	}
}

// cut reports a text that a comma cut; whole is what was meant.
func (b *treeBuilder) cut(value *Node, whole string) {
	what := ""
	if value.key != nil {
		what = value.title() + ": "
	}
	b.add(value.at, what+"a comma ends a text inside { } and [ ]", fmt.Sprintf("quote it: %q", whole))
	value.kind = Unknown
}
