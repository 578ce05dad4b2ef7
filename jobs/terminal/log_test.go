package terminal

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestSpansOfTimeInLogs: people read 1 min 5 s, programs seconds with the unit in
// the name.
func TestSpansOfTimeInLogs(t *testing.T) {
	for people, want := range map[bool]string{true: `msg=waited for="1 min 5 s" n=3`, false: `"msg":"waited","for_seconds":65.25,"n":3}`} {
		var out bytes.Buffer
		log := slog.New(NewLog(&out, slog.LevelInfo, people))
		log.Info("waited", "for", 65*time.Second+250*time.Millisecond, "n", 3)
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
			t.Errorf("people: %v: %s", people, got)
		}
	}
}
