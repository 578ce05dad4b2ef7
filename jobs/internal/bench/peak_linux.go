package main

import (
	"os"
	"syscall"
)

// peakMemory returns the greatest resident memory, in bytes, that the process
// had.
func peakMemory(state *os.ProcessState) int64 {
	r, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	const unit = 1024             // Linux counts it in KiB
	return int64(r.Maxrss) * unit //nolint:unconvert // it is an int32 on 32-bit machines
}
