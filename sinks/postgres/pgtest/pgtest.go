// Package pgtest gives tests and benchmarks a PostgreSQL server. Nothing of it
// is in the binary.
//
// The server is STARLIFT_TEST_POSTGRES, a connection string, where that is set.
// Else one is made of the machine's PostgreSQL in a temporary folder, at the
// first use, without a port: it ends with the process that uses it, however that
// ends. Where there is no PostgreSQL, tests are skipped, but not in CI.
package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Guarded is a role that a server which was made here asks for its password; it
// trusts all others. A test makes it.
const Guarded = "guarded"

// variable names a server that is there.
const variable = "STARLIFT_TEST_POSTGRES"

// errNone says that there is no PostgreSQL to make a server of.
var errNone = errors.New("no PostgreSQL on this machine: install its server (Debian: postgresql), or set " + variable + " to a connection string")

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
	if errors.Is(server.err, errNone) && os.Getenv("CI") == "" {
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

// Bin returns the folder of PostgreSQL's programs; empty = there is none.
func Bin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real)
		}
	}
	var found []string
	for _, glob := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb", "/usr/local/opt/postgresql*/bin/initdb"} {
		some, err := filepath.Glob(glob)
		if err == nil {
			found = append(found, some...)
		}
	}
	if found == nil {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// script makes a server in the folder $1, says "ready", waits for its standard
// input to end, and clears away. Its log goes to the output if it fails.
const script = `
data=$1/data
{
	PATH=$2:$PATH
	initdb -D "$data" -U starlift --auth=trust -E UTF8 --locale=C -N &&
	{ echo "local all $4 scram-sha-256"; cat "$data/pg_hba.conf"; } >"$1/hba" && mv "$1/hba" "$data/pg_hba.conf" &&
	pg_ctl -D "$data" -w -t 60 -l "$1/server.log" -o "-c listen_addresses='' -c unix_socket_directories='$1' -c fsync=off $3" start
} >"$1/log" 2>&1 </dev/null && echo ready || cat "$1/log" "$1/server.log"
cat >/dev/null
pg_ctl -D "$data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
`

func start() (string, error) {
	if dsn := os.Getenv(variable); dsn != "" {
		return dsn, nil
	}
	dsn, holds, err := Start("")
	server.holds = holds
	return dsn, err
}

// Start makes a server of its own, with more options as postgres takes them. It
// ends when the closer is closed, or the process ends.
func Start(options string) (dsn string, holds io.Closer, err error) {
	bin := Bin()
	if bin == "" {
		return "", nil, errNone
	}
	dir, err := os.MkdirTemp("", "starlift-pg-")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", script, "sh", dir, bin, options, Guarded)
	if err := asUser(cmd, dir); err != nil {
		return "", nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "ready" {
		rest, _ := io.ReadAll(io.LimitReader(stdout, 1<<16))
		return "", nil, errors.Join(fmt.Errorf("starting PostgreSQL: %s%s", line, rest), stdin.Close())
	}
	u := url.URL{Scheme: "postgres", User: url.User("starlift"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	return u.String(), stop{stdin, cmd}, nil
}

type stop struct {
	stdin io.Closer
	cmd   *exec.Cmd
}

// Close ends the server, and waits for that.
func (s stop) Close() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }
