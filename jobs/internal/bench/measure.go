package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// usage is what a process used from its start to its end.
type usage struct {
	cpu, wall time.Duration
	peak      int64 // bytes of resident memory; 0 = unknown
}

// start runs a command to its end, with so many processors for Go. What it prints is shown
// only if it fails.
func (b *bench) start(ctx context.Context, processors int, name string, args ...string) (usage, error) {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", processors))
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", cmd, err, printed.Bytes())
	}
	state := cmd.ProcessState
	return usage{cpu: state.UserTime() + state.SystemTime(), wall: wall, peak: peakMemory(state)}, nil
}
