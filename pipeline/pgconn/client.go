package pgconn

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Client has a connection to a server, and makes another after an error. One
// goroutine uses it, but for Active.
type Client struct {
	Config Config
	// OnConnect readies a new connection. lost is the transaction that was lost with
	// the connection before; nil = none was.
	OnConnect func(ctx context.Context, c *Conn, lost *Transaction) error
	// Reason says of errors that the server has a way of its own to tell whether time can heal
	// them, and what a metric calls that; an empty reason = it can't. nil, and known = false, leave
	// an error to its SQLSTATE.
	Reason func(err error) (reason string, known bool)

	// IdleMax is how long a connection may have done nothing and still be taken as it is. One that
	// has rested for longer is asked for an answer first, and another is made in its place, without
	// an error, if it has none: servers, and what is between, end idle connections. 0 = any time.
	IdleMax time.Duration

	conn   *Conn // nil before the first Do, after Close, and after an error
	active atomic.Pointer[Conn]
	lost   *Transaction
}

// Do runs do on the connection, which it makes where there is none and drops after
// an error. What time can heal is marked.
func (c *Client) Do(ctx context.Context, do func(context.Context, *Conn) error) (err error) {
	defer c.active.Store(nil)
	c.dropIdle(ctx)
	if c.conn == nil {
		if c.conn, err = Connect(ctx, c.Config); err != nil {
			return c.classify(ctx, err)
		}
		c.active.Store(c.conn)
		if err := c.OnConnect(ctx, c.conn, c.lost); err != nil {
			return c.drop(ctx, err)
		}
		c.lost = nil
	}
	c.active.Store(c.conn)
	if err := do(ctx, c.conn); err != nil {
		return c.drop(ctx, err)
	}
	return nil
}

// pingTimeout is how long a connection has to show that it is there.
const pingTimeout = 10 * time.Second

// dropIdle drops the connection if it has rested for long, and is of no use any more. Nothing is
// lost with it: its last transaction has ended.
func (c *Client) dropIdle(ctx context.Context) {
	if c.conn == nil || c.IdleMax == 0 || time.Since(c.conn.LastProgress()) < c.IdleMax {
		return
	}
	c.active.Store(c.conn)
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if _, err := c.conn.Exec(ctx, "SELECT 1"); err != nil {
		c.Close()
		c.active.Store(nil)
	}
}

// drop drops the connection after an error.
func (c *Client) drop(ctx context.Context, err error) error {
	if tx := c.conn.Transaction(); tx != nil {
		c.lost = tx
	}
	c.Close()
	return c.classify(ctx, err)
}

// classify is Classify with the client's reasons.
func (c *Client) classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || pipeline.Retryable(err) || c.Reason == nil {
		return Classify(ctx, err)
	}
	why, known := c.Reason(err)
	switch {
	case !known:
		return Classify(ctx, err)
	case why == "":
		return err
	}
	return pipeline.TransientFor(why, err)
}

// InTx runs do in a transaction that begin starts, and commits it.
func (c *Client) InTx(ctx context.Context, begin string, do func(context.Context, *Conn) error) error {
	return c.InBatch(ctx, func(ctx context.Context, conn *Conn) error {
		if err := conn.Begin(ctx, begin); err != nil {
			return err
		}
		return do(ctx, conn)
	})
}

// InBatch runs do, which runs a batch that begins a transaction, and commits it.
func (c *Client) InBatch(ctx context.Context, do func(context.Context, *Conn) error) error {
	return c.Do(ctx, func(ctx context.Context, conn *Conn) error {
		if err := do(ctx, conn); err != nil {
			return err // the connection is dropped, and the transaction with it
		}
		return conn.Commit(ctx)
	})
}

// Rehearse runs do in a transaction that begin starts, and rolls it back.
func (c *Client) Rehearse(ctx context.Context, begin string, do func(context.Context, *Conn) error) error {
	return c.Do(ctx, func(ctx context.Context, conn *Conn) error {
		if err := conn.Begin(ctx, begin); err != nil {
			return err
		}
		if err := do(ctx, conn); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "ROLLBACK")
		return err
	})
}

// Active returns the connection at work, from any goroutine; nil = it is being made,
// or nothing is at work.
func (c *Client) Active() *Conn { return c.active.Load() }

// Close drops the connection. It may be called twice.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close(context.Background())
		c.conn = nil
	}
}
