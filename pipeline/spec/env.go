package spec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// expander replaces ${VAR} and ${VAR:-default} in scalars, once YAML is
// parsed: whatever a value holds, it cannot change the structure of the file.
type expander struct {
	lookup   func(string) (string, bool)
	mistakes []*Mistake
}

// expand goes through the values below n. Keys are left as they are.
func (x *expander) expand(n *Node) {
	for _, e := range n.entries {
		x.expand(e.value)
	}
	for _, item := range n.items {
		x.expand(item)
	}
	if n.kind == Text {
		x.scalar(n)
		n.doc.hide(passwords(n.text)...)
		if n.namesConnection() {
			n.hideConnection(false)
		}
	}
}

// scalar expands one text. One without quotes that is a single variable is
// typed again, as if its value stood there.
func (x *expander) scalar(n *Node) {
	var out strings.Builder
	rest, variables := n.text, 0
	for rest != "" {
		before, after, found := strings.Cut(rest, "$")
		out.WriteString(before)
		switch {
		case !found:
			rest = ""
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			body, tail, closed := strings.Cut(after[1:], "}")
			if !closed {
				x.mistake(n, "${"+body, "the variable has no closing brace", "write $$ for a dollar sign")
				return
			}
			value, ok := x.variable(n, body)
			if !ok {
				return
			}
			out.WriteString(value)
			variables++
			rest = tail
		default:
			out.WriteByte('$')
			rest = after
		}
	}
	n.text = out.String()
	n.loose = n.loose || variables > 0
	if single := variablePattern.FindString(n.source) == n.source; single && !n.quoted {
		n.kind = plainKind(n.text)
	}
}

// variable returns the value of what stands between ${ and }.
func (x *expander) variable(n *Node, body string) (string, bool) {
	name, fallback, hasFallback := strings.Cut(body, ":-")
	if !isVariableName(name) {
		x.mistake(n, "${"+body, fmt.Sprintf("%q is not the name of a variable", cut(name, 40)), "write ${NAME} or ${NAME:-default}, and $$ for a dollar sign")
		return "", false
	}
	value, set := "", false
	if x.lookup != nil {
		value, set = x.lookup(name)
	}
	if hasFallback && value == "" {
		value, set = fallback, true
	}
	switch {
	case value != "" && !utf8.ValidString(value):
		x.mistake(n, "${"+body, fmt.Sprintf("the variable %s holds a byte that is not UTF-8", name), "give it a text in UTF-8")
		return "", false
	case value != "":
		if isSecretName(name) {
			n.hidden = true
			n.doc.hide(secret{value: value, shown: "${" + name + "}", written: hasFallback && value == fallback})
		}
		return value, true
	case set:
		return "", true
	default:
		x.mistake(n, "${"+body, fmt.Sprintf("the environment has no variable %s", name), fmt.Sprintf("set it, or write ${%s:-default}", name))
		return "", false
	}
}

// mistake reports a variable, placed at it where it stands on the first line
// of its scalar, and marks the value as reported.
func (x *expander) mistake(n *Node, at, message, hint string) {
	n.kind = Unknown
	placed := *n
	if n.set == "" && n.at.line <= len(n.doc.lines) {
		line := []rune(n.doc.lines[n.at.line-1])
		from := min(max(0, n.at.column-1), len(line))
		if before, _, ok := strings.Cut(string(line[from:]), at); ok {
			placed.at.column += utf8.RuneCountInString(before)
			placed.at.width = utf8.RuneCountInString(at) + 1
		}
	}
	x.mistakes = append(x.mistakes, placed.Mistake(message, hint))
}

func isVariableName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
