package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// looking is the connection by which all tests look at what is in the database.
var looking struct {
	sync.Once
	conn *pgx.PgConn
	err  error
}

// target is a schema of its own.
type target struct {
	dsn, schema string
	conn        *pgx.PgConn
	made        atomic.Int64 // sinks
}

func newTarget(t testing.TB, schema string) *target {
	t.Helper()
	d := &target{dsn: pgtest.DSN(t), schema: schema}
	looking.Do(func() {
		looking.conn, looking.err = pgx.Connect(context.Background(), d.dsn)
	})
	if looking.err != nil {
		t.Fatal(looking.err)
	}
	d.conn = looking.conn
	t.Cleanup(func() {
		d.Exec(t, "SET client_min_messages = error; DROP SCHEMA IF EXISTS "+warehouse.Quote(schema)+" CASCADE")
	})
	return d
}

func (d *target) New(name string, f *conformance.Faults) (pipeline.Sink, error) {
	// Every other process writes files, however few rows there are: what one has spooled is
	// committed by another.
	spared := sparedMax
	if d.made.Add(1)%2 == 0 {
		spared = 1
	}
	s, err := newSink(name, Config{DSN: d.dsn, Schema: d.schema}, spared)
	if err != nil {
		return nil, err
	}
	server := s.db.client.Config
	server.DialFunc = pgx.DialFunc(f.Dial(conformance.Dial(server.DialFunc)))
	return s, nil
}

// execute runs statements without parameters.
func execute(c *pgx.PgConn, statements string) error {
	return c.Exec(context.Background(), statements).Close()
}

func (d *target) Schema() string { return d.schema }

func (d *target) Query(t testing.TB, query string) []string {
	t.Helper()
	result := d.conn.ExecParams(context.Background(), query, nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatalf("%s: %v", query, result.Err)
	}
	var out []string
	for _, row := range result.Rows {
		cells := make([]string, len(row))
		for i, value := range row {
			if cells[i] = string(value); value == nil {
				cells[i] = "null"
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func (d *target) Exec(t testing.TB, statement string) {
	t.Helper()
	if err := execute(d.conn, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (d *target) Text(column string, t pipeline.Type) string {
	if t.Kind == pipeline.List {
		element := d.Text("x", t.Element())
		switch t.Element().Base() {
		case pipeline.String, pipeline.Date:
			element = "to_json(" + element + ")::text"
		case pipeline.Timestamp:
			element = "'\"' || replace(" + element + ", ' ', 'T') || 'Z\"'"
		}
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN '[' || array_to_string(ARRAY(SELECT coalesce(%[2]s, 'null') FROM unnest(%[1]s) WITH ORDINALITY u(x, i) ORDER BY i), ',') || ']' END", column, element)
	}
	if t.Kind == pipeline.Binary {
		return "encode(" + column + ", 'hex')"
	}
	if t.Kind == pipeline.TimestampTZ {
		return "timezone('UTC', " + column + ")::text"
	}
	return column + "::text"
}

func TestConformance(t *testing.T) {
	schemas := 0
	conformance.Run(t, conformance.Target{
		Open: func(t testing.TB) conformance.Database {
			schemas++
			return conformance.SQL{SQLDatabase: newTarget(t, fmt.Sprintf(`%s ü"'%d`, pgtest.Schema(), schemas))}
		},
		Constrain: func(schema, table string) []string {
			in, keep := warehouse.QualifiedName(schema, table), warehouse.QualifiedName(schema, "keep "+table)
			return []string{
				fmt.Sprintf(`ALTER TABLE %s ADD CONSTRAINT good CHECK ("select" <> 'bad')`, in),
				fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF OLD."select" = 'keep' THEN RAISE EXCEPTION 'it is to be kept'; END IF;
					RETURN OLD;
				END $$`, keep),
				fmt.Sprintf(`CREATE TRIGGER keep BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s()`, in, keep),
			}
		},
		Release: func(schema, table string) []string {
			return []string{fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT good", warehouse.QualifiedName(schema, table))}
		},
		Reconnects: true,
		Shared:     true,
		Peculiar: conformance.Peculiar{Existing: [][2]string{{"int32", "int4"}, {"timestamptz", "timestamptz"}, {"uuid", "uuid"}, {"varchar(10)", "varchar(12)"}, {"varchar(10)", "text"}, {"char(3)", "char(3)"}, {"time", "time"}, {"decimal(10,2)", "numeric(12,2)"}, {"list(int32)", "int4[]"}, {"list(string)", "text[]"}},
			Other: [3]string{"int64", "int4", "int32"}},
		Invalid: []conformance.InvalidValue{
			{Kind: pipeline.String, Value: "a\x00b", Want: "U+0000"},
			{Kind: pipeline.JSONText, Value: `{"a": "\u0000"}`, Want: `\u0000`},
			{Kind: pipeline.JSONText, Value: `["\ud800"]`, Want: "surrogate"},
			{Kind: pipeline.JSONText, Value: `1e200000`, Want: "numeric"},
			{Kind: pipeline.JSONText, Value: strings.Repeat("[", 2000) + strings.Repeat("]", 2000), Want: "nested"},
		},
	})
}
