package dynamodb

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/dynamodbstreams"
	"github.com/starlift-etl/starlift/sources/kinesis"
)

// New returns a source. All mistakes in the configuration are *spec.FieldError, joined.
func New(name string, cfg Config) (*Source, error) { return newSource(name, cfg, follows) }

func newSource(name string, cfg Config, m mode) (*Source, error) {
	checked := cfg.check()
	stream, format, err := newStream(name, &cfg)
	if err := errors.Join(checked, err); err != nil {
		return nil, err
	}
	s := &Source{name: name, kind: cfg.Bootstrap.kind(), mode: m, table: cfg.table().Name, region: cfg.tableRegion(), format: format, stream: stream,
		ttlDeletes: cfg.TTLDeletes, snapshots: &tableSnapshots{name: name, cfg: cfg, mode: m}, regions: cfg.checkRegionsAtOpen, pause: awsapi.Sleep}
	s.another = func(m mode) (*Source, error) {
		if cfg.Bootstrap.Export.Type == "" {
			return nil, &spec.FieldError{Path: []string{"bootstrap"}, Message: "the bootstrap is no export, so nothing says where exports get: write bootstrap: {type: export, url: s3://bucket/exports}"}
		}
		if _, err := cfg.Bootstrap.Export.Write.Destination(cfg.Bootstrap.Export.URL); err != nil {
			return nil, &spec.FieldError{Path: []string{"bootstrap", "url"}, Message: err.Error()}
		}
		return newSource(name, cfg, m)
	}
	if stream, ok := stream.(interface{ AdviseOnGaps(advice string) }); ok {
		stream.AdviseOnGaps(cfg.gapAdvice())
	}
	return s, nil
}

// gapAdvice says how people go on behind a gap of the stream.
func (c *Config) gapAdvice() string {
	repair := "starlift backfill FILE --repair, which reads on behind the gap, and a full export that is newer than it; --accept-gap alone leaves them"
	if c.Bootstrap.Export.Type == "" {
		return "To go on and mend them, write bootstrap: {type: export, url: s3://bucket/exports}, once the bootstrap is done, and start " + repair
	}
	return "To go on and mend them, start " + repair
}

// newStream returns the source of the stream, and the format of its records.
func newStream(name string, cfg *Config) (pipeline.Source, pipeline.Format, error) {
	switch {
	case cfg.Stream.Kinesis.Type != "":
		s, err := kinesis.New(name, cfg.kinesisConfig())
		if err != nil {
			return nil, pipeline.Format{}, belowStream(err)
		}
		return s, s.Format(), nil
	case cfg.Stream.Streams.Type != "":
		s, err := dynamodbstreams.New(name, cfg.streamsConfig())
		if err != nil {
			return nil, pipeline.Format{}, belowStream(err)
		}
		return s, s.Format(), nil
	}
	return nil, pipeline.Format{}, nil // check says that it is missing
}

// TTLDeletes returns what the source says becomes of rows of items that TTL removes, as the
// file has it; empty = nothing.
func (s *Source) TTLDeletes() string { return s.ttlDeletes }
