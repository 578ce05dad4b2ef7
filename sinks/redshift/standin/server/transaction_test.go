package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

func TestTransactions(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c, other := connect(t, dsn), connect(t, dsn)
	c.run("create table t(a int)")
	c.run("begin; insert into t values (1); rollback")
	c.want("select count(*) from t", "0")
	c.run("begin; insert into t values (1); commit")
	other.want("select count(*) from t", "1")
	c.run("start transaction; insert into t values (2); abort")
	c.run("begin isolation level serializable read write; insert into t values (2); end")
	other.want("select a from t order by a", "1\n2")

	// Several statements of one message are one transaction, without BEGIN.
	c.fails("insert into t values (3); select 1/0", "22012", "division by zero")
	other.want("select count(*) from t", "2")
	c.run("insert into t values (3); insert into t values (4)")
	other.want("select count(*) from t", "4")

	c.run("begin")
	c.fails("select 1/0", "22012", "division by zero")
	c.fails("select 1", "25P02", "current transaction is aborted, commands ignored until end of transaction block")
	c.fails("insert into t values (9)", "25P02", "")
	c.run("commit")
	c.want("select count(*) from t", "4")

	// DDL and temporary tables are transactional.
	c.run("begin; create table u(a int); create temp table v(a int); insert into v values (1); rollback")
	c.fails("select * from u", "42P01", `relation "u" does not exist`)
	c.fails("select * from v", "42P01", "")
	for _, sql := range []string{
		"insert into t values (1)", "delete from t", "create table u(a int)", "create temp table u(a int)", "select * into u from t",
		"create view u as select a from t", "create schema u", "drop table t", "alter table t add b int", "grant select on t to public",
		"comment on table t is 'x'", "create user u password disable",
	} {
		c.run("begin read only")
		c.fails(sql, "25006", "read-only")
		c.run("rollback")
	}
	c.run("begin read only; lock t; select * from t; commit")
	c.run("begin; set transaction isolation level serializable, read only")
	c.fails("insert into t values (1)", "25006", "read-only")
	c.run("rollback; begin read only; set transaction read write; insert into t values (1); rollback")
	c.run("set transaction read only")
	c.run("begin; insert into t values (1); rollback")
}

func TestTruncateCommits(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c, other := connect(t, dsn), connect(t, dsn)
	c.run("create table t(a int); create table log(a int); insert into t values (1), (2)")
	c.run("begin; insert into log values (1); truncate t")
	other.want("select count(*) from t", "0")
	other.want("select count(*) from log", "1")
	if c.TxStatus() != 'I' {
		t.Errorf("status %c", c.TxStatus())
	}
	c.run("rollback")
	other.want("select count(*) from log", "1")
}

func TestNotInABlock(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c := connect(t, dsn)
	c.run("create table t(a varchar(10))")
	for _, s := range []struct{ sql, text string }{
		{"vacuum t", "VACUUM cannot run inside a transaction block"},
		{"create database dbx", "CREATE DATABASE cannot run inside a transaction block"},
		{"drop database dbx", "DROP DATABASE cannot run inside a transaction block"},
	} {
		c.run("begin")
		c.fails(s.sql, "25001", s.text)
		c.run("rollback")
	}
	c.fails("create database a1; create database a2", "25001", "CREATE DATABASE cannot run inside a multiple commands statement")
	c.run("vacuum t")
}

func TestDatabases(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("create database other_one isolation level serializable")
	c.fails("create database other_one", "42P04", "already exists")
	other := connect(t, shared.server.DSN("other_one"))
	other.want("select db_isolation_level from stv_db_isolation_level where datname = 'other_one'", "Serializable")
	c.fails("drop database other_one", "55006", "being accessed by other users")
	c.fails("alter database other_one rename to third", "55006", "")
	c.run("create database second_one connection limit 5")
	c.run("alter database second_one connection limit unlimited")
	c.run("alter database second_one rename to third_one")
	connect(t, shared.server.DSN("third_one")).want("select current_database()", "third_one")
	c.fails("alter database missing_one owner to awsuser", "3D000", "does not exist")
	c.fails("alter database "+c.run("select current_database()")+" rename to x", "55006", "current database cannot be renamed")
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-other.CleanupDone()
	dropped := func() error { _, err := c.try("drop database other_one"); return err }
	deadline := time.Now().Add(10 * time.Second)
	for err := dropped(); err != nil; err = dropped() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	_, err := pgconn.Connect(t.Context(), shared.server.DSN("other_one"))
	refused(t, err, "3D000", "does not exist")
}

// TestReaderDuringTransaction: what a transaction writes is not seen, and does not stop
// readers, before it commits.
func TestReaderDuringTransaction(t *testing.T) {
	for _, level := range []backend.Isolation{backend.Snapshot, backend.Serializable} {
		dsn := database(t, level)
		writer, reader := connect(t, dsn), connect(t, dsn)
		writer.run("create table t(a int); insert into t values (1)")
		writer.run("begin; delete from t; insert into t values (2), (3)")
		reader.want("select a from t", "1")
		writer.run("commit")
		reader.want("select a from t order by a", "2\n3")
	}
}

// TestSnapshotAtFirstStatement: BEGIN, SET, SHOW and LOCK take none.
func TestSnapshotAtFirstStatement(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c, other := connect(t, dsn), connect(t, dsn)
	c.run("create table t(a int); create table token(a int)")
	c.run("begin; set query_group to x; show query_group; lock token")
	other.run("insert into t values (1)")
	c.want("select count(*) from t", "1")
	other.run("insert into t values (2)")
	c.want("select count(*) from t", "1")
	c.run("commit")
	c.want("select count(*) from t", "2")
}

// TestLockWaits: a second LOCK waits for the first one's transaction, and sees what it did.
func TestLockWaits(t *testing.T) {
	for _, level := range []backend.Isolation{backend.Snapshot, backend.Serializable} {
		dsn := database(t, level)
		a, b := connect(t, dsn), connect(t, dsn)
		a.run("create table token(a int); insert into token values (0)")
		a.run("begin; lock token; update token set a = 1")
		b.run("begin")
		done := b.background("lock token")
		b.waits()
		a.want("select count(*) from svv_transactions where not granted", "1")
		a.run("commit")
		if err := ends(t, done); err != nil {
			t.Fatal(err)
		}
		b.want("select a from token", "1")
		b.run("update token set a = 2; commit")
		a.want("select a from token", "2")
	}
}

// TestLockStopsReaders: it is ACCESS EXCLUSIVE (dg/r_LOCK).
func TestLockStopsReaders(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int)")
	a.run("begin; lock t")
	done := b.background("select * from t")
	b.waits()
	a.run("end")
	if err := ends(t, done); err != nil {
		t.Error(err)
	}
}

// TestWritersWait: the second of two writers waits, and goes on with what the first left.
func TestWritersWait(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int); insert into t values (1)")
	a.run("begin; update t set a = a + 1")
	done := b.background("update t set a = a * 10")
	b.waits()
	a.run("commit")
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
	a.want("select a from t", "20")
}

// TestRowConflict: under SNAPSHOT a row that was changed after the snapshot can't be changed.
func TestRowConflict(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int, v int); insert into t values (1, 1), (2, 2)")
	a.run("begin; select * from t")
	b.run("update t set v = 10 where a = 1")
	a.run("update t set v = 20 where a = 2") // another row
	a.fails("update t set v = 11 where a = 1", "XX000", "Serializable isolation violation on table - ")
	a.fails("select 1", "25P02", "")
	b.run("update t set v = 3 where a = 2") // the locks are gone already
	a.run("rollback")
	a.want("select v from t order by a", "10\n3")
}

// TestSerializableCycle is the guide's example (dg/c_serial_isolation).
func TestSerializableCycle(t *testing.T) {
	for _, level := range []backend.Isolation{backend.Snapshot, backend.Serializable} {
		dsn := database(t, level)
		a, b := connect(t, dsn), connect(t, dsn)
		a.run("create table tab1(a int); create table tab2(a int)")
		a.run("begin")
		b.run("begin")
		a.run("select * from tab1")
		a.run("insert into tab2 values (1)")
		var err error
		for _, step := range []struct {
			c   *client
			sql string
		}{{b, "insert into tab1 values (1)"}, {b, "select * from tab2"}, {a, "commit"}, {b, "commit"}} {
			if _, err = step.c.try(step.sql); err != nil {
				break
			}
		}
		if level == backend.Snapshot {
			if err != nil {
				t.Errorf("under SNAPSHOT: %v", err)
			}
			continue
		}
		e := refused(t, err, "XX000", "Serializable isolation violation on table - ")
		if e.Message != "1023" {
			t.Errorf("message %q", e.Message)
		}
	}
}

func TestDeadlock(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table x(a int); create table y(a int)")
	a.run("begin; lock x")
	b.run("begin; lock y")
	done := a.background("lock y")
	a.waits()
	b.fails("lock x", "40P01", "deadlock detected")
	if err := ends(t, done); err != nil {
		t.Error(err)
	}
	b.fails("select 1", "25P02", "")
}

// TestConcurrentDrop: a table that goes while a statement waits for it (corpus: concurrent
// drop and use), and one that came after the snapshot.
func TestConcurrentDrop(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int); create table u(a int)")
	a.run("begin; drop table t")
	done := b.background("select * from t")
	b.waits()
	a.run("commit")
	refused(t, ends(t, done), "XX000", "could not complete because of conflict with concurrent transaction")
	b.fails("select * from t", "42P01", "")

	b.run("begin; select * from u")
	a.run("create table late(a int)")
	b.fails("select * from late", "XX000", "Relation does not exist")
	b.run("rollback; select * from late")

	b.run("begin; select * from u")
	a.run("drop table late")
	b.fails("drop table late", "XX000", "could not complete because of conflict with concurrent transaction")
	b.run("rollback")
	b.fails("drop table late", "42P01", "does not exist")
}

func TestStatementTimeout(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int)")
	a.run("begin; lock t")
	b.run("set statement_timeout to 50")
	b.fails("select * from t", "57014", "cancelled on user's request")
	b.run("set statement_timeout to 0")
	b.run("begin; set statement_timeout to 50")
	b.fails("insert into t values (1)", "57014", "cancelled")
	b.run("rollback")
	b.want("show statement_timeout", "0")
	a.run("end")
	b.run("set statement_timeout to 50")
	b.fails("with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000000) select count(*) from n", "57014", "cancelled")
	b.want("select 1", "1")
}

func TestCancelAndTerminate(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int)")
	a.run("begin; lock t")

	done := b.background("select * from t")
	b.waits()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	refused(t, ends(t, done), "57014", "cancelled on user's request")

	done = b.background("select * from t")
	b.waits()
	a.want(fmt.Sprintf("select pg_cancel_backend(%d)", b.PID()), "1")
	refused(t, ends(t, done), "57014", "")

	done = b.background("select * from t")
	b.waits()
	a.run(fmt.Sprintf("cancel %d 'long enough'", b.PID()))
	refused(t, ends(t, done), "57014", "")

	b.run("begin; create table mine(a int)")
	done = b.background("select * from t")
	b.waits()
	a.want(fmt.Sprintf("select pg_terminate_backend(%d)", b.PID()), "1")
	refused(t, ends(t, done), "57P01", "terminating connection")
	a.run("commit")
	a.fails("select * from mine", "42P01", "")

	a.run("create user " + name(dsn) + "_u password 'Abcd1234'")
	u := connect(t, shared.server.UserDSN(name(dsn), name(dsn)+"_u"))
	u.fails(fmt.Sprintf("select pg_terminate_backend(%d)", a.PID()), "42501", "superuser")
	u.fails(fmt.Sprintf("cancel %d", a.PID()), "42501", "superuser")
	a.run("select 1")
}

// TestRights: a user without a right is refused, as long as nobody grants it.
func TestRights(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a := connect(t, dsn)
	user := name(dsn) + "_u"
	a.run("create table t(a int); create user " + user + " password 'Abcd1234'")
	u := connect(t, shared.server.UserDSN(name(dsn), user))
	u.fails("select * from t", "42501", "permission denied for relation t")
	a.run("grant select on t to " + user)
	u.want("select count(*) from t", "0")
	u.fails("insert into t values (1)", "42501", "permission denied for relation t")
	u.want("select current_user", user)
	u.fails("set session authorization 'awsuser'", "42501", "permission denied to set session authorization")
	u.fails("create database "+user, "42501", "permission denied")
	u.want("show is_superuser", "off")

	a.run("set session authorization '" + user + "'")
	a.want("select current_user", user)
	a.fails("insert into t values (1)", "42501", "permission denied for relation t")
	a.want("select count(*) from stv_sessions where user_name = 'awsuser'", "0")
	a.run("set session authorization default")
	a.run("set session authorization '" + user + "'; reset session authorization")
	a.want("select current_user", "awsuser")
	a.run("insert into t values (1)")
	a.run("begin; set local session authorization " + user + "; commit")
	a.want("select current_user", "awsuser")
}

// TestLostConnection: what was not committed is gone, with its locks.
func TestLostConnection(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int)")
	b.run("begin; lock t; insert into t values (1)")
	done := a.background("select count(*) from t")
	a.waits()
	if err := b.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
	a.want("select count(*) from t", "0")
}

// TestWhoHoldsLock: system tables go with the catalog's, as in the queries by which people find
// out who holds a lock, and still not with what only the leader node has.
func TestWhoHoldsLock(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	holder, waiter, c := connect(t, dsn), connect(t, dsn), connect(t, dsn)
	c.run("create table token(a int)")
	holder.run("begin; lock token")
	pid := holder.run("select pg_backend_pid()")
	waiter.run("begin")
	done := waiter.background("lock token")
	waiter.waits()
	c.want(`select a.pid, nvl(trim(c.name), d.relname), b.pid, trim(s.user_name) from svv_transactions a
		left join (select pid, relation, granted from pg_locks group by 1, 2, 3) b on a.relation = b.relation and a.granted = 'f' and b.granted = 't'
		left join (select * from stv_tbl_perm where slice = 0) c on a.relation = c.id
		left join pg_class d on a.relation = d.oid left join stv_sessions s on b.pid = s.process
		where a.relation is not null and not a.granted`,
		fmt.Sprintf("%d|token|%s|awsuser", waiter.PID(), pid))
	c.want("select u.usename, l.lock_owner_pid from stv_locks l join pg_class c on c.oid = l.table_id join pg_user u on u.usesysid = c.relowner where l.lock_status like 'Holding%' and c.relname = 'token'",
		"awsuser|"+pid)
	c.fails("select relation::regclass from svv_transactions", "0A000", "not supported on Redshift tables")
	c.fails("select * from svv_transactions join information_schema.tables on true", "0A000", "not supported on Redshift tables")
	c.fails("select a.pid from svv_transactions a join pg_class d on a.relation = d.oid, token", "0A000", "not supported on Redshift tables")
	holder.run("rollback")
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
}

// TestDropCascade has those wait who read a view that a CASCADE takes along.
func TestDropCascade(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	a, b := connect(t, dsn), connect(t, dsn)
	a.run("create table t(a int); create view v as select a from t; create view w as select a from v")
	for _, drop := range []string{"drop view v cascade", "drop table t cascade"} {
		a.run("begin; " + drop)
		done := b.background("select count(*) from w")
		b.waits()
		a.run("rollback")
		if err := ends(t, done); err != nil {
			t.Fatal(err)
		}
	}
	a.run("begin; drop table t cascade")
	done := b.background("select count(*) from w")
	b.waits()
	a.run("commit")
	var refused *pgconn.PgError
	if err := ends(t, done); !errors.As(err, &refused) || refused.Code != "XX000" || !strings.Contains(refused.Message, "concurrent transaction") {
		t.Errorf("a view that is gone gives %v", err)
	}
}
