//go:build !cgo

package main

import (
	"context"
	"errors"
)

var errNoCgo = errors.New("the benchmark compares with DuckDB, which needs cgo: install a C compiler and set CGO_ENABLED=1")

// session stands in where there is no DuckDB.
type session struct{}

func openDuckDB(context.Context, string) (*session, error) { return nil, errNoCgo }

func (*session) exec(context.Context, string) error { return errNoCgo }

func (*session) summarize(context.Context, string) (summary, error) { return summary{}, errNoCgo }

func (*session) close() error { return nil }
