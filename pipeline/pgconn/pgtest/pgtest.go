// Package pgtest gives tests and benchmarks a PostgreSQL server. Nothing of it
// is in the binary.
//
// The server is STARLIFT_TEST_POSTGRES, a connection string, where that is set.
// Else one is made of the machine's PostgreSQL in a temporary folder, at the
// first use, without a port: it ends with the process that uses it, however that
// ends. Where there is no PostgreSQL, tests are skipped, but not in CI.
package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
)

// Guarded is a role that a server which was made here asks for its password; it
// trusts all others. A test makes it.
const Guarded = "guarded"

// variable names a server that is there.
const variable = "STARLIFT_TEST_POSTGRES"

// Server is a server that was made here.
type Server = pgserver.Server

var server struct {
	sync.Once
	dsn string
	err error
	// holds is the server's life: it ends when this is closed, at the latest by
	// the end of the process.
	holds io.Closer
}

// DSN returns a connection string of the server, which all tests of a package
// share: each takes a Schema of its own.
func DSN(t testing.TB) string {
	t.Helper()
	server.Do(func() { server.dsn, server.err = start() })
	if errors.Is(server.err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(server.err)
	}
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.dsn
}

var schemas atomic.Int64

// Schema returns the name of a schema that nobody else uses. It is not made.
func Schema() string {
	return fmt.Sprintf("t%d_%d_%d", os.Getpid(), time.Now().UnixNano(), schemas.Add(1))
}

func start() (string, error) {
	if dsn := os.Getenv(variable); dsn != "" {
		return dsn, nil
	}
	s, err := pgserver.Start(pgserver.Options{Guarded: Guarded})
	if errors.Is(err, pgserver.ErrNone) {
		return "", fmt.Errorf("%w, or set %s to a connection string", err, variable)
	}
	if err != nil {
		return "", err
	}
	server.holds = s
	return s.DSN, nil
}

// Own returns a server that only the test uses, and may kill.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := pgserver.Start(pgserver.Options{Guarded: Guarded})
	if errors.Is(err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
