package parquet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kind(k pipeline.Kind) pipeline.Type { return pipeline.Type{Kind: k} }

func newTable(t testing.TB, name string, columns ...pipeline.Column) *pipeline.Table {
	t.Helper()
	table, err := pipeline.NewTable(name, columns, []string{columns[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func orders(t testing.TB) *pipeline.Table {
	return newTable(t, "order", pipeline.Column{Name: "id", Type: kind(pipeline.Int64)},
		pipeline.Column{Name: "country", Type: kind(pipeline.String)}, pipeline.Column{Name: "at", Type: kind(pipeline.Timestamp)})
}

// order is a row of orders; an empty country and a zero time are null.
type order struct {
	op      pipeline.Op
	id      int64
	country string
	at      time.Time
}

func orderRows(table *pipeline.Table, in []order) ([]pipeline.Change, *pipeline.Rows) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: table}
	var changes []pipeline.Change
	for i, o := range in {
		b.Field(0).(*array.Int64Builder).Append(o.id)
		if o.country == "" {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(o.country)
		}
		if o.at.IsZero() {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(o.at.UnixMicro()))
		}
		rows.Ops = append(rows.Ops, o.op)
		rows.Change = append(rows.Change, int32(i))
		changes = append(changes, pipeline.Change{Version: pipeline.Version{Time: o.id}})
	}
	rows.Record = b.NewRecord()
	return changes, rows
}

// harness plays the engine: it keeps what a checkpoint would.
type harness struct {
	t         testing.TB
	sink      *Sink
	dir       string
	state     string
	tables    []*pipeline.Table
	epoch     int64
	published int64
	saved     *pipeline.Committable
	committed bool
	clock     time.Time
	taken     []string   // tables, by the checkpoint
	store     blob.Store // in the place of the url's; nil = that
}

func newHarness(t testing.TB, cfg Config, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), state: "0123456789abcdef0123", tables: tables, clock: time.Unix(1e9, 0), committed: true}
	if cfg.URL == "" {
		cfg.URL = filepath.Join(h.dir, "lake")
	}
	h.restart(cfg)
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) restart(cfg Config) {
	h.t.Helper()
	sink, err := New("lake", cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	sink.now = func() time.Time { return h.clock }
	if h.store != nil {
		sink.target = h.store
	}
	h.sink = sink
}

func (h *harness) spool(epoch int64) string {
	return filepath.Join(h.dir, "spool", fmt.Sprint(epoch), "lake")
}

func (h *harness) open() error {
	o := pipeline.SinkOptions{Pipeline: "shop", StateID: h.state, Tables: h.tables, Spool: h.spool, Published: h.published}
	if h.saved != nil {
		o.SinkState = slices.Clone(h.saved.SinkState)
		if h.saved.Payload != nil && !h.committed {
			o.Pending = h.saved
		}
	}
	o.Taken = h.taken
	if _, err := h.sink.Check(context.Background(), o); err != nil {
		return err
	}
	return h.sink.Open(context.Background(), o)
}

// prepare writes an epoch and saves its committable.
func (h *harness) prepare(last bool, in ...[]order) *pipeline.Committable {
	h.t.Helper()
	r, err := h.tryPrepare(last, in...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.save(r)
	return r
}

func (h *harness) tryPrepare(last bool, in ...[]order) (*pipeline.Committable, error) {
	h.t.Helper()
	e, err := h.sink.Begin(h.epoch + 1)
	if err != nil {
		return nil, err
	}
	for _, o := range in {
		changes, rows := orderRows(h.tables[0], o)
		err := e.Write(changes, rows)
		rows.Record.Release()
		if err != nil {
			e.Abort()
			return nil, err
		}
	}
	return e.Prepare(context.Background(), last)
}

// save does what the engine does with a committable: a JSON round trip included.
func (h *harness) save(r *pipeline.Committable) {
	h.t.Helper()
	h.epoch = r.Epoch
	text, err := json.Marshal(r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.saved = &pipeline.Committable{}
	if err := json.Unmarshal(text, h.saved); err != nil {
		h.t.Fatal(err)
	}
	h.committed = r.Payload == nil
}

// commit commits what is saved, and drops the spools that nobody keeps.
func (h *harness) commit() {
	h.t.Helper()
	if h.saved.Payload != nil {
		if err := h.sink.Commit(context.Background(), h.saved); err != nil {
			h.t.Fatal(err)
		}
		h.published = h.saved.Epoch
	}
	h.committed = true
	dirs, err := filepath.Glob(filepath.Join(h.dir, "spool", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range dirs {
		var epoch int64
		if _, err := fmt.Sscan(filepath.Base(d), &epoch); err != nil {
			h.t.Fatal(err)
		}
		if epoch <= h.epoch && !slices.Contains(h.saved.RetainEpochs, epoch) {
			if err := os.RemoveAll(d); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

// objects lists the objects in the lake. Owner files are left out.
func (h *harness) objects() (names []string) {
	h.t.Helper()
	for o, err := range h.sink.target.List(context.Background(), "", blob.ListOptions{Recursive: true}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if path.Base(o.Name) != ownerFile {
			names = append(names, o.Name)
		}
	}
	return names
}

// files lists the files below the lake.
// Owner files are left out.
func (h *harness) files() []string {
	h.t.Helper()
	var out []string
	err := filepath.WalkDir(h.sink.cfg.URL, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ownerFile {
			return err
		}
		rel, err := filepath.Rel(h.sink.cfg.URL, path)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// lines returns the rows of all final files, as folder, then values.
func (h *harness) lines() []string {
	h.t.Helper()
	var out []string
	for _, f := range h.files() {
		if !strings.HasSuffix(f, extension) {
			continue
		}
		dir := strings.TrimPrefix(filepath.Dir(f), "order")
		for _, l := range readFile(h.t, filepath.Join(h.sink.cfg.URL, f)) {
			out = append(out, strings.TrimPrefix(dir+" "+l, " "))
		}
	}
	return out
}

// readRows returns the rows of a file.
func readRows(t testing.TB, path string) (out []pq.Row) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, rg := range file.RowGroups() {
		rows := rg.Rows()
		buf := make([]pq.Row, 64)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				out = append(out, row.Clone())
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	return out
}

// readFile returns the rows of a file as texts.
func readFile(t testing.TB, path string) (out []string) {
	t.Helper()
	for _, row := range readRows(t, path) {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = v.String()
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func byDay() spec.Map[[]spec.Any] {
	return spec.Map[[]spec.Any]{{Name: "order", Value: []spec.Any{{Value: map[string]any{"day": "at"}}, {Value: "country"}}}}
}
