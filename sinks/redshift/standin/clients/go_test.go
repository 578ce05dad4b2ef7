package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/lib/pq"
)

// role is what COPY and UNLOAD are told to assume.
const role = "arn:aws:iam::123456789012:role/copy"

func connect(t *testing.T, dsn string) *pgconn.PgConn {
	t.Helper()
	db, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// execModes are pgx's ways to send a statement, but for the simple protocol.
var execModes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec,
}

func connectPgx(t *testing.T, s *target, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(s.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	db, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// TestPgxSimple: pgx refuses queries and arguments in the simple protocol by itself, as on a
// cluster, because the server does not tell standard_conforming_strings.
func TestPgxSimple(t *testing.T) {
	s := start(t, false)
	db := connectPgx(t, s, pgx.QueryExecModeSimpleProtocol)
	const refusal = "simple protocol queries must be run with standard_conforming_strings=on"
	if _, err := db.Exec(t.Context(), "select $1", 1); err == nil || err.Error() != refusal {
		t.Errorf("an argument: %v", err)
	}
	if err := db.QueryRow(t.Context(), "select 1").Scan(nil); err == nil || err.Error() != refusal {
		t.Errorf("a query: %v", err)
	}
	tag, err := db.Exec(t.Context(), `create table simple (v varchar(20)); insert into simple values ('a\\b'), ('c\'d')`)
	if err != nil || tag.String() != "INSERT 0 2" {
		t.Fatalf("statements without arguments: %v, %v", tag, err)
	}
	if got, want := s.query(t, "select v from simple order by 1"), "a\\b\nc'd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPgx(t *testing.T) {
	s := start(t, true)
	for i, mode := range execModes {
		t.Run(mode.String(), func(t *testing.T) {
			db := connectPgx(t, s, mode)
			name := fmt.Sprint("pgx_", i)
			pgxValues(t, db, name)
			pgxErrors(t, db)
			pgxBatch(t, db, name)
			pgxLoad(t, db, name)
		})
	}
}

// pgxValues binds values of each type and reads them.
func pgxValues(t *testing.T, db *pgx.Conn, table string) {
	t.Helper()
	ctx := t.Context()
	if _, err := db.Exec(ctx, "create table "+table+" (s smallint, i int, b bigint, d double precision, n decimal(18,4), t boolean, v varchar(100), da date, ts timestamp, tz timestamptz, doc super)"); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 2, 29, 12, 34, 56, 123456000, time.UTC)
	text := `it's \ ünï "x"` + "\n"
	insert := "insert into " + table + " select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, json_parse($11)"
	args := []any{int16(-7), int32(8), int64(1) << 40, 2.25, pgtype.Numeric{Int: big.NewInt(123456789), Exp: -4, Valid: true}, true, text, at.Truncate(24 * time.Hour), at, at, `{"a":[1,2.50]}`}
	if _, err := db.Exec(ctx, insert, args...); err != nil {
		t.Fatalf("insert: %v", err)
	}
	rows, err := db.Query(ctx, "select s, i, b, d, n, t, v, da, ts, tz, json_serialize(doc), doc from "+table)
	if err != nil {
		t.Fatal(err)
	}
	var oids []uint32
	for _, f := range rows.FieldDescriptions() {
		oids = append(oids, f.DataTypeOID)
	}
	var (
		small  int16
		middle int32
		large  int64
		double float64
		number pgtype.Numeric
		truth  bool
		read   string
		day    time.Time
		ts, tz time.Time
		json   string
	)
	if !rows.Next() {
		t.Fatalf("no row: %v", rows.Err())
	}
	if err := rows.Scan(&small, &middle, &large, &double, &number, &truth, &read, &day, &ts, &tz, &json, nil); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if want := []uint32{21, 23, 20, 701, 1700, 16, 1043, 1082, 1114, 1184, 1043, 4000}; !slices.Equal(oids, want) {
		t.Errorf("OIDs %v, want %v", oids, want)
	}
	digits, err := number.Float64Value()
	if err != nil {
		t.Error(err)
	}
	for i, pair := range [][2]any{
		{small, int16(-7)}, {middle, int32(8)}, {large, int64(1) << 40}, {double, 2.25}, {digits.Float64, 12345.6789}, {truth, true}, {read, text},
		{day.Format(time.DateOnly), "2024-02-29"}, {ts.UTC(), at}, {tz.UTC(), at}, {json, `{"a":[1,2.50]}`},
	} {
		if describe(pair[0]) != describe(pair[1]) {
			t.Errorf("value %d: %s, want %s", i, describe(pair[0]), describe(pair[1]))
		}
	}
	var empty *string
	if err := db.QueryRow(ctx, "select null::varchar(5)").Scan(&empty); err != nil || empty != nil {
		t.Errorf("null: %v, %v", empty, err)
	}
}

// code returns an error's SQLSTATE.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	var other *pq.Error
	if errors.As(err, &other) {
		return string(other.Code)
	}
	return fmt.Sprint(err)
}

// refusals are statements and their SQLSTATEs, for every client of Go.
var refusals = map[string]string{
	"select * from nowhere":                           "42P01",
	"select nothing from pg_class":                    "42703",
	"selec 1":                                         "42601",
	"create table pgx_bad (tag int)":                  "42601",
	"set lock_timeout = 1":                            "42704",
	"insert into nowhere values (1) on conflict (id)": "42601",
}

func pgxErrors(t *testing.T, db *pgx.Conn) {
	t.Helper()
	for sql, want := range refusals {
		if _, err := db.Exec(t.Context(), sql); code(err) != want {
			t.Errorf("%s: %s, want %s", sql, code(err), want)
		}
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select * from nowhere"); code(err) != "42P01" {
		t.Error(err)
	}
	if _, err := tx.Exec(t.Context(), "select 1"); code(err) != "25P02" {
		t.Errorf("in an aborted transaction: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	// pgx nests transactions by savepoints, which Redshift has not.
	if tx, err = db.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Begin(t.Context()); err == nil {
		t.Error("a savepoint is taken")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// pgxBatch sends many statements before one Sync.
func pgxBatch(t *testing.T, db *pgx.Conn, table string) {
	t.Helper()
	ctx := t.Context()
	batch := &pgx.Batch{}
	for i := range 20 {
		batch.Queue("insert into "+table+" (i, v) values ($1, $2)", 1000+i, fmt.Sprint("b", i))
	}
	batch.Queue("select count(*) from " + table + " where i >= 1000")
	results := db.SendBatch(ctx, batch)
	for i := range 20 {
		if tag, err := results.Exec(); err != nil || tag.String() != "INSERT 0 1" {
			t.Fatalf("insert %d of the batch: %v, %v", i, tag, err)
		}
	}
	var count int64
	if err := results.QueryRow().Scan(&count); err != nil || count != 20 {
		t.Errorf("the batch's last answer: %d, %v", count, err)
	}
	if err := results.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.CopyFrom(ctx, pgx.Identifier{table}, []string{"i"}, pgx.CopyFromRows([][]any{{1}})); err == nil {
		t.Error("COPY FROM STDIN is taken")
	}
	// Its refusal leaves the connection in order.
	if err := db.QueryRow(ctx, "select count(*) from "+table).Scan(&count); err != nil || count != 21 {
		t.Errorf("rows after all: %d, %v", count, err)
	}
}

// pgxLoad unloads and loads by whatever protocol the mode has.
func pgxLoad(t *testing.T, db *pgx.Conn, table string) {
	t.Helper()
	ctx := t.Context()
	path := "s3://" + bucket + "/pgx/" + table + "/"
	for _, sql := range []string{
		"unload ('select i, v from " + table + " where i >= 1000') to '" + path + "' iam_role '" + role + "' format parquet",
		"create table " + table + "_l (i int, v varchar(100))",
		"copy " + table + "_l from '" + path + "' iam_role '" + role + "' format as parquet",
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var count, sum int64
	if err := db.QueryRow(ctx, "select count(*), sum(i) from "+table+"_l").Scan(&count, &sum); err != nil || count != 20 || sum != 20190 {
		t.Errorf("loaded: %d rows, sum %d, %v", count, sum, err)
	}
}

func TestPq(t *testing.T) {
	s := start(t, false)
	db, err := sql.Open("postgres", s.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(ctx, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("create table pq_t (id bigint, v varchar(100), n decimal(10,2), t boolean, ts timestamp)")
	at := time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC)
	text := `it's \ ü`
	exec("insert into pq_t values ($1, $2, $3, $4, $5), ($6, null, null, null, null)", 1, text, "12.50", true, at, 2)
	var (
		id     int64
		read   string
		number string
		truth  bool
		ts     time.Time
	)
	row := db.QueryRowContext(ctx, "select * from pq_t where v = $1", text)
	if err := row.Scan(&id, &read, &number, &truth, &ts); err != nil {
		t.Fatal(err)
	}
	if id != 1 || read != text || number != "12.50" || !truth || !ts.Equal(at) {
		t.Errorf("got %d, %q, %s, %v, %s", id, read, number, truth, ts)
	}
	statement, err := db.PrepareContext(ctx, "select count(*) from pq_t where id >= $1")
	if err != nil {
		t.Fatal(err)
	}
	defer statement.Close()
	for least, want := range map[int]int64{1: 2, 2: 1, 3: 0} {
		var got int64
		if err := statement.QueryRowContext(ctx, least).Scan(&got); err != nil || got != want {
			t.Errorf("prepared, %d: %d, %v", least, got, err)
		}
	}
	for sql, want := range refusals {
		if _, err := db.ExecContext(ctx, sql); code(err) != want {
			t.Errorf("%s: %s, want %s", sql, code(err), want)
		}
	}
	pqTransaction(t, db)
	other, err := sql.Open("postgres", s.DSN("nope"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.PingContext(ctx); code(err) != "3D000" {
		t.Errorf("another database: %v", err)
	}
}

func pqTransaction(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx := t.Context()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	result, err := tx.ExecContext(ctx, "delete from pq_t using (select 1 as id) s where s.id = pq_t.id")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	var count int64
	if err := db.QueryRowContext(ctx, "select count(*) from pq_t").Scan(&count); err != nil || count != 2 {
		t.Errorf("after the rollback: %d, %v", count, err)
	}
	if tx, err = db.BeginTx(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.PrepareContext(ctx, `COPY "pq_t" ("id") FROM STDIN`); err == nil {
		t.Error("COPY FROM STDIN is taken")
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
