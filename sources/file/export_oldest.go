package file

import (
	"cmp"
	"context"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/file/export"
)

var _ pipeline.OldestReporter = (*Source)(nil)

// Oldest implements pipeline.OldestReporter: of exports, by their manifests or as_of.
func (s *Source) Oldest() (int64, error) {
	format := s.cfg.format()
	if format.Encoding != pipeline.DynamoDBExport || format.ExportTime != 0 {
		return cmp.Or(format.ExportTime, pipeline.NoTime), nil
	}
	found, err := export.Find(context.Background(), s.files, s.cfg.Path)
	if err != nil {
		return pipeline.NoTime, nil //nolint:nilerr // opening it tells
	}
	exports, err := found.OfTable(s.cfg.Table)
	if err != nil {
		return pipeline.NoTime, nil //nolint:nilerr // opening it tells
	}
	oldest := pipeline.NoTime
	for i, e := range exports {
		at := e.From.UnixMicro()
		switch {
		case e.From.IsZero():
			return pipeline.NoTime, nil
		case !e.Incremental:
			at = e.To.Add(-pipeline.SnapshotMargin).UnixMicro()
		}
		if i == 0 || at < oldest {
			oldest = at
		}
	}
	return oldest, nil
}
