package dynamodbscan

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

// Source reads a table once.
type Source struct {
	*partitions.Source
	table *table
	// before is what was read when it was opened.
	before atomic.Pointer[progress]
}

// progress is how far a scan is read.
type progress struct {
	items, ended int64
}

var (
	_ pipeline.Source         = (*Source)(nil)
	_ pipeline.FormatReporter = (*Source)(nil)
	_ pipeline.KeyFinder      = (*Source)(nil)
	_ pipeline.OldestReporter = (*Source)(nil)
	_ pipeline.SizeReporter   = (*Source)(nil)
	_ pipeline.PhaseReporter  = (*Source)(nil)
)

// New returns a source. All mistakes in the configuration are *spec.FieldError, joined.
func New(name string, cfg Config) (*Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t, err := newTable(name, cfg)
	if err != nil {
		return nil, err
	}
	return newSource(name, t, partitions.Options{}), nil
}

func newSource(name string, t *table, o partitions.Options) *Source {
	s := &Source{Source: partitions.New(name, t, o), table: t}
	s.before.Store(&progress{})
	return s
}

// Open implements pipeline.Source.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	before := &progress{}
	for name, cursor := range o.Cursors {
		records, ended, err := partitions.Reached(name, cursor)
		if err != nil {
			return err
		}
		before.items += records
		if ended {
			before.ended++
		}
	}
	s.before.Store(before)
	s.table.read.Store(0)
	s.table.ended.Store(0)
	return s.Source.Open(ctx, o)
}

// CursorText implements pipeline.Source. It does not show the key of an item.
func (s *Source) CursorText(partition string, cursor []byte) string {
	records, ended, err := partitions.Reached(partition, cursor)
	switch {
	case err != nil:
		return "unreadable: " + err.Error()
	case ended:
		return fmt.Sprintf("the end, after %d items", records)
	case records == 0:
		return "the start"
	}
	return fmt.Sprintf("after %d items", records)
}

// Format implements pipeline.FormatReporter. It has the key when the file says it, another source does, or
// the table has told it.
func (s *Source) Format() pipeline.Format {
	f := s.table.cfg.recordFormat(s.table.named.Name)
	if len(f.Key) == 0 {
		f.Key = s.table.knownKey()
	}
	return f
}

// FindKey implements pipeline.KeyFinder. The table itself tells its key, when it is opened: so that
// a file can be checked far from it.
func (s *Source) FindKey(others []pipeline.Format) error {
	if len(s.table.cfg.Key) > 0 {
		return nil
	}
	for _, f := range others {
		if f.Encoding != pipeline.JSON && f.Table == s.table.named.Name && len(f.Key) > 0 {
			s.table.cfg.Key = f.Key
			return nil
		}
	}
	return pipeline.ErrKeyAtOpen
}

// clockError is how wrong our clock may be for Oldest; the service refuses requests of clocks that are
// 15 minutes off.
const clockError = time.Hour

// Oldest implements pipeline.OldestReporter: a scan that begins now has items of now, less the margin.
func (s *Source) Oldest() (int64, error) {
	return time.Now().Add(-pipeline.SnapshotMargin - clockError).UnixMicro(), nil
}

// Size implements pipeline.SizeReporter, as far as the table knows how large its items are.
func (s *Source) Size() (read, total int64) {
	s.table.mu.Lock()
	d := s.table.described
	s.table.mu.Unlock()
	if d.items <= 0 {
		return 0, 0
	}
	mean := float64(d.bytes) / float64(d.items)
	items := s.table.read.Load()
	left := max(d.items-s.before.Load().items, items)
	return int64(float64(items) * mean), int64(float64(left) * mean)
}

// Phases implements pipeline.PhaseReporter: there is one, the scan.
func (s *Source) Phases() []pipeline.SourcePhase {
	s.table.mu.Lock()
	scan, total, endedAt := s.table.scan, s.table.described.items, s.table.endedAt
	s.table.mu.Unlock()
	if scan.segments == 0 {
		return []pipeline.SourcePhase{{Name: "scan", Detail: "not begun"}}
	}
	before := s.before.Load()
	ended := before.ended + s.table.ended.Load()
	p := pipeline.SourcePhase{Name: "scan", Detail: fmt.Sprintf("%d of %d segments are read to their end", ended, scan.segments), Began: scan.began,
		Done: before.items + s.table.read.Load(), Total: total, Unit: "items"}
	if ended == int64(scan.segments) {
		p.Ended = endedAt
	}
	return []pipeline.SourcePhase{p}
}
