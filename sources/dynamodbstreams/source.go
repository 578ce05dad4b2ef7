package dynamodbstreams

import (
	"cmp"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// Source reads the stream of a table, and never ends.
type Source struct {
	*partitions.Source
	cfg   Config
	table *table
}

var (
	_ pipeline.Source         = (*Source)(nil)
	_ pipeline.FormatReporter = (*Source)(nil)
	_ pipeline.StartReporter  = (*Source)(nil)
	_ pipeline.RegionReporter = (*Source)(nil)
)

// New returns a source. All mistakes in the configuration are *spec.FieldError, joined.
func New(name string, cfg Config) (*Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t, err := newTable(cfg)
	if err != nil {
		return nil, err
	}
	return &Source{Source: partitions.New(name, t, partitions.Options{OnGap: cfg.OnGap}), cfg: cfg, table: t}, nil
}

// Format implements pipeline.FormatReporter.
func (s *Source) Format() pipeline.Format { return s.cfg.recordFormat() }

// TTLDeletes returns what the source says becomes of rows of items that TTL removes, as the
// file has it; empty = nothing.
func (s *Source) TTLDeletes() string { return s.cfg.TTLDeletes }

// Region implements pipeline.RegionReporter.
func (s *Source) Region() (table, region string) {
	t, _ := tablename.Parse(s.cfg.Table) // which was checked
	return t.Name, cmp.Or(t.Region, s.cfg.Config.Region)
}

// StartTime implements pipeline.StartReporter. It is known in the process that has opened the source for
// the first time of all: whoever needs it for longer saves it with the positions of that opening.
func (s *Source) StartTime() (time.Time, bool) {
	at := s.table.startTime.Load()
	if at == nil {
		return time.Time{}, false
	}
	return *at, true
}
