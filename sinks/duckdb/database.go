//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// database is a DuckDB file. It is a warehouse.Database. Nobody else can change the
// file while it is open: DuckDB locks it.
type database struct {
	cfg Config
	// memory and threads are what DuckDB has, and memoryMax is what it may get where
	// nobody limits it: in bytes.
	memory, memoryMax int64
	threads           int
	tables            []*pipeline.Table
	db                *sql.DB // nil = not open
	pace              vacuumPace
	openFile          func(dsn string) (*sql.DB, error)
}

var _ warehouse.Database = (*database)(nil)

func openFile(dsn string) (*sql.DB, error) { return sql.Open("duckdb", dsn) }

// begin sizes DuckDB for the tables, and returns the path of the file. Two sinks that
// spell one path differently have to share what DuckDB opens.
func (d *database) begin(tables []*pipeline.Table) (path string, err error) {
	d.tables = tables
	d.memory = max(d.memory, initialMemory(&d.cfg, tables))
	return disk.Canonical(d.cfg.DSN)
}

// Check implements warehouse.Database. If the file is missing, a temporary one is
// checked instead.
func (d *database) Check(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) (names []string, err error) {
	path, err := d.begin(tables)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		names = append(names, fmt.Sprintf("table %s of %s", strings.ToLower(warehouse.QualifiedName(d.cfg.Schema, t.Name)), path))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := disk.CanMake(filepath.Dir(path)); err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "starlift-check-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		path = filepath.Join(dir, filepath.Base(path)) // DuckDB calls the catalogue by it
	}
	if err := d.connect(ctx, path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return names, errors.Join(d.explainShortage(do(ctx, d.newTx(tx))), tx.Rollback())
}

// Open implements warehouse.Database.
func (d *database) Open(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) error {
	path, err := d.begin(tables)
	if err != nil {
		return err
	}
	if err := disk.MakeDir(filepath.Dir(path), disk.Shared); err != nil {
		return err
	}
	if err := d.connect(ctx, path); err != nil {
		return err
	}
	return d.explainShortage(d.Transact(ctx, do))
}

// Reset implements warehouse.Database. The file stays, though nothing be left in it.
func (d *database) Reset(ctx context.Context, tables []*pipeline.Table, _ bool, do warehouse.InTx) error {
	path, err := d.begin(tables)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := d.connect(ctx, path); err != nil {
		return err
	}
	if err := d.Transact(ctx, do); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", d.cfg.DSN, err), d.Close())
	}
	return d.Close()
}

// connect opens the file, and sets DuckDB's limits.
func (d *database) connect(ctx context.Context, dsn string) error {
	db, err := d.openFile(dsn)
	if err == nil {
		db.SetMaxOpenConns(1) // settings and transactions are the connection's
		err = db.PingContext(ctx)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		if strings.Contains(err.Error(), "lock") {
			return fmt.Errorf("%s: another process has the DuckDB file open; close it there first: %w", d.cfg.DSN, err)
		}
		return fmt.Errorf("%s: %w", d.cfg.DSN, err)
	}
	d.db, d.pace = db, vacuumPace{}
	if err := d.readMemoryMax(ctx); err != nil {
		return err
	}
	for _, set := range []string{
		fmt.Sprintf("SET memory_limit = '%dB'", d.memory),
		fmt.Sprintf("SET threads = %d", d.threads),
		"SET preserve_insertion_order = false",
		// What a commit frees goes back to the system while the next epoch is read.
		"SET allocator_background_threads = true",
		// A checkpoint compresses all that came since the one before, and what comes in larger pieces
		// is compressed once: a log of 16 MB, as DuckDB has it, costs a fourth more.
		"SET checkpoint_threshold = '64MB'",
		"SET autoinstall_known_extensions = false", // nothing is fetched from outside
	} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return fmt.Errorf("%s: %s: %w", d.cfg.DSN, set, err)
		}
	}
	return nil
}

// Transact implements warehouse.Database.
func (d *database) Transact(ctx context.Context, do warehouse.InTx) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	inner := d.newTx(tx)
	if err := do(ctx, inner); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	pace := d.pace
	if pace.add(inner.inserted, inner.deleted) {
		if _, err := tx.ExecContext(ctx, pace.statement()); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	d.pace = pace // as DuckDB was told, which no rollback takes back
	return tx.Commit()
}

// Close writes DuckDB's log into the file and closes it. It may be called twice.
func (d *database) Close() error {
	if d.db == nil {
		return nil
	}
	err := d.db.Close()
	d.db = nil
	return err
}
