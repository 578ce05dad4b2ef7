//go:build cgo && linux

package threads

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTimerSlack: it holds for every thread on which a goroutine may run.
func TestTimerSlack(t *testing.T) {
	const goroutines = 20
	got, done := make(chan int), make(chan struct{})
	defer close(done)
	for range goroutines {
		go func() {
			runtime.LockOSThread() // and it ends with the goroutine
			n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
			if err != nil {
				n = -1
			}
			got <- n
			<-done
		}()
	}
	for range goroutines {
		if n := <-got; n != 500_000 {
			t.Errorf("a thread has a slack of %d ns, want 500000", n)
		}
	}
}
