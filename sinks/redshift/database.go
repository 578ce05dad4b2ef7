package redshift

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// database is a schema of a cluster or workgroup. It is a warehouse.Database.
type database struct {
	cfg     *Config
	dialect *warehouse.Dialect
	client  *pgconn.Client
	loader  loader
	owner   warehouse.Owner // that opens it
	// epoch is the one that the sink commits.
	epoch int64
	watch watch
}

var _ warehouse.Database = (*database)(nil)

func newDatabase(cfg *Config, server pgconn.Config, l loader) *database {
	d := &database{cfg: cfg, dialect: newDialect(cfg), loader: l}
	d.client = &pgconn.Client{Config: server, OnConnect: d.onConnect, Reason: retryReason, IdleMax: idleMax}
	return d
}

// idleMax is how long a connection may rest between flushes and be taken as it is: a network
// load balancer forgets one after 350 s, and a workgroup is paused.
const idleMax = 30 * time.Second

// onConnect sets what statements depend on. A session that was lost with the last connection is
// ended where nobody is at it any more; else LOCK of the token waits until it has ended.
func (d *database) onConnect(ctx context.Context, c *pgconn.Conn, lost *pgconn.Transaction) error {
	if err := d.endLost(ctx, c, lost); err != nil {
		return err
	}
	// Whatever the defaults of the user and the database are: names are folded, so that they are found
	// again, and a document that can't be read is an error and not a null.
	settings := []string{"SET enable_case_sensitive_identifier TO off", "SET parse_super_null_on_error TO off"}
	if d.cfg.LoadedAt {
		settings = append(settings, "SET timezone TO 'UTC'") // SYSDATE is the session's
	}
	if d.cfg.QueryGroup != "" {
		settings = append(settings, "SET query_group TO "+literal(d.cfg.QueryGroup))
	}
	for _, set := range settings {
		if _, err := c.Exec(ctx, set); err != nil {
			return fmt.Errorf("%s: %w", set, err)
		}
	}
	return nil
}

// endLost ends the sessions that were lost, and wait for their client; those at a statement are
// remembered.
func (d *database) endLost(ctx context.Context, c *pgconn.Conn, lost *pgconn.Transaction) error {
	sessions := &d.watch.lost
	if lost != nil {
		sessions.add(lost.PID)
	}
	o := &observer{c, warehouse.FoldASCII(d.cfg.Schema)}
	for _, pid := range sessions.all() {
		left, err := o.endLost(ctx, pid, tokenTable(d.owner))
		if err != nil && pgconn.Code(err) == "" {
			return err
		}
		// A server that does not say, or does not let us, ends it by itself.
		if !left {
			sessions.remove(pid)
		}
	}
	return nil
}

// begin starts a transaction. It is alone: the first statement behind it is LOCK.
const begin = "BEGIN"

func (d *database) tx(s warehouse.Session, p phase) *tx {
	return &tx{SQL: &warehouse.SQL{Session: s, Dialect: d.dialect, Schema: d.cfg.Schema}, cfg: d.cfg, loader: d.loader, phase: p, epoch: d.epoch, relations: map[string]*relation{}}
}

// Check implements warehouse.Database.
func (d *database) Check(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) (names []string, err error) {
	err = openAgain(func() error {
		return d.client.Rehearse(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error {
			tx := d.tx(c, checking)
			tx.tables = tables
			return do(ctx, tx)
		})
	})
	for _, t := range tables {
		names = append(names, fmt.Sprintf("table %s of %s", warehouse.FoldASCII(warehouse.QualifiedName(d.cfg.Schema, t.Name)), d.client.Config.Canonical()))
	}
	return names, errors.Join(err, d.Close())
}

// Open implements warehouse.Database. LOCK comes first in its transaction, so that the tables that it
// names have to be there before.
func (d *database) Open(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) error {
	err := openAgain(func() error {
		return d.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error { return d.tx(c, opening).makeOwnTables(ctx, d.owner) })
	})
	if err != nil {
		return err
	}
	return d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error {
		tx := d.tx(c, opening)
		tx.tables = tables
		return do(ctx, tx)
	})
}

// openTries is how often what other processes may have made at the same time is looked for. Each time
// one of them has got on.
const openTries = 10

// madeByOthers are the SQLSTATEs of what is there, though it was not when it was looked for: another
// process has made it, or this one by a connection that was lost. hiddenBySnapshot are those of the
// same where IF NOT EXISTS has seen it, and what goes by the snapshot of the transaction has not.
var (
	madeByOthers     = []string{"42P06", "42P07", "23505"}
	hiddenBySnapshot = []string{"3F000", "42P01"}
)

// openAgain looks once more for tables that somebody else has made meanwhile.
func openAgain(open func() error) (err error) {
	for range openTries {
		err = open()
		if !pgconn.InClass(err, madeByOthers...) && !pgconn.InClass(err, hiddenBySnapshot...) {
			return err
		}
	}
	if pgconn.InClass(err, madeByOthers...) {
		return pipeline.TransientFor("relation", err)
	}
	return err
}

// Transact implements warehouse.Database.
func (d *database) Transact(ctx context.Context, do warehouse.InTx) error {
	return d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error { return do(ctx, d.tx(c, committing)) })
}

// resetTimeout is how long a statement of a reset waits for those who read the tables, in milliseconds.
const resetTimeout = 60_000

// Reset implements warehouse.Database.
func (d *database) Reset(ctx context.Context, _ []*pipeline.Table, remove bool, do warehouse.InTx) error {
	lockable := false
	err := d.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error {
		if !remove {
			return nil
		}
		if _, err := c.Exec(ctx, fmt.Sprint("SET statement_timeout TO ", resetTimeout)); err != nil { // it goes with the session
			return err
		}
		// In the transaction, LOCK comes before all that takes a snapshot.
		there, err := d.tx(c, resetting).FindTable(ctx, tokenTable(d.owner))
		lockable = there != nil
		return err
	})
	if err == nil {
		err = d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error {
			tx := d.tx(c, resetting)
			tx.unlocked = !lockable
			return do(ctx, tx)
		})
	}
	return errors.Join(withDependents(err), d.Close())
}

// withDependents says what to do about a table that others hang on: views that are bound to it.
func withDependents(err error) error {
	if pgconn.Code(err) != "2BP01" { // dependent objects still exist
		return err
	}
	return fmt.Errorf("%w; nothing of the sink was dropped: drop what depends on the table first, and make it again after the next run; views WITH NO SCHEMA BINDING do not stand in the way", err)
}

// Close implements warehouse.Database.
func (d *database) Close() error {
	d.client.Close()
	return nil
}
