package status

import (
	"strings"
	"testing"
	"time"
)

// TestPrintRunning: nothing is called a commit that is none, and what is wrong with
// a reference is said.
func TestPrintRunning(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := &Process{Since: since, Ready: true, CommitAge: 90, Pending: 7, EpochInterval: "auto", References: map[string]Reference{
		"good": {Version: since.UnixMicro(), Age: 1.5},
		"old":  {Version: since.UnixMicro(), Age: 61, Problem: "ref.csv:2:5: the byte 0xfc is not UTF-8"},
	}}
	for _, want := range []string{
		"running since 2026-03-01T12:00:00Z, ready, no commit since, 7 records pending, epoch.interval auto\n" +
			"reference of good: version 2026-03-01T12:00:00Z, known to be the newest 1.5 s ago\n" +
			"reference of old: version 2026-03-01T12:00:00Z, known to be the newest 1 min 1 s ago; the one that is there can't be loaded: ref.csv:2:5: the byte 0xfc is not UTF-8\n",
		"ready, last commit 1 min 30 s ago, 7 records",
	} {
		var b strings.Builder
		if l.print(&b); !strings.Contains(b.String(), want) {
			t.Errorf("it is\n%swant\n%s", b.String(), want)
		}
		l.LastCommit = &since
	}
}
