package activity

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
)

// still is a source that does not change.
type still struct{}

var (
	began = time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)
	etl   = locks.Session{PID: 7, User: "etl", Database: "dev"}
	dba   = locks.Session{PID: 8, User: "dba", Database: "dev"}
)

func (still) Sessions() []Session {
	return []Session{{PID: 7, User: "etl", Database: "dev", Started: began}, {PID: 8, User: "dba", Database: "dev", Started: began}}
}

func (still) Locks() []locks.LockInfo {
	table := locks.Table{Database: 1, OID: 100}
	return []locks.LockInfo{
		{Table: table, Session: etl, XID: 1000, Mode: locks.ShareRowExclusive, Granted: true, Since: began},
		{Table: table, Session: etl, XID: 1000, Mode: locks.AccessShare, Granted: true, Since: began},
		{Table: table, Session: dba, XID: 1001, Mode: locks.AccessExclusive, Since: began},
	}
}

func (still) Transactions() []locks.TxnInfo {
	return []locks.TxnInfo{{Session: etl, XID: 1000, Start: began}, {Session: dba, XID: 1001, Start: began}}
}

func (still) Conflicts() []locks.Conflict {
	return []locks.Conflict{{Session: etl, XID: 999, Start: began, Abort: began, Table: locks.Table{OID: 100}}}
}

func (still) Databases() ([]backend.Database, error) {
	return []backend.Database{{Name: "dev", Isolation: backend.Snapshot}, {Name: "old", Isolation: backend.Serializable}}, nil
}

// rows reads a relation as text: the named columns by |.
func rows(t *testing.T, l *Log, name string, v Viewer, columns ...string) []string {
	t.Helper()
	r, ok := l.Relation(name, v)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	data, err := r.Rows()
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(data, &objects); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range objects {
		var values []string
		for _, c := range columns {
			value, ok := o[c]
			if !ok {
				t.Fatalf("%s has no %s", name, c)
			}
			values = append(values, fmt.Sprint(value))
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	return lines
}

var all = Viewer{User: "awsuser", All: true}

func log(now *time.Time) *Log { return New(func() time.Time { return *now }, still{}) }

func TestStatements(t *testing.T) {
	now := began
	l := log(&now)
	session := Session{PID: 7, User: "etl", UserID: 100, Database: "dev", Label: "starlift"}
	st := l.Begin(session, "insert into t values (1)")
	now = now.Add(2 * time.Second)
	if got := rows(t, l, "stv_inflight", all, "query", "pid", "text", "userid"); !slices.Equal(got, []string{"1|7|insert into t values (1)|100"}) {
		t.Errorf("in flight: %q", got)
	}
	if got := rows(t, l, "stv_recents", all, "status", "duration"); !slices.Equal(got, []string{"Running|2e+06"}) {
		t.Errorf("recents: %q", got)
	}
	l.End(st, 1234, "INSERT 0 1", nil)
	st = l.Begin(session, "select nothing")
	l.End(st, 0, "", &pgconn.PgError{Code: "42703", Message: "column does not exist"})
	st = l.Begin(Session{PID: 8, User: "dba"}, strings.Repeat("é", 150)+" x")
	l.End(st, 0, "", errors.New("broken"))

	if got := rows(t, l, "stl_query", all, "query", "xid", "label", "database", "aborted", "starttime", "endtime")[:2]; !slices.Equal(got, []string{
		"1|1234|starlift|dev|0|2024-01-02 03:04:05.000006|2024-01-02 03:04:07.000006", "2|0|starlift|dev|1|2024-01-02 03:04:07.000006|2024-01-02 03:04:07.000006",
	}) {
		t.Errorf("stl_query: %q", got)
	}
	if got := rows(t, l, "sys_query_history", Viewer{User: "etl"}, "query_type", "status", "error_message"); !slices.Equal(got, []string{"INSERT|success|", "SELECT|failed|column does not exist"}) {
		t.Errorf("what a user sees: %q", got)
	}
	if got := rows(t, l, "stl_querytext", Viewer{User: "dba"}, "query", "sequence", "text"); len(got) != 2 || !strings.HasSuffix(got[1], "é x") || len(got[0]) != len("3|0|")+200 {
		t.Errorf("texts: %q", got)
	}
	if got := rows(t, l, "stl_error", all, "error"); !slices.Equal(got, []string{"column does not exist", "broken"}) {
		t.Errorf("errors: %q", got)
	}
	if got := rows(t, l, "stv_inflight", all, "query"); got != nil {
		t.Errorf("after their end: %q", got)
	}
}

// TestHistoryIsBounded: the oldest go first.
func TestHistoryIsBounded(t *testing.T) {
	now := began
	l := log(&now)
	for range maxStatements + 5 {
		l.End(l.Begin(Session{}, "select 1"), 0, "SELECT 1", nil)
	}
	got := rows(t, l, "stl_query", all, "query")
	if len(got) != maxStatements || got[0] != "6" || got[len(got)-1] != fmt.Sprint(maxStatements+5) {
		t.Errorf("%d statements, from %s to %s", len(got), got[0], got[len(got)-1])
	}
	if len(l.running) != 0 {
		t.Errorf("%d still run", len(l.running))
	}
}

func TestLoads(t *testing.T) {
	now := began
	l := log(&now)
	session := Session{PID: 7, User: "etl", Database: "dev", XID: 5}
	result := &load.CopyResult{
		Rows: 1, Failed: 1, Files: []load.FileResult{{URL: "s3://b/k", Lines: 2, Bytes: 30}},
		Errors: []load.LoadError{{File: "s3://b/k", Line: 2, Column: "a", Type: "int4", Position: 3, RawLine: "x\x00\xff", RawValue: "x", Code: 1207, Reason: "Invalid digit"}},
	}
	l.Copied(session, 9, "t", 100, "CSV", result, nil)
	l.Copied(session, 10, "t", 100, "CSV", result, errors.New("failed"))
	if got := rows(t, l, "stl_load_errors", all, "query", "tbl", "filename", "line_number", "colname", "type", "raw_line", "err_code", "err_reason"); !slices.Equal(got, []string{
		"9|100|s3://b/k|2|a|int4|x?|1207|Invalid digit", "10|100|s3://b/k|2|a|int4|x?|1207|Invalid digit",
	}) {
		t.Errorf("%q", got)
	}
	if got := rows(t, l, "sys_load_error_detail", Viewer{User: "etl"}, "query_id", "error_code", "error_message")[0]; got != "9|1207|Invalid digit" {
		t.Errorf("%q", got)
	}
	if got := rows(t, l, "sys_load_error_detail", Viewer{User: "other"}, "query_id"); got != nil {
		t.Errorf("another user sees %q", got)
	}
	if got := rows(t, l, "stl_load_commits", all, "query", "filename", "lines_scanned"); !slices.Equal(got, []string{"9|s3://b/k|2"}) {
		t.Errorf("%q", got)
	}
	l.Unloaded(session, 11, "Parquet", &load.UnloadResult{Files: []load.FileResult{{URL: "s3://b/u", Lines: 4, Bytes: 5}}})
	if got := rows(t, l, "stl_unload_log", all, "query", "path", "line_count", "transfer_size"); !slices.Equal(got, []string{"11|s3://b/u|4|5"}) {
		t.Errorf("%q", got)
	}
}

func TestLocks(t *testing.T) {
	now := began
	l := log(&now)
	if got := rows(t, l, "svv_transactions", all, "txn_owner", "xid", "pid", "lock_mode", "lockable_object_type", "relation", "granted"); !slices.Equal(got, []string{
		"etl|1000|7|ExclusiveLock|transactionid|<nil>|true", "dba|1001|8|ExclusiveLock|transactionid|<nil>|true",
		"etl|1000|7|ShareRowExclusiveLock|relation|100|true", "etl|1000|7|AccessShareLock|relation|100|true", "dba|1001|8|AccessExclusiveLock|relation|100|false",
	}) {
		t.Errorf("%q", got)
	}
	if got := rows(t, l, "stv_locks", all, "table_id", "lock_owner_pid", "lock_status"); !slices.Equal(got, []string{"100|7|Holding write lock", "100|8|Waiting for write lock"}) {
		t.Errorf("%q", got)
	}
	if got := rows(t, l, "svv_transactions", Viewer{User: "etl"}, "pid"); !slices.Equal(got, []string{"7", "7", "7"}) {
		t.Errorf("what a user sees: %q", got)
	}
	if got := rows(t, l, "stv_db_isolation_level", all, "datname", "db_isolation_level"); !slices.Equal(got, []string{"dev|Snapshot Isolation", "old|Serializable"}) {
		t.Errorf("%q", got)
	}
	if got := rows(t, l, "stv_sessions", Viewer{User: "dba"}, "process", "user_name", "starttime"); !slices.Equal(got, []string{"8|dba|2024-01-02 03:04:05.000006"}) {
		t.Errorf("%q", got)
	}
}

// TestDefinitions: every column has a type that there is, and texts a length.
func TestDefinitions(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z_0-9]*$`)
	now := began
	l := log(&now)
	for relation, r := range relations {
		seen := map[string]bool{}
		for _, c := range r.columns {
			if c.Type.Name == "" || strings.HasPrefix(c.Type.Name, "character") != (c.Type.Length > 0) || !name.MatchString(c.Name) || seen[c.Name] {
				t.Errorf("%s: %+v", relation, c)
			}
			seen[c.Name] = true
		}
		if v, ok := l.Relation(relation, all); !ok {
			t.Error(relation)
		} else if _, err := v.Rows(); err != nil {
			t.Errorf("%s: %v", relation, err)
		}
	}
	if _, ok := l.Relation("stl_nothing", all); ok {
		t.Error("a relation that there is not")
	}
}
