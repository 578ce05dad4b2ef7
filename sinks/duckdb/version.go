//go:build cgo

package duckdb

import (
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Version returns the version of DuckDB in this binary; "" = it was built without.
func Version() string { return bindings.LibraryVersion() }
