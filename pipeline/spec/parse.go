package spec

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/starlift-etl/starlift/pipeline/charset"
)

const (
	// fileBytesMax is the greatest pipeline file in bytes.
	fileBytesMax = 1 << 20
	// nestingMax is how deep values nest; maxNodes how many there are, with
	// those that aliases stand for.
	nestingMax, nodesMax = 64, 200_000
)

// treeBuilder turns the syntax tree of a YAML document into nodes.
type treeBuilder struct {
	doc      *document
	anchors  map[string]*Node
	mistakes []*Mistake
	budget   int  // nodes that may still be made
	overflow bool // they were too many: the tree is of no use
}

// parse reads the text of a file. The node is nil where the text is not YAML
// or not one document.
func parse(name string, data []byte) (*Node, []*Mistake) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	doc := &document{name: name, lines: strings.Split(text, "\n")}
	b := &treeBuilder{doc: doc, anchors: map[string]*Node{}, budget: nodesMax}
	if other := charset.Other(data[:min(len(data), 4)]); other != "" {
		return nil, []*Mistake{doc.mistake(textRange{}, "the file is "+other, "save it as UTF-8")}
	}
	if m := checkText(doc, text); m != nil {
		return nil, []*Mistake{m}
	}
	file, err := parseYAML(maskVariables(text))
	if err != nil {
		return nil, []*Mistake{syntaxMistake(doc, err)}
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			at := b.rangeOf(d.Body.GetToken())
			if d.Start != nil {
				at = b.rangeOf(d.Start)
			}
			return nil, []*Mistake{doc.mistake(at, "a second document begins here", "a pipeline file holds one: remove the --- line, or use two files")}
		}
		body = d.Body
	}
	if body == nil {
		return nil, []*Mistake{doc.mistake(textRange{1, 1, 1}, "the file is empty", "a pipeline needs at least name, sources and sinks")}
	}
	root := b.build(body, 0)
	if b.overflow {
		return nil, b.mistakes
	}
	return root, b.mistakes
}

func (doc *document) mistake(at textRange, message, hint string) *Mistake {
	return (&Node{doc: doc, at: at}).Mistake(message, hint)
}

// parseYAML runs the YAML parser. Its panics on malformed text are errors.
func parseYAML(text string) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("this is not YAML: the parser gave up")
		}
	}()
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

// checkText refuses what the YAML parser must not be given.
func checkText(doc *document, text string) *Mistake {
	if len(text) > fileBytesMax {
		return doc.mistake(textRange{}, fmt.Sprintf("the file has %d bytes", len(text)), fmt.Sprintf("a pipeline file has at most %d", fileBytesMax))
	}
	open := 0
	for i, line := range doc.lines {
		column := 0
		for at, r := range line {
			column++
			_, size := utf8.DecodeRuneInString(line[at:])
			bad := r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' || r >= maskFirst && r <= maskLast
			switch {
			case bad:
				return doc.mistake(textRange{i + 1, column, 1}, "the file holds a character that is not text", "save it as UTF-8")
			case r == '[' || r == '{':
				open++
			case r == ']' || r == '}':
				open = max(0, open-1)
			}
			if open > 4*nestingMax {
				return doc.mistake(textRange{i + 1, column, 1}, "too many brackets are open here", "")
			}
		}
		if strings.Count(line, "- ")+strings.Count(line, "? ")+strings.Count(line, "-\t") > 4*nestingMax && strings.Trim(line, "-? \t") == "" {
			return doc.mistake(textRange{i + 1, 1, 1}, "the values nest too deeply", "")
		}
	}
	return nil
}

// syntaxMistake places an error of the YAML parser, and says it in our words
// where the parser's are hard to understand.
func syntaxMistake(doc *document, err error) *Mistake {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		return doc.mistake(textRange{}, err.Error(), "")
	}
	message, hint := unmask(ye.GetMessage()), ""
	for _, s := range syntaxWords {
		if strings.Contains(message, s.parser) {
			message, hint = s.message, s.hint
			break
		}
	}
	p := ye.GetToken().Position
	return doc.mistake(textRange{p.Line, p.Column, 1}, "this is not YAML: "+message, hint)
}

const unclosed = "check the indentation, and look for a quote or bracket that is not closed, here or above"

// syntaxWords translates messages of the YAML parser; the first that fits is used.
var syntaxWords = []struct{ parser, message, hint string }{
	{"'\t'", "a line is indented with a tab", "indent with spaces"},
	{"tab character", "a line is indented with a tab", "indent with spaces"},
	{"mapping value is not allowed", "a mapping cannot begin here", "check the indentation of this line and the next, and quote a text that holds a colon and a space"},
	{"value is not allowed in this context", "a value cannot stand here", unclosed},
	{"must be specified", "a comma or a closing bracket is missing", unclosed},
	{"not found", "a bracket is not closed", unclosed},
	{"could not find flow", "a bracket is not closed", unclosed},
	{"could not find end character", "a quote is not closed", ""},
	{"non-map value is specified", "a line in a mapping has no key", "write key: value"},
	{"'@' is a reserved character", "a text cannot begin with @", "quote it"},
	{"'`' is a reserved character", "a text cannot begin with `", "quote it"},
}

// ${…} without quotes holds characters that YAML gives a meaning inside [] and
// {}. They are replaced, one for one so that columns stay, while YAML is parsed.
const (
	masked    = "{}[],:#&*!|>%@`"
	maskFirst = '\ufdd0'
	maskLast  = '\ufdef'
)

var (
	variablePattern  = regexp.MustCompile("\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}\"'\\n\\\\]*)?\\}")
	maskOf, unmaskOf = maskTables()
)

func maskTables() (mask, unmask *strings.Replacer) {
	var to, from []string
	for i, r := range masked {
		to = append(to, string(r), string(maskFirst+rune(i)))
		from = append(from, string(maskFirst+rune(i)), string(r))
	}
	return strings.NewReplacer(to...), strings.NewReplacer(from...)
}

func maskVariables(text string) string {
	return variablePattern.ReplaceAllStringFunc(text, maskOf.Replace)
}

func unmask(text string) string { return unmaskOf.Replace(text) }

// rangeOf returns where a token stands.
func (b *treeBuilder) rangeOf(t *token.Token) textRange {
	p := textRange{line: t.Position.Line, column: t.Position.Column}
	if t.Type == token.ImplicitNullType {
		return p
	}
	first, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	p.width = max(1, utf8.RuneCountInString(strings.TrimSpace(first)))
	return p
}

func (b *treeBuilder) add(at textRange, message, hint string) {
	b.mistakes = append(b.mistakes, b.doc.mistake(at, message, hint))
}

// node returns a node of the kind at a token.
func (b *treeBuilder) node(kind NodeKind, t *token.Token) *Node {
	return &Node{kind: kind, doc: b.doc, at: b.rangeOf(t)}
}

// build makes the node of a syntax tree. A mistake gives a node of kind Unknown.
func (b *treeBuilder) build(n ast.Node, depth int) *Node {
	t := n.GetToken()
	if b.budget--; depth > nestingMax || b.budget < 0 {
		b.tooMany(b.rangeOf(t))
		return b.node(Unknown, t)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		if text := b.colonText(n, depth); text != nil {
			return text
		}
		return b.mapping(n.Start, n.Values, depth)
	case *ast.MappingValueNode:
		return b.mapping(n.Start, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := b.node(List, t)
		list.at.width = 1
		for _, v := range n.Values {
			list.items = append(list.items, b.build(v, depth+1))
		}
		if n.IsFlowStyle {
			b.cutItems(list)
		}
		return list
	case *ast.AnchorNode:
		v := b.build(n.Value, depth+1)
		b.anchors[n.Name.GetToken().Value] = v
		return v
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		b.add(b.rangeOf(t), "tags such as "+t.Value+" are not supported", "quote a value that is text, and leave the tag out")
		return b.node(Unknown, t)
	case *ast.LiteralNode:
		return b.scalar(t, n.Value.Value, true)
	case *ast.StringNode:
		return b.scalar(t, n.Value, t.Type != token.StringType)
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		if t.Type == token.ImplicitNullType {
			return b.node(Null, t)
		}
		return b.scalar(t, t.Value, false)
	default:
		b.add(b.rangeOf(t), "this YAML is not supported here", "")
		return b.node(Unknown, t)
	}
}

func (b *treeBuilder) scalar(t *token.Token, text string, quoted bool) *Node {
	text = unmask(text)
	s := b.node(Text, t)
	s.text, s.source, s.quoted = text, text, quoted
	if !quoted {
		s.kind = plainKind(text)
	}
	return s
}

func (b *treeBuilder) alias(n *ast.AliasNode) *Node {
	t, name := n.GetToken(), n.Value.GetToken().Value
	at := b.rangeOf(t)
	at.width += utf8.RuneCountInString(name)
	anchored, ok := b.anchors[name]
	if !ok {
		b.add(at, fmt.Sprintf("there is no anchor &%s for the alias *%s", name, name), "quote a text that begins with *")
		return b.node(Unknown, t)
	}
	c := anchored.clone(&b.budget)
	if c == nil {
		b.tooMany(at)
		return b.node(Unknown, t)
	}
	return c
}

// tooMany reports, once, that the tree does not fit.
func (b *treeBuilder) tooMany(at textRange) {
	if !b.overflow {
		b.overflow = true
		b.add(at, "the values nest too deeply, or are too many with those that aliases stand for", "")
	}
}

// mapping builds a mapping. Merge keys give what the mapping does not say itself.
func (b *treeBuilder) mapping(start *token.Token, values []*ast.MappingValueNode, depth int) *Node {
	m := b.node(Mapping, start)
	m.at.width = 1
	var merges []*Node
	seen := make(map[string]*Node, len(values))
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merges = append(merges, b.build(v.Value, depth+1))
			continue
		}
		key := b.key(v.Key)
		value := b.build(v.Value, depth+1)
		if key == nil {
			continue
		}
		if first := seen[key.text]; first != nil {
			b.add(key.at, fmt.Sprintf("%q is given twice", key.text), fmt.Sprintf("it was first given at line %d, column %d", first.at.line, first.at.column))
			continue
		}
		seen[key.text] = key
		value.setKey(key)
		m.entries = append(m.entries, entry{key, value})
	}
	if start.Type == token.MappingStartType {
		b.cutEntries(m)
	}
	if len(values) > 0 && m.at.line > 0 && start.Type != token.MappingStartType {
		m.at = b.rangeOf(values[0].Key.GetToken())
	}
	for _, from := range merges {
		b.inherit(m, from, seen)
	}
	return m
}

// key returns the node of a mapping's key; its text is what is written, whatever
// YAML would take it for.
func (b *treeBuilder) key(k ast.MapKeyNode) *Node {
	t := k.GetToken()
	switch k := k.(type) {
	case *ast.StringNode:
		return b.scalar(t, k.Value, true)
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return b.scalar(t, t.Value, true)
	default:
		b.add(b.rangeOf(t), "a key must be a plain word or a quoted text", "")
		return nil
	}
}

// inherit adds the entries that m does not have; seen holds its keys.
func (b *treeBuilder) inherit(m, from *Node, seen map[string]*Node) {
	switch from.kind {
	case Mapping:
		for _, e := range from.entries {
			if seen[e.key.text] == nil {
				seen[e.key.text] = e.key
				m.entries = append(m.entries, e)
			}
		}
	case List:
		for _, item := range from.items {
			if item.kind == List {
				b.add(item.at, "a merge key (<<) wants a mapping, or a list of mappings", "")
				continue
			}
			b.inherit(m, item, seen)
		}
	case Unknown:
	default:
		b.add(from.at, "a merge key (<<) wants a mapping, or a list of mappings", "")
	}
}
