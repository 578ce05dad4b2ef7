package pgconn

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// closeTimeout is how long a connection has to say good-bye.
const closeTimeout = 2 * time.Second

// Conn is one connection. One goroutine uses it, but for PID, LastProgress and
// Transaction.
type Conn struct {
	pg       *pgx.PgConn
	database string
	meter    *meter
	// committing keeps requests to cancel from a COMMIT.
	committing atomic.Bool
	tx         atomic.Pointer[Transaction]
	prepared   map[string]string // names of statements by their texts
}

// Transaction says which session of the server has which transaction. Behind a
// pooler, the session of a connection is another one each time.
type Transaction struct {
	PID   string
	Began string // seconds, as the server says; empty = it was not asked
}

// Connect makes a connection whose progress is noticed.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	c := &Conn{meter: newMeter(), database: cfg.Database, prepared: map[string]string{}}
	var err error
	c.pg, err = cfg.connect(ctx, withMeter(cfg.Config, c.meter, &c.committing))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ConnectAside makes a connection to ask about another one: a request whose context
// ends is left alone, without a word to the server.
func ConnectAside(ctx context.Context, cfg Config) (*Conn, error) {
	aside := cfg.Copy()
	aside.BuildContextWatcherHandler = func(pg *pgx.PgConn) ctxwatch.Handler {
		return &pgx.DeadlineContextWatcherHandler{Conn: pg.Conn()}
	}
	pg, err := cfg.connect(ctx, aside)
	if err != nil {
		return nil, err
	}
	return &Conn{pg: pg, meter: newMeter(), database: cfg.Database, prepared: map[string]string{}}, nil
}

// Close ends the connection. What the server thinks of it does not matter: what
// was committed is known from the token.
func (c *Conn) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	_ = c.pg.Close(ctx)
}

// PID is the session that the connection was made with.
func (c *Conn) PID() string { return strconv.Itoa(int(c.pg.PID())) }

// Database is the name of the database that was asked for; empty = the user's.
func (c *Conn) Database() string { return c.database }

// ParameterStatus returns what the server says of itself when it is connected to;
// empty = nothing.
func (c *Conn) ParameterStatus(name string) string { return c.pg.ParameterStatus(name) }

// LastProgress returns when a byte last moved.
func (c *Conn) LastProgress() time.Time { return c.meter.lastProgress() }

// Transaction returns the transaction at work, or the last one; nil = there was none.
func (c *Conn) Transaction() *Transaction { return c.tx.Load() }

// Exec runs a statement, and returns how many rows it touched. Without parameters
// there may be several, of which the last one counts.
func (c *Conn) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	if len(args) > 0 {
		result := c.request(ctx, statement, args).Read()
		return result.CommandTag.RowsAffected(), result.Err
	}
	results, err := c.pg.Exec(ctx, statement).ReadAll()
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[len(results)-1].CommandTag.RowsAffected(), nil
}

// Query returns a query's rows as texts; a null is empty.
func (c *Conn) Query(ctx context.Context, query string, args ...any) ([][]string, error) {
	result := c.request(ctx, query, args).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	return textsOf(result), nil
}

// textsOf returns the rows of a result as texts.
func textsOf(result *pgx.Result) [][]string {
	out := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		for _, value := range row {
			out[i] = append(out[i], string(value))
		}
	}
	return out
}

// Column is a column of a query's result.
type Column struct {
	Name string
	Type uint32 // its OID
}

// Describe has the server parse one statement, which is not run, and returns the columns of its
// result, of which there are none where it has no result, and how many parameters it wants.
func (c *Conn) Describe(ctx context.Context, statement string) (columns []Column, parameters int, err error) {
	d, err := c.pg.Prepare(ctx, "", statement, nil)
	if err != nil {
		return nil, 0, err
	}
	return columnsOf(d.Fields), len(d.ParamOIDs), nil
}

// Rows runs one statement, and gives each row of its result as texts, of which a null is nil. They are
// valid until row returns. An error of it is returned as it is; the statement is cancelled then, and
// the connection is of no use any more.
func (c *Conn) Rows(ctx context.Context, query string, row func(values [][]byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := c.request(ctx, query, nil)
	for result.NextRow() {
		if err := row(result.Values()); err != nil {
			cancel()
			_, _ = result.Close() // it fails for having been cancelled
			return err
		}
	}
	_, err := result.Close()
	return err
}

func columnsOf(fields []pgx.FieldDescription) (all []Column) {
	for _, f := range fields {
		all = append(all, Column{f.Name, f.DataTypeOID})
	}
	return all
}

func (c *Conn) request(ctx context.Context, statement string, args []any) *pgx.ResultReader {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = textOf(a)
	}
	return c.pg.ExecParams(ctx, statement, values, nil, nil, nil)
}

// textOf returns a parameter as text; nil is NULL.
func textOf(arg any) []byte {
	switch a := arg.(type) {
	case nil:
		return nil
	case string:
		return []byte(a)
	case time.Time:
		return a.UTC().AppendFormat(nil, "2006-01-02 15:04:05.000000")
	}
	return fmt.Append(nil, arg)
}

// CopyFrom sends rows by a COPY … FROM STDIN, and returns how many they are.
func (c *Conn) CopyFrom(ctx context.Context, rows io.Reader, statement string) (n int64, err error) {
	tag, err := c.pg.CopyFrom(ctx, rows, statement)
	return tag.RowsAffected(), err
}

// Begin runs statements that start a transaction. The last one may be a query for the
// session's pid and when the transaction began; where it is none, the session is taken to be
// that which the connection was made with.
func (c *Conn) Begin(ctx context.Context, statements string) error {
	results, err := c.pg.Exec(ctx, statements).ReadAll()
	if err != nil {
		return err
	}
	tx := &Transaction{PID: c.PID()}
	if rows := results[len(results)-1].Rows; len(rows) > 0 {
		tx = &Transaction{string(rows[0][0]), string(rows[0][1])}
	}
	c.tx.Store(tx)
	return nil
}

// Commit ends the transaction. A COMMIT is not cancelled: one that waits for a
// standby and is cancelled is a commit which that standby does not have.
func (c *Conn) Commit(ctx context.Context) error {
	c.committing.Store(true)
	result := c.request(ctx, "COMMIT", nil).Read()
	if result.Err != nil {
		return result.Err // what became of it the token says
	}
	c.committing.Store(false)
	if tag := result.CommandTag.String(); tag != "COMMIT" {
		return fmt.Errorf("the server answered %s to COMMIT", tag)
	}
	return nil
}
