package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the CPU time that the calling thread has used.
func threadTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// threadClocks returns what the threads of the process have used. Where a thread waits is
// told by where its last system call was made.
func threadClocks() (map[int]threadClock, error) {
	const tasks = "/proc/self/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return nil, err
	}
	threads := map[int]threadClock{}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, err
		}
		t, err := readThread(filepath.Join(tasks, e.Name()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return nil, fmt.Errorf("thread %d: %w", id, err)
		}
		threads[id] = t
	}
	return threads, nil
}

func readThread(dir string) (t threadClock, err error) {
	used, err := os.ReadFile(filepath.Join(dir, "schedstat"))
	if err != nil {
		return t, err
	}
	ns, _, _ := bytes.Cut(used, []byte{' '})
	n, err := strconv.ParseInt(string(ns), 10, 64)
	if err != nil {
		return t, err
	}
	t.cpu = time.Duration(n)
	call, err := os.ReadFile(filepath.Join(dir, "syscall"))
	if err != nil {
		return t, err
	}
	if at := bytes.Fields(call); len(at) > 1 { // else it runs
		pc, err := strconv.ParseUint(string(at[len(at)-1]), 0, 64)
		if err != nil {
			return t, err
		}
		t.inGo = runtime.FuncForPC(uintptr(pc)) != nil
	}
	return t, nil
}
