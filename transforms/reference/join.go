package reference

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/transforms/internal/widen"
)

var (
	_ pipeline.RowTransform  = (*Join)(nil)
	_ pipeline.SideInput     = (*Join)(nil)
	_ pipeline.CallInspector = (*Join)(nil)
	_ pipeline.RowMapper     = (*mapper)(nil)
)

// Join is a compiled reference_join node. It is read-only but for the reference
// that it keeps current.
type Join struct {
	name      string // the node's
	layout    layout
	inner     bool
	stamp     bool
	normalize normalization
	columns   []int // of the layout, that are added to the rows
	tables    []*table
	describe  string // what the reference is, for people
	watch     *watcher
	delimiter rune // of CSV
}

// table is a table that is joined.
type table struct {
	*widen.Layout
	key []int // the columns that are looked up, in the order of the layout's key
}

// layout is what is read of a reference.
type layout struct {
	columns []pipeline.Column
	key     int // the first columns are the key
}

func (l *layout) index(name string) int {
	return slices.IndexFunc(l.columns, func(c pipeline.Column) bool { return c.Name == name })
}

// Tables implements pipeline.RowTransform.
func (j *Join) Tables() []*pipeline.Table {
	all := make([]*pipeline.Table, len(j.tables))
	for i, t := range j.tables {
		all[i] = t.Out
	}
	return all
}

// Drops implements pipeline.RowTransform.
func (j *Join) Drops() bool { return j.inner }

// Describe implements pipeline.SideInput.
func (j *Join) Describe() pipeline.ReferenceInfo {
	return pipeline.ReferenceInfo{
		Source: j.describe, Refresh: j.watch.refresh,
		Key: j.layout.columns[:j.layout.key], Columns: j.layout.columns[j.layout.key:],
	}
}

// Substitute makes the reference a file's, whatever it is, whose format the end of its name
// tells. It is for tests of pipelines, before Start.
func (j *Join) Substitute(path string) error {
	f, ok := formats[byExtension[strings.ToLower(filepath.Ext(path))]]
	if !ok {
		return fmt.Errorf("the end of %q does not say how the file is written: .csv, .ndjson, .jsonl, .json or .parquet", path)
	}
	j.setFile(path, bloburl.ReaderConfig{}, f)
	return nil
}

// setFile makes the reference a file's.
func (j *Join) setFile(path string, cfg bloburl.ReaderConfig, f format) {
	f.delimiter = j.delimiter
	j.describe = fmt.Sprintf("%s (%s)", path, f.name)
	j.watch.source = &file{path: path, cfg: cfg, now: func() time.Time { return j.watch.now() }, load: func(ctx context.Context, o blob.Object) (*snapshot, error) {
		return j.loadFile(ctx, path, &f, o)
	}}
}

// Start implements pipeline.SideInput.
func (j *Join) Start(ctx context.Context, env pipeline.Env) error {
	return j.watch.start(ctx, env)
}

// InspectCall implements pipeline.CallInspector. What is loaded from a service gets on though the process
// does nothing: it waits for answers, each of which has a deadline, and a scan for what its
// read capacity allows.
func (j *Join) InspectCall(context.Context) pipeline.CallStatus {
	if f, ok := j.watch.source.(*file); ok && !f.remote() {
		return pipeline.CallStatus{Unknown: true}
	}
	return pipeline.CallStatus{LastProgress: j.watch.now(), WaitsFor: j.describe}
}

// Snapshot implements pipeline.SideInput.
func (j *Join) Snapshot() any { return j.watch.current() }

// Reference implements pipeline.SideInput.
func (j *Join) Reference() pipeline.ReferenceStatus { return j.watch.status() }

// Reload implements pipeline.Reloader: the reference is read, changed or not.
func (j *Join) Reload() { j.watch.reload() }

// Close implements pipeline.SideInput.
func (j *Join) Close() error {
	j.watch.close()
	return nil
}

// Explain implements pipeline.Explainer.
func (j *Join) Explain() []string {
	how, rest := "left", "null without a match"
	if j.inner {
		how, rest = "inner", "rows without a match are dropped"
	}
	all := make([]string, len(j.tables))
	for i, t := range j.tables {
		var on, add []string
		for k, c := range t.key {
			on = append(on, t.In.Columns[c].Name+" = "+describe(j.layout.columns[k]))
		}
		for _, c := range j.columns {
			add = append(add, describe(j.layout.columns[c]))
		}
		if add == nil {
			add = []string{"no columns"}
		}
		all[i] = fmt.Sprintf("%s join to %s on %s: %s; %s", how, j.watch.source, strings.Join(on, ", "), strings.Join(add, ", "), rest)
	}
	return all
}

func describe(c pipeline.Column) string { return fmt.Sprintf("%s (%s)", c.Name, c.Type) }
