//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// target is a file of its own. The sink that has it open is used to look at it.
type target struct {
	dsn, schema string
	gather      warehouse.Gather
	sink        *Sink
}

func (d *target) New(name string, f *conformance.Faults) (pipeline.Sink, error) {
	s, err := newSink(name, Config{DSN: d.dsn, Schema: d.schema}, d.gather)
	if err != nil {
		return nil, err
	}
	s.db.openFile = func(dsn string) (*sql.DB, error) {
		c, err := duckdb.NewConnector(dsn, nil)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(&faultyConnector{c, f}), nil
	}
	d.sink = s
	return s, nil
}

func (d *target) Schema() string { return d.schema }

// use calls f with the file open.
func (d *target) use(t testing.TB, f func(db *sql.DB)) {
	t.Helper()
	if d.sink != nil && d.sink.db.db != nil {
		f(d.sink.db.db)
		return
	}
	db, err := openFile(d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	f(db)
}

func (d *target) Query(t testing.TB, q string) (out []string) {
	t.Helper()
	d.use(t, func(db *sql.DB) { out = query(t, db, q) })
	return out
}

func (d *target) Exec(t testing.TB, statement string) {
	t.Helper()
	d.use(t, func(db *sql.DB) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	})
}

func (d *target) Text(column string, t pipeline.Type) string {
	if t.Kind == pipeline.List {
		element := d.Text("x", t.Element())
		switch t.Element().Base() {
		case pipeline.String, pipeline.Date:
			element = "to_json(" + element + ")::VARCHAR"
		case pipeline.Timestamp:
			element = "'\"' || replace(" + element + ", ' ', 'T') || 'Z\"'"
		}
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN '[' || coalesce(array_to_string(list_transform(%[1]s, lambda x: CASE WHEN x IS NULL THEN 'null' ELSE %[2]s END), ','), '') || ']' END", column, element)
	}
	if t.Kind == pipeline.Binary {
		return "lower(hex(" + column + "))"
	}
	if t.Kind == pipeline.TimestampTZ {
		return "timezone('UTC', " + column + ")::VARCHAR"
	}
	if t.Kind == pipeline.Double {
		return fmt.Sprintf("regexp_replace(%s::VARCHAR, '\\.0$', '')", column)
	}
	if t.Kind == pipeline.Decimal && t.Precision == t.Scale { // it prints .5 and -.5
		return fmt.Sprintf("regexp_replace(%s::VARCHAR, '^(-?)\\.', '\\10.')", column)
	}
	return column + "::VARCHAR"
}

// faultyConnector makes connections whose statements are requests.
type faultyConnector struct {
	*duckdb.Connector
	faults *conformance.Faults
}

func (c *faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{inner.(*duckdb.Conn), c.faults}, nil
}

type faultyConn struct {
	*duckdb.Conn
	faults *conformance.Faults
}

func (c *faultyConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (r driver.Result, err error) {
	err = c.faults.Do(func() error {
		r, err = c.Conn.ExecContext(ctx, q, args)
		return err
	})
	return r, err
}

func (c *faultyConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (r driver.Rows, err error) {
	err = c.faults.Do(func() error {
		r, err = c.Conn.QueryContext(ctx, q, args)
		return err
	})
	if err != nil && r != nil {
		return nil, errors.Join(err, r.Close()) // rows that nobody gets keep the file open
	}
	return r, err
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	return &faultyTx{tx, c.faults}, err
}

type faultyTx struct {
	driver.Tx
	faults *conformance.Faults
}

// Commit rolls back where it fails before: that is what becomes of a process
// that is gone.
func (t *faultyTx) Commit() error {
	reached := false
	err := t.faults.Do(func() error {
		reached = true
		return t.Tx.Commit()
	})
	if !reached {
		return errors.Join(err, t.Tx.Rollback())
	}
	return err
}

// open returns an empty file.
func open(t testing.TB, g warehouse.Gather) conformance.Database {
	return conformance.SQL{SQLDatabase: &target{dsn: filepath.Join(t.TempDir(), "data", "shop.duckdb"), schema: `my "dwh`, gather: g}}
}

func TestGathered(t *testing.T) { conformance.RunGathered(t, "10", open) }

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Target{
		Open: func(t testing.TB) conformance.Database {
			return open(t, warehouse.Gather{})
		},
		Peculiar: conformance.Peculiar{Existing: [][2]string{{"int32", "INTEGER"}, {"timestamptz", "TIMESTAMPTZ"}, {"uuid", "UUID"}, {"varchar(10)", "VARCHAR(5)"}, {"char(3)", "VARCHAR"}, {"time", "TIME"}, {"decimal(10,2)", "DECIMAL(12,2)"}, {"list(int32)", "INTEGER[]"}, {"list(string)", "VARCHAR[]"}, {"list(decimal(10,2))", "DECIMAL(12,2)[]"}},
			Other: [3]string{"timestamp", "TIMESTAMPTZ", "timestamptz"}},
	})
}
