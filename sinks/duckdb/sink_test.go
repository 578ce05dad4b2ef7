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
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
)

// What is special in a path for read_parquet is nothing special in ours.
func TestOddPaths(t *testing.T) {
	h := newHarness(t, conformance.Orders(t))
	h.Dir = filepath.Join(h.Dir, "id=7", "a[b]*?'{x}")
	h.Must(h.restart())
	conformance.Put(h.SinkDriver, conformance.Row{Op: insert, ID: 1, Text: "a"})
	conformance.Put(h.SinkDriver, conformance.Row{Op: update, ID: 1, Text: "b"})
	h.want(`FROM "order"`, "1|b")
}

func TestCheck(t *testing.T) {
	text := func(name string) pipeline.Column { return pipelinetest.Column(name, pipeline.String) }
	sink, err := New("w", Config{DSN: "x.duckdb"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		tables []*pipeline.Table
		want   string
	}{
		{"fine", []*pipeline.Table{pipelinetest.TableOf(t, "a", []string{"k"}, text("k"))}, ""},
		{"audit table", []*pipeline.Table{pipelinetest.TableOf(t, "Starlift_Epochs", []string{"k"}, text("k"))}, "audit table"},
		{"tables", []*pipeline.Table{pipelinetest.TableOf(t, "a", []string{"k"}, text("k")), pipelinetest.TableOf(t, "A", []string{"k"}, text("k"))}, `tables "a" and "A"`},
		{"columns", []*pipeline.Table{pipelinetest.TableOf(t, "a", []string{"k"}, text("k"), text("K"))}, `columns "k" and "K"`},
		{"operation", []*pipeline.Table{pipelinetest.TableOf(t, "a", []string{"k"}, text("k"), text("_Starlift_op"))}, `column "_Starlift_op"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := sink.CheckTables(tc.tables)
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
	h := newHarness(t, conformance.Orders(t))
	h.Must(h.sink.Close())
	cmd := osexec.Command(os.Args[0], "-test.run=^TestLocked$")
	cmd.Env = append(os.Environ(), "STARLIFT_TEST_HOLD="+h.cfg.DSN)
	in, err := cmd.StdinPipe()
	h.Must(err)
	out, err := cmd.StdoutPipe()
	h.Must(err)
	h.Must(cmd.Start())
	_, err = out.Read(make([]byte, 8))
	h.Must(err)
	err = h.restart()
	if err == nil || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	h.Must(in.Close())
	h.Must(cmd.Wait())
	h.Must(h.restart())
}

func TestCloseLeavesNoLog(t *testing.T) {
	h := newHarness(t, conformance.Orders(t))
	conformance.Put(h.SinkDriver, conformance.Row{Op: insert, ID: 1, Text: "a"})
	for range 2 {
		h.Must(h.sink.Close())
	}
	if _, err := os.Stat(h.cfg.DSN + ".wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is there after Close: %v", err)
	}
}
