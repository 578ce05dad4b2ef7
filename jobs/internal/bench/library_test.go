package main

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

// TestLibraryClocks: of each commit the busiest thread counts; threads that wait in Go, now or later, don't.
func TestLibraryClocks(t *testing.T) {
	at := map[int]threadClock{1: {cpu: 100}, 2: {cpu: 7}, 3: {cpu: 50, inGo: true}}
	l := newLibraryClocks()
	l.read = func() (map[int]threadClock, error) { return at, nil }
	l.commit() // what they took before the first commit is one of its own
	at[1], at[2], at[3], at[4] = threadClock{cpu: 104}, threadClock{cpu: 17}, threadClock{cpu: 90}, threadClock{cpu: 30}
	l.commit()
	at[1], at[2], at[4] = threadClock{cpu: 110}, threadClock{cpu: 20}, threadClock{cpu: 99, inGo: true}
	got, err := l.times()
	if want := (phaseTimes{Runs: 3, Parts: 107 + 14 + 9, Longest: 100 + 10 + 6}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	l.read = func() (map[int]threadClock, error) { return nil, errors.New("unknown") }
	if _, err := l.times(); err == nil {
		t.Error("no error of the clocks")
	}
}

// TestThreadClocks: a goroutine's thread is known as one of Go once it has waited.
func TestThreadClocks(t *testing.T) {
	l := newLibraryClocks()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { l.watch(stop); close(done) }()
	for began := time.Now(); time.Since(began) < 3*pollEvery; {
	}
	close(stop)
	<-done
	sum, err := l.times()
	if runtime.GOOS != "linux" && err != nil {
		t.Skip(err)
	}
	if err != nil || len(l.now) == 0 {
		t.Fatalf("%d threads, %v", len(l.now), err)
	}
	var all time.Duration
	for _, cpu := range l.now {
		all += cpu
	}
	if all < 2*pollEvery || sum.Longest > all {
		t.Errorf("threads took %v, of C libraries %v", all, sum.Longest)
	}
}
