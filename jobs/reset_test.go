package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestResetOfMovedSink: tables that a sink wrote where it does not write any longer
// are told, before the state that knows of them goes, and with the file as it was they
// are removed.
func TestResetOfMovedSink(t *testing.T) {
	t.Parallel()
	dir := shop(t, 40, 5)
	fine(t, dir, "run", "shop.yaml")
	for _, moved := range []struct{ set, says string }{
		{"sinks.warehouse.dsn=other.duckdb", "sinks.warehouse.dsn was shop.duckdb, and is other.duckdb: what is where they were is left"},
		{"sinks.warehouse.schema=other", "and is other: what is where they were is left"},
		{"sinks.warehouse.dsn=./shop.duckdb", ""},
		{"sinks.warehouse.memory_limit=200MiB", ""},
	} {
		r := fine(t, dir, "reset", "shop.yaml", "--set", moved.set)
		if moved.says == "" {
			moved.says = `sink warehouse: table "`
			if strings.Contains(r.out, "this stays") {
				t.Errorf("%s: %s", moved.set, r.out)
			}
		}
		r.want(t, exitFine, moved.says, "nothing was changed")
	}
	fine(t, dir, "reset", "shop.yaml", "--set", "sinks.warehouse.dsn=other.duckdb", "--yes")
	if _, err := os.Stat(filepath.Join(dir, "other.duckdb")); err == nil {
		t.Error("a reset made a database")
	}
	r := fine(t, dir, "reset", "shop.yaml", "--yes")
	r.want(t, exitFine, `sink warehouse: table "`, "(written with another state folder, ")
	fine(t, dir, "run", "shop.yaml")
	openDatabase(t).wantShop(dir)
}

// TestResetOfSinkThatIsDown: where one sink can't be asked, nothing is removed of any.
func TestResetOfSinkThatIsDown(t *testing.T) {
	t.Parallel()
	dir := shop(t, 40, 5)
	fine(t, dir, "run", "shop.yaml")
	data, err := os.ReadFile(filepath.Join(dir, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "more.yaml"), append(data, "\n  more: {type: postgres, inputs: [items], dsn: \"postgres://u@127.0.0.1:1/d\"}\n"...))
	starlift(t, dir, "reset", "more.yaml", "--yes").want(t, exitFailed, "sink more: ", "nothing was changed")
	fine(t, dir, "run", "shop.yaml")
	openDatabase(t).wantShop(dir)
}
