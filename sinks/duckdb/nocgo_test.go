//go:build !cgo

package duckdb

import (
	"errors"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestWithoutCGO: a sink is refused when it is built, in one line that says what
// to do; what is said of its tables needs no DuckDB.
func TestWithoutCGO(t *testing.T) {
	s, err := New("warehouse", Config{DSN: "x.duckdb"})
	if s != nil || !errors.Is(err, ErrNoCGO) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Errorf("sink %v, error %v", s, err)
	}
	if v := Version(); v != "" {
		t.Errorf("version %s of what is not there", v)
	}
	none := &Sink{}
	if ddl := none.DDL("shop", nil); !strings.Contains(ddl, "starlift_epochs") {
		t.Errorf("DDL of no tables: %s", ddl)
	}
	for name, err := range map[string]error{"open": none.Open(t.Context(), pipeline.SinkOptions{}), "commit": none.Commit(t.Context(), nil)} {
		if !errors.Is(err, ErrNoCGO) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
