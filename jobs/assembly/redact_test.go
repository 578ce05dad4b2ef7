package assembly

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
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
