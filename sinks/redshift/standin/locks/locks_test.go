package locks

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestErrors compares whole errors with what clients of clusters have logged.
func TestErrors(t *testing.T) {
	s := newStage(t, Serializable)
	s.play(`
		1: begin
		2: begin
		1: select tab1
		1: insert tab2
		2: insert tab1`)
	err := s.statement(2, "select tab2").err
	expectError(t, err, "XX000", "1023", "Serializable isolation violation on table - 102, transactions forming the cycle are: 1001, 1000 (pid:2)")
	s.statement(2, "rollback")
	s.play(`
		3: begin
		3: update tab3
		4: begin
		4: update tab4
		3: update tab4 -> waits`)
	expectError(t, s.statement(4, "select tab4 lock tab3").err, "40P01", "deadlock detected",
		"Process 4 waits for AccessExclusiveLock on relation 103 of database 1; blocked by process 3.\n"+
			"Process 3 waits for ShareRowExclusiveLock on relation 104 of database 1; blocked by process 4.")
	s.play(`
		4: rollback
		3: resumes
		3: commit
		5: begin
		5: select tab1
		6: begin
		6: create tab5
		6: drop tab4
		6: commit`)
	expectError(t, s.statement(5, "select tab5").err, "XX000", "1018", "Relation does not exist.")
	s.end()
}

func expectError(t *testing.T, err error, code, message, detail string) {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		t.Fatalf("error %v", err)
	}
	if pg.Severity != "ERROR" || pg.Code != code || pg.Message != message || pg.Detail != detail {
		t.Fatalf("error %q %q %q %q", pg.Severity, pg.Code, pg.Message, pg.Detail)
	}
}

// TestErrorsLast holds that nothing but a rollback follows an error, and that it stays the error of COMMIT.
func TestErrorsLast(t *testing.T) {
	s := newStage(t, Serializable)
	s.play(`
		1: begin
		2: begin
		1: select a
		2: select b
		1: insert b
		2: insert a -> 1023
		2: select c -> 1023
		2: snapshot -> 1023
		2: commit -> 1023
		2: commit -> transaction is done
		2: select c -> transaction is done
		2: rollback
		1: commit
		1: rollback
		1: snapshot -> transaction is done`)
	s.end()
}

// TestCancel holds that a wait ends with its context, for the cause that this has, and lets go on who waited
// behind it.
func TestCancel(t *testing.T) {
	s := newStage(t, Snapshot)
	s.play(`
		1: begin
		1: select a
		2: begin
		3: begin`)
	ctx, cancel := context.WithCancelCause(t.Context())
	uses := []TableUse{{Table: s.table("a"), Action: ActionLock}}
	if e := s.run(2, func() error { return s.txns[2].Admit(ctx, uses, nil) }); !e.waits {
		t.Fatalf("LOCK ended: %v", e.err)
	}
	s.play(`3: select a -> waits`)
	timeout := &pgconn.PgError{Code: "57014", Message: "Query cancelled on user's request"}
	cancel(timeout)
	if e := s.next(2); !errors.Is(e.err, timeout) {
		t.Fatalf("cancelled wait: %+v", e)
	}
	s.waiting[2] = false
	s.settle()
	s.play(`
		3: resumes
		2: rollback`)
	s.end()
}

// TestRollbackOfWait holds that another goroutine may end a transaction that waits: its session is gone.
func TestRollbackOfWait(t *testing.T) {
	s := newStage(t, Snapshot)
	s.play(`
		1: begin
		1: lock a
		2: begin
		2: select b
		2: select a -> waits
		3: begin
		3: lock b -> waits`)
	s.txns[2].Rollback()
	s.settle()
	s.play(`
		2: resumes -> transaction is done
		3: resumes`)
	s.end()
}

// TestSnapshotIsOneStep holds that no transaction commits while another takes its snapshot, and that what
// fails in the database behind has no effect here.
func TestSnapshotIsOneStep(t *testing.T) {
	m := New(Options{})
	a := Table{1, 1}
	writer, reader := m.Begin(Session{PID: 1}, Serializable), m.Begin(Session{PID: 2}, Serializable)
	if err := writer.Admit(t.Context(), []TableUse{{a, ActionAppend}}, nil); err != nil {
		t.Fatal(err)
	}
	var order []string
	committed := make(chan error, 1)
	err := reader.Admit(t.Context(), []TableUse{{a, ActionSelect}}, func() error {
		go func() { committed <- writer.Commit(func() error { order = append(order, "commit"); return nil }) }()
		if m.gate.TryLock() {
			t.Error("a commit may come between")
		}
		order = append(order, "snapshot")
		return nil
	})
	if err := errors.Join(err, <-committed); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(order, []string{"snapshot", "commit"}) {
		t.Fatal(order)
	}
	reader.Rollback()

	gone := errors.New("connection is gone")
	failed := m.Begin(Session{PID: 3}, Serializable)
	if err := failed.Admit(t.Context(), []TableUse{{a, ActionModify}}, func() error { return gone }); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	if err := failed.Commit(func() error { t.Error("commits after an error"); return nil }); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	lost := m.Begin(Session{PID: 4}, Serializable)
	lost.NoteDrop(a)
	if err := lost.Commit(func() error { lost.Rollback(); return gone }); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	after, drop := m.Begin(Session{PID: 5}, Serializable), m.Begin(Session{PID: 6}, Serializable)
	if err := after.Admit(t.Context(), []TableUse{{a, ActionLock}}, nil); err != nil {
		t.Fatalf("a DROP that was not committed: %v", err)
	}
	if err := drop.Lock(t.Context(), Table{1, 2}, AccessExclusive); err != nil {
		t.Fatal(err)
	}
	drop.NoteDrop(Table{1, 2})
	if err := drop.Commit(func() error { drop.Rollback(); return nil }); err != nil {
		t.Fatalf("COMMIT whose session ends meanwhile: %v", err)
	}
	err = after.Admit(t.Context(), []TableUse{{Table{1, 2}, ActionSelect}}, nil)
	expectError(t, err, "XX000", "could not complete because of conflict with concurrent transaction", "table 2 dropped by concurrent transaction")
	after.Rollback()
	expectEmpty(t, m)
}

// TestGrantBeforeCancel holds that a lock that was granted before the wait was cancelled is there, and no
// error.
func TestGrantBeforeCancel(t *testing.T) {
	for range 100 {
		var holder *Txn
		ctx, cancel := context.WithCancel(t.Context())
		m := New(Options{OnWait: func(Session, Table, Mode) { holder.Rollback(); cancel() }})
		a := Table{1, 1}
		holder = m.Begin(Session{PID: 1}, Snapshot)
		if err := holder.Lock(t.Context(), a, AccessExclusive); err != nil {
			t.Fatal(err)
		}
		txn := m.Begin(Session{PID: 2}, Snapshot)
		if err := txn.Lock(ctx, a, AccessShare); err != nil {
			t.Fatal(err)
		}
		if l := m.Locks(); len(l) != 1 || !l[0].Granted {
			t.Fatal(l)
		}
		txn.Rollback()
	}
}

func TestInfo(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newStage(t, Snapshot)
	s.manager.options.Now = func() time.Time { now = now.Add(time.Second); return now }
	s.play(`
		1: begin
		1: insert a
		2: begin
		2: insert a select b -> waits
		3: begin
		3: lock a -> waits`)
	type row struct {
		pid, oid int
		mode     string
		granted  bool
		waitsFor []int32
	}
	var got []row
	var times []time.Time
	for _, l := range s.manager.Locks() {
		got = append(got, row{int(l.Session.PID), int(l.Table.OID), l.Mode.String(), l.Granted, l.WaitsFor})
		times = append(times, l.Since)
	}
	want := []row{
		{1, 101, "ShareRowExclusiveLock", true, nil},
		{2, 101, "RowExclusiveLock", true, nil},
		{2, 101, "ShareRowExclusiveLock", false, []int32{1}},
		{3, 101, "AccessExclusiveLock", false, []int32{1, 2}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
	for i, at := range times {
		if at.IsZero() || i > 0 && !at.After(times[i-1]) {
			t.Fatalf("times %v", times)
		}
	}
	var xids []int64
	for _, x := range s.manager.Transactions() {
		xids = append(xids, x.XID)
		if x.Level != Snapshot || x.Session.User != "u" || x.Start.IsZero() || x.Snapshot != (x.XID == 1000) {
			t.Fatalf("%+v", x)
		}
	}
	if !reflect.DeepEqual(xids, []int64{1000, 1001, 1002}) || s.txns[1].XID() != 1000 {
		t.Fatal(xids)
	}
	s.play(`
		1: commit
		2: resumes`)
	err := s.txns[2].RowConflict(s.table("a"))
	if want := "Serializable isolation violation on table - 101, transactions forming the cycle are: 1001, 1000 (pid:2)"; err.Message != "1023" || err.Detail != want {
		t.Fatal(err.Message, err.Detail)
	}
	s.play(`
		2: commit -> 1023
		3: resumes`)
	conflicts := s.manager.Conflicts()
	if len(conflicts) != 1 || conflicts[0].XID != 1001 || conflicts[0].Session.PID != 2 || conflicts[0].Table != s.table("a") || !conflicts[0].Abort.After(conflicts[0].Start) {
		t.Fatalf("%+v", conflicts)
	}
	for range 2 * maxConflicts {
		s.txns[3].RowConflict(s.table("b"))
	}
	if n := len(s.manager.Conflicts()); n != maxConflicts {
		t.Fatalf("%d conflicts are kept", n)
	}
	s.end()
}

// TestModes compares with AWS's text of the three modes ("How do I find and release locks in Amazon
// Redshift"), and with what the two others are for.
func TestModes(t *testing.T) {
	want := map[Mode]string{
		AccessShare:       "....X",
		RowExclusive:      "...XX",
		AppendExclusive:   "..XXX",
		ShareRowExclusive: ".XXXX",
		AccessExclusive:   "XXXXX",
	}
	for a, line := range want {
		for b, c := range line {
			if a.conflicts(setOf(Mode(b))) != (c == 'X') {
				t.Errorf("%s (%d) beside %s (%d)", a, a, Mode(b), b)
			}
			if want[Mode(b)][a] != line[b] {
				t.Errorf("the table is not symmetric at %d, %d", a, b)
			}
		}
	}
	if Snapshot.String() != "Snapshot Isolation" || Serializable.String() != "Serializable" {
		t.Error(Snapshot, Serializable)
	}
}
