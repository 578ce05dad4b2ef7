package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mistake is one thing that is wrong with a pipeline file.
type Mistake struct {
	// File is the name given to Load, or "--set key" where the mistake is in a
	// setting from the command line.
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 = no place in the file
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`    // what to do about it
	Excerpt string `json:"excerpt,omitempty"` // the source line with a caret below, variables not expanded
}

// Error returns the mistake as people read it, with its excerpt.
func (m *Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	b.WriteString(": " + m.Message)
	if m.Hint != "" {
		b.WriteString(": " + m.Hint)
	}
	if m.Excerpt != "" {
		b.WriteString("\n" + m.Excerpt)
	}
	return b.String()
}

// Errors are all the mistakes found in one file, in the order of their places;
// those without a place in the file come last.
type Errors struct {
	Mistakes []*Mistake `json:"mistakes"`
}

// Error prints every mistake.
func (e *Errors) Error() string {
	blocks := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		blocks[i] = m.Error()
	}
	return strings.Join(blocks, "\n")
}

// Unwrap gives the mistakes one by one.
func (e *Errors) Unwrap() []error {
	errs := make([]error, len(e.Mistakes))
	for i, m := range e.Mistakes {
		errs[i] = m
	}
	return errs
}

// sortMistakes orders mistakes by place and drops repeated ones: an aliased
// value is decoded once for each alias, but written once.
func sortMistakes(ms []*Mistake) []*Mistake {
	ms = slices.Clone(ms)
	slices.SortStableFunc(ms, func(a, b *Mistake) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.File, b.File), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(ms, func(a, b *Mistake) bool { return *a == *b })
}

// excerptCharactersMax is the most of a source line that an excerpt shows, in characters.
const excerptCharactersMax = 120

// textRange is a run of characters in a source line.
type textRange struct{ line, column, width int }

// excerpt returns the line of the place with carets below; "" where there is
// no such line. Tabs become spaces, so that the carets stand right.
func excerpt(lines []string, p textRange) string {
	if p.line < 1 || p.line > len(lines) {
		return ""
	}
	text := []rune(strings.Map(printable, lines[p.line-1]))
	at := max(0, min(p.column-1, len(text)))
	width := max(1, min(p.width, len(text)-at))
	lead, tail := "", ""
	if len(text) > excerptCharactersMax && at > excerptCharactersMax*2/3 {
		from := at - excerptCharactersMax/3
		text, at, lead = text[from:], at-from+1, "…"
	}
	if len(text) > excerptCharactersMax {
		text, tail = text[:excerptCharactersMax], "…"
		width = max(1, min(width, excerptCharactersMax-at))
	}
	shown := strings.TrimRight(lead+string(text)+tail, " ")
	number := fmt.Sprintf("%5d", p.line)
	return fmt.Sprintf("%s | %s\n%s | %s%s", number, shown,
		strings.Repeat(" ", utf8.RuneCountInString(number)), strings.Repeat(" ", at), strings.Repeat("^", width))
}

// printable replaces what would move the carets or steer a terminal.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError:
		return '?'
	default:
		return r
	}
}
