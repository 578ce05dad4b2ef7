package redshift

import (
	"fmt"
	"slices"
	"testing"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

// cluster is a database that tests look at by one connection.
type cluster struct {
	*redshifttest.Cluster
	session *redshifttest.Session
}

func openCluster(t *testing.T, level backend.Isolation) cluster {
	t.Helper()
	c := redshifttest.Open(t, level)
	d := cluster{c, c.Connect()}
	d.session.Exec("SET extra_float_digits TO 2") // doubles to the last digit
	return d
}

// target is a schema of a cluster.
type target struct {
	cluster
	schema string
	cfg    Config
	gather warehouse.Gather
}

var _ conformance.SQLDatabase = (*target)(nil)

// schemaIn returns an empty schema. Its name holds what has to be quoted.
func (c cluster) schemaIn(cfg Config) *target {
	d := &target{cluster: c, schema: c.Schema() + ` ü"'Ä`, cfg: cfg}
	d.cfg.DSN, d.cfg.Schema = c.DSN(), d.schema
	if !cfg.Stage.None {
		d.cfg.Stage.S3.URL, d.cfg.Stage.S3.IAMRole, d.cfg.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
	}
	return d
}

// New implements conformance.SQLDatabase.
func (d *target) New(name string, f *conformance.Faults) (pipeline.Sink, error) {
	s, err := newGathering(name, d.cfg, d.gather)
	if err != nil {
		return nil, err
	}
	server := s.db.client.Config
	server.DialFunc = pgx.DialFunc(f.Dial(conformance.Dial(server.DialFunc)))
	return s, nil
}

// Schema implements conformance.SQLDatabase.
func (d *target) Schema() string { return d.schema }

// Query implements conformance.SQLDatabase.
func (d *target) Query(t testing.TB, query string) []string {
	t.Helper()
	rows, err := d.session.Try(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return rows
}

// Exec implements conformance.SQLDatabase.
func (d *target) Exec(t testing.TB, statement string) {
	t.Helper()
	d.Query(t, statement)
}

// Text implements conformance.SQLDatabase. Redshift casts neither booleans nor byte strings to
// texts, and writes documents without blanks.
func (d *target) Text(column string, t pipeline.Type) string {
	switch t.Kind {
	case pipeline.Bool:
		return fmt.Sprintf("CASE WHEN %[1]s THEN 'true' WHEN NOT %[1]s THEN 'false' END", column)
	case pipeline.TimestampTZ:
		return column + " AT TIME ZONE 'UTC'"
	case pipeline.Char:
		return "rtrim(" + column + ")"
	case pipeline.Binary:
		return "lower(to_hex(" + column + "))"
	case pipeline.List:
		return "json_serialize(" + column + ")"
	case pipeline.JSONText:
		return "replace(replace(json_serialize(" + column + "), ',', ', '), ':', ': ')"
	}
	return column
}

// peculiar is what Redshift does another way.
var peculiar = conformance.Peculiar{
	TokenTable: func(pipeline, sink string) string { return tokenTable(warehouse.Owner{Pipeline: pipeline, Sink: sink}) },
	NoNulls: func(schema, table, column string) []string {
		in := warehouse.QualifiedName(schema, table)
		return []string{"DROP TABLE " + in, fmt.Sprintf(`CREATE TABLE %s ("id" BIGINT NOT NULL, %s VARCHAR(65535) NOT NULL)`, in, warehouse.Quote(column))}
	},
	TextMax: varcharMax, ScaleMax: scaleMax, WordDigits: 19, NoDocumentKeys: true, Cases: "5",
	Existing: [][2]string{{"int32", "INTEGER"}, {"timestamptz", "TIMESTAMPTZ"}, {"uuid", "CHAR(36)"}, {"uuid", "VARCHAR(40)"}, {"varchar(10)", "VARCHAR(20)"}, {"char(3)", "CHAR(3)"}, {"time", "TIME"}, {"list(int32)", "SUPER"}, {"list(string)", "SUPER"}},
	Other:    [3]string{"string", "VARCHAR(256)", "varchar(256)"},
}

func TestConformance(t *testing.T) {
	c := openCluster(t, redshifttest.Snapshot)
	conformance.Run(t, c.conforming(Config{}, conformance.BeforeFirst))
}

// serializableCases are about what the isolation level makes a difference to.
var serializableCases = []string{"insert, update, delete", "two pipelines", "commit again", "a failure at each request"}

func TestConformanceSerializable(t *testing.T) {
	c := openCluster(t, redshifttest.Serializable)
	conformance.RunSome(t, c.conforming(Config{}, conformance.AfterFirst), func(name string) bool { return slices.Contains(serializableCases, name) })
}

// insertCases are about what the loader makes a difference to.
var insertCases = []string{"every type", "types of targets", "lists", "any values", "names", "keys", "insert, update, delete", "columns", "commit again", "quotes", "long texts"}

func TestConformanceInserts(t *testing.T) {
	c := openCluster(t, redshifttest.Snapshot)
	cfg := Config{Stage: StageConfig{None: true}}
	conformance.RunSome(t, c.conforming(cfg, conformance.BeforeFirst), func(name string) bool { return slices.Contains(insertCases, name) })
}

// conforming returns the cluster as the cases see it.
func (c cluster) conforming(cfg Config, faults conformance.FaultPlan) conformance.Target {
	target := conformance.Target{
		Open:       func(testing.TB) conformance.Database { return conformance.SQL{SQLDatabase: c.schemaIn(cfg)} },
		Reconnects: true, Shared: true, Peculiar: peculiar,
	}
	target.Faults = faults
	return target
}

func TestGathered(t *testing.T) {
	c := openCluster(t, redshifttest.Snapshot)
	target := conformance.Target{Reconnects: true, Shared: true, Peculiar: peculiar}
	conformance.RunGatheredTarget(t, "5", target, func(t testing.TB, g warehouse.Gather) conformance.Database {
		d := c.schemaIn(Config{})
		d.gather = g
		return conformance.SQL{SQLDatabase: d}
	})
}
