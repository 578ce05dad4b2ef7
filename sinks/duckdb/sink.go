//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a DuckDB file. It is a pipeline.Sink.
type Sink struct {
	*warehouse.Sink
	db *database
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns a sink. The error joins all mistakes of the configuration.
func New(name string, cfg Config) (*Sink, error) { return newSink(name, cfg, warehouse.Gather{}) }

func newSink(name string, cfg Config, gather warehouse.Gather) (*Sink, error) {
	if cfg.Schema == "" {
		cfg.Schema = defaultSchema
	}
	if cfg.Threads == 0 {
		cfg.Threads = max(1, runtime.GOMAXPROCS(0)/2) // the rest decodes the next epoch
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	db := &database{cfg: cfg, threads: cfg.Threads, openFile: openFile}
	return &Sink{db: db, Sink: warehouse.New(warehouse.Config{Name: name, Schema: cfg.Schema, Dialect: dialect, Database: db, Validate: warehouse.CheckUTF8, NewWriter: newWriter, Gather: gather})}, nil
}

// Targets names the table in the file.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) { return s.db.cfg.targets(t) }

// Commit implements pipeline.Sink. An epoch that does not fit into DuckDB's memory is
// worth another try once DuckDB has more.
func (s *Sink) Commit(ctx context.Context, c *pipeline.Committable) error {
	err := s.Sink.Commit(ctx, c)
	if more, why := s.db.enlarge(ctx, err); !more {
		return errors.Join(s.db.explainShortage(err), why)
	}
	return pipeline.TransientFor("memory", fmt.Errorf("DuckDB has too little memory, and gets %d MiB, and threads: %d, from now on: %s", s.db.memory>>20, s.db.threads, firstLine(err)))
}
