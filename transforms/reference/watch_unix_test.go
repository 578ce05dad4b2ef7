//go:build unix

package reference

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNotAFile: a named pipe, whose opening would never come back, is told of, and
// the version in use stays until there is a file again.
func TestNotAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.csv")
	w := joinTo(t, path).watch
	put := func(text string) {
		t.Helper()
		old := time.Now().Add(-time.Minute)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	value := func() string { return w.current().columns[1].ValueStr(0) }
	pipe := func() {
		t.Helper()
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	look := func() error {
		t.Helper()
		looked := make(chan error, 1)
		go func() { looked <- w.check(t.Context(), false) }()
		select {
		case err := <-looked:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for the pipe")
			return nil
		}
	}
	pipe()
	if err := look(); err == nil || !strings.Contains(err.Error(), "r.csv: not a regular file") {
		t.Errorf("at the start: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put("code,n\na,1\n")
	if err := look(); err != nil || value() != "1" {
		t.Errorf("the first file: %v", err)
	}
	pipe()
	if err := look(); err == nil || value() != "1" {
		t.Errorf("a pipe takes its place: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put("code,n\na,22\n")
	if err := look(); err != nil || value() != "22" {
		t.Errorf("a file again: %v", err)
	}
}
