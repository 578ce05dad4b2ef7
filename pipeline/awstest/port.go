package awstest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// port is a TCP port on loopback for a server that can't choose one by itself. It is
// reserved among all processes that use this package, by the UDP port of the same
// number, which the system gives back with the process.
type port struct {
	number int
	holds  net.PacketConn
}

// The range is below those that systems give to outgoing connections.
const firstPort, ports = 20000, 12000

func reserve() (*port, error) {
	var last error
	for range 200 {
		number := firstPort + rand.IntN(ports) //nolint:gosec // no secret
		p, err := reserveNumber(number)
		if err == nil {
			return p, nil
		}
		last = err
	}
	return nil, fmt.Errorf("free port: %w", last)
}

func reserveNumber(number int) (*port, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
	holds, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	// Nobody else may listen: it would answer in the server's place.
	l, err := net.Listen("tcp", address)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return nil, errors.Join(err, holds.Close())
	}
	return &port{number, holds}, nil
}

func (p *port) String() string { return strconv.Itoa(p.number) }

func (p *port) release() error { return p.holds.Close() }
