package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// demanded is a splitter that ends epochs by demand, in time that passes at once.
type demanded struct {
	*splitter
	t *testing.T
}

// onDemand calls f with a splitter whose sources end by themselves, or do not, and which has
// just begun at the checkpoint of epoch 0.
func onDemand(t *testing.T, bounded bool, f func(d demanded)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		limits := Limits{Records: 100, Bytes: 100}
		s := newSplitter(limits, 100)
		s.timer = newEpochTimer(limits, bounded, []graph.SinkNode{{}})
		go func() { _ = s.run(ctx, ctx) }()
		f(demanded{s, t})
	})
}

// ended waits for some time, and returns the records of the epochs that ended by then.
func (d demanded) ended(after time.Duration) (records []int64) {
	d.t.Helper()
	<-time.After(after)
	synctest.Wait()
	for len(d.events) > 0 {
		if e := <-d.events; e.barrier != nil {
			records = append(records, e.barrier.records)
		}
	}
	return records
}

// want waits for some time, in which epochs of so many records are to end.
func (d demanded) want(after time.Duration, records ...int64) {
	d.t.Helper()
	got := d.ended(after)
	if len(got) != len(records) {
		d.t.Fatalf("after %s, epochs of %d records have ended, want %d", after, got, records)
	}
	for i := range got {
		if got[i] != records[i] {
			d.t.Fatalf("after %s, epochs of %d records have ended, want %d", after, got, records)
		}
	}
}

// TestDemand: an epoch ends when its first record is old enough and the epoch before is
// committed, and with the second of these; never without a record.
func TestDemand(t *testing.T) {
	onDemand(t, false, func(d demanded) {
		d.want(time.Minute)
		d.results <- someRecords(1)
		d.want(demandAgeMin - 1)
		d.results <- someRecords(2) // too late to make it younger
		d.want(1, 3)
		d.results <- someRecords(4)
		d.want(2 * demandAgeMin) // epoch 1 is not committed
		d.results <- someRecords(5)
		d.pace.epochCommitted(1)
		d.want(0, 9)
		d.pace.epochCommitted(2)
		d.want(time.Minute)
		d.results <- someRecords(6)
		d.pace.epochCommitted(2) // what is told twice makes nothing sooner
		d.want(demandAgeMin - 1)
		d.want(1, 6)
	})
}

// TestDemandOfSlowSinks: while a commit takes long, one epoch ends after a second, to be prepared;
// no other does before that commit is done, however old it is, but for one that is full.
func TestDemandOfSlowSinks(t *testing.T) {
	onDemand(t, false, func(d demanded) {
		d.results <- someRecords(1)
		d.want(demandAgeMin, 1)
		d.results <- someRecords(2)
		d.want(demandAgeMax - 1)
		d.want(1, 2)
		d.results <- someRecords(3)
		d.want(time.Hour)
		d.pace.epochCommitted(1) // and the next is with the committer
		d.want(0, 3)
		d.results <- someRecords(4)
		d.want(time.Hour)
		d.results <- someRecords(98)
		d.want(0, 100)
		d.pace.epochCommitted(3)
		d.want(time.Hour, 2)
	})
}

// TestDemandOfBoundedSources: where all sources end by themselves, epochs end by their size
// only: what they are cut into depends on nothing but the input.
func TestDemandOfBoundedSources(t *testing.T) {
	onDemand(t, true, func(d demanded) {
		d.results <- someRecords(60)
		d.want(time.Hour)
		d.results <- someRecords(60)
		d.want(time.Hour, 100)
		d.pace.epochCommitted(1)
		d.want(time.Hour)
	})
}

// TestDemandAfterRestart: the epoch of the checkpoint is committed before records are read.
func TestDemandAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := newSplitter(Limits{Records: 100, Bytes: 100}, 100)
		s.before, s.pace = 41, newPace(41)
		go func() { _ = s.run(ctx, ctx) }()
		s.results <- someRecords(1)
		demanded{s, t}.want(demandAgeMin, 1)
	})
}

// TestWantedWithoutRecords: what is wanted comes when it is, not before, and once; without a
// pause of its own, epochs that always want another would follow each other at once.
func TestWantedWithoutRecords(t *testing.T) {
	onDemand(t, false, func(d demanded) {
		gathered := map[string]*pipeline.Committable{"s": {FlushBy: time.Now().Add(time.Minute)}}
		d.pace.setWanted(gathered, false, time.Now())
		d.want(time.Minute - 1)
		d.want(1, 0)
		d.want(time.Hour)
		d.pace.setWanted(nil, true, time.Now())
		d.want(demandAgeMin - 1)
		d.want(1, 0)
		d.pace.setWanted(gathered, false, time.Now())
		d.pace.setWanted(nil, false, time.Now()) // a later epoch has published it
		d.want(time.Hour)
	})
}

// gathering is a sink whose rows may wait.
type gathering struct {
	*pipelinetest.Sink
	time time.Duration
}

func (g gathering) GatherTime() time.Duration { return g.time }

// TestDemandOfGatheringSinks: where rows wait in all sinks, epochs are as long as that, up to a
// second; one sink that shows each epoch is enough for short ones.
func TestDemandOfGatheringSinks(t *testing.T) {
	sinks := func(waits ...time.Duration) (all []graph.SinkNode) {
		for _, w := range waits {
			all = append(all, graph.SinkNode{Sink: gathering{time: w}})
		}
		return all
	}
	for _, c := range []struct {
		sinks []graph.SinkNode
		want  time.Duration
	}{
		{sinks(time.Minute), demandAgeMax},
		{sinks(time.Minute, time.Hour), demandAgeMax},
		{sinks(time.Minute, 50*time.Millisecond), 50 * time.Millisecond},
		{sinks(time.Millisecond), demandAgeMin},
		{sinks(time.Minute, 0), demandAgeMin},
		{append(sinks(time.Minute), graph.SinkNode{Sink: pipelinetest.NewSink(pipeline.Settled)}), demandAgeMin},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			limits := Limits{Records: 100, Bytes: 100}
			s := newSplitter(limits, 100)
			s.timer = newEpochTimer(limits, false, c.sinks)
			go func() { _ = s.run(ctx, ctx) }()
			d := demanded{s, t}
			d.results <- someRecords(1)
			d.want(c.want - 1)
			d.want(1, 1)
			d.results <- someRecords(2) // and the first is not committed
			d.want(demandAgeMax - 1)
			d.want(1, 2)
		})
	}
}
