package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/spooled"
)

// bufferedBytesMax is the number of bytes of rows, of all tables, that wait for their row
// groups.
const bufferedBytesMax = 32 << 20

// epoch is one epoch's rows on their way to the spool.
type epoch struct {
	sink    *Sink
	number  int64
	spool   disk.Spool
	started time.Time
	tables  map[*pipeline.Table]*tableSpool
	order   []*tableSpool // as they were met
	rows    map[string]map[string]int64
	// buffered counts the bytes that wait for their row groups.
	buffered int64
	folded   int // segments that were folded
	done     bool
	// encoders encode row groups while the next rows come. Their error shows at the
	// next Write, or in Prepare.
	encoders *errgroup.Group
	ctx      context.Context // ends with the first of these errors
}

// Begin starts an epoch.
func (s *Sink) Begin(number int64) (pipeline.EpochWriter, error) {
	e := &epoch{sink: s, number: number, spool: s.spool(number), started: s.now(),
		tables: map[*pipeline.Table]*tableSpool{}, rows: map[string]map[string]int64{}}
	if err := e.spool.Clear(); err != nil {
		return nil, err
	}
	e.encoders, e.ctx = errgroup.WithContext(context.Background())
	e.encoders.SetLimit(runtime.GOMAXPROCS(0))
	return e, nil
}

// Write adds rows.
func (e *epoch) Write(changes []pipeline.Change, rows *pipeline.Rows) error {
	if rows.Record.NumRows() == 0 {
		return nil
	}
	if e.ctx.Err() != nil {
		return fmt.Errorf("parquet sink %q: %w", e.sink.name, e.encoders.Wait())
	}
	t, err := e.table(rows.Table)
	if err != nil {
		return err
	}
	rec, err := withMetadata(e.sink.mode, e.number, changes, rows, t.schema)
	if err != nil {
		return fmt.Errorf("parquet sink %q, table %q: %w", e.sink.name, rows.Table.Name, err)
	}
	defer rec.Release()
	e.count(rows)
	e.buffered += t.add(rec)
	if t.waiting.Full() {
		e.encode(t)
	} else if e.buffered > bufferedBytesMax {
		e.encode(slices.MaxFunc(e.order, func(a, b *tableSpool) int { return int(a.waiting.Bytes - b.waiting.Bytes) }))
	}
	return nil
}

// table returns the table's part of the spool, made at its first row.
func (e *epoch) table(t *pipeline.Table) (*tableSpool, error) {
	if found, ok := e.tables[t]; ok {
		return found, nil
	}
	made, err := newTableSpool(e.sink, t, e.spool, segment{Epoch: e.number, First: e.number, Table: t.Name, File: fmt.Sprintf("%03d.segment", len(e.order))})
	if err != nil {
		return nil, err
	}
	e.tables[t] = made
	e.order = append(e.order, made)
	return made, nil
}

func (e *epoch) count(rows *pipeline.Rows) {
	byOp := e.rows[rows.Table.Name]
	if byOp == nil {
		byOp = map[string]int64{}
		e.rows[rows.Table.Name] = byOp
	}
	counts := [4]int64{}
	for _, op := range rows.Ops {
		counts[op]++
	}
	for op, n := range counts {
		if n > 0 {
			byOp[pipeline.Op(op).String()] += n
		}
	}
}

// encode hands the table's waiting rows to a goroutine. There are at most as many as
// processors, and Write waits for a free one, so memory stays bounded.
func (e *epoch) encode(t *tableSpool) {
	if t.waiting.Rows == 0 {
		return
	}
	e.buffered -= t.waiting.Bytes
	e.encoders.Go(t.encodeWaiting())
}

// Prepare makes the epoch durable: as finished files if roll is reached, else as
// segments that are published with a later epoch.
func (e *epoch) Prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	for _, t := range e.order {
		e.encode(t)
	}
	err := e.encoders.Wait()
	var r *pipeline.Committable
	if err == nil {
		r, err = e.prepare(ctx, last)
	}
	if err != nil {
		e.Abort()
		return nil, fmt.Errorf("parquet sink %q: %w", e.sink.name, err)
	}
	e.done = true
	return r, nil
}

func (e *epoch) prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	s := e.sink
	next := pendingSegments{Segments: slices.Clone(s.pending.Segments), Since: s.pending.Since}
	if next.Since.IsZero() {
		next.Since = e.started
	}
	publish := e.reachesRoll(next, last)
	if err := e.spareFiles(); err != nil {
		return nil, err
	}
	var kept []spooled.File
	for _, t := range e.order {
		// What is published at once is read again by this process only.
		seg, content, err := t.writer.finish(!publish)
		if err != nil {
			return nil, err
		}
		if seg.Spared {
			kept = append(kept, spooled.File{Name: seg.File, Data: content})
		}
		next.Segments = append(next.Segments, seg)
	}
	s.setKept(e.number, kept)
	r := &pipeline.Committable{Epoch: e.number, Rows: e.rows, Started: e.started}
	var err error
	switch {
	case len(next.Segments) == 0:
		next = pendingSegments{}
	case publish:
		r.Payload, err = e.finishFiles(ctx, next.Segments)
		next = pendingSegments{}
	default:
		err = e.savePending(&next, r)
	}
	if err != nil {
		return nil, err
	}
	s.setPending(next)
	return r, nil
}

// reachesRoll tells whether what is pending with this epoch becomes files. A clock
// that was set back does so: nobody knows how old the rows are.
func (e *epoch) reachesRoll(p pendingSegments, last bool) bool {
	age := e.sink.now().Sub(p.Since)
	if last || max(age, e.started.Sub(p.Since)) >= time.Duration(e.sink.cfg.Roll.Age) || age < 0 {
		return true
	}
	sizes := map[string]int64{}
	for _, seg := range p.Segments {
		sizes[seg.Table] += seg.Estimate
	}
	for _, t := range e.order {
		sizes[t.table.Name] += t.writer.seg.Estimate
	}
	for _, n := range sizes {
		if n >= int64(e.sink.cfg.Roll.Size) {
			return true
		}
	}
	return false
}

// finishFiles writes the segments' rows as files to the spool, and returns what
// Commit has to do with them.
func (e *epoch) finishFiles(ctx context.Context, segments []segment) (json.RawMessage, error) {
	files, err := e.sink.writeFiles(ctx, e.spool, segments, e.number)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.spool.CreateLog(publishedFile), e.spool.Sync()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(payload{Files: files})
	if err != nil {
		return nil, fmt.Errorf("committable: %w", err)
	}
	return text, nil
}

// Abort drops the epoch's spool.
func (e *epoch) Abort() {
	if e.done {
		return
	}
	e.done = true
	_ = e.encoders.Wait() // its error is why the epoch is dropped, or no longer matters
	for _, t := range e.order {
		t.abort()
	}
	_ = e.spool.Clear() // what is left is removed at the next Begin
}

var _ pipeline.Gatherer = (*Sink)(nil)

// GatherTime implements pipeline.Gatherer.
func (s *Sink) GatherTime() time.Duration { return time.Duration(s.cfg.Roll.Age) }
