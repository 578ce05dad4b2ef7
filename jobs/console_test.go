package jobs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
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
	c := &console{w: s, columns: func() int { return width }}
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
			c.draw("bar " + strings.Repeat("=", rand.IntN(2*width))) //nolint:gosec // any length will do
		}
	})
	group.Wait()
	c.draw("bar now")
	if _, err := c.Write([]byte("last line\n")); err != nil {
		t.Fatal(err)
	}
	if at := len(s.lines); at != loggers*each+2 || s.lines[at-1] != "bar now" || s.lines[at-2] != "last line" {
		t.Errorf("%d lines end with %q", at, s.lines[max(0, at-3):])
	}
	c.end("bar at the end")
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

// sizedSource is a source that says how far it is.
type sizedSource struct {
	pipeline.Source
	read, total int64
}

func (s *sizedSource) Size() (read, total int64) { return s.read, s.total }

// TestBar: it is never at its end before all is committed, and says so when the
// run was stopped.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &sizedSource{total: 200}
		a := &assembly{file: &spec.File{Name: "shop"}, config: engine.Config{Metrics: engine.NewMetrics(), Sources: []engine.SourceNode{{Name: "s", Source: source}}}}
		p := &progress{watch: newWatch(a)}
		time.Sleep(time.Minute)
		for _, tc := range []struct {
			read        int64
			ended, last bool
			starts      string
			ends        string
		}{
			{0, false, false, "shop   0 % [          ", "epoch 0"},
			{50, false, false, "shop  25 % [=======   ", "epoch 0  3 min left"},
			{200, false, false, "shop  99 % [==========", "epoch 0"},
			{50, false, true, "shop  25 % [=======   ", "] stopped, 0 records  0 MB/s  epoch 0"},
			{200, false, true, "shop  99 % [==========", "] stopped, 0 records  0 MB/s  epoch 0"},
			{200, true, true, "shop 100 % [==========", "epoch 0"},
		} {
			source.read, p.ended = tc.read, tc.ended
			text := p.bar()
			if tc.last {
				text = p.lastBar()
			}
			if !strings.HasPrefix(text, tc.starts) || !strings.HasSuffix(text, tc.ends) {
				t.Errorf("at %d of 200: %q", tc.read, text)
			}
		}
	})
}
