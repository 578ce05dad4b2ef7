package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

func (m *meter) moved() time.Time { return m.base.Add(time.Duration(m.last.Load())) }

// metered is a connection whose bytes are noticed.
type metered struct {
	net.Conn
	m *meter
}

func (c metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.count(n)
	return n, err
}

func (c metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.count(n)
	return n, err
}

// errSealed keeps a request to cancel from a COMMIT.
var errSealed = errors.New("a COMMIT is not cancelled")

// metering returns the configuration of a connection whose bytes m notices, and of
// which no request is cancelled while it is sealed: a COMMIT that waits for a
// standby and is cancelled is a commit which that standby does not have.
func metering(cfg *pgconn.Config, m *meter, sealed *atomic.Bool) *pgconn.Config {
	cfg = cfg.Copy()
	dialing := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if sealed.Load() {
			return nil, errSealed
		}
		c, err := dialing(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return metered{c, m}, nil
	}
	return cfg
}
