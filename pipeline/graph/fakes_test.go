package graph

import (
	"errors"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// source is a source of records of a format.
type source struct {
	pipeline.Source
	format  pipeline.Format
	keyless bool
}

func (s *source) Keyless() bool           { return s.keyless }
func (s *source) Format() pipeline.Format { return s.format }

// changes is a transform of changes.
type changes struct {
	pipeline.ChangeTransform
	tables   []*pipeline.Table
	policies map[string]pipeline.Policy // by table
	inserts  bool
}

func (c *changes) Tables() []*pipeline.Table                { return c.tables }
func (c *changes) Policy(t *pipeline.Table) pipeline.Policy { return c.policies[t.Name] }
func (c *changes) InsertsOnly(*pipeline.Table) bool         { return c.inserts }

// filter is a filter of changes.
type filter struct{ pipeline.ChangeFilter }

// rows is a row transform.
type rows struct {
	pipeline.RowTransform
	tables      []*pipeline.Table
	drops, dead bool
}

func (r *rows) Tables() []*pipeline.Table { return r.tables }
func (r *rows) Drops() bool               { return r.drops }
func (r *rows) DeadLetters() bool         { return r.dead }
func (r *rows) Explain() []string         { return []string{"looks"} }

// copyOf returns a row transform of tables, whose own have the same columns.
func copyOf(r *rows, tables []*pipeline.Table) *rows {
	made := *r
	made.tables = nil
	for _, t := range tables {
		same := *t
		made.tables = append(made.tables, &same)
	}
	return &made
}

// stateful is a stateful transform.
type stateful struct {
	pipeline.StatefulTransform
	tables    []*pipeline.Table
	inputs    []pipeline.Input
	keyspaces int
	stored    []pipeline.StoredColumns
}

func (s *stateful) Tables() []*pipeline.Table               { return s.tables }
func (s *stateful) Inputs() []pipeline.Input                { return s.inputs }
func (s *stateful) Keyspaces() int                          { return s.keyspaces }
func (s *stateful) Explain() []string                       { return []string{"counts"} }
func (s *stateful) StoredColumns() []pipeline.StoredColumns { return s.stored }

// sink is a sink. It writes to path, and refuses tables called refused.
type sink struct {
	pipeline.Sink
	mode pipeline.Mode
	path string
}

func (s *sink) Mode() pipeline.Mode { return s.mode }
func (s *sink) InvalidValues([]pipeline.StoredColumn, int) []pipeline.InvalidValue {
	return nil
}

func (s *sink) Targets(t *pipeline.Table) (key string, paths [][]string) {
	if s.path == "" {
		return "", nil
	}
	path := strings.Split(s.path, "/")
	if path[len(path)-1] == "*" {
		path[len(path)-1] = t.Name
	}
	return "url", [][]string{path}
}

var errRefused = errors.New("no such table can be made")

func (s *sink) CheckTables(tables []*pipeline.Table) error {
	for _, t := range tables {
		if t.Name == "refused" {
			return errRefused
		}
	}
	return nil
}

var (
	_ pipeline.Source             = (*source)(nil)
	_ pipeline.TablePolicies      = (*changes)(nil)
	_ pipeline.StoredColumnLister = (*stateful)(nil)
)
