//go:build unix

package engine

import (
	"syscall"
	"time"
)

// usageNow returns what the process has used of processors and disks.
func usageNow(now time.Time) usage {
	u := usage{at: now}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return u // it can't fail for oneself; a process that is not seen does not move
	}
	u.processor = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	u.blocks = int64(r.Inblock) + int64(r.Oublock)
	return u
}
