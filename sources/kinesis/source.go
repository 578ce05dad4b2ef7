package kinesis

import (
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

// Source reads a data stream, and never ends.
type Source struct {
	*partitions.Source
	cfg    Config
	stream *stream
}

var (
	_ pipeline.Source         = (*Source)(nil)
	_ pipeline.FormatReporter = (*Source)(nil)
	_ pipeline.KeylessSource  = (*Source)(nil)
	_ pipeline.StartReporter  = (*Source)(nil)
	_ pipeline.RegionReporter = (*Source)(nil)
)

// New returns a source. All mistakes in the configuration are *spec.FieldError, joined.
func New(name string, cfg Config) (*Source, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s, err := newStream(cfg)
	if err != nil {
		return nil, err
	}
	return &Source{Source: partitions.New(name, s, partitions.Options{OnGap: cfg.OnGap}), cfg: cfg, stream: s}, nil
}

// Format implements pipeline.FormatReporter.
func (s *Source) Format() pipeline.Format { return s.cfg.recordFormat() }

// Keyless implements pipeline.KeylessSource.
func (s *Source) Keyless() bool { return s.cfg.Keyless(s.cfg.Format) }

// TTLDeletes returns what the source says becomes of rows of items that TTL removes, as the
// file has it; empty = nothing.
func (s *Source) TTLDeletes() string { return s.cfg.TTLDeletes }

// Region implements pipeline.RegionReporter: a table's changes go to a data stream of its own Region (developer guide of
// DynamoDB, change data capture for Kinesis Data Streams).
func (s *Source) Region() (table, region string) {
	f := s.Format()
	if f.Encoding != pipeline.DynamoDBCDC {
		return "", ""
	}
	return f.Table, s.cfg.region()
}

// StartTime implements pipeline.StartReporter, of the data stream: what writes to it may have
// begun later. It is known in the process that has opened the source for the first time of all:
// whoever needs it for longer saves it with the positions of that opening.
func (s *Source) StartTime() (time.Time, bool) {
	at := s.stream.startTime.Load()
	if at == nil {
		return time.Time{}, false
	}
	return *at, true
}
