package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// newSplitter returns a splitter of one source, with some limits and room for events.
func newSplitter(limits Limits, queue int) *splitter {
	return &splitter{
		limits: limits, sources: []graph.SourceNode{{Name: "s"}}, pace: newPace(), clock: time.Now,
		results: make(chan readResult), tasks: make(chan *task, 100), events: make(chan event, queue), finished: map[string]bool{},
	}
}

// someRecords are n records of one byte.
func someRecords(n int) readResult {
	recs := &pipeline.Records{Source: "s", Partition: "p", Data: make([]byte, n), CursorAfter: func(n int) []byte { return []byte{byte(n)} }}
	for i := range n {
		recs.Spans = append(recs.Spans, pipeline.Span{Start: uint32(i), End: uint32(i + 1), Line: int64(i + 1)})
	}
	return readResult{records: recs}
}

// TestIntervalOfWaitingEpochs: the time for which an epoch waits for the one
// before does not make it smaller.
func TestIntervalOfWaitingEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := newSplitter(Limits{Interval: time.Second, Records: 100, Bytes: 100}, 100)
		go func() { _ = s.run(ctx, ctx) }()
		for range 5 {
			s.results <- someRecords(3)
			<-time.After(time.Minute)
		}
		synctest.Wait()
		for range 5 {
			if e := <-s.events; e.barrier != nil {
				t.Fatalf("an epoch of %d records was cut before it was begun", e.barrier.records)
			} else {
				s.pace.epochBegun(e.task.epoch)
			}
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if len(s.events) != 1 {
			t.Fatalf("%d events, want the cut of an epoch that was begun", len(s.events))
		}
		if e := <-s.events; e.barrier == nil || e.barrier.records != 15 {
			t.Errorf("not an epoch of 15 records: %+v", e)
		}
		cancel()
	})
}

// TestStopLeavesWhatWasRead: after a stop, a block of input that makes many
// epochs is left where the epoch ends.
func TestStopLeavesWhatWasRead(t *testing.T) {
	stop, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newSplitter(Limits{Interval: time.Hour, Records: 1, Bytes: 100}, 0)
	done := make(chan error, 1)
	go func() { done <- s.run(stop, t.Context()) }()
	s.results <- someRecords(10)
	tasks := 0
	var last *barrier
	for e := range s.events {
		if e.barrier != nil {
			if e.barrier.records > 0 {
				last = e.barrier
			}
			continue
		}
		tasks++
		cancel()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if tasks != 1 || last == nil || string(last.cursors["s"]["p"]) != "\x01" {
		t.Errorf("%d epochs after the stop, the last %+v; want 1, with the cursor after its record", tasks, last)
	}
}
