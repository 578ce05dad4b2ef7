package warehouse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/gather"
)

// Gather is how long rows may wait to be published with those of later epochs. The
// zero Gather publishes each epoch.
type Gather struct {
	Interval time.Duration // since the first epoch that waits began
	RowsMax  int64         // that wait; 0 = gatheredRowsMax
	// SegmentsMax bounds the segments in a checkpoint: when there are more, they are
	// folded into one a table; 0 = gatheredSegmentsMax.
	SegmentsMax int
	Now         func() time.Time // nil = time.Now
}

const (
	// gatheredRowsMax bounds the memory of a fold.
	gatheredRowsMax = 1 << 20
	// gatheredSegmentsMax keeps the checkpoint short.
	gatheredSegmentsMax = 64
)

func (g *Gather) on() bool { return g.Interval > 0 }

func (g *Gather) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

// isDue tells whether what has waited since then is to be published. A clock that was
// set back makes it so: nobody knows how long it has waited.
func (g *Gather) isDue(since time.Time, rows int64) bool {
	age := g.now().Sub(since)
	return age < 0 || age >= g.Interval || rows >= cmp.Or(g.RowsMax, gatheredRowsMax)
}

// backlog is the segments of earlier epochs that are published with a later one. It is the
// SinkState of committables.
type backlog struct {
	Segments []segment `json:"segments,omitempty"`
	// Since is when the first epoch that waits began.
	Since time.Time `json:"since,omitzero"`
}

func readBacklog(sinkState json.RawMessage) (b backlog, err error) {
	if sinkState != nil {
		err = json.Unmarshal(sinkState, &b)
	}
	return b, err
}

func (b *backlog) rows() (n int64) {
	for i := range b.Segments {
		n += b.Segments[i].Rows
	}
	return n
}

// gatherWriter is one epoch's rows on their way to segments. It is a
// pipeline.EpochWriter.
type gatherWriter struct {
	sink    *Sink
	number  int64
	dir     string
	started time.Time
	tables  map[*pipeline.Table]*segmentWriter
	order   []*segmentWriter
	rows    map[string]map[string]int64
	done    bool
}

var _ pipeline.EpochWriter = (*gatherWriter)(nil)

func (s *Sink) newGatherWriter(number int64) (pipeline.EpochWriter, error) {
	dir := s.options.Spool(number)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &gatherWriter{sink: s, number: number, dir: dir, started: s.cfg.Gather.now().UTC(), tables: map[*pipeline.Table]*segmentWriter{}, rows: map[string]map[string]int64{}}, nil
}

// Write implements pipeline.EpochWriter.
func (e *gatherWriter) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	if rows.Record.NumRows() == 0 {
		return nil
	}
	// What is found wrong when rows are folded is of epochs that are saved already; and what
	// a pipeline file says of values holds for what is read from then on, not for what waits.
	return e.sink.cfg.accept(rows, e.write)
}

// write adds rows as they are stored.
func (e *gatherWriter) write(rows *pipeline.Rows) error {
	w, ok := e.tables[rows.Table]
	if !ok {
		if err := disk.MakeDir(e.dir, disk.Private); err != nil {
			return err
		}
		var err error
		if w, err = newSegmentWriter(e.dir, fmt.Sprintf("%03d.rows", len(e.order)), e.number, rows.Table); err != nil {
			return err
		}
		e.tables[rows.Table] = w
		e.order = append(e.order, w)
		e.rows[rows.Table.Name] = map[string]int64{}
	}
	for _, op := range rows.Ops {
		if op == pipeline.OpUpsert {
			return fmt.Errorf("table %q: operation %s in settled rows", rows.Table.Name, op)
		}
		e.rows[rows.Table.Name][op.String()]++
	}
	return w.Write(rows)
}

// Prepare implements pipeline.EpochWriter: rows wait in their segments, or all that
// wait are folded and published.
func (e *gatherWriter) Prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	c, err := e.prepare(ctx, last)
	if err != nil {
		e.Abort()
	}
	return c, err
}

func (e *gatherWriter) prepare(ctx context.Context, last bool) (*pipeline.Committable, error) {
	next := backlog{Segments: slices.Clone(e.sink.backlog.Segments), Since: e.sink.backlog.Since}
	if next.Since.IsZero() {
		next.Since = e.started
	}
	for len(e.order) > 0 {
		w := e.order[0]
		e.order = e.order[1:] // whatever comes of Close, the file is closed
		if err := w.Close(); err != nil {
			return nil, err
		}
		next.Segments = append(next.Segments, w.segment)
	}
	c := &pipeline.Committable{Epoch: e.number, Rows: e.rows, Started: e.started}
	var err error
	switch g := &e.sink.cfg.Gather; {
	case len(next.Segments) == 0:
		next = backlog{}
	case last || g.isDue(next.Since, next.rows()):
		err = e.publish(ctx, next.Segments, c)
		next = backlog{}
	default:
		err = e.carry(&next, c)
	}
	if err != nil {
		return nil, err
	}
	e.sink.backlog, e.done = next, true
	return c, nil
}

// publish folds segments into the files that the dialect's writer makes, and sets what a
// commit has to do: nothing, if nothing is left of them.
func (e *gatherWriter) publish(ctx context.Context, segments []segment, c *pipeline.Committable) error {
	s := &spool{number: e.number, dir: e.dir, cfg: &e.sink.cfg, inOrder: e.sink.options.Tables, tables: map[*pipeline.Table]*tableSpool{}}
	err := e.foldAll(segments, s.write)
	if err != nil {
		s.Abort()
		return err
	}
	folded, err := s.Prepare(ctx, false)
	if err != nil {
		return err
	}
	c.Payload, c.Spooled = folded.Payload, folded.Spooled
	return nil
}

// carry puts the backlog into the committable, and compacts it if it has too many segments.
func (e *gatherWriter) carry(b *backlog, c *pipeline.Committable) (err error) {
	if len(b.Segments) > cmp.Or(e.sink.cfg.Gather.SegmentsMax, gatheredSegmentsMax) {
		if b.Segments, err = e.compact(b.Segments); err != nil {
			return err
		}
		if len(b.Segments) == 0 { // the rows have cancelled each other out
			*b = backlog{}
			return nil
		}
	}
	if err := disk.MakeDir(e.dir, disk.Private); err != nil {
		return err
	}
	if err := disk.SyncDir(e.dir); err != nil {
		return err
	}
	for i := range b.Segments {
		if epoch := b.Segments[i].Epoch; !slices.Contains(c.RetainEpochs, epoch) {
			c.RetainEpochs = append(c.RetainEpochs, epoch)
		}
	}
	if c.SinkState, err = json.Marshal(b); err != nil {
		return fmt.Errorf("committable: %w", err)
	}
	c.FlushBy = b.Since.Add(e.sink.cfg.Gather.Interval)
	return nil
}

// compact folds segments into one for each table and set of columns, in this epoch's
// spool.
func (e *gatherWriter) compact(segments []segment) (compacted []segment, err error) {
	if err := disk.MakeDir(e.dir, disk.Private); err != nil {
		return nil, err
	}
	writers := map[*pipeline.Table]*segmentWriter{}
	var order []*segmentWriter
	err = e.foldAll(segments, func(rows *pipeline.Rows) error {
		w, ok := writers[rows.Table]
		if !ok {
			var err error
			if w, err = newSegmentWriter(e.dir, fmt.Sprintf("%03d.folded", len(order)), e.number, rows.Table); err != nil {
				return err
			}
			writers[rows.Table] = w
			order = append(order, w)
		}
		return w.Write(rows)
	})
	for _, w := range order {
		err = errors.Join(err, w.Close())
		compacted = append(compacted, w.segment)
	}
	return compacted, err
}

// foldAll folds segments, and writes the rows that result. Where the columns of a
// table have changed meanwhile, its rows before and after are folded apart, and are
// written in this order: an update leaves alone what it has no column for.
func (e *gatherWriter) foldAll(segments []segment, write func(*pipeline.Rows) error) error {
	for len(segments) > 0 {
		var group, rest []segment
		ended := false // the table's columns are others from here on
		for _, s := range segments {
			same := s.Table == segments[0].Table
			ended = ended || same && !s.sameTable(&segments[0])
			if same && !ended {
				group = append(group, s)
			} else {
				rest = append(rest, s)
			}
		}
		if err := e.foldGroup(group, write); err != nil {
			return fmt.Errorf("table %q: %w", group[0].Table, err)
		}
		segments = rest
	}
	return nil
}

// foldGroup folds segments of one table in two passes: the first is for the keys, the
// second for the rows that stay.
func (e *gatherWriter) foldGroup(group []segment, write func(*pipeline.Rows) error) error {
	t, err := group[0].table()
	if err != nil {
		return err
	}
	each := func(do func(*pipeline.Rows) error) error {
		for i := range group {
			if err := group[i].read(e.sink.options.Spool(group[i].Epoch), t, do); err != nil {
				return err
			}
		}
		return nil
	}
	f, columns, key := newFold(), make([]arrow.Array, len(t.Key)), []byte(nil)
	err = each(func(rows *pipeline.Rows) (err error) {
		for i, k := range t.Key {
			columns[i] = rows.Record.Column(k)
		}
		for row, op := range rows.Ops {
			if key, err = appendKey(key[:0], columns, row); err == nil {
				err = f.add(key, op)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	ops := f.ops()
	return each(func(rows *pipeline.Rows) error {
		var stay []int32
		out := &pipeline.Rows{Table: t}
		for row, op := range ops[:len(rows.Ops)] {
			if op != noRow {
				stay = append(stay, int32(row))
				out.Ops = append(out.Ops, op)
			}
		}
		ops = ops[len(rows.Ops):]
		if stay == nil {
			return nil
		}
		out.Record = gather.Record(rows.Record, stay)
		defer out.Record.Release()
		return write(out)
	})
}

// Abort implements pipeline.EpochWriter.
func (e *gatherWriter) Abort() {
	if e.done {
		return
	}
	for _, w := range e.order {
		_ = w.Abort() // the file goes with its folder, here or at the next Begin
	}
	e.order, e.done = nil, true
	_ = os.RemoveAll(e.dir)
}

// GatherTime implements pipeline.Gatherer.
func (s *Sink) GatherTime() time.Duration { return s.cfg.Gather.Interval }
