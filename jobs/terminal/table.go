package terminal

import (
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// alignedRowsMax is the number of rows that are held to align them; a table may have more.
const alignedRowsMax = 1000

// Table prints rows in aligned columns, by the width that characters have on a terminal. A
// table of more than alignedRowsMax rows is aligned block by block, by the widest cell so far.
// The last column is not padded.
type Table struct {
	out    io.Writer
	widths []int
	held   [][]string
	Err    error // the first error of printing; nothing is printed after it
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
	if t.held = append(t.held, clean); len(t.held) == alignedRowsMax {
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

// Width returns the number of cells of a terminal that a text takes.
func Width(text string) int { return uniseg.StringWidth(text) }

// Pad fills a text up with spaces to a width.
func Pad(text string, to int) string { return text + strings.Repeat(" ", max(0, to-Width(text))) }

// visible replaces characters that would break a line or control a terminal.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\t', r == '\r':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
		return unicode.ReplacementChar
	}
	return r
}
