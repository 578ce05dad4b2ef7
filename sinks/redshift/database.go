package redshift

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// database is a schema of a cluster or workgroup. It is a warehouse.Database.
type database struct {
	cfg    *Config
	client *pgconn.Client
	loader loader
	// epoch is the one that the sink commits.
	epoch int64
}

var _ warehouse.Database = (*database)(nil)

func newDatabase(cfg *Config, server pgconn.Config, l loader) *database {
	d := &database{cfg: cfg, loader: l}
	d.client = &pgconn.Client{Config: server, OnConnect: d.onConnect}
	return d
}

// onConnect sets what statements depend on. A session that was lost with a connection is left
// alone: LOCK of the token waits until it has ended.
func (d *database) onConnect(ctx context.Context, c *pgconn.Conn, _ *pgconn.Transaction) error {
	// Names are folded whatever the database's default is, so that they are found again.
	if _, err := c.Exec(ctx, "SET enable_case_sensitive_identifier TO off"); err != nil {
		return err
	}
	if d.cfg.QueryGroup == "" {
		return nil
	}
	_, err := c.Exec(ctx, "SET query_group TO "+literal(d.cfg.QueryGroup))
	return err
}

// begin starts a transaction. It is alone: the first statement behind it is LOCK.
const begin = "BEGIN"

func (d *database) tx(c *pgconn.Conn) *tx {
	return &tx{SQL: &warehouse.SQL{Session: c, Dialect: dialect, Schema: d.cfg.Schema}, db: d}
}

// Check implements warehouse.Database.
func (d *database) Check(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) (names []string, err error) {
	err = d.client.Rehearse(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error { return do(ctx, d.tx(c)) })
	for _, t := range tables {
		names = append(names, fmt.Sprintf("table %s of %s", warehouse.QualifiedName(d.cfg.Schema, t.Name), d.client.Config.Canonical()))
	}
	return names, errors.Join(err, d.Close())
}

// Open implements warehouse.Database.
func (d *database) Open(ctx context.Context, _ []*pipeline.Table, do warehouse.InTx) error {
	return d.Transact(ctx, do)
}

// Transact implements warehouse.Database.
func (d *database) Transact(ctx context.Context, do warehouse.InTx) error {
	return d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error { return do(ctx, d.tx(c)) })
}

// Reset implements warehouse.Database.
func (d *database) Reset(ctx context.Context, _ []*pipeline.Table, _ bool, do warehouse.InTx) error {
	return errors.Join(d.Transact(ctx, do), d.Close())
}

// Close implements warehouse.Database.
func (d *database) Close() error {
	d.client.Close()
	return nil
}
