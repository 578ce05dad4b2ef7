package conformance

import (
	"context"
	"net"
)

// Dial makes connections, as net.Dialer does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Dial returns a Dial whose connections, and what goes over them, count as requests. One that
// fails takes the connection with it.
func (f *Faults) Dial(real Dial) Dial {
	return func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = f.Do(func() error {
			c, err = real(ctx, network, addr)
			return err
		})
		if err != nil {
			if c != nil {
				_ = c.Close()
			}
			return nil, &net.OpError{Op: "dial", Err: err}
		}
		return &faultyConn{c, f}, nil
	}
}

// faultyConn counts what goes over a connection as requests.
type faultyConn struct {
	net.Conn
	faults *Faults
}

// Read implements net.Conn.
func (c *faultyConn) Read(b []byte) (n int, err error) {
	return c.transfer("read", func() (int, error) { return c.Conn.Read(b) })
}

// Write implements net.Conn.
func (c *faultyConn) Write(b []byte) (n int, err error) {
	return c.transfer("write", func() (int, error) { return c.Conn.Write(b) })
}

func (c *faultyConn) transfer(op string, request func() (int, error)) (n int, err error) {
	var inner error
	err = c.faults.Do(func() error {
		n, inner = request()
		return nil
	})
	if err != nil {
		_ = c.Conn.Close()
		return 0, &net.OpError{Op: op, Net: "fault", Err: err}
	}
	return n, inner
}
