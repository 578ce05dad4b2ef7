package main

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// libraryClocks measures how evenly the threads of C libraries, which are DuckDB's, share
// their work: they have no label in the profile, which has but the sum of all. Their CPU
// clocks are read all the while, and where a commit begins: what a thread took between
// two of those is its part of a commit.
type libraryClocks struct {
	// read returns the CPU time of each thread of the process, and whether it waits in Go.
	read func() (map[int]threadClock, error)

	mu     sync.Mutex
	now    map[int]time.Duration
	begin  map[int]time.Duration   // where the last commit began
	taken  []map[int]time.Duration // by each thread, of each commit
	ofGo   map[int]bool            // threads that have waited in Go, as those of C libraries never do
	failed error
}

type threadClock struct {
	cpu  time.Duration
	inGo bool
}

func newLibraryClocks() *libraryClocks {
	return &libraryClocks{read: threadClocks, ofGo: map[int]bool{}, now: map[int]time.Duration{}, begin: map[int]time.Duration{}}
}

// pollEvery is how often clocks are read: what a thread takes after the last reading is lost.
const pollEvery = 20 * time.Millisecond

// watch reads the clocks until stop is closed.
func (l *libraryClocks) watch(stop <-chan struct{}) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		l.poll()
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func (l *libraryClocks) poll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	threads, err := l.read()
	if err != nil {
		l.failed = err
		return
	}
	for id, t := range threads {
		l.now[id] = t.cpu
		l.ofGo[id] = l.ofGo[id] || t.inGo
	}
}

// commit begins another commit, and ends the one before.
func (l *libraryClocks) commit() {
	l.poll()
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := map[int]time.Duration{}
	for id, cpu := range l.now {
		taken[id] = cpu - l.begin[id]
	}
	l.taken = append(l.taken, taken)
	l.begin = maps.Clone(l.now)
}

// times ends the last commit, and returns what its threads took: all of them, and of each
// commit the busiest.
func (l *libraryClocks) times() (phaseTimes, error) {
	l.commit()
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum phaseTimes
	for _, taken := range l.taken {
		maps.DeleteFunc(taken, func(id int, _ time.Duration) bool { return l.ofGo[id] })
		if len(taken) == 0 {
			continue
		}
		sum.Runs++
		sum.Longest += slices.Max(slices.Collect(maps.Values(taken)))
		for _, d := range taken {
			sum.Parts += d
		}
	}
	return sum, l.failed
}
