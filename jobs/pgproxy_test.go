package jobs

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pgProxy stands between a pipeline and its PostgreSQL, and can keep them apart.
type pgProxy struct {
	DSN string

	t      *testing.T
	target string // the server's socket
	l      net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool
	// commits counts the COMMITs; at says what becomes of one.
	commits int
	at      map[int]atCommit
}

// atCommit happens at a COMMIT.
type atCommit struct {
	forward bool   // the server gets it
	answer  bool   // the server has answered, when do is called
	do      func() // the connection is cut afterwards
}

// newProxy listens beside a server of the machine's own.
func newProxy(t *testing.T, dsn string) *pgProxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Query().Get("host") == "" {
		t.Skipf("the server has no socket of its own: %v", err)
	}
	dir, err := os.MkdirTemp("", "proxy") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	const name = ".s.PGSQL.5432"
	p := &pgProxy{t: t, target: filepath.Join(u.Query().Get("host"), name), conns: map[net.Conn]bool{}}
	if p.l, err = net.Listen("unix", filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	p.DSN = u.String()
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		if err := p.l.Close(); err != nil {
			t.Error(err)
		}
		p.cut(true)
		p.wg.Wait()
		remove(t, dir)
	})
	return p
}

// on says what becomes of COMMITs, by their number.
func (p *pgProxy) on(at map[int]atCommit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
}

// cut ends all connections, and lets no others come while it is down.
func (p *pgProxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		_ = c.Close() // it may have ended
	}
	clear(p.conns)
}

func (p *pgProxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return // it is closed
		}
		server, err := net.Dial("unix", p.target)
		p.mu.Lock()
		if p.down || err != nil {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			p.mu.Unlock()
			continue
		}
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		answers := make(chan atCommit, 1)
		p.wg.Go(func() { p.requests(client, server, answers) })
		p.wg.Go(func() { p.answers(client, server, answers) })
	}
}

// end closes both ends.
func (p *pgProxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // it may have ended
		delete(p.conns, c)
	}
}

// requests passes on what the client says. COMMIT is sent alone, by the extended
// protocol: its text stands between two zeros.
func (p *pgProxy) requests(client, server net.Conn, answers chan<- atCommit) {
	defer p.end(client, server)
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("\x00COMMIT\x00")) {
			p.mu.Lock()
			p.commits++
			at, ok := p.at[p.commits]
			p.mu.Unlock()
			switch {
			case ok && at.forward && at.answer:
				answers <- at
			case ok && at.forward:
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
				at.do()
				return
			case ok:
				at.do()
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answers passes on what the server says, but for what a COMMIT is not to be told.
func (p *pgProxy) answers(client, server net.Conn, answers <-chan atCommit) {
	defer p.end(client, server)
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case at := <-answers:
			at.do()
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) && !strings.Contains(err.Error(), "broken pipe") {
				p.t.Error(err)
			}
			return
		}
	}
}
