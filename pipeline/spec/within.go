package spec

import (
	"strconv"
	"strings"
	"unicode"
)

// within returns the node of a part of a scalar's text, or the whole scalar
// where the file does not have that text: it comes from elsewhere, or holds
// variables.
func (n *Node) within(part Within) *Node {
	if part.Width == 0 || n.set != "" || n.loose || n.at.line < 1 || n.at.line > len(n.doc.lines) {
		return n
	}
	first, last, ok := newAligner(n.doc.lines, n.at).find([]rune(n.text), part)
	if !ok && n.key != nil && n.key.at.line >= 1 && n.key.at.line <= len(n.doc.lines) {
		// The YAML parser misplaces a text that goes on behind a dash.
		at := n.key.at
		at.column += at.width + 1 // and the colon
		first, last, ok = newAligner(n.doc.lines, at).find([]rune(n.text), part)
	}
	if !ok {
		return n
	}
	inner := *n
	inner.at = first
	if last.line == first.line {
		inner.at.width = last.column + last.width - first.column
	}
	return &inner
}

// aligner walks through a scalar as it is written, beside its text. YAML drops
// and folds white space in ways of its own for each style; all other characters
// stand in the file in their order, once the escapes of quotes are read. So white
// space is let go by, and the rest has to be equal.
type aligner struct {
	lines []string
	line  int
	text  []rune // of the line
	at    int
	quote rune // 0 = none
}

func newAligner(lines []string, at textRange) *aligner {
	return &aligner{lines: lines, line: at.line - 1, text: []rune(lines[at.line-1]), at: at.column - 1}
}

// find returns where the first and the last character of a part of the scalar's
// text stand.
func (a *aligner) find(text []rune, part Within) (first, last textRange, ok bool) {
	from, to := part.From, part.From+part.Width-1
	a.begin()
	for i, r := range text {
		p, found := a.next(r)
		if !found {
			return first, last, false
		}
		if i == from {
			first = p
		}
		if i == to || i == len(text)-1 {
			return first, p, from <= i
		}
	}
	return first, last, false
}

// begin passes what comes before the text: a quote, or the head of a block.
func (a *aligner) begin() {
	switch r := a.peek(); r {
	case '"', '\'':
		a.quote = r
		a.at++
	case '|', '>':
		a.at = len(a.text)
	}
}

// peek returns the next character of the line; 0 = there is none.
func (a *aligner) peek() rune {
	if a.at < len(a.text) {
		return a.text[a.at]
	}
	return 0
}

// next returns where the next character of the text is written.
func (a *aligner) next(want rune) (textRange, bool) {
	if unicode.IsSpace(want) {
		p := textRange{a.line + 1, a.at + 1, 1}
		switch r := a.peek(); {
		case r == '\\' && a.quote == '"' && a.at+1 < len(a.text):
			got, width := a.escape()
			a.at += width
			p.width = width
			return p, got == want
		case r != 0 && unicode.IsSpace(r):
			a.at++
		}
		return p, true
	}
	for {
		r := a.peek()
		switch {
		case r != 0 && unicode.IsSpace(r):
			a.at++
			continue
		case r == 0 || r == '\\' && a.quote == '"' && a.at+1 == len(a.text): // the line is folded
			if a.line+1 >= len(a.lines) {
				return textRange{}, false
			}
			a.line, a.at = a.line+1, 0
			a.text = []rune(a.lines[a.line])
			continue
		}
		p := textRange{a.line + 1, a.at + 1, 1}
		switch {
		case r == '\\' && a.quote == '"':
			r, p.width = a.escape()
		case r == '\'' && a.quote == '\'':
			p.width = 2
		}
		a.at += p.width
		return p, r == want
	}
}

// escape reads a backslash sequence of double quotes.
func (a *aligner) escape() (r rune, width int) {
	c := a.text[a.at+1]
	if digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]; digits > 0 && a.at+2+digits <= len(a.text) {
		code, err := strconv.ParseUint(string(a.text[a.at+2:a.at+2+digits]), 16, 32)
		if err != nil {
			return 0, 2
		}
		return rune(code), 2 + digits
	}
	if i := strings.IndexRune(`0abtnvfre "/\N_`, c); i >= 0 {
		return []rune("\x00\a\b\t\n\v\f\r\x1b \"/\\\u0085\u00a0")[i], 2
	}
	return c, 2
}
