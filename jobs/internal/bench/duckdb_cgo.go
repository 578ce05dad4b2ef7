//go:build cgo

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/duckdb/duckdb-go/v2"
)

// session is one connection to a DuckDB in memory.
type session struct {
	db   *sql.DB
	conn *sql.Conn
}

func openDuckDB(ctx context.Context, threads string) (*session, error) {
	connector, err := duckdb.NewConnector("?threads="+url.QueryEscape(threads), nil)
	if err != nil {
		return nil, fmt.Errorf("DuckDB: %w", err)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("DuckDB: %w", err), db.Close())
	}
	return &session{db, conn}, nil
}

func (s *session) exec(ctx context.Context, script string) error {
	if _, err := s.conn.ExecContext(ctx, script); err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	return nil
}

func (s *session) summarize(ctx context.Context, query string) (summary, error) {
	var found summary
	if err := s.conn.QueryRowContext(ctx, query).Scan(&found.rows, &found.hash); err != nil {
		return found, fmt.Errorf("DuckDB: %w", err)
	}
	return found, nil
}

func (s *session) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }
