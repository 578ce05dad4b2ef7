package pgconn

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"
)

// meter says when something last moved on a connection.
type meter struct {
	base time.Time
	last atomic.Int64 // since base
}

func newMeter() *meter { return &meter{base: time.Now()} }

func (m *meter) count(n int) {
	if n > 0 {
		m.last.Store(int64(time.Since(m.base)))
	}
}

func (m *meter) lastProgress() time.Time { return m.base.Add(time.Duration(m.last.Load())) }

// meteredConn is a connection whose bytes are noticed.
type meteredConn struct {
	net.Conn
	m *meter
}

func (c meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.count(n)
	return n, err
}

func (c meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.count(n)
	return n, err
}

// errCommitting keeps a request to cancel from a COMMIT.
var errCommitting = errors.New("a COMMIT is not cancelled")

// withMeter returns the configuration of a connection whose bytes m notices, and of
// which no request is cancelled while it commits: to cancel is to connect once more.
func withMeter(cfg *pgx.Config, m *meter, committing *atomic.Bool) *pgx.Config {
	cfg = cfg.Copy()
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if committing.Load() {
			return nil, errCommitting
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return meteredConn{c, m}, nil
	}
	return cfg
}
