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
		limits: limits, sources: []graph.SourceNode{{Name: "s"}}, pace: newPace(0), clock: time.Now, timer: newEpochTimer(limits, false, []graph.SinkNode{{}}),
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

// TestPositions: what moves without records is saved with the epoch that is open; by
// itself after some seconds, not more often, and at the end.
func TestPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stop, end := context.WithCancel(ctx)
		s := newSplitter(Limits{Interval: time.Second, Records: 3, Bytes: 100}, 100)
		go func() { _ = s.run(stop, ctx) }()
		moved := func(at string, dropped ...string) readResult {
			return readResult{records: &pipeline.Records{Source: "s", Positions: map[string][]byte{"quiet": []byte(at)}, Dropped: dropped}}
		}
		next := func() *barrier {
			t.Helper()
			synctest.Wait()
			for len(s.events) > 0 {
				if e := <-s.events; e.barrier != nil {
					return e.barrier
				}
			}
			return nil
		}
		s.results <- moved("1")
		s.results <- someRecords(3)
		if b := next(); b == nil || string(b.cursors["s"]["quiet"]) != "1" || string(b.cursors["s"]["p"]) != "\x03" {
			t.Fatalf("the epoch of the records after a position is %+v", b)
		}
		for range 9 { // a poll every half second
			s.results <- moved("2", "ended")
			<-time.After(500 * time.Millisecond)
			if b := next(); b != nil {
				t.Fatalf("an epoch came too early: %+v", b)
			}
		}
		<-time.After(time.Second)
		b := next()
		if b == nil || !b.wanted || b.records != 0 || string(b.cursors["s"]["quiet"]) != "2" {
			t.Fatalf("the epoch of positions is %+v", b)
		}
		if at, ok := b.cursors["s"]["ended"]; !ok || at != nil {
			t.Error("the dropped partition is not dropped")
		}
		<-time.After(time.Minute)
		if b := next(); b != nil {
			t.Fatalf("an epoch without anything: %+v", b)
		}
		s.results <- moved("3")
		synctest.Wait()
		end()
		if b := next(); b == nil || !b.wanted || b.last || string(b.cursors["s"]["quiet"]) != "3" {
			t.Errorf("the last epoch is %+v", b)
		}
	})
}
