package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
)

// maxLength bounds an expression, and with it how deep its parts nest.
const maxLength = 16 << 10

// source is the text of an expression, by characters, as the parser counts.
type source []rune

func (s source) slice(l file.Location) string {
	return string(s[min(l.From, len(s)):min(max(l.From, l.To), len(s))])
}

// Mistake is what is wrong with an expression, and where.
type Mistake struct {
	Message     string
	From, Width int      // characters of the text; 0 wide = all of it
	Name        string   // what was written, and
	Known       []string // what would be right
}

// Error returns the message.
func (m *Mistake) Error() string { return m.Message }

// parse parses an expression with the parser of expr-lang, which knows numbers
// of 64 bits only: others are replaced by small ones of the same length, and
// read from the text by who finds them in the tree.
func parse(text string) (ast.Node, source, *Mistake) {
	src := source(text)
	switch {
	case !utf8.ValidString(text):
		return nil, src, &Mistake{Message: "the expression is not UTF-8"}
	case len(src) > maxLength:
		return nil, src, &Mistake{Message: fmt.Sprintf("the expression has %d characters: at most %d are read", len(src), maxLength)}
	}
	read := []rune(text)
	tokens, err := lexer.Lex(file.NewSource(text))
	for _, t := range tokens {
		if t.Kind == lexer.Number {
			replaceNumber(read[t.From:t.To])
		}
	}
	var tree *parser.Tree
	if err == nil {
		tree, err = parser.Parse(string(read))
	}
	if err == nil {
		return tree.Node, src, nil
	}
	var at *file.Error
	if !errors.As(err, &at) {
		return nil, src, &Mistake{Message: "this is no expression"}
	}
	m := &Mistake{Message: syntax(at.Message), From: at.From, Width: max(1, at.To-at.From)}
	if strings.Contains(at.Message, "EOF") || strings.Contains(at.Message, "end of expression") {
		m.From, m.Width = max(0, len(src)-1), 1
	}
	if strings.TrimSpace(text) == "" {
		m = &Mistake{Message: "the expression is empty"}
	}
	return nil, src, m
}

// replaceNumber makes a number short: 1.000, as long as it was.
func replaceNumber(digits []rune) {
	if len(digits) < 3 || len(digits) <= 18 && strings.Trim(string(digits), "0123456789_") == "" {
		return
	}
	for i := range digits {
		digits[i] = '0'
	}
	digits[0], digits[1] = '1', '.'
}

var tokenPattern = regexp.MustCompile(`unexpected token (?:EOF|[A-Z][a-z]+(?:\("(?:[^"\\]|\\.)*"\))?)`)

// words translates messages of the parser; the first that fits is used.
var words = []struct{ parser, ours string }{
	{"unexpected token EOF", "the expression ends where something is missing"},
	{"unexpected end", "the expression ends where something is missing"},
	{"literal not terminated", "a quote is not closed"},
	{"unable to unescape", "the text holds a backslash sequence that there is not"},
	{"invalid char escape", "the text holds a backslash sequence that there is not"},
	{"bad number syntax", "this is no number"},
	{"invalid hex literal", "this is no number"},
	{"invalid binary literal", "this is no number"},
	{"invalid octal literal", "this is no number"},
	{"invalid integer literal", "this is no number"},
	{"invalid float literal", "this is no number"},
	{"maximum allowed nodes", "the expression has too many parts"},
	{"cannot be mixed", "?? cannot stand beside another operator: put the one that counts first in parentheses"},
	{"map key must be", "a map's key is a name, a text in quotes, or an expression in parentheses"},
	{"wrap predicate", "put what holds a semicolon in braces { }"},
	{"expected name", "a name is missing behind the dot"},
	{"unclosed comment", "a comment is not closed"},
	{"expected at least", "an argument is missing"},
}

var runePattern = regexp.MustCompile(`unrecognized character: U\+[0-9A-F]+( '(.*)')?`)

// sqlAdvice says what to write for what SQL has.
var sqlAdvice = map[string]string{
	`"="`: ": write == to compare", `"WHEN"`: ": write a ? b : c", `"BETWEEN"`: ": write a >= b and a <= c", `"LIKE"`: ": write matches, contains, startsWith or endsWith",
	`"IS"`: ": write a == nil", `"AND"`: ": write and", `"OR"`: ": write or", `"IN"`: ": write in", `"NOT"`: ": write not",
}

// syntax says what the parser found in our words.
func syntax(message string) string {
	for _, w := range words {
		if strings.Contains(message, w.parser) {
			return w.ours
		}
	}
	if m := runePattern.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("the character %s has no meaning here", strconv.Quote(m[2]))
	}
	if found := tokenPattern.FindString(message); found != "" {
		if _, token, ok := strings.Cut(found, "("); ok {
			return "unexpected " + strings.TrimSuffix(token, ")") + sqlAdvice[strings.ToUpper(strings.TrimSuffix(token, ")"))]
		}
	}
	return "this is no expression"
}
