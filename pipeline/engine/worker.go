package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// worker turns tasks into batches of rows: it decodes and unnests, and takes the rows
// through the row transforms behind that. Several of them run, each with workers of
// its own for the stages, and none knows of epochs.
type worker struct {
	stages []*stageWorker
	tasks  <-chan *task
}

func newWorker(flow *dataflow, tasks <-chan *task) *worker {
	w := &worker{stages: make([]*stageWorker, len(flow.stages)), tasks: tasks}
	for i, s := range flow.stages {
		w.stages[i] = newStageWorker(s, flow.operators)
	}
	return w
}

// run does tasks until there are no more. A failure is the task's: the epoch builder
// fails with it when the task's turn comes.
func (w *worker) run(ctx context.Context) {
	for t := range w.tasks {
		t.batches = make([]*stageBatch, len(w.stages))
		for i, s := range w.stages {
			if t.err == nil && reads(s.stage, t.records) {
				t.batches[i], t.err = s.do(ctx, t)
			}
		}
		t.read = readOf(t)
		close(t.done)
	}
}

// do takes a task through one stage.
func (w *stageWorker) do(ctx context.Context, t *task) (*stageBatch, error) {
	b, err := w.mapper.Map(ctx, w.filtered(t.records))
	if err != nil {
		return nil, fmt.Errorf("transform %s: %w", w.stage.Name, err)
	}
	if err := w.mapRows(b, t.snapshots); err != nil {
		return nil, err
	}
	return w.pack(b)
}

// reads reports whether the stage reads the records. A replayed dead letter goes only to the
// transform that refused it; in others it has taken effect.
func reads(s *stage, r *pipeline.Records) bool {
	return (r.Replays == nil || r.Replays[0].Origin.Transform == s.Name) && s.Reads(r.Source)
}

// readOf returns what an observer is told of a task.
func readOf(t *task) telemetry.Read {
	r := telemetry.Read{Source: t.source, Partition: t.records.Partition, Records: int64(t.records.Len())}
	for _, s := range t.records.Spans {
		r.Bytes += int64(s.End - s.Start)
	}
	if t.records.Replays != nil {
		r.Source = deadLetterSink
		return r
	}
	r.Newest = newest(t.records, t.batches)
	return r
}

// newest returns when the last of some records' changes came about, as far as
// they tell, by their arrival, or else their creation; zero = they do not.
func newest(r *pipeline.Records, batches []*stageBatch) time.Time {
	if n := len(r.Arrived); n > 0 {
		return time.UnixMicro(r.Arrived[n-1])
	}
	if r.Format.Encoding != pipeline.DynamoDBCDC {
		return time.Time{} // versions are not the times of changes
	}
	for _, b := range batches {
		if b != nil && len(b.Changes) > 0 {
			return time.UnixMicro(b.Changes[len(b.Changes)-1].Version.Time)
		}
	}
	return time.Time{}
}
