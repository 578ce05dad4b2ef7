//go:build !cgo

package jobs

import (
	"context"
	"io"

	"github.com/starlift-etl/starlift/sinks/duckdb"
)

// demoReady says why the demo cannot run.
func demoReady() error { return duckdb.ErrNoCGO }

// queryDemo is never reached without DuckDB.
func queryDemo(context.Context, io.Writer, string) error { return duckdb.ErrNoCGO }
