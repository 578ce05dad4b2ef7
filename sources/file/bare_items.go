package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// Items of DynamoDB also come without an export's manifests around them: as a
// data file of one, the output of a scan, or requests to write. The path names these
// files then, not a folder of exports. They have no time, unless they are lines of
// an incremental export: as_of says it, or the order of reading counts.

// bareFiles returns the files that the path names, in order; none where it names
// folders, in which exports are, or one that has the manifests of one.
func (s *Source) bareFiles(ctx context.Context) ([]listing.Entry, error) {
	found, err := s.matchAll(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if e.Err != nil {
			return nil, transient(e.Err)
		}
		if name := filepath.Base(e.Path); e.Info.IsDir() || strings.HasPrefix(name, "manifest-") || name == "_started" {
			return nil, nil
		}
	}
	return found, nil
}

// asOf returns the time that items have which say none, in µs; 0 = they have none.
func (c *Config) asOf() (int64, error) {
	if c.AsOf == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		t, err := time.Parse(layout, c.AsOf)
		if err != nil {
			continue
		}
		if t.Unix() <= 0 || t.Year() > 9999 {
			return 0, fmt.Errorf("as_of %s is out of range: want a time from 1970 to 9999", c.AsOf)
		}
		return t.UnixMicro(), nil
	}
	return 0, fmt.Errorf("as_of %q is no time: write it as 2024-05-01T12:00:00Z or 2024-05-01", c.AsOf)
}

var errTimed = errors.New("as_of is for items without a time: an export's manifests say when it was made: leave as_of out")

// untimed reports whether items that have no time may not be read: another source has their
// table.
func (s *Source) untimed(others []pipeline.Format) bool {
	return s.cfg.AsOf == "" && slices.ContainsFunc(others, func(f pipeline.Format) bool { return f.Table != "" && f.Table == s.cfg.Table })
}

// checkBare finds out the key of items that stand by themselves, and whether they
// need a time.
func (s *Source) checkBare(files []listing.Entry, others []pipeline.Format) error {
	untimed := s.untimed(others)
	sample := sampler{files: s.files, limit: int(s.cfg.MaxRecord)}
	found, err := sample.bare(files)
	if err != nil {
		return keyError(": write `key: [<partition key>, <sort key>]`, as the table has them (" + err.Error() + ")")
	}
	var errs []error
	if len(s.cfg.Key) == 0 {
		key := found.key
		for _, f := range others {
			if f.Encoding != pipeline.JSON && f.Table != "" && f.Table == s.cfg.Table && len(f.Key) > 0 {
				key = f.Key
			}
		}
		switch {
		case len(key) > 0:
			s.setKey(key)
		case len(sample.items) > 0 || !found.timed:
			errs = append(errs, keyError(sample.text()))
		}
	}
	if untimed && !found.timed {
		errs = append(errs, &spec.FieldError{Path: []string{"as_of"}, Message: fmt.Sprintf(
			"as_of is missing: the items have no time, and another source has table %s too: write when they were read, as `as_of: 2024-05-01T12:00:00Z`", s.cfg.Table)})
	}
	return errors.Join(errs...)
}

// bareSample is what the first records of files without manifests say.
type bareSample struct {
	timed bool     // they have times: lines of an incremental export
	key   []string // that keys in them have
}

// bareRecord is a record of dynamodb_export, as far as its key is concerned.
type bareRecord struct {
	exportItem
	Metadata                          json.RawMessage
	PutRequest, DeleteRequest, Delete struct {
		Item, Key map[string]map[string]json.RawMessage
	}
	Put struct {
		Item map[string]map[string]json.RawMessage
	}
}

// bare keeps the first items of the files.
func (s *sampler) bare(files []listing.Entry) (found bareSample, err error) {
	for _, e := range files {
		records, err := s.head(e.Path)
		if err != nil {
			return found, err
		}
		for _, text := range records {
			var r bareRecord
			if json.Unmarshal(text, &r) != nil {
				continue // it becomes a dead letter
			}
			found.timed = found.timed || r.Metadata != nil
			for _, item := range []map[string]map[string]json.RawMessage{r.Item, r.PutRequest.Item, r.Put.Item} {
				if len(item) > 0 {
					s.addItem(item)
				}
			}
			for _, key := range []map[string]map[string]json.RawMessage{r.Keys, r.DeleteRequest.Key, r.Delete.Key} {
				if len(key) > 0 {
					found.key = slices.Sorted(maps.Keys(key))
				}
			}
			if len(s.items) == sampledItems {
				return found, nil
			}
		}
	}
	return found, nil
}

// sampledBytes bounds how much of a file is looked at.
const sampledBytes = 4 << 20

// head returns the first records of a file.
func (s *sampler) head(path string) (records [][]byte, err error) {
	content, closeContent, err := openContent(s.files, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeContent()) }()
	b, err := io.ReadAll(io.LimitReader(content, sampledBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	w := splitter{encoding: pipeline.DynamoDBExport, at: position{line: 1}, max: s.limit, last: len(b) < sampledBytes, exact: true}
	p := w.split(b, nil)
	for _, span := range p.spans {
		records = append(records, p.data[span.Start:span.End])
	}
	return records, nil
}
