package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// maxBuffered bounds the rows that wait for their row groups, of all tables.
const maxBuffered = 32 << 20

// maxGathered bounds the segments in a carry: when there are more, they are
// copied into one per table.
const maxGathered = 64

// epoch is one epoch's rows on their way to the spool.
type epoch struct {
	sink    *Sink
	number  int64
	dir     string
	started time.Time
	made    bool // dir exists
	tables  map[*pipeline.Table]*spooled
	order   []*spooled
	rows    map[string]map[string]int64
	bytes   int64 // buffered
	done    bool
	// group encodes row groups while the next rows come. Its error shows at
	// the next Write, or in Prepare.
	group *errgroup.Group
	ctx   context.Context
}

// spooled is one table's segment of the epoch.
type spooled struct {
	table   *pipeline.Table
	columns []pipeline.Column
	schema  *arrow.Schema
	levels  []level
	waiting columnar.Buffer

	mu      sync.Mutex // one row group of a table at a time, in order
	writer  *segmentWriter
	encoder *columnar.Encoder
}

// Begin starts an epoch.
func (s *Sink) Begin(number int64) (pipeline.EpochWriter, error) {
	dir := s.opening.Spool(number)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	e := &epoch{sink: s, number: number, dir: dir, started: s.now(),
		tables: map[*pipeline.Table]*spooled{}, rows: map[string]map[string]int64{}}
	e.group, e.ctx = errgroup.WithContext(context.Background())
	e.group.SetLimit(runtime.GOMAXPROCS(0))
	return e, nil
}

// Write adds rows.
func (e *epoch) Write(changes []pipeline.Change, rows *pipeline.Rows) error {
	if rows.Record.NumRows() == 0 {
		return nil
	}
	if e.ctx.Err() != nil {
		return fmt.Errorf("parquet sink %q: %w", e.sink.name, e.group.Wait())
	}
	t, err := e.table(rows.Table)
	if err != nil {
		return err
	}
	rec, err := e.sink.lead(e.number, changes, rows, t.schema)
	if err != nil {
		return fmt.Errorf("parquet sink %q, table %q: %w", e.sink.name, rows.Table.Name, err)
	}
	defer rec.Release()
	e.count(rows)
	before := t.waiting.Bytes
	t.waiting.Add(rec)
	e.bytes += t.waiting.Bytes - before
	if t.waiting.Full() {
		e.flush(t)
	} else if e.bytes > maxBuffered {
		e.flush(slices.MaxFunc(e.order, func(a, b *spooled) int { return int(a.waiting.Bytes - b.waiting.Bytes) }))
	}
	return nil
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

// table returns the table's place in the spool, made at its first row.
func (e *epoch) table(t *pipeline.Table) (*spooled, error) {
	if sp, ok := e.tables[t]; ok {
		return sp, nil
	}
	s := e.sink
	if !e.made {
		if err := disk.MakeDir(e.dir, disk.Private); err != nil {
			return nil, err
		}
		e.made = true
	}
	lead := leading(s.mode)
	columns := slices.Concat(lead, t.Columns)
	enc, err := columnar.NewEncoder(columns, s.codec)
	if err != nil {
		return nil, err
	}
	seg := segment{Epoch: e.number, First: e.number, Table: t.Name, File: fmt.Sprintf("%03d.segment", len(e.order))}
	w, err := createSegment(filepath.Join(e.dir, seg.File), seg, columns, s.codec)
	if err != nil {
		return nil, err
	}
	sp := &spooled{table: t, columns: columns, schema: columnar.SchemaOf(columns), encoder: enc, writer: w,
		levels: levels(t, s.partitions[t.Name], len(lead))}
	e.tables[t] = sp
	e.order = append(e.order, sp)
	return sp, nil
}

// flush hands the waiting rows to a goroutine. There are at most as many as
// processors, and Write waits for a free one, so memory stays bounded; the
// table's lock is taken here, so row groups keep the order of their rows.
func (e *epoch) flush(t *spooled) {
	if t.waiting.Rows == 0 {
		return
	}
	full := t.waiting
	t.waiting = columnar.Buffer{}
	e.bytes -= full.Bytes
	t.mu.Lock()
	e.group.Go(func() error {
		defer t.mu.Unlock()
		defer full.Release()
		if err := t.spool(full.Records); err != nil {
			return fmt.Errorf("table %q: %w", t.table.Name, err)
		}
		return nil
	})
}

func (t *spooled) spool(records []arrow.Record) error {
	runs, err := cluster(t.schema, t.levels, records)
	if err != nil {
		return err
	}
	for _, r := range runs {
		defer func() {
			for _, rec := range r.records {
				rec.Release()
			}
		}()
		if err := t.writer.add(r, t.encoder, t.schema); err != nil {
			return err
		}
	}
	return nil
}

// Prepare makes the epoch durable: as files under temporary names if roll is
// reached, else as segments.
func (e *epoch) Prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	s := e.sink
	for _, t := range e.order {
		e.flush(t)
	}
	if err := e.group.Wait(); err != nil {
		e.Abort()
		return nil, fmt.Errorf("parquet sink %q: %w", s.name, err)
	}
	r, err := e.prepare(ctx, last)
	if err != nil {
		e.Abort()
		return nil, fmt.Errorf("parquet sink %q: %w", s.name, err)
	}
	e.done = true
	return r, nil
}

func (e *epoch) prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	s := e.sink
	next := carry{Segments: slices.Clone(s.carry.Segments), Since: s.carry.Since}
	if next.Since.IsZero() {
		next.Since = e.started
	}
	rolls := e.due(next, last)
	for _, t := range e.order {
		// What is published at once is read again by this process only.
		seg, err := t.writer.finish(!rolls)
		if err != nil {
			return nil, err
		}
		next.Segments = append(next.Segments, seg)
	}
	r := &pipeline.Committable{Epoch: e.number, Rows: e.rows, Started: e.started}
	switch {
	case len(next.Segments) == 0:
		next = carry{}
	case rolls:
		files, err := s.prepareFiles(ctx, next.Segments, e.number)
		if err != nil {
			return nil, err
		}
		if r.Payload, err = json.Marshal(publication{Files: files}); err != nil {
			return nil, fmt.Errorf("committable: %w", err)
		}
		next = carry{}
	default:
		if err := e.keep(&next, r); err != nil {
			return nil, err
		}
	}
	s.carry = next
	return r, nil
}

// due tells whether what is gathered with this epoch becomes files. A clock that
// was set back makes it due: nobody knows how old it is.
func (e *epoch) due(c carry, last bool) bool {
	age := e.sink.now().Sub(c.Since)
	if last || max(age, e.started.Sub(c.Since)) >= time.Duration(e.sink.cfg.Roll.Age) || age < 0 {
		return true
	}
	sizes := map[string]int64{}
	for _, seg := range c.Segments {
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

// keep puts the gathered segments into the committable.
func (e *epoch) keep(c *carry, r *pipeline.Committable) error {
	if len(c.Segments) > maxGathered {
		merged, err := e.merge(c.Segments)
		if err != nil {
			return err
		}
		c.Segments = merged
	}
	if e.made {
		if err := disk.SyncDir(e.dir); err != nil {
			return err
		}
	}
	for _, seg := range c.Segments {
		if !slices.Contains(r.RetainEpochs, seg.Epoch) {
			r.RetainEpochs = append(r.RetainEpochs, seg.Epoch)
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("committable: %w", err)
	}
	r.SinkState, r.FlushBy = text, c.Since.Add(time.Duration(e.sink.cfg.Roll.Age))
	return nil
}

// merge copies segments into one per table and set of columns, in this epoch's
// spool: a carry stays short however small the epochs are.
func (e *epoch) merge(segments []segment) (merged []segment, err error) {
	groups, err := e.sink.group(segments)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeGroups(groups)) }()
	if err := disk.MakeDir(e.dir, disk.Private); err != nil {
		return nil, err
	}
	e.made = true
	for i, g := range groups {
		seg := segment{Epoch: e.number, First: g.first, Table: g.table, File: fmt.Sprintf("%03d.merged", i)}
		w, err := createSegment(filepath.Join(e.dir, seg.File), seg, g.columns, g.codec)
		if err != nil {
			return nil, err
		}
		for _, r := range g.readers {
			if err := w.copyFrom(r); err != nil {
				return nil, errors.Join(err, w.abort())
			}
		}
		if seg, err = w.finish(true); err != nil {
			return nil, err
		}
		merged = append(merged, seg)
	}
	return merged, nil
}

// Abort drops the epoch's spool.
func (e *epoch) Abort() {
	if e.done {
		return
	}
	e.done = true
	_ = e.group.Wait() // its error is why the epoch is dropped, or no longer matters
	for _, t := range e.order {
		t.waiting.Release()
		_ = t.writer.abort() // the file goes with its folder, here or at the next Begin
	}
	_ = os.RemoveAll(e.dir)
}
