package terminal

import (
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// maxHeld is how many rows of a table are held to align them: a list may be as
// long as it likes.
const maxHeld = 1000

// Table prints rows as people read them: in columns of one width, by the width that
// characters have on a terminal. The rows of a longer table are
// aligned block by block, by the widest cell so far. The last column is as wide as
// it likes.
type Table struct {
	out    io.Writer
	widths []int
	held   [][]string
	Err    error
}

// NewTable returns a table that is printed to out.
func NewTable(out io.Writer) *Table { return &Table{out: out} }

// Row adds a row.
func (t *Table) Row(cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = strings.Map(visible, cell)
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], Width(clean[i]))
	}
	if t.held = append(t.held, clean); len(t.held) == maxHeld {
		t.print()
	}
}

// End prints what is held, and returns the first error of all.
func (t *Table) End() error {
	t.print()
	return t.Err
}

func (t *Table) print() {
	var b strings.Builder
	for _, cells := range t.held {
		line := ""
		for i, cell := range cells {
			if i < len(cells)-1 {
				cell = Pad(cell, t.widths[i]+2)
			}
			line += cell
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if t.held = t.held[:0]; t.Err == nil {
		_, t.Err = io.WriteString(t.out, b.String())
	}
}

// Width is how many cells of a terminal a text takes.
func Width(text string) int { return uniseg.StringWidth(text) }

// Pad fills a text up with spaces to a width.
func Pad(text string, to int) string { return text + strings.Repeat(" ", max(0, to-Width(text))) }

// visible replaces what would break a line or steer a terminal.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\t', r == '\r':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
		return unicode.ReplacementChar
	}
	return r
}
