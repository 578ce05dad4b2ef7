package terminal

import (
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-isatty"
)

// Console writes the log with a line below it that is redrawn, the bar. Neither overwrites the
// other. Several goroutines may use it.
type Console struct {
	mu   sync.Mutex
	w    io.Writer
	line string // as it is shown; empty = none is
	// columns is how many letters a line holds; 0 = unknown.
	columns func() int
}

// NewConsole returns a console on a terminal.
func NewConsole(w io.Writer) *Console {
	return &Console{w: w, columns: func() int { return columnsOf(w) }}
}

const (
	eraseLine      = "\r\x1b[K"
	columnsMin     = 20
	columnsDefault = 80
)

// Write writes whole lines above the one that is drawn.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == "" {
		return c.w.Write(p)
	}
	if _, err := io.WriteString(c.w, eraseLine+string(p)+c.line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Draw shows a line in the place of the one before, cut to the screen's width.
func (c *Console) Draw(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = c.fit(line)
	_, _ = io.WriteString(c.w, eraseLine+c.line) // a run does not fail because of its display
}

// End shows a last line, which stays.
func (c *Console) End(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.w, eraseLine+c.fit(line)+"\n")
	c.line = ""
}

// fit cuts a line so that it does not wrap: the letter in the last column might.
func (c *Console) fit(line string) string {
	width := c.columns()
	if width == 0 {
		width = columnsDefault
	}
	letters := []rune(strings.TrimRight(line, " "))
	return string(letters[:min(len(letters), max(width, columnsMin)-1)])
}

// Is reports whether w is a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
