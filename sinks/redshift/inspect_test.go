package redshift

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// observer returns one over a connection of its own, as the sink would ask.
func (f *flush) observer(t *testing.T) *observer {
	t.Helper()
	conn, err := pgconn.ConnectAside(t.Context(), f.sink.db.client.Config)
	f.Must(err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return &observer{conn, f.cfg.Schema}
}

// inspect looks at the commit at work until the server was asked about it. Each look is later
// than the one before by as long as a question has to wait.
func (f *flush) inspect(t *testing.T) pipeline.CallStatus {
	t.Helper()
	w := &f.sink.db.watch
	start, looks := time.Now(), time.Duration(0)
	w.now = func() time.Time { return start.Add(looks * askInterval) }
	for end := time.Now().Add(patience); time.Now().Before(end); {
		looks++
		before := w.asked
		if status := f.sink.InspectCall(t.Context()); w.asked != before {
			return status
		}
	}
	t.Fatal("the server was not asked")
	return pipeline.CallStatus{}
}

// TestHolders: who holds what a commit waits for is named, without what is secret in it, and
// the commit goes on when it is gone.
func TestHolders(t *testing.T) {
	const secret = "hunter2"
	c := openStopped(t, redshifttest.Snapshot)
	loader := c.loader()
	for _, tc := range []struct {
		name, user, statement string // of the other; %s is a table
		table                 string // of it; empty = that of the token
		wants                 []string
	}{
		{"the token", "", "LOCK %s", "", []string{"AccessExclusiveLock of table ", "at no statement; its last one was: LOCK "}},
		{"a writer", "", `INSERT INTO %s VALUES (7, LEN('it\'s ` + secret + `'))`, "sale", []string{"ShareRowExclusiveLock of table ", ".sale, ", "INSERT INTO ", "VALUES (…, LEN('…'))"}},
		{"DDL", "", "ALTER TABLE %s ADD COLUMN extra VARCHAR(20) DEFAULT '" + secret + "'", "city", []string{"of table ", "ADD COLUMN extra VARCHAR(…) DEFAULT '…'"}},
		{"one who is not seen", loader, "LOCK %s", "", []string{"held by a session which the user of dsn may not see"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFlush(t, c.Cluster, tc.user)
			f.prepare(pipeline.OpUpdate, 1)
			name := f.token()
			if tc.table != "" {
				name = f.in(tc.table)
			}
			reader := c.Connect() // is there for longer, and in nobody's way
			reader.Exec("BEGIN; SELECT * FROM " + f.in("sale"))
			other := c.Connect()
			other.Exec("BEGIN")
			other.Exec(fmt.Sprintf(tc.statement, name))
			done := f.trying()
			await(t, "a lock", c.locked)
			status := f.inspect(t)
			wants := tc.wants
			if tc.user == "" {
				wants = append(wants, fmt.Sprintf("held by pid %d (user awsuser, its transaction runs since 2", other.PID()))
			}
			for _, want := range wants {
				if !strings.Contains(status.WaitsFor, want) {
					t.Errorf("it waits for %s, without %q", status.WaitsFor, want)
				}
			}
			if status.Abandoned || !status.LastProgress.IsZero() || strings.Contains(status.WaitsFor, secret) {
				t.Errorf("%+v", status)
			}
			if strings.Contains(status.WaitsFor, fmt.Sprintf("pid %d ", reader.PID())) {
				t.Errorf("a reader is named: %s", status.WaitsFor)
			}
			other.Exec("ROLLBACK")
			f.Must(await(t, "the commit", done))
		})
	}
}

// TestRunningStatement: a COPY that runs for half a minute is progress.
func TestRunningStatement(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, c.loader())
	f.prepare(pipeline.OpUpdate, 1)
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^copy"})
	done := f.trying()
	await(t, "COPY", c.faulty)
	for range 3 {
		status := f.inspect(t)
		if status.LastProgress.IsZero() || status.Abandoned || !strings.Contains(status.WaitsFor, "which is at COPY ") || strings.Contains(status.WaitsFor, "s3://") {
			t.Errorf("%+v", status)
		}
		if asked := f.sink.db.watch.asked; f.sink.InspectCall(t.Context()).Abandoned || f.sink.db.watch.asked != asked {
			t.Error("the server was asked again at once")
		}
	}
	c.release <- struct{}{}
	f.Must(await(t, "the commit", done))
}

// loader makes a user who is no superuser.
func (c *stoppedCluster) loader() string {
	c.Exec("CREATE USER loader_of_" + c.Database + " PASSWORD 'Abcdefg1'; GRANT CREATE ON DATABASE " + c.Database + " TO loader_of_" + c.Database)
	return "loader_of_" + c.Database
}

// TestWorkgroup: a workgroup lets nobody see the system tables of a cluster, and has others.
func TestWorkgroup(t *testing.T) {
	c := redshifttest.Start(t, server.Options{Serverless: true})
	f := newFlush(t, c, "")
	observe := f.observer(t)
	if _, err := observe.conn.Query(t.Context(), statementOfCluster, "1"); pgconn.Code(err) != "42501" {
		t.Fatalf("the table of a cluster: %v", err)
	}
	other := c.Connect()
	other.Exec("BEGIN; LOCK " + f.token())
	is, err := observe.session(t.Context(), fmt.Sprint(other.PID()))
	f.Must(err)
	if is.gone || !is.rests() || is.state != "success" || !strings.HasPrefix(is.statement, "LOCK ") {
		t.Errorf("a session at no statement: %+v", is)
	}
	if is, err = observe.session(t.Context(), "999999"); err != nil || !is.gone {
		t.Errorf("one that is gone: %+v, %v", is, err)
	}
	if left, err := observe.endLost(t.Context(), fmt.Sprint(other.PID()), tokenTable(f.sink.db.owner)); err != nil || left {
		t.Errorf("left %v, %v", left, err)
	}
	f.prepare(pipeline.OpUpdate, 1)
	f.Commit()
	f.wants("1,2", "1|2", "2|1")
}

// TestRestingSession: a session that does not take the request is given up when that is seen
// twice, and one that is gone at once.
func TestRestingSession(t *testing.T) {
	f := newFlush(t, redshifttest.Open(t, redshifttest.Snapshot), "")
	observe := f.observer(t)
	w := &watch{}
	look := func(pid string) pipeline.CallStatus {
		is, err := observe.session(t.Context(), pid)
		f.Must(err)
		return w.judge(is)
	}
	pid := f.pidBeside(observe)
	if status := look(pid); status.Abandoned || !status.LastProgress.IsZero() || !strings.Contains(status.WaitsFor, "which does not take the request: its last statement, COMMIT, began at 2") {
		t.Errorf("at first: %+v", status)
	}
	if status := look(pid); !status.Abandoned {
		t.Errorf("the second time: %+v", status)
	}
	if status := look("999999"); !status.Abandoned || !strings.Contains(status.WaitsFor, "(pid 999999), which is gone") {
		t.Errorf("one that is gone: %+v", status)
	}
}

// pidBeside is pid with an observer at the database.
func (f *flush) pidBeside(o *observer) string {
	f.T.Helper()
	rows := f.c.Query("SELECT process FROM stv_sessions WHERE process NOT IN (pg_backend_pid(), " + o.conn.PID() + ") AND db_name = '" + f.c.Database + "'")
	if len(rows) != 1 {
		f.T.Fatalf("the sessions are %q", rows)
	}
	return rows[0]
}

// TestServerDoesNotSay: a server that refuses to say is at work, as far as anybody knows; one that
// answers nobody is given up at the third question.
func TestServerDoesNotSay(t *testing.T) {
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	f.prepare(pipeline.OpUpdate, 1)
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^copy"}, faults.Rule{Kind: faults.OpenRelation, Pattern: "from stv_sessions"})
	done := f.trying()
	await(t, "COPY", c.faulty)
	if status := f.inspect(t); status.Abandoned || !strings.Contains(status.WaitsFor, "it refuses to say: could not open relation with OID") {
		t.Errorf("%+v", status)
	}
	gone, err := newSink("warehouse", Config{DSN: "postgres://loader:hunter2@127.0.0.1:1/dev?sslmode=disable", Stage: f.cfg.Stage}, nil)
	f.Must(err)
	for i := 1; i <= unansweredMax; i++ {
		status := gone.ask(t.Context(), "7")
		if status.Abandoned != (i == unansweredMax) || !strings.Contains(status.WaitsFor, "127.0.0.1:1, which answers a second connection no more") || strings.Contains(status.WaitsFor, "hunter2") {
			t.Errorf("question %d: %+v", i, status)
		}
	}
	c.release <- struct{}{}
	f.Must(await(t, "the commit", done))
}

// TestConnectionIsMade: before there is a session, a connection is waited for, and S3 while files
// are sent.
func TestConnectionIsMade(t *testing.T) {
	s, err := newSink("warehouse", Config{DSN: "postgres://127.0.0.1:1/dev?sslmode=disable", Stage: StageConfig{S3: S3StageConfig{URL: "s3://stage/shop", IAMRole: redshifttest.Role}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if status := s.InspectCall(t.Context()); !strings.HasPrefix(status.WaitsFor, "a connection to 127.0.0.1:1") || status.Abandoned {
		t.Errorf("%+v", status)
	}
	err = s.db.watch.onStage(func() error {
		if status := s.InspectCall(t.Context()); status.WaitsFor != "S3, for files of the stage at s3://stage/shop" || status.Abandoned {
			t.Errorf("%+v", status)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if times := s.CallTimes(); times.Commit < 30*time.Minute || times.Silence < 5*time.Second {
		t.Errorf("%+v", times)
	}
}
