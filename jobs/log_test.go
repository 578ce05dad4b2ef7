package jobs

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLogsAreRedacted: secrets stay out of messages, attributes and errors.
func TestLogsAreRedacted(t *testing.T) {
	var out bytes.Buffer
	redact := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
	log := slog.New(redactingHandler{slog.NewTextHandler(&out, nil), redact})
	log.With("dsn", "u:hunter2@h").WithGroup("g").Warn("hunter2 failed", "error", errors.New("dial u:hunter2@h"), "sink", "w:hunter2", "n", 7)
	if got := out.String(); strings.Contains(got, "hunter2") || strings.Count(got, "***") != 4 || !strings.Contains(got, "n=7") {
		t.Errorf("logged %s", got)
	}
}

// TestSpansOfTimeInLogs: people read 1 min 5 s, programs seconds with the unit in
// the name.
func TestSpansOfTimeInLogs(t *testing.T) {
	for people, want := range map[bool]string{true: `msg=waited for="1 min 5 s" n=3`, false: `"msg":"waited","for_seconds":65.25,"n":3}`} {
		var out bytes.Buffer
		log := slog.New(redactingHandler{newLog(&out, slog.LevelInfo, people), func(s string) string { return s }})
		log.Info("waited", "for", 65*time.Second+250*time.Millisecond, "n", 3)
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
			t.Errorf("people: %v: %s", people, got)
		}
	}
}
