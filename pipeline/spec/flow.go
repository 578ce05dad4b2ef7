package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Inside { } and [ ], a comma ends a text without quotes: {type: decimal(12,2)} has
// the text "decimal(12" and a key "2)", and [round(a, 2)] has two items. Nobody means
// that, and what YAML makes of it is hard to understand; so it is a mistake that says
// what to do.

// colonText returns the text that a colon without a space behind it is in, as in {opens: [09:30, 10:00]}: the parser
// takes it for a mapping of one key, which YAML does not. Nil = it is a mapping.
func (b *treeBuilder) colonText(n *ast.MappingNode, depth int) *Node {
	if len(n.Values) != 1 || n.Start.Type != token.MappingValueType {
		return nil
	}
	key, value, colon := n.Values[0].Key.GetToken(), n.Values[0].Value, n.Start.Position
	first := value.GetToken()
	if inner, ok := value.(*ast.MappingNode); ok && len(inner.Values) == 1 {
		first = inner.Values[0].Key.GetToken()
	}
	if !isPlain(key) || !isPlain(first) || first.Position.Line != colon.Line || first.Position.Column != colon.Column+1 || b.rangeOf(key).end() != colon.Column {
		return nil
	}
	rest := b.build(value, depth+1)
	if rest.kind == Mapping {
		return nil
	}
	text := b.scalar(key, key.Value+":"+rest.text, false)
	text.at.width = rest.at.end() - text.at.column
	return text
}

// isPlain reports whether a token is a scalar without quotes.
func isPlain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.FloatType, token.BoolType, token.NullType:
		return true
	}
	return false
}

// end returns the column behind a range of one line.
func (r textRange) end() int { return r.column + r.width }

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
