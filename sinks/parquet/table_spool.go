package parquet

import (
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// tableSpool is one table's segment of an epoch, and the rows that wait to get into it.
type tableSpool struct {
	table   *pipeline.Table
	schema  *arrow.Schema
	levels  []level
	waiting columnar.Buffer

	mu      sync.Mutex // one row group at a time, in order
	writer  *segmentWriter
	encoder *columnar.Encoder
}

func newTableSpool(s *Sink, t *pipeline.Table, spool disk.Spool, seg segment) (*tableSpool, error) {
	added := metadataColumns(s.mode)
	columns := slices.Concat(added, t.Columns)
	encoder, err := columnar.NewEncoder(columns, columnar.Lake, s.codec)
	if err != nil {
		return nil, err
	}
	writer := newSegmentWriter(spool, seg, columns, s.codec, s.gather.spareMax, s.gather.groupRows)
	return &tableSpool{table: t, schema: columnar.SchemaOf(columns), levels: levels(t, s.partitions[t.Name], len(added)), writer: writer, encoder: encoder}, nil
}

// add lets a record wait, and returns its bytes.
func (t *tableSpool) add(rec arrow.Record) (bytes int64) {
	before := t.waiting.Bytes
	t.waiting.Add(rec)
	return t.waiting.Bytes - before
}

// encodeWaiting returns what writes the waiting rows to the segment. The lock is taken
// here, not there, so that row groups are in the order of their rows.
func (t *tableSpool) encodeWaiting() func() error {
	full := t.waiting
	t.waiting = columnar.Buffer{}
	t.mu.Lock()
	return func() error {
		defer t.mu.Unlock()
		defer full.Release()
		if err := t.write(full.Records); err != nil {
			return fmt.Errorf("table %q: %w", t.table.Name, err)
		}
		return nil
	}
}

func (t *tableSpool) write(records []arrow.Record) error {
	parts, err := byPartition(t.schema, t.levels, records)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range parts {
			for _, rec := range p.records {
				rec.Release()
			}
		}
	}()
	for _, p := range parts {
		if err := t.writer.add(p, t.encoder, t.schema); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableSpool) abort() {
	t.waiting.Release()
	_ = t.writer.abort() // the file goes with its folder
}
