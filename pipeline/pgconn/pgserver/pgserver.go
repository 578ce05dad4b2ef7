// Package pgserver makes PostgreSQL servers of the machine's PostgreSQL: for tests, and for
// what stands in for another database. Nothing of it is in the product's binary.
//
// A server lies in a temporary folder and listens on a socket there, without a port. It is
// UTF8 in locale C, trusts whoever reaches the socket, does not wait for its disk, and ends
// with the process that made it, however that ends.
package pgserver

import (
	"bufio"
	"cmp"
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
)

// ErrNone says that there is no PostgreSQL to make a server of.
var ErrNone = errors.New("no PostgreSQL on this machine: install its server (Debian: postgresql)")

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
	initdb -D "$data" -U "$5" --auth=trust -E UTF8 --locale=C -N &&
	{ [ -z "$4" ] || echo "local all $4 scram-sha-256"; cat "$data/pg_hba.conf"; } >"$1/hba" && mv "$1/hba" "$data/pg_hba.conf"
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

// Options say how a server differs from the usual one.
type Options struct {
	Settings string // more options as postgres takes them: -c name=value …
	User     string // its superuser; empty = starlift
	Guarded  string // a role that is asked for its password; all others are trusted
}

// Start makes a server that nobody else uses.
func Start(o Options) (*Server, error) {
	bin := Bin()
	if bin == "" {
		return nil, ErrNone
	}
	dir, err := os.MkdirTemp("", "starlift-pg-")
	if err != nil {
		return nil, err
	}
	o.User = cmp.Or(o.User, "starlift")
	s := &Server{Dir: dir, cmd: exec.Command("/bin/sh", "-c", script, "sh", dir, bin, o.Settings, o.Guarded, o.User)}
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
	u := url.URL{Scheme: "postgres", User: url.User(o.User), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
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
