package awscall

import (
	"testing"
	"time"
)

// TestPaceIdle: a shard that has nothing is read less and less often, together with others, and as
// often as the service allows once it has something again.
func TestPaceIdle(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 12_345_678, time.UTC)
	at := begin
	p := NewPace()
	seen := map[string]bool{}
	for n := 1; at.Before(begin.Add(3 * time.Minute)); n++ {
		took := time.Duration(n%7) * 3 * time.Millisecond
		interval := took + p.After(at, at.Add(took), 0, true)
		next := at.Add(interval)
		name, least, most := "busy", busyInterval, busyInterval
		switch {
		case n > idleReads && at.Sub(begin) >= time.Minute:
			name, least, most = "quiet", 1700*time.Millisecond, 2200*time.Millisecond
		case n > idleReads:
			name, least, most = "idle", 980*time.Millisecond, 1320*time.Millisecond
		}
		if seen[name] = true; interval < least || interval > most {
			t.Errorf("read %d, %s, %s after the first: the next %s later, want %s to %s", n, name, at.Sub(begin), interval, least, most)
		}
		if name != "busy" && !next.Truncate(100*time.Millisecond).Equal(next) {
			t.Errorf("read %d: the next at %s, which is no tick", n, next.Format(time.RFC3339Nano))
		}
		at = next
	}
	if len(seen) != 3 {
		t.Errorf("only %v", seen)
	}
	if got := p.After(at, at, 100, false); got != busyInterval {
		t.Errorf("after a record: %s", got)
	}
	for range idleReads {
		at = at.Add(busyInterval)
		if got := p.After(at, at, 0, true); got != busyInterval {
			t.Errorf("soon after a record: %s", got)
		}
	}
	at = at.Add(busyInterval)
	if got := p.After(at, at, 0, true); got > 1320*time.Millisecond {
		t.Errorf("a few seconds after a record: %s", got)
	}
}
