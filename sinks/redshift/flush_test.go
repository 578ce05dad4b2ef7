package redshift

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// patience is how long a test waits for what has to happen at once.
const patience = 30 * time.Second

// stoppedCluster is one whose faults wait for the test.
type stoppedCluster struct {
	*redshifttest.Cluster
	faulty  <-chan time.Duration // gets the delay of a fault that begins to wait
	release chan<- struct{}      // lets one go on
	locked  <-chan int32         // gets the process that begins to wait for a lock
}

func openStopped(t *testing.T, level backend.Isolation) *stoppedCluster {
	t.Helper()
	c := &stoppedCluster{Cluster: redshifttest.Open(t, level)}
	c.faulty, c.release, c.locked = c.Hold()
	return c
}

// await waits for something that a test is told.
func await[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing happened for %s", what, patience)
		panic("unreachable")
	}
}

// flush is a sink with two tables in a schema of its own, whose epoch 1 is committed.
type flush struct {
	*pipelinetest.SinkDriver
	c    *redshifttest.Cluster
	cfg  Config
	sink *Sink
}

var (
	cityTable = pipelinetest.Table("city", "id", "id int64", "name")
	saleTable = pipelinetest.Table("sale", "id", "id int64", "city int64")
)

// newFlush makes one whose sink connects as a user; empty = the superuser.
func newFlush(t *testing.T, c *redshifttest.Cluster, user string) *flush {
	t.Helper()
	f := &flush{SinkDriver: pipelinetest.NewSinkDriver(t, "shop", cityTable, saleTable), c: c}
	f.cfg = Config{DSN: c.DSN(), Schema: c.Schema()}
	if user != "" {
		f.cfg.DSN = c.UserDSN(user)
	}
	f.cfg.Stage.S3.URL, f.cfg.Stage.S3.IAMRole, f.cfg.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
	var err error
	f.sink, err = newSink("warehouse", f.cfg, nil)
	f.Must(err)
	f.Must(f.Open(f.sink))
	f.prepare(pipeline.OpInsert, 1, 2)
	f.Commit()
	return f
}

// prepare saves an epoch that changes rows of both tables.
func (f *flush) prepare(op pipeline.Op, ids ...int) *pipeline.Committable {
	f.T.Helper()
	var cities, sales []string
	ops := make([]pipeline.Op, len(ids))
	for i, id := range ids {
		ops[i] = op
		cities = append(cities, fmt.Sprintf(`{"id": %d, "name": "city %d of epoch %d"}`, id, id, f.Epoch+1))
		sales = append(sales, fmt.Sprintf(`{"id": %d, "city": %d}`, id, f.Epoch+1))
	}
	return f.Prepare(pipelinetest.JSONRows(f.T, cityTable, ops, cities...), pipelinetest.JSONRows(f.T, saleTable, ops, sales...))
}

// try commits what is pending, once.
func (f *flush) try() error { return f.sink.Commit(context.Background(), f.Pending) }

// trying is try in a goroutine of its own.
func (f *flush) trying() <-chan error {
	done := make(chan error, 1)
	go func() { done <- f.try() }()
	return done
}

func (f *flush) in(table string) string { return warehouse.QualifiedName(f.cfg.Schema, table) }

func (f *flush) token() string {
	return f.in(tokenTable(warehouse.Owner{Pipeline: "shop", Sink: "warehouse"}))
}

// wants compares what the tables hold, how often each epoch is in the audit table, and the token.
func (f *flush) wants(epochs string, sales ...string) {
	f.T.Helper()
	f.shows(epochs, sales...)
	if got := f.c.Query("SELECT epoch FROM " + f.token()); len(got) != 1 || !strings.HasSuffix(epochs, got[0]) {
		f.T.Errorf("the token is %q, want the last of %s", got, epochs)
	}
}

// shows is wants for readers, who have no business with the token.
func (f *flush) shows(epochs string, sales ...string) {
	f.T.Helper()
	if got := f.c.Query("SELECT id, city FROM " + f.in("sale") + " ORDER BY 1, 2"); !slices.Equal(got, sales) {
		f.T.Errorf("the table has %q, want %q", got, sales)
	}
	if got := strings.Join(f.c.Query("SELECT epoch FROM "+f.in("starlift_epochs")+" ORDER BY 1"), ","); got != epochs {
		f.T.Errorf("the audit table has the epochs %s, want %s", got, epochs)
	}
}

// TestUnknownOutcome: whether a COMMIT without an answer has happened is found out, whatever
// has become of it, and nothing is applied twice or lost. One that the server finishes twenty
// seconds after its client is gone is waited for.
func TestUnknownOutcome(t *testing.T) {
	for _, level := range redshifttest.Isolations {
		t.Run(string(level), func(t *testing.T) {
			c := openStopped(t, level)
			for _, kind := range []faults.Kind{faults.LostBefore, faults.LostAfter} {
				f := newFlush(t, c.Cluster, "")
				f.prepare(pipeline.OpUpdate, 1)
				c.Inject(faults.Rule{Kind: kind, Pattern: "^commit"})
				if err := f.try(); pipeline.RetryReason(err) != "connection" {
					t.Fatalf("%s: the first try ended with %v", kind, err)
				}
				f.Commit()
				f.wants("1,2", "1|2", "2|1")
			}
			f := newFlush(t, c.Cluster, "")
			f.prepare(pipeline.OpUpdate, 1)
			c.Inject(faults.Rule{Kind: faults.Late, Pattern: "^commit"})
			if err := f.try(); pipeline.RetryReason(err) != "connection" {
				t.Fatalf("the first try ended with %v", err)
			}
			if d := await(t, "the late COMMIT", c.faulty); d != 20*time.Second {
				t.Errorf("it is late by %s", d)
			}
			f.shows("1", "1|1", "2|1") // readers see what was, and wait for nobody
			second := f.trying()
			await(t, "the lock of the token", c.locked)
			status := f.inspect(t)
			if status.Abandoned || !strings.Contains(status.WaitsFor, "AccessExclusiveLock of table ") || !strings.Contains(status.WaitsFor, ", at: COMMIT") {
				t.Errorf("meanwhile: %+v", status)
			}
			c.release <- struct{}{}
			f.Must(await(t, "the second try", second))
			f.Done()
			f.wants("1,2", "1|2", "2|1")
		})
	}
}

// deadConn is a connection whose peer learns of nothing any more once it is dead, as when a
// network is gone.
type deadConn struct {
	net.Conn
	dead atomic.Bool
}

func (c *deadConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c *deadConn) Close() error {
	if c.dead.Load() {
		return nil
	}
	return c.Conn.Close()
}

// network is between a sink and its server, and fails once.
type network struct {
	down  atomic.Bool
	first atomic.Pointer[deadConn]
	// refused gets a value for each connection that is not made.
	refused chan struct{}
}

// fail has the first connection be dead for good, and others not be made as long as it is down.
func (n *network) fail() {
	n.down.Store(true)
	n.first.Load().dead.Store(true)
}

// network puts one between the sink, which is closed, and its server.
func (f *flush) network() *network {
	f.Must(f.sink.Close())
	n := &network{refused: make(chan struct{}, 100)}
	target := f.sink.db.client.Config
	dial := target.DialFunc
	target.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if n.down.Load() {
			n.refused <- struct{}{}
			return nil, net.ErrClosed
		}
		c, err := dial(ctx, network, address)
		if made := (&deadConn{Conn: c}); err == nil && n.first.CompareAndSwap(nil, made) {
			return made, nil
		}
		return c, err
	}
	f.T.Cleanup(func() {
		if c := n.first.Load(); c != nil {
			_ = c.Conn.Close() // it may be closed
		}
	})
	return n
}

// TestLostSessionEnds: a session that was lost without a word, in its transaction, is ended by
// the next connection where it waits for its client: else it would hold the token until the
// server looks, which may be hours.
func TestLostSessionEnds(t *testing.T) {
	f := newFlush(t, redshifttest.Open(t, redshifttest.Snapshot), "")
	f.prepare(pipeline.OpUpdate, 1)
	n := f.network()
	var pid atomic.Int32
	f.c.OnStatement(func(r server.Request) {
		if strings.HasPrefix(r.SQL, "COPY ") && pid.CompareAndSwap(0, r.PID) {
			n.fail()
		}
	})
	if err := f.try(); pipeline.RetryReason(err) != "connection" {
		t.Fatalf("the first try ended with %v", err)
	}
	n.down.Store(false)
	observe := f.observer(t)
	if is, err := observe.session(t.Context(), fmt.Sprint(pid.Load())); err != nil || is.gone {
		t.Fatalf("before: %+v, %v", is, err)
	}
	f.Commit()
	f.wants("1,2", "1|2", "2|1")
	if is, err := observe.session(t.Context(), fmt.Sprint(pid.Load())); err != nil || !is.gone {
		t.Errorf("the lost session is %+v, %v", is, err)
	}
}

// TestLostAtAStatement: a session that was lost while a COPY ran is let be as long as that runs.
// When it is at no statement any more, whoever waits for its lock is abandoned, so that the
// next connection ends it.
func TestLostAtAStatement(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	f.prepare(pipeline.OpUpdate, 1)
	n := f.network()
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^copy"})
	stopped := func() (stop func(), done <-chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.sink.Commit(ctx, f.Pending) }()
		return cancel, ended
	}
	stop, done := stopped()
	await(t, "COPY", c.faulty)
	n.fail()
	stop()
	if err := await(t, "the first try", done); err == nil {
		t.Fatal("a commit without an answer is done")
	}
	for range 2 { // by the stop, and behind the error: else COPY would be cancelled once the network is back
		await(t, "a request to cancel", n.refused)
	}
	n.down.Store(false)
	stop, done = stopped()
	select {
	case <-c.locked:
	case err := <-done:
		t.Fatalf("the second try has not waited for the token, and ended with %v", err)
	case <-time.After(patience):
		t.Fatalf("the second try does not wait for the token: %+v", f.inspect(t))
	}
	if status := f.inspect(t); status.Abandoned || !strings.Contains(status.WaitsFor, ", at: COPY ") {
		t.Errorf("while COPY runs: %+v", status)
	}
	c.release <- struct{}{}
	for end := time.Now().Add(patience); ; {
		status := f.inspect(t)
		if status.Abandoned && strings.Contains(status.WaitsFor, "at no statement; its last one was: COPY ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("afterwards: %+v", status)
		}
	}
	stop()
	if err := await(t, "the second try", done); err == nil {
		t.Fatal("a commit that was stopped is done")
	}
	f.Commit()
	f.wants("1,2", "1|2", "2|1")
	if left := f.sink.db.watch.lost.all(); len(left) > 0 {
		t.Errorf("sessions are remembered that are gone: %q", left)
	}
}

// TestOthersAreLetBe: only who holds the token of this very sink is one of its sessions.
func TestOthersAreLetBe(t *testing.T) {
	f := newFlush(t, redshifttest.Open(t, redshifttest.Snapshot), "")
	other := f.c.Connect()
	other.Exec("BEGIN; LOCK " + f.in("city"))
	if left, err := f.observer(t).endLost(t.Context(), fmt.Sprint(other.PID()), tokenTable(f.sink.db.owner)); err != nil || left {
		t.Errorf("left %v, %v", left, err)
	}
	other.Exec("COMMIT")
}

// TestLostCommitIsLetBe: a session at COMMIT is never ended.
func TestLostCommitIsLetBe(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	lost := c.Connect()
	lost.Exec("BEGIN; LOCK " + f.token())
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^commit"})
	done := make(chan error, 1)
	go func() {
		_, err := lost.Try(context.Background(), "COMMIT")
		done <- err
	}()
	await(t, "COMMIT", c.faulty)
	if left, err := f.observer(t).endLost(t.Context(), fmt.Sprint(lost.PID()), tokenTable(f.sink.db.owner)); err != nil || !left {
		t.Errorf("left %v, %v", left, err)
	}
	c.release <- struct{}{}
	f.Must(await(t, "its end", done))
}

// TestReadersDoNotWait: while a COPY takes half a minute, every table and the audit table can be
// read, and others write what they have made of them, as dbt does.
func TestReadersDoNotWait(t *testing.T) {
	for _, level := range redshifttest.Isolations {
		t.Run(string(level), func(t *testing.T) { readDuringCopy(t, level) })
	}
}

func readDuringCopy(t *testing.T, level backend.Isolation) {
	c := openStopped(t, level)
	f := newFlush(t, c.Cluster, "")
	f.prepare(pipeline.OpUpdate, 1, 2)
	report := f.in("sales_by_city")
	c.Exec("CREATE TABLE " + report + " (city BIGINT, sales BIGINT)")
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^copy .*", Skip: 1}) // the second table's: the first one is merged
	done := f.trying()
	if d := await(t, "COPY", c.faulty); d != 30*time.Second {
		t.Errorf("COPY takes %s", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	other := c.Connect()
	for _, statement := range []string{
		"SELECT * FROM " + f.in("city"), "SELECT * FROM " + f.in("sale"), "SELECT * FROM " + f.in("starlift_epochs"),
		"SELECT s.id, c.name FROM " + f.in("sale") + " s JOIN " + f.in("city") + " c ON c.id = s.city",
		"BEGIN", "DELETE FROM " + report, "INSERT INTO " + report + " SELECT city, count(*) FROM " + f.in("sale") + " GROUP BY 1", "COMMIT",
		"CREATE TABLE " + f.in("city__tmp") + " AS SELECT * FROM " + f.in("city"), "DROP TABLE " + f.in("city__tmp"),
		"ANALYZE " + report,
	} {
		if _, err := other.Try(ctx, statement); err != nil {
			t.Fatalf("while a COPY runs, %s: %v", statement, err)
		}
	}
	select {
	case pid := <-c.locked:
		t.Errorf("process %d waits for a lock", pid)
	case err := <-done:
		t.Fatalf("the commit ended: %v", err)
	default:
	}
	f.shows("1", "1|1", "2|1")
	c.release <- struct{}{}
	f.Must(await(t, "the commit", done))
	f.Done()
	f.wants("1,2", "1|2", "2|2")
}

// TestResume: a workgroup that was paused takes a minute until it lets anybody in. That is a
// wait, and no failure.
func TestResume(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	f.prepare(pipeline.OpUpdate, 1)
	f.Must(f.sink.Close())
	if d := f.sink.db.client.Config.ConnectTimeout; d < 75*time.Second {
		t.Errorf("a connection has to be there after %s", d)
	}
	f.Must(c.Server.Inject(faults.Rule{Kind: faults.Resume, Pattern: "^awsuser$"})) // of the next login
	done := f.trying()
	if d := await(t, "the login", c.faulty); d != time.Minute {
		t.Errorf("it takes %s", d)
	}
	for f.sink.db.watch.staging.Load() {
		runtime.Gosched() // the files are sent before
	}
	if status := f.sink.InspectCall(t.Context()); status.Abandoned || !status.LastProgress.IsZero() && status.WaitsFor != "" {
		t.Errorf("meanwhile: %+v", status)
	}
	c.release <- struct{}{}
	f.Must(await(t, "the commit", done))
	f.Done()
	f.wants("1,2", "1|2", "2|1")
}

// TestIdleConnection: a connection that the server has ended while nothing was to be done is
// made again, without an error that would be told and counted.
func TestIdleConnection(t *testing.T) {
	f := newFlush(t, redshifttest.Open(t, redshifttest.Snapshot), "")
	client := f.sink.db.client
	client.IdleMax = time.Nanosecond
	pid := f.pid()
	f.prepare(pipeline.OpInsert, 3)
	f.Must(f.try())
	f.Done()
	if f.pid() != pid {
		t.Error("a connection that is there was made again")
	}
	f.c.Exec("SELECT pg_terminate_backend(" + pid + ")")
	f.prepare(pipeline.OpInsert, 4)
	f.Must(f.try())
	f.Done()
	if f.pid() == pid {
		t.Error("the connection is the one that was ended")
	}
	client.IdleMax = 0
	f.c.Exec("SELECT pg_terminate_backend(" + f.pid() + ")")
	f.prepare(pipeline.OpInsert, 5)
	if err := f.try(); !pipeline.Retryable(err) {
		t.Errorf("without a question: %v", err)
	}
	f.Commit()
	f.wants("1,2,3,4", "1|1", "2|1", "3|2", "4|3", "5|4")
}

// pid is the process of the sink's session.
func (f *flush) pid() string {
	f.T.Helper()
	rows := f.c.Query("SELECT process FROM stv_sessions WHERE process <> pg_backend_pid() AND db_name = '" + f.c.Database + "'")
	if len(rows) != 1 {
		f.T.Fatalf("the sessions are %q", rows)
	}
	return rows[0]
}

// TestInjectedErrors: what the stand-in does as a cluster would is tried again, and counted by
// its reason.
func TestInjectedErrors(t *testing.T) {
	f := newFlush(t, redshifttest.Open(t, redshifttest.Snapshot), "")
	f.prepare(pipeline.OpUpdate, 1)
	for _, c := range []struct {
		rule faults.Rule
		want string
	}{
		{faults.Rule{Kind: faults.Serializable, Pattern: "^commit"}, "conflict"},
		{faults.Rule{Kind: faults.Serializable, Pattern: "^delete"}, "conflict"},
		{faults.Rule{Kind: faults.Conflict, Pattern: "^insert"}, "conflict"},
		{faults.Rule{Kind: faults.NoRelation, Pattern: "^copy"}, "relation"},
		{faults.Rule{Kind: faults.OpenRelation, Pattern: "^create temp"}, "relation"},
		{faults.Rule{Kind: faults.Resize, Pattern: "^insert"}, "resize"},
		{faults.Rule{Kind: faults.LostBefore, Pattern: "^lock"}, "connection"},
		{faults.Rule{Kind: faults.Throttle}, "resources"},
		{faults.Rule{Kind: faults.Expired}, "credentials"},
	} {
		f.c.Inject(c.rule)
		if c.rule.Pattern == "" {
			f.sink.db.client.Close() // the fault is one of a login
		}
		if err := f.try(); pipeline.RetryReason(err) != c.want {
			t.Errorf("%s at %s: tried again for %q, want %q: %v", c.rule.Kind, c.rule.Pattern, pipeline.RetryReason(err), c.want, err)
		}
	}
	f.Commit()
	f.wants("1,2", "1|2", "2|1")
	var refused error
	f.prepare(pipeline.OpUpdate, 2)
	f.c.Exec("ALTER TABLE " + f.in("sale") + " RENAME TO gone")
	if refused = f.try(); refused == nil || pipeline.Retryable(refused) {
		t.Errorf("without its table: %v", refused)
	}
	if errors.Is(refused, context.Canceled) {
		t.Error(refused)
	}
}
