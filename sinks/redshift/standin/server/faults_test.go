package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

func TestFaults(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s.DSN(""))
	c.run("create table t(a int)")
	for _, f := range []struct{ kind, code, text string }{
		{"1023", "XX000", "Serializable isolation violation on table - "},
		{"1018", "XX000", "Relation does not exist"},
		{"conflict", "XX000", "could not complete because of conflict with concurrent transaction"},
		{"oid", "XX000", "could not open relation with OID "},
		{"resize", "57014", "Cannot execute write query because system is in resize mode"},
	} {
		c.run("call standin.inject('" + f.kind + "', '^insert', 1)")
		c.fails("insert into t values (1)", f.code, f.text)
	}
	c.want("select count(*) from t", "0")

	c.run("call standin.inject('1023', '^commit')")
	c.run("begin; insert into t values (1)")
	c.fails("commit", "XX000", "1023")
	c.want("select count(*) from t", "0") // the COMMIT has ended the block

	for _, f := range []struct{ kind, sql, rows string }{
		{"lost-before", "commit", "0"}, {"lost-after", "commit", "1"}, {"lost-after", "insert", "2"}, {"lost-before", "insert", "2"},
	} {
		lost := connect(t, s.DSN(""))
		c.run("call standin.inject('" + f.kind + "', '^" + f.sql + "', 1)")
		if f.sql == "commit" {
			lost.run("begin; insert into t values (1)")
		} else {
			f.sql = "insert into t values (1)"
		}
		_, err := lost.try(f.sql)
		if e := (*pgconn.PgError)(nil); err == nil || asPgError(err, &e) {
			t.Fatalf("%s at %s: %v", f.kind, f.sql, err)
		}
		c.want("select count(*) from t", f.rows)
	}
	c.fails("call standin.inject('nothing')", "22023", "nothing")
	c.fails("call standin.unheard()", "42883", "standin.unheard")
	if left := s.Faults().Pending(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestFaultsOfStatements: a fault hits the statements that it is for, names their tables, and
// leaves a block in the state that an error of their own would.
func TestFaultsOfStatements(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s.DSN(""))
	c.run("create table t(a int)")
	oid := c.run("select oid from pg_class where relname = 't'")

	for kind, text := range map[string]string{
		"1023":     "violation on table - " + oid + ",",
		"conflict": "table " + oid + " dropped",
		"oid":      "with OID " + oid,
	} {
		c.run("call standin.inject('" + kind + "', '^insert')")
		c.fails("insert into t values (1)", "XX000", text)
	}

	// A statement that asks for a fault is none that others are for.
	c.run("call standin.inject('1023', 'commit')")
	c.run("call standin.inject('1018', 'commit')")
	c.run("begin")
	c.fails("commit", "XX000", "1023")
	c.run("begin")
	c.fails("commit", "XX000", "1018")

	// A statement that a block ignores has no error but that, and a lost connection is lost.
	c.run("call standin.inject('1023', '^select 7')")
	c.run("begin")
	c.fails("select nothing", "42703", "")
	c.fails("select 7", "25P02", "")
	if c.TxStatus() != 'E' {
		t.Errorf("the block's state is %c", c.TxStatus())
	}
	c.run("rollback")
	c.fails("select 7", "XX000", "1023")
	c.run("call standin.inject('lost-before', '^rollback')")
	lost := connect(t, s.DSN(""))
	lost.run("begin")
	lost.fails("select nothing", "42703", "")
	if _, err := lost.try("rollback"); err == nil {
		t.Error("the connection is there")
	}

	// By the extended protocol too. pgx closes a connection whose COMMIT leaves a block.
	x := connectPgx(t, s.DSN(""))
	c.run("call standin.inject('1023', '^commit')")
	tx, err := x.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "insert into t values ($1)", 1); err != nil {
		t.Fatal(err)
	}
	refused(t, tx.Commit(t.Context()), "XX000", "table - "+oid+",")
	if x.IsClosed() {
		t.Error("a COMMIT that failed has left its block")
	}
	c.want("select count(*) from t", "0")
	c.fails("call standin.inject('1023', '', 1.5)", "22023", `count "1.5" is no whole number`)
}

// TestLateCommit: the client is gone at once, and the server commits later. Up to then the
// session has its locks, so whoever locks the token waits, and sees the commit.
func TestLateCommit(t *testing.T) {
	release := make(chan struct{})
	started := make(chan time.Duration, 1)
	s := start(t, server.Options{
		Faults: []faults.Rule{{Kind: faults.Late, Pattern: "^commit"}},
		Wait: func(ctx context.Context, d time.Duration) error {
			started <- d
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		OnLockWait: tellWait,
	})
	late, next := connect(t, s.DSN("")), connect(t, s.DSN(""))
	late.run("create table token(a int); insert into token values (0)")
	late.run("begin; lock token; update token set a = 1")
	if _, err := late.try("commit"); err == nil {
		t.Fatal("the commit was answered")
	}
	if d := <-started; d != 20*time.Second {
		t.Errorf("it waits %v", d)
	}
	next.run("begin")
	done := next.background("lock token")
	next.waits()
	close(release)
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
	next.want("select a from token", "1")
	next.run("commit")
}
