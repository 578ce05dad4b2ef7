//go:build !cgo

package duckdb

import (
	"context"
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
)

// ErrNoCGO says that this binary was built without DuckDB.
var ErrNoCGO = errors.New("this starlift was built without DuckDB: build it with a C compiler and CGO_ENABLED=1")

// Version returns "": there is no DuckDB in this binary.
func Version() string { return "" }

// Sink stands in where DuckDB is left out.
type Sink struct{ cfg Config }

var _ pipeline.Sink = (*Sink)(nil)

// New returns ErrNoCGO.
func New(string, Config) (*Sink, error) { return nil, ErrNoCGO }

// Mode is Settled.
func (s *Sink) Mode() pipeline.Mode { return pipeline.Settled }

// DDL returns the statements that make the tables.
func (s *Sink) DDL(_ string, tables []*pipeline.Table) string {
	return dialect.DDL(s.cfg.Schema, tables)
}

// CheckTables refuses names that DuckDB does not take.
func (s *Sink) CheckTables(tables []*pipeline.Table) error { return dialect.CheckNames(tables) }

// Targets names the table in the file.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) { return s.cfg.targets(t) }

// Check returns ErrNoCGO.
func (s *Sink) Check(context.Context, pipeline.SinkOptions) ([]string, error) { return nil, ErrNoCGO }

// Open returns ErrNoCGO.
func (s *Sink) Open(context.Context, pipeline.SinkOptions) error { return ErrNoCGO }

// Reset returns ErrNoCGO.
func (s *Sink) Reset(context.Context, pipeline.Reset) ([]pipeline.TargetObject, error) {
	return nil, ErrNoCGO
}

// Begin returns ErrNoCGO.
func (s *Sink) Begin(int64) (pipeline.EpochWriter, error) { return nil, ErrNoCGO }

// Commit returns ErrNoCGO.
func (s *Sink) Commit(context.Context, *pipeline.Committable) error { return ErrNoCGO }

// Close does nothing.
func (s *Sink) Close() error { return nil }
