package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secret is a text that is never shown, and what is shown in its stead.
type secret struct{ value, shown string }

// expander replaces ${VAR} and ${VAR:-default} in scalars, once YAML is
// parsed: whatever a value holds, it cannot change the structure of the file.
type expander struct {
	lookup   func(string) (string, bool)
	secrets  []secret
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
		x.secrets = append(x.secrets, passwords(n.text, "****")...)
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
	switch {
	case value != "":
		n.env = true
		x.secrets = append(x.secrets, secret{value, "${" + name + "}"})
		x.secrets = append(x.secrets, passwords(value, "${"+name+"}")...)
		return value, true
	case hasFallback:
		return fallback, true
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

// Where a URL has its password, and a text of keywords and values.
var (
	urlPassword     = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://[^:@/]*:(\S*)@`)
	keywordPassword = regexp.MustCompile(`(?:^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)
)

// passwords finds the passwords of the connection strings that s may be: a
// driver's error may show them without the rest.
func passwords(s, shown string) []secret {
	var found []secret
	add := func(p string) {
		if p != "" {
			found = append(found, secret{p, shown})
		}
	}
	if u, err := url.Parse(s); err == nil {
		if p, ok := u.User.Password(); ok && u.User != nil {
			add(p)
		}
		add(u.Query().Get("password"))
	}
	// What does not parse has a password all the same.
	if m := urlPassword.FindStringSubmatch(s); m != nil {
		add(m[1])
	}
	for _, m := range keywordPassword.FindAllStringSubmatch(s, -1) {
		add(m[1])
		add(strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(strings.Trim(m[1], "'")))
	}
	return found
}

// redactor replaces secrets in texts.
type redactor struct{ secrets []secret }

// newRedactor also knows the secrets as Go, JSON and URLs quote them. The
// longest come first, so that a part never hides the whole.
func newRedactor(secrets []secret) *redactor {
	r := &redactor{}
	seen := map[string]bool{}
	for _, s := range secrets {
		quoted := strconv.Quote(s.value)
		for _, v := range []string{s.value, quoted[1 : len(quoted)-1], url.QueryEscape(s.value), url.PathEscape(s.value)} {
			if !seen[v] && v != "" {
				seen[v] = true
				r.secrets = append(r.secrets, secret{v, s.shown})
			}
		}
	}
	slices.SortStableFunc(r.secrets, func(a, b secret) int { return len(b.value) - len(a.value) })
	return r
}

// wordSecret is the length up to which a secret is replaced as a whole word
// only: of 1 or eu, every other text holds some.
const wordSecret = 3

func (r *redactor) redact(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		hit := slices.IndexFunc(r.secrets, func(x secret) bool { return x.at(s, i) })
		if hit < 0 {
			out.WriteByte(s[i])
			i++
			continue
		}
		out.WriteString(r.secrets[hit].shown)
		i += len(r.secrets[hit].value)
	}
	return out.String()
}

// at reports whether the secret stands at s[i:].
func (x secret) at(s string, i int) bool {
	if !strings.HasPrefix(s[i:], x.value) {
		return false
	}
	if len(x.value) > wordSecret {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+len(x.value):])
	return !isWord(before) && !isWord(after)
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
