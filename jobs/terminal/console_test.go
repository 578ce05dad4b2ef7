package terminal

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// screen is a terminal: it shows what is written as people see it.
type screen struct {
	mu    sync.Mutex
	width int
	lines []string // the last is the one that the cursor is in
	at    int      // column of the cursor
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = []string{""}
	}
	for rest := string(p); rest != ""; {
		last := &s.lines[len(s.lines)-1]
		switch tail, erase := strings.CutPrefix(rest, "\x1b[K"); {
		case erase:
			*last, rest = (*last)[:s.at], tail
			continue
		case rest[0] == '\r':
			s.at = 0
		case rest[0] == '\n':
			s.lines, s.at = append(s.lines, ""), 0
		case s.at == s.width:
			s.lines, s.at = append(s.lines, rest[:1]), 1
		default:
			*last = (*last)[:s.at] + rest[:1] + (*last)[min(s.at+1, len(*last)):]
			s.at++
		}
		rest = rest[1:]
	}
	return len(p), nil
}

// TestConsole: lines of the log and a bar that is drawn at the same time are
// whole, the bar stays below them, and its last state is left once.
func TestConsole(t *testing.T) {
	const width, loggers, each = 40, 4, 50
	s := &screen{width: width}
	c := &Console{w: s, columns: func() int { return width }}
	var group sync.WaitGroup
	for g := range loggers {
		group.Go(func() {
			for i := range each {
				fmt.Fprintf(c, "line %d of %d\n", i, g)
			}
		})
	}
	group.Go(func() {
		for range 200 {
			c.Draw("bar " + strings.Repeat("=", rand.IntN(2*width))) //nolint:gosec // any length will do
		}
	})
	group.Wait()
	c.Draw("bar now")
	if _, err := c.Write([]byte("last line\n")); err != nil {
		t.Fatal(err)
	}
	if at := len(s.lines); at != loggers*each+2 || s.lines[at-1] != "bar now" || s.lines[at-2] != "last line" {
		t.Errorf("%d lines end with %q", at, s.lines[max(0, at-3):])
	}
	c.End("bar at the end")
	fmt.Fprintln(c, "after it")
	next := make([]int, loggers)
	for _, line := range s.lines[:loggers*each] {
		var i, g int
		if n, err := fmt.Sscanf(line, "line %d of %d", &i, &g); n != 2 || err != nil || line != fmt.Sprintf("line %d of %d", i, g) || next[g] != i {
			t.Fatalf("the log has %q", line)
		}
		next[g]++
	}
	if got := strings.Join(s.lines[loggers*each:], "|"); got != "last line|bar at the end|after it|" {
		t.Errorf("the screen ends with %q", got)
	}
}
