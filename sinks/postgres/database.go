package postgres

import (
	"context"
	"errors"
	"fmt"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// database is a schema of a server. It is a warehouse.Database.
type database struct {
	schema string
	client *pgconn.Client
	watch  watch
	// indexed says of tables whether they have an index on their key.
	indexed map[string]bool
}

var (
	_ warehouse.Database  = (*database)(nil)
	_ warehouse.Rehearser = (*database)(nil)
	_ warehouse.Publisher = (*database)(nil)
)

func newDatabase(schema string, server pgconn.Config) *database {
	return &database{schema: schema, client: &pgconn.Client{Config: server, OnConnect: onConnect}}
}

// onConnect refuses a database that could not hold every text, and ends the
// transaction that was lost with the last connection, where its session waits for
// the client that is gone: it would hold its locks until the server notices. One
// that is at work, at COMMIT above all, is let be: the token is read when it has
// ended.
func onConnect(ctx context.Context, c *pgconn.Conn, lost *pgconn.Transaction) error {
	if encoding := c.ParameterStatus("server_encoding"); encoding != "" && encoding != "UTF8" {
		return fmt.Errorf("database %q has the encoding %s, which does not hold every text: use one with UTF8", c.Database(), encoding)
	}
	if lost == nil {
		return nil
	}
	_, err := c.Query(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int AND extract(epoch FROM xact_start)::text = $2 AND wait_event_type = 'Client'",
		lost.PID, lost.Began)
	if err != nil && pgconn.Code(err) == "" {
		return err
	}
	return nil // a server that does not let us ends it by itself
}

// begin starts a transaction. Where the server forgets commits in a crash by its
// own settings, it does not forget these. And it is told that pages are found
// about as fast anywhere: its default is of disks that turn, with which it would
// rather read a whole table than find a batch's rows by their keys.
//
// A session whose client is gone without a word holds its locks until the server
// notices: it is told to look, whether it waits for the client or for a lock. A
// statement has no limit of the server's: how long an epoch may take the engine
// knows, and a limit could end a COMMIT that waits for a standby.
const begin = beginBatch + "; " + sessionSettings

// sessionSettings is the query of begin.
const sessionSettings = "SELECT pg_backend_pid(), extract(epoch FROM now()), set_config('random_page_cost', least(1.1, current_setting('random_page_cost')::float8)::text, true), " +
	"set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true), " +
	"set_config('idle_in_transaction_session_timeout', '60s', true), " +
	"set_config('tcp_keepalives_idle', '15', true), set_config('tcp_keepalives_interval', '10', true), set_config('tcp_keepalives_count', '6', true), " +
	"CASE WHEN current_setting('server_version_num')::int >= 140000 AND version() ~ 'linux' THEN set_config('client_connection_check_interval', '10s', true) END"

// tx returns the transaction of a connection.
func (d *database) tx(c *pgconn.Conn) *tx {
	return &tx{SQL: &warehouse.SQL{Session: c, Dialect: dialect, Schema: d.schema}, conn: c}
}

// Check implements warehouse.Database.
func (d *database) Check(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) (names []string, err error) {
	err = d.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error {
		rows, err := c.Query(ctx, "SELECT current_database(), pg_catalog.pg_postmaster_start_time()")
		if err != nil {
			return err
		}
		for _, t := range tables {
			names = append(names, fmt.Sprintf("table %s of database %q, of the server started at %s", warehouse.QualifiedName(d.schema, t.Name), rows[0][0], rows[0][1]))
		}
		return nil
	})
	if err == nil {
		err = d.Rehearse(ctx, do)
	}
	return names, errors.Join(err, d.Close())
}

// Open implements warehouse.Database.
func (d *database) Open(ctx context.Context, _ []*pipeline.Table, do warehouse.InTx) error {
	d.indexed = map[string]bool{}
	return d.Transact(ctx, do)
}

// Transact implements warehouse.Database.
func (d *database) Transact(ctx context.Context, do warehouse.InTx) error {
	return d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error { return do(ctx, d.tx(c)) })
}

// Rehearse implements warehouse.Rehearser.
func (d *database) Rehearse(ctx context.Context, do warehouse.InTx) error {
	return d.client.Rehearse(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error { return do(ctx, d.tx(c)) })
}

// resetTimeout is how long a reset waits for those who read the tables.
const resetTimeout = "30s"

// Reset implements warehouse.Database.
func (d *database) Reset(ctx context.Context, _ []*pipeline.Table, remove bool, do warehouse.InTx) error {
	err := d.client.InTx(ctx, begin, func(ctx context.Context, c *pgconn.Conn) error {
		tx := d.tx(c)
		if remove {
			tx.lockTimeout = resetTimeout
		}
		return do(ctx, tx)
	})
	return errors.Join(withDependents(err), d.Close())
}

// withDependents says what to do about a table that others hang on.
func withDependents(err error) error {
	var server *pgx.PgError
	if errors.As(err, &server) && server.Code == "2BP01" { // dependent objects still exist
		return fmt.Errorf("%w: %s; nothing of the sink was dropped: drop those first, and make them again after the next run", err, server.Detail)
	}
	return err
}

// Close implements warehouse.Database.
func (d *database) Close() error {
	d.client.Close()
	return nil
}
