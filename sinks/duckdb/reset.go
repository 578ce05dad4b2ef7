//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Reset implements pipeline.Resettable. The file stays, though nothing be left in it.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) (all []pipeline.TargetObject, err error) {
	if err := s.begin(pipeline.SinkOptions{Pipeline: r.Pipeline, Tables: r.Tables}); err != nil {
		return nil, err
	}
	path, err := disk.Canonical(s.cfg.DSN)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err := s.connect(ctx, path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all, err = dialect.Reset(ctx, session{s, tx}, s.cfg.Schema, s.name, &r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.cfg.DSN, err)
	}
	return all, nil
}

// session is a warehouse.Session.
type session struct {
	sink *Sink
	tx   *sql.Tx
}

func (s session) Texts(ctx context.Context, query string) ([][]string, error) {
	return texts(ctx, s.tx, query)
}

func (s session) Exec(ctx context.Context, statement string) error {
	_, err := s.tx.ExecContext(ctx, statement)
	return err
}

func (s session) Present(ctx context.Context, table string) (warehouse.Present, error) {
	return s.sink.present(ctx, s.tx, table)
}
