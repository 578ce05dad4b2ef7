package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// kind is of a token.
type kind uint8

const (
	endOfInput kind = iota
	word            // an unquoted identifier or a keyword
	quoted          // a quoted identifier
	text            // a string
	number          // a number without its sign
	param           // $n
	operator        // an operator or a punctuation mark
	invalid         // what is no token; err says why
)

// token is a token where it stands: source[pos:end].
type token struct {
	kind     kind
	pos, end int
	// value is a word in lower case, an identifier or a string without quotes and escapes,
	// an operator, the digits of a number, or those of a parameter.
	value string
	err   *pgconn.PgError
}

// lexer cuts a text into tokens. What comes next follows from pos alone, so that a copy of
// a lexer looks ahead, and going back is an assignment.
type lexer struct {
	source string
	pos    int
}

// next returns the next token; the token at the end of the input again and again.
func (l *lexer) next() token {
	if start, ok := l.skipBlanks(); !ok {
		return l.bad(start, "unterminated /* comment")
	}
	start := l.pos
	if start == len(l.source) {
		return token{kind: endOfInput, pos: start, end: start}
	}
	c := l.source[start]
	switch {
	case startsWord(c), c == '#' && l.startsTemporary():
		return l.word()
	case isDigit(c), c == '.' && isDigit(l.at(1)):
		return l.number()
	case c == '\'':
		return l.string()
	case c == '"':
		return l.quotedWord()
	case c == '$':
		return l.dollar()
	case c == ':' && l.at(1) == ':':
		return l.operator(2)
	case strings.IndexByte(",()[].;:", c) >= 0:
		return l.operator(1)
	case isOperator(c):
		return l.operator(l.operatorLength())
	}
	l.pos++
	return l.bad(start, "")
}

// at returns the byte n behind the next one, or 0 at the end.
func (l *lexer) at(n int) byte {
	if l.pos+n < len(l.source) {
		return l.source[l.pos+n]
	}
	return 0
}

// skipBlanks leaves blanks and comments out. It fails at a comment that does not end, and
// returns where it began.
func (l *lexer) skipBlanks() (int, bool) {
	for l.pos < len(l.source) {
		switch c := l.source[l.pos]; {
		case isBlank(c):
			l.pos++
		case c == '-' && l.at(1) == '-':
			l.skipLine()
		case c == '/' && l.at(1) == '*':
			if start := l.pos; !l.skipComment() {
				return start, false
			}
		default:
			return 0, true
		}
	}
	return 0, true
}

func (l *lexer) skipLine() {
	n := strings.IndexAny(l.source[l.pos:], "\r\n")
	if n < 0 {
		n = len(l.source) - l.pos
	}
	l.pos += n
}

// skipComment skips a comment, and comments in it.
func (l *lexer) skipComment() bool {
	for depth := 0; l.pos < len(l.source); {
		switch {
		case l.source[l.pos] == '/' && l.at(1) == '*':
			depth++
			l.pos += 2
		case l.source[l.pos] == '*' && l.at(1) == '/':
			depth--
			l.pos += 2
			if depth == 0 {
				return true
			}
		default:
			l.pos++
		}
	}
	return false
}

// startsTemporary tells whether the # at pos begins a temporary table's name. It is the
// operator of bitwise exclusive or if an operand ends right before it.
func (l *lexer) startsTemporary() bool {
	if !startsWord(l.at(1)) {
		return false
	}
	if l.pos == 0 {
		return true
	}
	before := l.source[l.pos-1]
	return !continuesWord(before) && strings.IndexByte(`)]'"`, before) < 0
}

func (l *lexer) word() token {
	start := l.pos
	upper := false
	for l.pos++; l.pos < len(l.source) && continuesWord(l.source[l.pos]); l.pos++ {
	}
	for i := start; i < l.pos && !upper; i++ {
		upper = 'A' <= l.source[i] && l.source[i] <= 'Z'
	}
	value := l.source[start:l.pos]
	if upper {
		value = Fold(value)
	}
	return token{kind: word, pos: start, end: l.pos, value: value}
}

// Fold puts ASCII letters into lower case, and leaves all others as they are: this is how
// Redshift folds identifiers (Names and identifiers, r_names).
func Fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func (l *lexer) digits() {
	for l.pos < len(l.source) && isDigit(l.source[l.pos]) {
		l.pos++
	}
}

func (l *lexer) number() token {
	start := l.pos
	l.digits()
	if l.at(0) == '.' {
		l.pos++
		l.digits()
	}
	if c := l.at(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.at(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.at(n)) {
			l.pos += n
			l.digits()
		}
	}
	return token{kind: number, pos: start, end: l.pos, value: l.source[start:l.pos]}
}

// string reads a literal: a quote in it is doubled, or has a backslash before it, as have
// the escapes of PostgreSQL 8.0. Literals that a line's end separates are one.
func (l *lexer) string() token {
	start := l.pos
	var value strings.Builder
	plain := true // value is not in use yet: the literal is the text between its quotes
	for from := start + 1; ; {
		l.pos = from
		n := strings.IndexAny(l.source[from:], `'\`)
		if n < 0 {
			l.pos = len(l.source)
			return l.bad(start, "unterminated quoted string")
		}
		l.pos += n
		part := l.source[from:l.pos]
		switch {
		case l.source[l.pos] == '\\':
			value.WriteString(part)
			if !l.escape(&value) {
				l.pos = len(l.source)
				return l.bad(start, "unterminated quoted string")
			}
			plain, from = false, l.pos
			continue
		case l.at(1) == '\'':
			value.WriteString(part)
			value.WriteByte('\'')
			plain, from = false, l.pos+2
			continue
		}
		l.pos++
		if next, ok := l.continuation(); ok {
			value.WriteString(part)
			plain, from = false, next
			continue
		}
		if plain {
			return token{kind: text, pos: start, end: l.pos, value: part}
		}
		value.WriteString(part)
		return l.checked(token{kind: text, pos: start, end: l.pos, value: value.String()})
	}
}

// checked refuses a string that its escapes made into bytes that are no text.
func (l *lexer) checked(t token) token {
	if i := strings.IndexByte(t.value, 0); i >= 0 {
		t.kind, t.err = invalid, notText(t.value[i:])
	} else if !utf8.ValidString(t.value) {
		t.kind, t.err = invalid, notText(invalidPart(t.value))
	}
	return t
}

// escape reads the escape at pos.
func (l *lexer) escape(value *strings.Builder) bool {
	c := l.at(1)
	if l.pos+1 == len(l.source) {
		return false
	}
	if '0' <= c && c <= '7' {
		n := 2
		for n < 4 && '0' <= l.at(n) && l.at(n) <= '7' {
			n++
		}
		octal, err := strconv.ParseUint(l.source[l.pos+1:l.pos+n], 8, 16)
		if err != nil {
			return false
		}
		value.WriteByte(byte(octal))
		l.pos += n
		return true
	}
	if i := strings.IndexByte("bfnrt", c); i >= 0 {
		c = "\b\f\n\r\t"[i]
	}
	value.WriteByte(c)
	l.pos += 2
	return true
}

// continuation tells whether the literal that ends before pos goes on in a later line, and
// where.
func (l *lexer) continuation() (int, bool) {
	ahead := *l
	line := false
	for ahead.pos < len(l.source) {
		switch c := l.source[ahead.pos]; {
		case isBlank(c):
			line = line || c == '\n' || c == '\r'
			ahead.pos++
		case c == '-' && ahead.at(1) == '-':
			ahead.skipLine()
		default:
			return ahead.pos + 1, line && c == '\''
		}
	}
	return 0, false
}

func (l *lexer) quotedWord() token {
	start := l.pos
	for from := start + 1; ; {
		n := strings.IndexByte(l.source[from:], '"')
		if n < 0 {
			l.pos = len(l.source)
			return l.bad(start, "unterminated quoted identifier")
		}
		l.pos = from + n + 1
		if l.at(0) != '"' {
			break
		}
		from = l.pos + 1
	}
	value := l.source[start+1 : l.pos-1]
	if value == "" {
		return l.bad(start, "zero-length delimited identifier")
	}
	if strings.IndexByte(value, '"') >= 0 {
		value = strings.ReplaceAll(value, `""`, `"`)
	}
	return token{kind: quoted, pos: start, end: l.pos, value: value}
}

// dollar reads $n, or a string between dollar quotes: $$…$$ or $tag$…$tag$.
func (l *lexer) dollar() token {
	start := l.pos
	l.pos++
	if isDigit(l.at(0)) {
		l.digits()
		return token{kind: param, pos: start, end: l.pos, value: l.source[start+1 : l.pos]}
	}
	for startsWord(l.at(0)) || l.pos > start+1 && isDigit(l.at(0)) {
		l.pos++
	}
	if l.at(0) != '$' {
		l.pos = start + 1
		return l.bad(start, "")
	}
	l.pos++
	tag := l.source[start:l.pos]
	n := strings.Index(l.source[l.pos:], tag)
	if n < 0 {
		l.pos = len(l.source)
		return l.bad(start, "unterminated dollar-quoted string")
	}
	value := l.source[l.pos : l.pos+n]
	l.pos += n + len(tag)
	return token{kind: text, pos: start, end: l.pos, value: value}
}

func (l *lexer) operator(n int) token {
	start := l.pos
	l.pos += n
	value := l.source[start:l.pos]
	if value == "!=" {
		value = "<>"
	}
	return token{kind: operator, pos: start, end: l.pos, value: value}
}

// operatorLength finds the end of an operator of several characters as PostgreSQL does: it
// is as long as possible, but no comment and no temporary table's name begins in it, and
// one that could be SQL's own does not end in + or -, so that a=-1 means a = -1.
func (l *lexer) operatorLength() int {
	n, own := 0, true
	for isOperator(l.at(n)) {
		c, next := l.at(n), l.at(n+1)
		if c == '-' && next == '-' || c == '/' && next == '*' || n > 0 && c == '#' && startsWord(next) {
			break
		}
		own = own && strings.IndexByte("~!@#^&|`?%", c) < 0
		n++
	}
	for own && n > 1 && (l.at(n-1) == '+' || l.at(n-1) == '-') {
		n--
	}
	return n
}

// bad is a token that no statement takes. With an empty message it is a syntax error.
func (l *lexer) bad(start int, message string) token {
	t := token{kind: invalid, pos: start, end: l.pos}
	if message == "" {
		return t
	}
	t.err = syntaxError(message + ` at or near "` + l.source[start:l.pos] + `"`)
	return t
}

func isBlank(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r' && c != '\v'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func startsWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func continuesWord(c byte) bool { return startsWord(c) || isDigit(c) || c == '$' }

func isOperator(c byte) bool { return strings.IndexByte("~!@#^&|`?+-*/%<>=", c) >= 0 }
