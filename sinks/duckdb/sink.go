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
	"runtime"
	"strings"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a DuckDB file. It is a pipeline.Sink.
type Sink struct {
	name    string
	cfg     Config
	opening pipeline.SinkOptions
	// memory and threads are what DuckDB has, and most is the memory that it may get
	// where nobody limits it: in bytes.
	memory, most int64
	threads      int
	db           *sql.DB
	open         func(dsn string) (*sql.DB, error)
	// found holds the columns of each table as Open left them. Nobody else can
	// change them: DuckDB locks the file.
	found map[string]warehouse.Columns
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns a sink. The error joins all mistakes of the configuration.
func New(name string, cfg Config) (*Sink, error) {
	if cfg.Schema == "" {
		cfg.Schema = defaultSchema
	}
	if cfg.Threads == 0 {
		cfg.Threads = max(1, runtime.GOMAXPROCS(0)/2) // the rest decodes the next epoch
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Sink{name: name, cfg: cfg, threads: cfg.Threads, open: openFile}, nil
}

// Mode is Settled: tables hold the current row of each key.
func (s *Sink) Mode() pipeline.Mode { return pipeline.Settled }

// DDL returns the statements that make the tables.
func (s *Sink) DDL(tables []*pipeline.Table) string { return dialect.DDL(s.cfg.Schema, tables) }

// CheckTables refuses names that are taken, or that DuckDB, which does not tell
// upper from lower case, takes for one. The error joins *spec.FieldError.
func (s *Sink) CheckTables(tables []*pipeline.Table) error { return dialect.CheckNames(tables) }

// Targets names the table in the file.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) { return s.cfg.targets(t) }

// Check does what Open does in a transaction that is rolled back; in the place of
// a file that is missing stands a temporary one.
func (s *Sink) Check(ctx context.Context, o pipeline.SinkOptions) (names []string, err error) {
	if err := s.begin(o); err != nil {
		return nil, err
	}
	path, err := disk.Canonical(s.cfg.DSN)
	if err != nil {
		return nil, err
	}
	for _, t := range o.Tables {
		names = append(names, fmt.Sprintf("table %s of %s", strings.ToLower(warehouse.In(s.cfg.Schema, t.Name)), path))
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
	if err := s.connect(ctx, path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return names, errors.Join(s.short(s.arrange(ctx, tx)), tx.Rollback())
}

// Open opens the file, compares the token with the checkpoint, and makes or checks
// the tables.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	if err := s.begin(o); err != nil {
		return err
	}
	// Two sinks that spell one path differently have to share what DuckDB opens.
	path, err := disk.Canonical(s.cfg.DSN)
	if err != nil {
		return err
	}
	if err := disk.MakeDir(filepath.Dir(path), disk.Shared); err != nil {
		return err
	}
	if err := s.connect(ctx, path); err != nil {
		return err
	}
	return s.short(s.inTx(ctx, s.arrange))
}

// begin leaves what an earlier opening had.
func (s *Sink) begin(o pipeline.SinkOptions) error {
	if err := s.Close(); err != nil {
		return err
	}
	s.opening, s.found = o, map[string]warehouse.Columns{}
	s.memory = max(s.memory, firstMemory(&s.cfg, o.Tables))
	return s.CheckTables(o.Tables)
}

func openFile(dsn string) (*sql.DB, error) { return sql.Open("duckdb", dsn) }

func (s *Sink) connect(ctx context.Context, dsn string) error {
	db, err := s.open(dsn)
	if err == nil {
		db.SetMaxOpenConns(1) // settings and transactions are the connection's
		err = db.PingContext(ctx)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		if strings.Contains(err.Error(), "lock") {
			return fmt.Errorf("%s: another process has the DuckDB file open; close it there first: %w", s.cfg.DSN, err)
		}
		return fmt.Errorf("%s: %w", s.cfg.DSN, err)
	}
	s.db = db
	if err := s.lookForMost(ctx); err != nil {
		return err
	}
	for _, set := range []string{
		fmt.Sprintf("SET memory_limit = '%dB'", s.memory),
		fmt.Sprintf("SET threads = %d", s.threads),
		"SET preserve_insertion_order = false",
		"SET autoinstall_known_extensions = false", // nothing is fetched from outside
	} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return fmt.Errorf("%s: %s: %w", s.cfg.DSN, set, err)
		}
	}
	return nil
}

// inTx runs f in a transaction.
func (s *Sink) inTx(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// token returns the last epoch of this pipeline, state folder and sink; 0 =
// none. Epochs before from are not looked at: they come in order, so DuckDB
// skips all but the end of a table that grows with every epoch.
func (s *Sink) token(ctx context.Context, tx *sql.Tx, from int64) (epoch int64, err error) {
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT coalesce(max("epoch"), 0) FROM %s WHERE "epoch" >= ? AND "pipeline" = ? AND "state_id" = ? AND "sink" = ?`,
		warehouse.In(s.cfg.Schema, warehouse.EpochsTable)), from, s.opening.Pipeline, s.opening.StateID, s.name).Scan(&epoch)
	if err != nil {
		return 0, fmt.Errorf("reading the token: %w", err)
	}
	if epoch == 0 && from > 0 {
		return s.token(ctx, tx, 0) // to say what is there instead
	}
	return epoch, nil
}

func (s *Sink) checkToken(ctx context.Context, tx *sql.Tx) error {
	found, err := s.token(ctx, tx, s.opening.Published)
	if err != nil {
		return err
	}
	var other string
	var otherEpoch int64
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT "state_id", "epoch" FROM %s WHERE "pipeline" = ? AND "state_id" <> ? AND "sink" = ? ORDER BY "ended_at" DESC LIMIT 1`,
		warehouse.In(s.cfg.Schema, warehouse.EpochsTable)), s.opening.Pipeline, s.opening.StateID, s.name).Scan(&other, &otherEpoch)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the token: %w", err)
	}
	return warehouse.Judge(s.name, &s.opening, found, other, otherEpoch)
}

// Begin starts an epoch's spool.
func (s *Sink) Begin(number int64) (pipeline.EpochWriter, error) {
	return warehouse.NewSpool(s.opening.Spool(number), number, newWriter)
}

// Commit applies the epoch in one transaction, unless the token says that it
// was applied (I5).
func (s *Sink) Commit(ctx context.Context, r *pipeline.Committable) error {
	all, err := warehouse.ReadCommittable(r)
	if err != nil {
		return err
	}
	err = s.apply(ctx, r, all)
	if more, why := s.more(ctx, err); !more {
		return errors.Join(s.short(err), why)
	}
	return pipeline.TransientFor("memory", fmt.Errorf("DuckDB has too little memory, and gets %d MiB, and threads: %d, from now on: %s", s.memory>>20, s.threads, firstLine(err)))
}

// apply applies the epoch, unless the token says that it was applied.
func (s *Sink) apply(ctx context.Context, r *pipeline.Committable, all []warehouse.Staged) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := s.token(ctx, tx, r.PreviousEpoch)
		if err != nil {
			return err
		}
		if due, err := warehouse.Due(s.name, &s.opening, r, found); !due {
			return err
		}
		rows := int64(0)
		for i := range all {
			if err := s.applyTable(ctx, tx, r.Epoch, &all[i]); err != nil {
				return fmt.Errorf("table %q: %w", all[i].Table, err)
			}
			rows += all[i].Rows()
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`INSERT INTO %s ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink", "epoch")
			VALUES (?, 'committed', ?, ?, ?, ?, ?, ?, ?)`, warehouse.In(s.cfg.Schema, warehouse.EpochsTable)),
			s.opening.Pipeline+"."+s.name, r.Started, time.Now().UTC(), rows, s.opening.Pipeline, s.opening.StateID, s.name, r.Epoch)
		if err != nil {
			return fmt.Errorf("writing the token: %w", err)
		}
		return nil
	})
}

// applyTable applies one table's rows, and holds the counts against the committable. It
// goes by the committable and the spool alone: the pipeline file may have changed
// since they were written.
func (s *Sink) applyTable(ctx context.Context, tx *sql.Tx, epoch int64, st *warehouse.Staged) error {
	file := filepath.Join(s.opening.Spool(epoch), st.File)
	gone, come := []pipeline.Op{pipeline.OpDelete}, []pipeline.Op{pipeline.OpInsert}
	goes, comes := st.Deletes, st.Inserts
	inPlace := false
	if st.Updates > 0 {
		found, ok := s.found[st.Table]
		if !ok { // the pipeline file has lost the table
			var err error
			if found, err = s.columns(ctx, tx, st.Table); err != nil {
				return err
			}
		}
		inPlace = leaves(st, found)
	}
	switch {
	case st.Updates == 0:
	case inPlace:
		if statement := st.Update(s.cfg.Schema, staging(file, []pipeline.Op{pipeline.OpUpdate})); statement != "" {
			if err := exec(ctx, tx, statement, st.Updates, "updated"); err != nil {
				return err
			}
		}
	default:
		// Taking a row out and putting it in again costs a seventh of an update.
		gone, goes = append(gone, pipeline.OpUpdate), goes+st.Updates
		come, comes = append(come, pipeline.OpUpdate), comes+st.Updates
	}
	if goes > 0 {
		if err := exec(ctx, tx, st.Delete(s.cfg.Schema, staging(file, gone)), goes, "deleted"); err != nil {
			return err
		}
	}
	if comes > 0 {
		return exec(ctx, tx, st.Insert(s.cfg.Schema, staging(file, come)), comes, "inserted")
	}
	return nil
}

// exec runs a statement that has to touch as many rows as the committable says:
// anything else means that somebody else has changed the table.
func exec(ctx context.Context, tx *sql.Tx, statement string, want int64, what string) error {
	result, err := tx.ExecContext(ctx, statement)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	return warehouse.CheckCount(n, want, what)
}

// Close writes DuckDB's log into the file and closes it. It may be called twice.
func (s *Sink) Close() error {
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db = nil
	return err
}
