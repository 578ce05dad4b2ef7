package parquet

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func orders() *pipeline.Table {
	return pipelinetest.Table("order", "id", "id int64", "country", "at timestamp")
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

// harness is a driver with a lake.
type harness struct {
	*pipelinetest.SinkDriver
	sink   *Sink                 // the latest
	saved  *pipeline.Committable // of the last epoch, whether it is committed or not; nil = it has nothing to publish
	clock  time.Time
	store  blob.Store    // in the place of the url's; nil = that
	gather *gatherLimits // nil = the usual ones
}

func newHarness(t testing.TB, cfg Config, tables ...*pipeline.Table) *harness {
	t.Helper()
	h := &harness{SinkDriver: pipelinetest.NewSinkDriver(t, "shop", tables...), clock: time.Unix(1e9, 0)}
	h.State, h.EarlyClean = "0123456789abcdef0123", true
	if cfg.URL == "" {
		cfg.URL = filepath.Join(h.Dir, "lake")
	}
	h.restart(cfg)
	h.Must(h.open())
	return h
}

// restart makes another sink, as a new process would after a kill.
func (h *harness) restart(cfg Config) {
	h.T.Helper()
	sink, err := New("lake", cfg)
	h.Must(err)
	sink.now = func() time.Time { return h.clock }
	if h.gather != nil {
		sink.gather = *h.gather
	}
	if h.store != nil {
		_, local := h.store.(*blob.Dir)
		sink.remote = !local
		sink.wrap = func(blob.Store) blob.Store { return h.store }
		sink.target = h.store
	}
	h.sink = sink
}

func (h *harness) open() error { return h.Open(h.sink) }

// newState goes on with another state folder, which is empty.
func (h *harness) newState(id string) {
	h.NewState(id)
	h.saved = nil
}

// prepare writes an epoch and saves its committable.
func (h *harness) prepare(last bool, in ...[]order) *pipeline.Committable {
	h.T.Helper()
	r, err := h.tryPrepare(last, in...)
	h.Must(err)
	h.save(r)
	return r
}

func (h *harness) tryPrepare(last bool, in ...[]order) (*pipeline.Committable, error) {
	h.T.Helper()
	return h.Write(last, func(e pipeline.EpochWriter) error {
		for _, o := range in {
			changes, rows := orderRows(h.Tables[0], o)
			err := e.Write(changes, rows)
			rows.Record.Release()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *harness) save(r *pipeline.Committable) {
	h.T.Helper()
	h.Save(r)
	h.saved = h.Pending
}

// commit commits what is saved, again if it was.
func (h *harness) commit() {
	h.T.Helper()
	if h.saved == nil {
		return
	}
	h.Must(h.sink.Commit(context.Background(), h.saved))
	if h.Pending != nil {
		h.Done()
	}
}

// objects lists the objects in the lake. Owner files are left out.
func (h *harness) objects() (names []string) {
	h.T.Helper()
	for o, err := range h.sink.target.List(context.Background(), "", blob.ListOptions{Recursive: true}) {
		if err != nil {
			h.T.Fatal(err)
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
	h.T.Helper()
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
		h.T.Fatal(err)
	}
	return out
}

// lines returns the rows of all final files, as folder, then values.
func (h *harness) lines() []string {
	h.T.Helper()
	var out []string
	for _, f := range h.files() {
		if !strings.HasSuffix(f, extension) {
			continue
		}
		dir := strings.TrimPrefix(filepath.Dir(f), "order")
		for _, l := range readFile(h.T, filepath.Join(h.sink.cfg.URL, f)) {
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
