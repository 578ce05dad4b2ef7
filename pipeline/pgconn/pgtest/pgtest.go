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

// script makes a server in the folder $1 and does what its standard input says,
// a word a line: start or kill, the latter as a crash of the machine's memory would.
// It answers each with "done", or with its log and "failed". At the end of the
// input it clears away.
const script = `
data=$1/data
start() {
	pg_ctl -D "$data" -w -t 60 -l "$1/server.log" -o "-c listen_addresses='' -c unix_socket_directories='$1' -c fsync=off $3" start
}
crash() {
	server=$(head -1 "$data/postmaster.pid") && children=$(ps -A -o pid= -o ppid= | awk -v p="$server" '$2 == p {print $1}') &&
	kill -9 "$server" $children &&
	while ps -o stat= -p $server $children | grep -qv Z; do sleep 0.01; done
	# Where nobody waits for the dead, their numbers are taken for those of the living.
	rm -f "$data/postmaster.pid" "$1"/.s.PGSQL.*.lock
}
PATH=$2:$PATH
{
	initdb -D "$data" -U starlift --auth=trust -E UTF8 --locale=C -N &&
	{ echo "local all $4 scram-sha-256"; cat "$data/pg_hba.conf"; } >"$1/hba" && mv "$1/hba" "$data/pg_hba.conf"
} >"$1/log" 2>&1 </dev/null || cat "$1/log"
while read word; do
	case $word in
	start) start "$@" >"$1/log" 2>&1 </dev/null ;;
	kill) crash "$1" >"$1/log" 2>&1 ;;
	esac && echo done || { cat "$1/log" "$1/server.log"; echo failed; }
done
pg_ctl -D "$data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
`

func start() (string, error) {
	if dsn := os.Getenv(variable); dsn != "" {
		return dsn, nil
	}
	s, err := Start("")
	if err != nil {
		return "", err
	}
	server.holds = s
	return s.DSN, nil
}

// Own returns a server that only the test uses, and may kill.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := Start("")
	if errors.Is(err, errNone) && os.Getenv("CI") == "" {
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

// Server is a server that was made here. It ends when it is closed, or with the
// process.
type Server struct {
	DSN string
	Dir string // of its socket

	cmd *exec.Cmd

	mu  sync.Mutex // a word and its answer: the server takes connections before Restart returns
	in  io.WriteCloser
	out *bufio.Reader
}

// Start makes a server of its own, with more options as postgres takes them.
func Start(options string) (*Server, error) {
	bin := Bin()
	if bin == "" {
		return nil, errNone
	}
	dir, err := os.MkdirTemp("", "starlift-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, cmd: exec.Command("/bin/sh", "-c", script, "sh", dir, bin, options, Guarded)}
	if err := asUser(s.cmd, dir); err != nil {
		return nil, err
	}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "postgres", User: url.User("starlift"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	s.DSN = u.String()
	if err := s.Restart(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Kill kills all of the server's processes at once. What it has committed it has.
func (s *Server) Kill() error { return s.do("kill") }

// Restart starts it after Kill, and returns when it takes connections.
func (s *Server) Restart() error { return s.do("start") }

func (s *Server) do(word string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.in, word+"\n"); err != nil {
		return fmt.Errorf("PostgreSQL, %s: %w", word, err)
	}
	var said strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		switch {
		case line == "done\n":
			return nil
		case err != nil || line == "failed\n":
			return errors.Join(fmt.Errorf("PostgreSQL, %s: %s", word, said.String()), err)
		}
		said.WriteString(line)
	}
}

// Close ends the server, and waits for that.
func (s *Server) Close() error { return errors.Join(s.in.Close(), s.cmd.Wait()) }
