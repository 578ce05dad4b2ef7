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
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/spooled"
)

// StagedTable is one table's rows in the spool, as a committable lists them.
type StagedTable struct {
	Table   string   `json:"table"`
	File    string   `json:"file"`
	Columns []string `json:"columns"`
	// Types are the columns' types, where the spool does not say them itself.
	Types   []string `json:"types,omitempty"`
	Key     []string `json:"key"`
	Inserts int64    `json:"inserts"`
	Updates int64    `json:"updates"`
	Deletes int64    `json:"deletes"`
	// Files are the files of the spool that hold the rows, where there are several: a writer's
	// Close lists them.
	Files []StagedFile `json:"files,omitempty"`
}

// StagedFile is a file of a table's rows.
type StagedFile struct {
	Name string `json:"name"` // in the folder of the spool
	Rows int64  `json:"rows"`
	blob.Content
}

// Rows counts all of them.
func (s *StagedTable) Rows() int64 { return s.Inserts + s.Updates + s.Deletes }

// ReadStaged returns what a committable's Payload lists.
func ReadStaged(c *pipeline.Committable) ([]StagedTable, error) {
	var all []StagedTable
	if err := json.Unmarshal(c.Payload, &all); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", c.Epoch, err)
	}
	return all, nil
}

// concurrentSyncs bounds the files that are completed at a time.
const concurrentSyncs = 8

// Writer writes one table's rows of an epoch to the spool.
type Writer interface {
	// Write adds rows, which are valid.
	Write(rows *pipeline.Rows) error
	// Close makes the rows durable, but for the names of files. It may run while
	// the writers of other tables are closed.
	Close() error
	// Abort drops the rows; the files are removed by the caller.
	Abort() error
}

// spool is one epoch's rows on their way to the spool. It is a pipeline.EpochWriter.
type spool struct {
	number  int64
	dir     string
	cfg     *Config
	started time.Time
	inOrder []*pipeline.Table // the pipeline's tables: dimensions before facts
	tables  map[*pipeline.Table]*tableSpool
	order   []*tableSpool
}

// tableSpool is one table's part of the spool.
type tableSpool struct {
	StagedTable
	writer Writer
}

var _ pipeline.EpochWriter = (*spool)(nil)

// newSpool starts an epoch in the folder, dropping what an earlier try left there.
func newSpool(dir string, number int64, cfg *Config, inOrder []*pipeline.Table) (*spool, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &spool{number: number, dir: dir, cfg: cfg, started: time.Now().UTC(), inOrder: inOrder, tables: map[*pipeline.Table]*tableSpool{}}, nil
}

// Write implements pipeline.EpochWriter.
func (e *spool) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	if rows.Record.NumRows() == 0 {
		return nil
	}
	return e.cfg.accept(rows, e.write)
}

// write adds rows as they are stored.
func (e *spool) write(rows *pipeline.Rows) error {
	t, err := e.table(rows.Table)
	if err != nil {
		return err
	}
	for _, op := range rows.Ops {
		switch op {
		case pipeline.OpInsert:
			t.Inserts++
		case pipeline.OpUpdate:
			t.Updates++
		case pipeline.OpDelete:
			t.Deletes++
		default:
			return fmt.Errorf("table %q: operation %s in settled rows", rows.Table.Name, op)
		}
	}
	return t.writer.Write(rows)
}

// table returns the table's writer, made at its first row.
func (e *spool) table(t *pipeline.Table) (*tableSpool, error) {
	if s, ok := e.tables[t]; ok {
		return s, nil
	}
	s := &tableSpool{StagedTable: StagedTable{Table: t.Name, File: fmt.Sprintf("%03d", len(e.order)), Key: KeyOf(t)}}
	for _, c := range t.Columns {
		s.Columns = append(s.Columns, c.Name)
	}
	if !e.cfg.Spares {
		if err := disk.MakeDir(e.dir, disk.Private); err != nil {
			return nil, err
		}
	}
	var err error
	if s.writer, err = e.cfg.NewWriter(e.dir, t, &s.StagedTable); err != nil {
		return nil, err
	}
	e.tables[t] = s
	e.order = append(e.order, s)
	return s, nil
}

// Prepare completes the files.
func (e *spool) Prepare(context.Context, bool) (*pipeline.Committable, error) {
	r := &pipeline.Committable{Epoch: e.number, Rows: map[string]map[string]int64{}, Started: e.started}
	if len(e.order) == 0 {
		return r, nil
	}
	var err error
	if r.Spooled, err = e.takeSpared(); err != nil {
		return nil, err
	}
	if r.Spooled == nil {
		if err := e.completeFiles(); err != nil {
			return nil, err
		}
	}
	var all []StagedTable
	slices.SortStableFunc(e.order, func(a, b *tableSpool) int { return cmp.Compare(e.position(a.Table), e.position(b.Table)) })
	for _, s := range e.order {
		all = append(all, s.StagedTable)
		r.Rows[s.Table] = map[string]int64{"insert": s.Inserts, "update": s.Updates, "delete": s.Deletes}
	}
	if r.Payload, err = json.Marshal(all); err != nil {
		return nil, fmt.Errorf("committable: %w", err)
	}
	e.order = nil
	return r, nil
}

// takeSpared returns the rows for the committable, if they are few and in no file yet; nil = they
// are for files.
func (e *spool) takeSpared() ([]byte, error) {
	var files []spooled.File
	size := 0
	for _, t := range e.order {
		w, ok := t.writer.(FilelessWriter)
		if !ok {
			return nil, nil
		}
		some, all := w.Spared()
		if !all {
			return nil, nil
		}
		for _, f := range some {
			size += len(f.Data)
		}
		if files = append(files, some...); size > cmp.Or(e.cfg.SparedMax, spooled.BytesMax) {
			return nil, nil
		}
	}
	packed := spooled.Pack(files)
	for _, t := range e.order {
		w := t.writer
		t.writer = nil
		if err := w.Abort(); err != nil {
			return nil, err
		}
	}
	return packed, nil
}

// completeFiles makes the files durable, and their names. Together, the syncs of many files take
// little more than that of one.
func (e *spool) completeFiles() error {
	var g errgroup.Group
	g.SetLimit(concurrentSyncs)
	for _, s := range e.order {
		w := s.writer
		s.writer = nil
		g.Go(w.Close)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return disk.SyncDir(e.dir)
}

// position returns where a table stands among the pipeline's. One that has left the pipeline comes
// first: no rows come for it any more that need those of others.
func (e *spool) position(table string) int {
	return slices.IndexFunc(e.inOrder, func(t *pipeline.Table) bool { return t.Name == table })
}

// Abort drops the epoch's files.
func (e *spool) Abort() {
	var errs []error
	for _, s := range e.order {
		if s.writer != nil {
			errs = append(errs, s.writer.Abort())
		}
	}
	if len(e.order) > 0 {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	// Whatever is left is removed by the next newSpool; the epoch has failed already.
	_ = errors.Join(errs...)
	e.order = nil
}

// CheckUTF8 refuses texts that are not UTF-8: the Validate of a database that takes
// all others.
func CheckUTF8(rows *pipeline.Rows) error {
	for i, c := range rows.Table.Columns {
		a, ok := rows.Record.Column(i).(*array.String)
		if !ok {
			continue
		}
		for j := range a.Len() {
			if a.IsValid(j) && !utf8.ValidString(a.Value(j)) {
				return fmt.Errorf("table %q, column %q: %q is not UTF-8", rows.Table.Name, c.Name, a.Value(j))
			}
		}
	}
	return nil
}
