//go:build cgo

package duckdb

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// What is special in a path for read_parquet is nothing special in ours.
func TestOddPaths(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	h.dir = filepath.Join(h.dir, "id=7", "a[b]*?'{x}")
	h.must(h.restart())
	h.put(row{insert, 1, "a"})
	h.put(row{update, 1, "b"})
	h.want(`FROM "order"`, "1|b")
}

func TestCheck(t *testing.T) {
	text := kind(pipeline.String)
	sink, err := New("w", Config{DSN: "x.duckdb"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		tables []*pipeline.Table
		want   string
	}{
		{"fine", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, ""},
		{"audit table", []*pipeline.Table{newTable(t, "Starlift_Epochs", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, "audit table"},
		{"tables", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}), newTable(t, "A", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, `tables "a" and "A"`},
		{"columns", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}, pipeline.Column{Name: "K", Type: text})}, `columns "k" and "K"`},
		{"operation", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}, pipeline.Column{Name: "_Starlift_op", Type: text})}, `column "_Starlift_op"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := sink.Check(tc.tables)
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, dsn := range []string{"", ":memory:", "postgres://x", "x.duckdb?access_mode=read_only"} {
		if _, err := New("w", Config{DSN: dsn}); err == nil || !strings.Contains(err.Error(), "dsn") {
			t.Errorf("dsn %q: got error %v", dsn, err)
		}
	}
}

// The file in another process.
func TestLocked(t *testing.T) {
	if dsn := os.Getenv("STARLIFT_TEST_HOLD"); dsn != "" {
		db, err := sql.Open("duckdb", dsn)
		if err != nil || db.Ping() != nil {
			t.Fatal(err)
		}
		fmt.Println("holding")
		if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
			t.Fatal("unexpected input")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	h := newHarness(t, Config{}, orders(t))
	h.must(h.sink.Close())
	cmd := osexec.Command(os.Args[0], "-test.run=^TestLocked$")
	cmd.Env = append(os.Environ(), "STARLIFT_TEST_HOLD="+h.cfg.DSN)
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	_, err = out.Read(make([]byte, 8))
	h.must(err)
	err = h.restart()
	if err == nil || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	h.must(in.Close())
	h.must(cmd.Wait())
	h.must(h.restart())
}

func TestCloseLeavesNoLog(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	h.put(row{insert, 1, "a"})
	for range 2 {
		h.must(h.sink.Close())
	}
	if _, err := os.Stat(h.cfg.DSN + ".wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is there after Close: %v", err)
	}
}
