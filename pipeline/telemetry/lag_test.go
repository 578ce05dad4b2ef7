package telemetry

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLag: it is that of the newest change that was read, and nothing while there
// is nothing more to read.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLags(time.Now)
		l.follow("s")
		if _, known := l.of("s"); known {
			t.Error("a lag is known before anything is read")
		}
		l.waits("s")
		l.answered("s")
		l.set("s", time.Now().Add(-time.Hour))
		time.Sleep(10 * time.Second)
		if lag, known := l.of("s"); !known || lag != time.Hour {
			t.Errorf("while the source is read the lag is %s", lag)
		}
		l.waits("s")
		if lag, _ := l.of("s"); lag != time.Hour {
			t.Errorf("as soon as it is waited for, the lag is %s", lag)
		}
		time.Sleep(2 * caughtUpAfter)
		if lag, known := l.of("s"); !known || lag != 0 {
			t.Errorf("while it is waited for, the lag is %s", lag)
		}
		l.set("s", time.Now().Add(time.Hour)) // clocks differ
		l.answered("s")
		if lag, _ := l.of("s"); lag != 0 {
			t.Errorf("of a change from the future, the lag is %s", lag)
		}
	})
}
