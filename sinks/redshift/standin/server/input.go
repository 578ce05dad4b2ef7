package server

import (
	"net"
	"sync"
)

// chunk is how much of a connection is read at once, and ahead how many chunks are read
// before somebody wants them. A client that sends more while a statement runs is noticed
// to be gone only when that is read.
const (
	chunk = 32 << 10
	ahead = 8
)

// input reads a connection, from Start on ahead of its reader: so that a client that is gone
// is noticed while nothing is read.
type input struct {
	conn   net.Conn
	chunks chan []byte // nil before Start
	stop   chan struct{}
	done   sync.WaitGroup
	rest   []byte
	err    error // why chunks was closed
}

// Start begins to read ahead. When the connection ends, gone is called once, by another
// goroutine.
func (in *input) Start(gone func(error)) {
	in.chunks, in.stop = make(chan []byte, ahead), make(chan struct{})
	in.done.Go(func() {
		in.err = in.pump()
		close(in.chunks)
		gone(in.err)
	})
}

func (in *input) pump() error {
	for {
		buffer := make([]byte, chunk)
		n, err := in.conn.Read(buffer)
		if n > 0 {
			select {
			case in.chunks <- buffer[:n]:
			case <-in.stop:
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// Read is io.Reader's.
func (in *input) Read(p []byte) (int, error) {
	if in.chunks == nil {
		return in.conn.Read(p)
	}
	if len(in.rest) == 0 {
		next, ok := <-in.chunks
		if !ok {
			return 0, in.err
		}
		in.rest = next
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

// Close ends the reading ahead. The connection must be closed before.
func (in *input) Close() {
	if in.stop != nil {
		close(in.stop)
		in.stop = nil
	}
	in.done.Wait()
}
