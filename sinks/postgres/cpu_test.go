//go:build unix

package postgres

import (
	"syscall"
	"testing"
)

// cpuSeconds is what this process has used; the server is another one.
func cpuSeconds(b testing.TB) float64 {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
