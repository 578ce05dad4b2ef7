package status

import (
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// greet accepts one connection and says something.
func greet(t *testing.T, l net.Listener, words string) {
	t.Helper()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		_, _ = io.WriteString(c, words)
		c.Close()
	}()
}

// hear connects to the socket of a folder and reads.
func hear(t *testing.T, dir string) string {
	t.Helper()
	c, err := dialSocket(dir)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	words, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(words)
}

// TestSocket: whatever the length of its path, a state folder has a socket for
// its owner only, which takes the place of one that a crash left, and goes with
// its process but not with another's.
func TestSocket(t *testing.T) {
	t.Parallel()
	short := t.TempDir()
	long := filepath.Join(short, strings.Repeat("long", 20), strings.Repeat("longer", 20))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(short, "of [a-b", "*") // no pattern
	if err := os.MkdirAll(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{short, long, odd} {
		if said := hear(t, dir); !strings.Contains(said, "no such file") {
			t.Errorf("without a socket: %s", said)
		}
		crashed, err := ListenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := crashed.Listener.Close(); err != nil { // as a crash does, which removes nothing
			t.Fatal(err)
		}
		// A test beside this one may just start a process, which has the socket until it runs.
		if said := hear(t, dir); !strings.Contains(said, "refused") && !strings.Contains(said, "reset") {
			t.Errorf("after a crash: %s", said)
		}
		if err := os.Mkdir(filepath.Join(dir, ".status-1"), 0o700); err != nil {
			t.Fatal(err)
		}
		first, err := ListenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(filepath.Join(dir, SocketName))
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
		}
		greet(t, first, "hello")
		if said := hear(t, dir); said != "hello" {
			t.Errorf("heard %q", said)
		}
		second, err := ListenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		greet(t, second, "good day")
		if said := hear(t, dir); said != "good day" {
			t.Errorf("after the end of the first process: %q", said)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || slices.ContainsFunc(left, func(e fs.DirEntry) bool { return strings.Contains(e.Name(), "status") }) {
			t.Errorf("left are %v, %v", left, err)
		}
	}
}
