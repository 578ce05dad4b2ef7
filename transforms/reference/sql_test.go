package reference

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// sqlConfig is a query as the pipeline file's defaults leave it.
func sqlConfig(dsn, query string) SourceConfig {
	return SourceConfig{SQL: SQLConfig{Type: "sql", DSN: dsn, Query: query, Timeout: spec.Duration(time.Minute)}}
}

// database runs statements, each in a session of its own.
func database(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	server, err := pgconn.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		conn, err := pgconn.Connect(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), statement)
		conn.Close(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// schema makes a schema that nobody else uses.
func schema(t testing.TB, dsn string) string {
	t.Helper()
	name := pgtest.Schema()
	database(t, dsn, "CREATE SCHEMA "+name)
	t.Cleanup(func() {
		server, err := pgconn.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgconn.Connect(context.Background(), server)
		if err != nil {
			return // the test has ended the server
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return name
}

// TestQueryTypes: a result has the values that a file with the same table has, whatever the server's
// and the role's settings are.
func TestQueryTypes(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := schema(t, dsn)
	database(t, dsn, fmt.Sprintf(`CREATE TYPE %[1]s.mood AS ENUM ('sad', 'glad');
		CREATE TABLE %[1]s.r (id int8, name char(12), ok bool, rate float8, price numeric(12,4), day date, at timestamptz);
		INSERT INTO %[1]s.r VALUES (1, 'Köln', true, 0.1, -12.30, '2024-02-29', '2024-02-29 12:00:00.5+02'), (2, NULL, NULL, NULL, NULL, NULL, NULL),
			(9223372036854775807, '', false, 1e-300, 99999999.99, '0001-01-01', '9999-12-31 23:59:59.999999Z')`, s))
	for _, setting := range []string{"", "&options=-c%20datestyle%3DSQL,DMY%20-c%20timezone%3DAsia/Tokyo%20-c%20extra_float_digits%3D-10"} {
		t.Run(setting, func(t *testing.T) {
			got, err := loadFrom(t, sqlConfig(dsn+setting, "SELECT * FROM "+s+".r ORDER BY id;"))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"1|Köln|true|0.1|-12.3|2024-02-29|2024-02-29 10:00:00.5Z",
				"2|(null)|(null)|(null)|(null)|(null)|(null)",
				"9223372036854775807||false|1e-300|99999999.99|0001-01-01|9999-12-31 23:59:59.999999Z",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	got, err := loadFrom(t, sqlConfig(dsn, `SELECT sum(id) % 10 AS id, 'glad'::`+s+`.mood AS name, bool_or(ok) AS ok, 1::int2 AS rate, 5 AS price, now()::date - now()::date + date '2024-01-01' AS day, timestamp '2024-01-01' AS at FROM `+s+`.r`))
	if want := []string{"0|glad|true|1|5|2024-01-01|2024-01-01 00:00:00Z"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := loadFrom(t, sqlConfig(dsn, "SELECT * FROM "+s+".r WHERE id = 5")); err != nil || got != nil {
		t.Errorf("of no rows: %v %v", got, err)
	}
}

// TestQueryRefused: what is no reference is refused as a whole, and the message says what to do.
func TestQueryRefused(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := schema(t, dsn)
	database(t, dsn, "CREATE TABLE "+s+".r (id int8)", "CREATE SEQUENCE "+s+".q")
	row := func(changes ...string) string {
		columns := map[string]string{"id": "1", "name": "''", "ok": "true", "rate": "1::float8", "price": "1", "day": "date '2024-01-01'", "at": "timestamp '2024-01-01'"}
		for _, c := range changes {
			name, value, _ := strings.Cut(c, "=")
			columns[name] = value
		}
		var list []string
		for _, c := range typed {
			name, _, _ := strings.Cut(c, " ")
			list = append(list, columns[name]+" AS "+name)
		}
		return "SELECT " + strings.Join(list, ", ")
	}
	written := filepath.Join(os.TempDir(), "starlift-"+s) // by the server
	for _, tt := range []struct{ query, want string }{
		{row("name=42"), "column name is int4 in the result, and string in the pipeline file: say so under types"},
		{row("id='a'::text"), "column id is text in the result, and int64 in the pipeline file"},
		{row("name=ARRAY['a']"), "column name has a type (OID 1009) that a reference can't have: cast it in the query, as name::text"},
		{row("name='a'::bytea"), "cast it in the query"},
		{row("price=1.005"), `row 1: column price (decimal(10,2)): "1.005" has more fraction digits`},
		{row("price='NaN'::numeric"), `row 1: column price (decimal(10,2)): "NaN" is not a number`},
		{row("day='infinity'::date"), `row 1: column day (date): "infinity"`},
		{row() + " UNION ALL " + row("name='b'"), `row 2: the key id = "1" is repeated: it is in row 1 already`},
		{row() + ", 1 AS id", `two columns of the result are named "id"`},
		{"SELECT 1 AS idd", `there is no column "id"; there are "idd": did you mean "idd"?`},
		{"SELECT", "the query has no result: want one SELECT"},
		{"SET search_path TO public", "the query has no result: want one SELECT"},
		{"COPY (SELECT 1) TO '" + written + "'", "the query has no result: want one SELECT"},
		{"SELECT * FROM " + s + ".r WHERE id = $1", "the query has parameters, as $1: write values in their places"},
		{"SELECT 1; SELECT 2", "(the query has to be one SELECT)"},
		{"SELEC 1", "(the query has to be one SELECT)"},
		{"INSERT INTO " + s + ".r VALUES (1) RETURNING " + strings.TrimPrefix(row(), "SELECT "), "the query may only read: cannot execute INSERT in a read-only transaction"},
		{row("id=nextval('" + s + ".q')"), "the query may only read: cannot execute nextval() in a read-only transaction"},
		{"SELECT * FROM " + s + ".missing", `relation "` + s + `.missing" does not exist`},
	} {
		t.Run(tt.query, func(t *testing.T) {
			_, err := loadFrom(t, sqlConfig(dsn, tt.query))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "query of ") || pipeline.Retryable(err) {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := os.Stat(written); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was written: %v", errors.Join(err, os.Remove(written)))
	}
	slow := sqlConfig(dsn, row("name=pg_sleep(30)::text"))
	slow.SQL.Timeout = spec.Duration(20 * time.Millisecond)
	began := time.Now()
	if _, err := loadFrom(t, slow); err == nil || !strings.Contains(err.Error(), "timeout is 20ms") || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// TestQueryVersions: a result that is equal to the one before is no new version, in whatever order
// its rows come; while the server is away the last one stays, and its age grows.
func TestQueryVersions(t *testing.T) {
	server := pgtest.Own(t)
	database(t, server.DSN, "CREATE TABLE r (code text, n text)", "INSERT INTO r VALUES ('a', '1'), ('b', NULL), (NULL, 'x')")
	j := sourceJoin(t, sqlConfig(server.DSN, "SELECT code, n FROM r ORDER BY random()"), "code string", "n string")
	now := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	j.watch.now = func() time.Time { return now }
	check := func(want string, at time.Time) {
		t.Helper()
		if err := j.watch.check(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if got := valueOf(j, "a"); got != want || j.Reference().Version != at.UnixMicro() || j.Reference().Age != 0 {
			t.Errorf("n is %s, status %+v, want %s, version %d", got, j.Reference(), want, at.UnixMicro())
		}
	}
	first := now
	check("1", first)
	for _, statement := range []string{"SELECT 1", "DELETE FROM r WHERE code IS NULL"} {
		now = now.Add(time.Minute)
		database(t, server.DSN, statement)
		check("1", first)
	}
	for i, statement := range []string{"UPDATE r SET n = '' WHERE code = 'b'", "UPDATE r SET n = NULL WHERE code = 'b'", "DELETE FROM r WHERE code = 'b'", "INSERT INTO r VALUES ('c', '1')"} {
		now = now.Add(time.Minute)
		database(t, server.DSN, statement)
		check("1", now)
		_ = i
	}
	pinned := j.Snapshot()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	last := now
	now = now.Add(time.Minute)
	err := j.watch.check(t.Context(), false)
	if err == nil || !pipeline.Retryable(err) || j.Snapshot() != pinned || j.Reference().Age != time.Minute || j.Reference().Problem == nil || j.Reference().Version != last.UnixMicro() {
		t.Errorf("without a server: %v, %+v", err, j.Reference())
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	database(t, server.DSN, "UPDATE r SET n = '2'")
	check("2", now)
	if pinned.(*snapshot).columns[1].ValueStr(0) != "1" {
		t.Error("a pinned version has changed")
	}
}

// TestQueryBreaks: a connection that breaks half-way gives no half of a reference, and a reading ends
// when it is told to.
func TestQueryBreaks(t *testing.T) {
	server := pgtest.Own(t)
	j := sourceJoin(t, sqlConfig(server.DSN, "SELECT i::text AS code, repeat('x', 1000) AS n, CASE WHEN i = 50000 THEN pg_sleep(60) END FROM generate_series(1, 100000) t(i)"), "code string", "n string")
	read := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { read <- j.watch.check(ctx, false) }()
	asleep := func() bool {
		conn, err := pgconn.Parse(server.DSN)
		if err != nil {
			t.Fatal(err)
		}
		c, err := pgconn.Connect(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		rows, err := c.Query(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
		return err == nil && rows[0][0] == "1"
	}
	for !asleep() {
		if t.Context().Err() != nil {
			t.Fatal("it does not sleep")
		}
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err == nil || !pipeline.Retryable(err) || j.Snapshot() != (*snapshot)(nil) {
		t.Errorf("a broken connection: %v", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	go func() { read <- j.watch.check(ctx, false) }()
	for !asleep() {
		if t.Context().Err() != nil {
			t.Fatal("it does not sleep")
		}
	}
	began := time.Now()
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("a stop: %v after %s", err, time.Since(began))
	}
}

// TestSourcesAgree: a table has the same rows, whichever source it comes from.
func TestSourcesAgree(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dsn := pgtest.DSN(t)
	s := schema(t, dsn)
	for round := range 20 {
		rows := randomRows(r)
		path := folder(t, "a.ndjson")
		write(t, path, ndjson(t, rows), time.Now())
		want := snapshotFrom(t, SourceConfig{File: FileConfig{Type: "file", Path: path, Delimiter: ","}})
		name := fmt.Sprintf("%s.t%d", s, round)
		database(t, dsn, "CREATE TABLE "+name+" (id int8, name text, ok bool, rate float8, price numeric, day date, at timestamp); "+inserts(name, rows))
		if got := snapshotFrom(t, sqlConfig(dsn, "SELECT * FROM "+name)); !got.same(want) || !want.same(got) {
			t.Fatalf("the query's %v differs from the file's %v", textRows(got), textRows(want))
		}
	}
}

// TestQueryMistakes: what is wrong with a query is found before anything is asked.
func TestQueryMistakes(t *testing.T) {
	for _, tt := range []struct {
		change func(*Config)
		path   string
		want   string
	}{
		{func(c *Config) { c.Reference.Source.SQL.DSN = "host" }, "reference.source.dsn", "dsn is not a connection string"},
		{func(c *Config) { c.Reference.Source.SQL.Query = " ; \n" }, "reference.source.query", "the query is empty"},
		{func(c *Config) { c.Reference.MaxStaleness = spec.Duration(time.Minute) }, "reference.max_staleness", "has to be longer than refresh, which is 1 min"},
	} {
		cfg := sourceConfig(sqlConfig("postgres://u:secret@h/d", "SELECT 1"), "code string", "n string")
		tt.change(&cfg)
		_, err := New("j", cfg, []*pipeline.Table{pipelinetest.Table("t", "", "k string")})
		var bad *spec.FieldError
		if !errors.As(err, &bad) || strings.Join(bad.Path, ".") != tt.path || !strings.Contains(bad.Message, tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("error is %v, want at %s: %s", err, tt.path, tt.want)
		}
	}
}
