package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// closeWait is how long a connection has to say good-bye.
const closeWait = 2 * time.Second

// conn is one connection, with the requests that the sink makes.
type conn struct {
	pg     *pgconn.PgConn
	meter  *meter
	sealed atomic.Bool // it is at COMMIT
	// tx is the transaction at work, or the last one. Behind a pooler, its session is
	// another one each time.
	tx atomic.Pointer[transaction]
}

// transaction says which session of the server has which transaction.
type transaction struct {
	pid   string
	began string // seconds, as the server says
}

// dial connects, and refuses a database that could not hold every text.
func dial(ctx context.Context, cfg *pgconn.Config) (*conn, error) {
	c := &conn{meter: newMeter()}
	pg, err := pgconn.ConnectConfig(ctx, metering(cfg, c.meter, &c.sealed))
	if err != nil {
		return nil, err
	}
	c.pg = pg
	if encoding := pg.ParameterStatus("server_encoding"); encoding != "" && encoding != "UTF8" {
		c.close()
		return nil, fmt.Errorf("database %q has the encoding %s, which does not hold every text: use one with UTF8", cfg.Database, encoding)
	}
	return c, nil
}

// close ends the connection. What the server thinks of it does not matter: what
// was committed is known from the token.
func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = c.pg.Close(ctx)
}

// exec runs statements without parameters, which may be several.
func (c *conn) exec(ctx context.Context, statements string) error {
	return c.pg.Exec(ctx, statements).Close()
}

// run runs a statement and returns how many rows it touched.
func (c *conn) run(ctx context.Context, statement string, args ...string) (int64, error) {
	result := c.request(ctx, statement, args).Read()
	return result.CommandTag.RowsAffected(), result.Err
}

// query returns a query's rows as texts; a null is empty.
func (c *conn) query(ctx context.Context, statement string, args ...string) ([][]string, error) {
	result := c.request(ctx, statement, args).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	out := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		for _, value := range row {
			out[i] = append(out[i], string(value))
		}
	}
	return out, nil
}

func (c *conn) request(ctx context.Context, statement string, args []string) *pgconn.ResultReader {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	return c.pg.ExecParams(ctx, statement, values, nil, nil, nil)
}

// copyFile sends a spooled file to a table, and returns how many rows it had.
func (c *conn) copyFile(ctx context.Context, path, table, columns string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tag, err := c.pg.CopyFrom(ctx, f, fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", table, columns))
	return tag.RowsAffected(), err
}

// beginning starts a transaction. Where the server forgets commits in a crash by its
// own settings, it does not forget these. And it is told that pages are found
// about as fast anywhere: its default is of disks that turn, with which it would
// rather read a whole table than find a batch's rows by their keys.
//
// A session whose client is gone without a word holds its locks until the server
// notices: it is told to look, whether it waits for the client or for a lock. A
// statement has no limit of the server's: how long an epoch may take the engine
// knows, and a limit could end a COMMIT that waits for a standby.
const beginning = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; " +
	"SELECT pg_backend_pid(), extract(epoch FROM now()), set_config('random_page_cost', least(1.1, current_setting('random_page_cost')::float8)::text, true), " +
	"set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true), " +
	"set_config('idle_in_transaction_session_timeout', '60s', true), " +
	"set_config('tcp_keepalives_idle', '15', true), set_config('tcp_keepalives_interval', '10', true), set_config('tcp_keepalives_count', '6', true), " +
	"CASE WHEN current_setting('server_version_num')::int >= 140000 AND version() ~ 'linux' THEN set_config('client_connection_check_interval', '10s', true) END"

// begin starts a transaction, and notes which session has it.
func (c *conn) begin(ctx context.Context) error {
	results, err := c.pg.Exec(ctx, beginning).ReadAll()
	if err != nil {
		return err
	}
	row := results[len(results)-1].Rows[0]
	c.tx.Store(&transaction{string(row[0]), string(row[1])})
	return nil
}

// inTx runs f in a transaction.
func (c *conn) inTx(ctx context.Context, f func(context.Context) error) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := f(ctx); err != nil {
		return err // the connection is dropped, and the transaction with it
	}
	c.sealed.Store(true)
	result := c.request(ctx, "COMMIT", nil).Read()
	if result.Err != nil {
		return result.Err // what became of it the token says
	}
	c.sealed.Store(false)
	if tag := result.CommandTag.String(); tag != "COMMIT" {
		return fmt.Errorf("the server answered %s to COMMIT", tag)
	}
	return nil
}
