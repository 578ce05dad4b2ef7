package spec

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secret is a text that is never shown, and what is shown in its stead. One that is
// written in the file may be in an excerpt, too.
type secret struct {
	value, shown string
	written      bool
}

// stars stand for a secret that no name stands for.
const stars = "****"

// hide has texts never shown.
func (doc *document) hide(secrets ...secret) { doc.secrets = append(doc.secrets, secrets...) }

// What a secret is called: by any word in it, or by a word that stands alone or
// ends so. PWD and OLDPWD are folders of the shell's.
var (
	secretPart = regexp.MustCompile(`(?i)passw(or)?d|passphrase|secret|token|credential`)
	secretWord = regexp.MustCompile(`(?i)(^|[_.-])(pass|[a-z0-9]*(key|pwd)s?|sig(nature)?)($|[_.-])`)
)

// isSecretName reports whether what has this name is a secret: an environment
// variable, or a parameter of a URL.
func isSecretName(name string) bool {
	switch strings.ToLower(name) {
	case "pwd", "oldpwd", "sslkey", "passfile": // paths
		return false
	}
	return secretPart.MatchString(name) || secretWord.MatchString(name)
}

// Where a text has secrets: the password of a URL, which may hold any character
// that the URL should have escaped, blanks too where the URL is the whole text; the
// whole user of a URL of the web, which is a token; parameters of a URL; and pairs of
// keyword and value, as libpq takes them. Rather too much is hidden than too little.
var (
	wholePassword = regexp.MustCompile(`(?s)^\s*[a-zA-Z][a-zA-Z0-9+.-]*://[^:@/]*:(.*)@`)
	urlPassword   = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:@/]*:(\S*)@`)
	webUser       = regexp.MustCompile(`https?://([^\s:@/?#]+)@`)
	parameter     = regexp.MustCompile(`[?&;]([\w.-]+)=([^\s&#]+)`)
	keyword       = regexp.MustCompile(`(?i)(?:^|[\s"',;])([a-z_]*(?:passw(?:or)?d|passphrase|secret|token))\s*=\s*('(?:[^'\\]|\\.)*(?:'|\\?$)|[^\s'=]\S*)`)
)

// passwords finds the secrets of the connection strings that s may be or hold: a
// driver's error may show them without the rest.
func passwords(s string) []secret {
	var found []secret
	add := func(raw string) {
		path, _ := url.PathUnescape(raw) // empty where it is not escaped
		query, _ := url.QueryUnescape(raw)
		for _, v := range []string{raw, path, query} {
			if s := (secret{value: v, shown: stars}); v != "" && !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
	}
	for _, m := range slices.Concat(wholePassword.FindAllStringSubmatch(s, 1), urlPassword.FindAllStringSubmatch(s, -1)) {
		add(m[1])
	}
	for _, m := range webUser.FindAllStringSubmatch(s, -1) {
		add(m[1])
	}
	for _, m := range parameter.FindAllStringSubmatch(s, -1) {
		if isSecretName(m[1]) {
			add(m[2])
		}
	}
	for _, m := range keyword.FindAllStringSubmatch(s, -1) {
		add(m[2])
		if inner, quoted := strings.CutPrefix(m[2], "'"); quoted {
			add(strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(strings.TrimSuffix(inner, "'")))
		}
	}
	return found
}

// hideWritten hides the secrets that are written in the tree of a file, before
// variables are put in.
func (n *Node) hideWritten() {
	if n.kind == Text && !strings.Contains(n.text, "${") {
		n.doc.hide(written(passwords(n.text))...)
		if n.namesConnection() {
			n.hideConnection(false)
		}
	}
	for _, e := range n.entries {
		n.doc.hide(written(passwords(e.key.text))...) // of a value whose key was left out
		e.value.hideWritten()
	}
	for _, item := range n.items {
		item.hideWritten()
	}
}

func written(secrets []secret) []secret {
	for i := range secrets {
		secrets[i].written = true
	}
	return secrets
}

// hideAll hides a scalar as a whole: it stands under a key for secrets.
func (n *Node) hideAll() {
	if n.text != "" && n.kind != Null {
		n.hidden = true
		n.doc.hide(secret{value: n.text, shown: stars, written: n.text == n.source && n.set == ""})
	}
}

// variableAlone is what stands in the file for a secret that is not in it.
var variableAlone = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// cutPassword is a password in an excerpt that does not show its line's begin or end.
var cutPassword = regexp.MustCompile(`(?:^…|://[^\s:@/]*:)([^\s…]+)(?:@|…$)`)

// mask hides the secrets of an excerpt, width for width, so that the carets stay
// right: those that are known to be written in the file, and those that are seen in
// its line, which may be one that is not YAML.
func mask(excerpt string, known []secret) string {
	number, text, ok := strings.Cut(excerpt, " | ")
	if !ok {
		return excerpt
	}
	line, carets, _ := strings.Cut(text, "\n")
	secrets := slices.DeleteFunc(passwords(line), func(s secret) bool { return variableAlone.MatchString(s.value) })
	for _, m := range cutPassword.FindAllStringSubmatch(line, -1) {
		secrets = append(secrets, secret{value: m[1]})
	}
	for _, s := range known {
		if s.written {
			secrets = append(secrets, s)
		}
	}
	secrets = append(secrets, connections(line)...)
	r := newRedactor(secrets)
	for i := range r.secrets {
		r.secrets[i].shown = strings.Repeat("*", utf8.RuneCountInString(r.secrets[i].value))
	}
	return number + " | " + r.maskEnds(r.redact(line)) + "\n" + carets
}

// maskEnds hides what is left of secrets at the ends of a line that was cut.
func (r *redactor) maskEnds(line string) string {
	const cutSign = "…"
	longest := func(n int, of func(value string, n int) bool) int {
		for n > 0 && !slices.ContainsFunc(r.secrets, func(x secret) bool { return n < len(x.value) && of(x.value, n) }) {
			n--
		}
		return n
	}
	if rest, ok := strings.CutPrefix(line, cutSign); ok {
		n := longest(len(rest), func(value string, n int) bool { return strings.HasSuffix(value, rest[:n]) })
		line = cutSign + strings.Repeat("*", utf8.RuneCountInString(rest[:n])) + rest[n:]
	}
	if rest, ok := strings.CutSuffix(line, cutSign); ok {
		n := longest(len(rest), func(value string, n int) bool { return strings.HasPrefix(value, rest[len(rest)-n:]) })
		line = rest[:len(rest)-n] + strings.Repeat("*", utf8.RuneCountInString(rest[len(rest)-n:])) + cutSign
	}
	return line
}

// redactor replaces secrets in texts.
type redactor struct{ secrets []secret }

// newRedactor also knows the secrets as Go, JSON, YAML and URLs quote them. The
// longest come first, so that a part never hides the whole.
func newRedactor(secrets []secret) *redactor {
	r := &redactor{}
	seen := map[string]bool{}
	for _, s := range secrets {
		quoted := strconv.Quote(s.value)
		for _, v := range []string{s.value, quoted[1 : len(quoted)-1], strings.ReplaceAll(s.value, "'", "''"), url.QueryEscape(s.value), url.PathEscape(s.value)} {
			if !seen[v] && v != "" {
				seen[v] = true
				r.secrets = append(r.secrets, secret{value: v, shown: s.shown})
			}
		}
	}
	slices.SortStableFunc(r.secrets, func(a, b secret) int { return len(b.value) - len(a.value) })
	return r
}

// wordSecretBytesMax is the length up to which a secret is replaced as a whole word
// only: of 1 or eu, every other text holds some.
const wordSecretBytesMax = 3

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
	if len(x.value) > wordSecretBytesMax {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+len(x.value):])
	return !isWord(before) && !isWord(after)
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
