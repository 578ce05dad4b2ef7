package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// blockade is a commit of two new rows and one update, and somebody else's
// connection, who may be in its way.
type blockade struct {
	s     *Sink
	d     *target
	other *pgx.PgConn
	r     *pipeline.Committable
	done  chan error
}

// newBlockade has row 1 in its table, and an epoch that changes it prepared.
func newBlockade(t *testing.T) *blockade {
	t.Helper()
	ctx := context.Background()
	s, d := opened(t, "")
	b := &blockade{s: s, d: d, done: make(chan error, 1)}
	table := pipelinetest.Table("person", "id", "id int64", "parent int64", "email")
	dir, o := t.TempDir(), opening
	o.Tables = []*pipeline.Table{table}
	o.Spool = func(e int64) string { return filepath.Join(dir, strconv.FormatInt(e, 10)) }
	must(t, s.Open(ctx, o))
	must(t, s.Commit(ctx, b.epoch(t, table, 1, pipeline.OpInsert, "1||a")))
	b.r = b.epoch(t, table, 2, pipeline.OpUpdate, "1||b")
	cfg, err := pgx.ParseConfig(d.dsn)
	must(t, err)
	cfg.RuntimeParams["application_name"] = "culprit"
	b.other, err = pgx.ConnectConfig(ctx, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, b.other.Close(ctx)) })
	return b
}

func (b *blockade) epoch(t *testing.T, table *pipeline.Table, number int64, op pipeline.Op, rows ...string) *pipeline.Committable {
	t.Helper()
	e, err := b.s.Begin(number)
	must(t, err)
	all := people(t, table, rows)
	for i := range all.Ops {
		all.Ops[i] = op
	}
	must(t, e.Write(nil, all))
	r, err := e.Prepare(context.Background(), true)
	must(t, err)
	r.Epoch, r.PreviousEpoch = number, number-1
	return r
}

func (b *blockade) commit() { go func() { b.done <- b.s.Commit(context.Background(), b.r) }() }

// rests looks until nothing has moved since the last look, and something is known: that the
// request is abandoned, or not, which a server that has not got to it yet looks like.
func (b *blockade) rests(t *testing.T, abandoned bool) pipeline.CallStatus {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		is := b.s.InspectCall(ctx)
		cancel()
		if is.LastProgress.IsZero() && is.WaitsFor != "" && b.s.db.client.Active() != nil && b.s.db.watch.signs != "" {
			if again := b.s.InspectCall(context.Background()); again.LastProgress.IsZero() && again.Abandoned == abandoned {
				return again
			}
		}
		select {
		case err := <-b.done:
			t.Fatalf("the commit ended: %v", err)
		default:
		}
	}
	t.Fatal("the commit does not rest")
	return pipeline.CallStatus{}
}

// TestBlockers: whatever is in the way of a commit is named, without what is secret
// in it, and the commit goes on when it is gone.
func TestBlockers(t *testing.T) {
	const secret = "hunter2"
	for _, c := range []struct {
		name  string
		query string // of the other, in a transaction; %s is the schema
		wants []string
	}{
		{"a locked table", `LOCK TABLE %s.person`, []string{"RowExclusiveLock on ", "person", "query: LOCK TABLE"}},
		{"DDL", `ALTER TABLE %s.person ADD extra text DEFAULT '` + secret + `'`, []string{"person", "query: ALTER TABLE", "DEFAULT '…'"}},
		{"a changed row", `UPDATE %s.person SET email = E'it\'s ` + secret + `' WHERE parent IS NULL`, []string{"a row", "query: UPDATE", "SET email = '…'"}},
		{"a row that is looked at", `SELECT $x$` + secret + `$x$, id FROM %s.person FOR UPDATE`, []string{"query: SELECT '…'"}},
		{"the audit table", `LOCK TABLE %s.starlift_epochs`, []string{"starlift_epochs"}},
		{"the token", `SELECT pg_advisory_xact_lock(hashtextextended(E'starlift\n' || replace('%s', '"', '') || E'\nshop\nwarehouse', 0))`, []string{"the token of this sink"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlockade(t)
			must(t, execute(b.other, "BEGIN"))
			must(t, execute(b.other, strings.ReplaceAll(c.query, "%s", `"`+b.d.schema+`"`)))
			b.commit()
			is := b.rests(t, false)
			for _, want := range append(c.wants, fmt.Sprintf("pid %d (application \"culprit\", user ", b.other.PID()), "idle in transaction, since 2") {
				if !strings.Contains(is.WaitsFor, want) {
					t.Errorf("it waits for %s, without %q", is.WaitsFor, want)
				}
			}
			if strings.Contains(is.WaitsFor, secret) {
				t.Errorf("the secret is shown: %s", is.WaitsFor)
			}
			must(t, execute(b.other, "ROLLBACK"))
			must(t, <-b.done)
		})
	}
}

// TestEndOfTheQueue: who waits in a queue of others is told of the one who holds
// it up.
func TestEndOfTheQueue(t *testing.T) {
	b := newBlockade(t)
	ctx := context.Background()
	must(t, execute(b.other, fmt.Sprintf(`BEGIN; SELECT 1 FROM "%s".person`, b.d.schema)))
	second, err := pgx.Connect(ctx, b.d.dsn)
	must(t, err)
	defer func() { must(t, second.Close(ctx)) }()
	altered := make(chan error, 1)
	go func() {
		altered <- execute(second, fmt.Sprintf(`ALTER TABLE "%s".person ADD extra text`, b.d.schema))
	}()
	for len(b.d.Query(t, fmt.Sprintf("SELECT 1 FROM pg_locks WHERE pid = %d AND NOT granted", second.PID()))) == 0 {
		// until it waits
	}
	b.commit()
	if is := b.rests(t, false); !strings.Contains(is.WaitsFor, fmt.Sprintf("held by pid %d (application \"culprit\"", b.other.PID())) {
		t.Errorf("it waits for %s", is.WaitsFor)
	}
	must(t, execute(b.other, "ROLLBACK"))
	must(t, <-altered)
	must(t, <-b.done)
}

// TestSlowCommitMoves: a server that takes its time, and gets on, is seen to, though
// no byte comes.
func TestSlowCommitMoves(t *testing.T) {
	b := newBlockade(t)
	b.d.Exec(t, fmt.Sprintf(`CREATE FUNCTION "%[1]s".slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		FOR i IN 1..60 LOOP PERFORM pg_sleep(0.01); PERFORM pg_logical_emit_message(true, 'x', 'x'); END LOOP; RETURN NEW; END $$;
		CREATE TRIGGER slow BEFORE UPDATE ON "%[1]s".person FOR EACH ROW EXECUTE FUNCTION "%[1]s".slow()`, b.d.schema))
	b.commit()
	const patience = 400 * time.Millisecond
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for moved := time.Now(); ; {
		select {
		case err := <-b.done:
			must(t, err)
			return
		case <-tick.C:
		}
		if is := b.s.InspectCall(context.Background()); !is.LastProgress.IsZero() {
			moved = time.Now()
		} else if time.Since(moved) > patience {
			t.Fatalf("it gets on, and is seen not to for %s: %s", patience, is.WaitsFor)
		}
	}
}

// TestStoppedSession: a session that was stopped does not take the request, and is
// lost; once it goes on, it changes nothing any more that another has done.
func TestStoppedSession(t *testing.T) {
	if pgserver.Bin() == "" || !strings.Contains(pgtest.DSN(t), "starlift-pg-") {
		t.Skip("the server is not one that was made here")
	}
	b := newBlockade(t)
	pid, err := strconv.Atoi(pidOf(t, b.s))
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	defer func() { must(t, syscall.Kill(pid, syscall.SIGCONT)) }()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { b.done <- b.s.Commit(ctx, b.r) }()
	if is := b.rests(t, true); !strings.Contains(is.WaitsFor, fmt.Sprintf("(pid %d), which does not take the request", pid)) {
		t.Errorf("it waits for %s", is.WaitsFor)
	}
	cancel()
	if err := <-b.done; err == nil {
		t.Error("a commit without an answer is done")
	}
	must(t, b.s.Commit(context.Background(), b.r))
}

// deadConn is a connection whose peer learns of nothing any more.
type deadConn struct {
	net.Conn
	dead *atomic.Bool
}

func (c deadConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c deadConn) Close() error {
	if c.dead.Load() {
		return nil
	}
	return c.Conn.Close()
}

// TestLostTransactionEnds: what a lost connection has left open, and waits for its
// client, is ended by the next.
func TestLostTransactionEnds(t *testing.T) {
	b := newBlockade(t)
	ctx := context.Background()
	must(t, b.s.Close())
	var dead atomic.Bool
	dial, real := b.s.db.client.Config.DialFunc, net.Conn(nil)
	b.s.db.client.Config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		real = c
		return deadConn{c, &dead}, err
	}
	lost := errors.New("its network is gone, and the server does not know")
	pid := ""
	err := b.s.db.Rehearse(ctx, func(ctx context.Context, tx warehouse.Tx) error {
		pid = b.s.db.client.Active().PID()
		must(t, tx.LockToken(ctx, warehouse.Owner{Pipeline: opening.Pipeline, Sink: "warehouse"}))
		dead.Store(true)
		return lost
	})
	if !errors.Is(err, lost) {
		t.Fatal(err)
	}
	left := real
	defer left.Close()
	dead.Store(false)
	if got := b.d.Query(t, "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid); got[0] != "1" {
		t.Fatalf("%s sessions of the lost connection", got[0])
	}
	must(t, b.s.Commit(ctx, b.r))
	if got := b.d.Query(t, "SELECT count(*) FROM pg_locks WHERE granted AND locktype = 'advisory' AND pid = "+pid); got[0] != "0" {
		t.Error("the lost transaction goes on")
	}
}
