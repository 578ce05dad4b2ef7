package locks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience is how long a test waits for what has to come; nothing waits for it to pass.
const patience = 20 * time.Second

// event tells of a session's statement: that it waits, or how it ended.
type event struct {
	waits bool
	err   error
}

// stage runs statements of several sessions, one step at a time: a statement goes on until it ends or waits,
// and then all that it let go on do so.
type stage struct {
	t       *testing.T
	manager *Manager
	level   Level
	names   map[string]uint32
	txns    map[int]*Txn
	events  [32]chan event // by session
	waiting map[int]bool
	ended   map[int]error // of statements that had waited, not yet asked for
}

func newStage(t *testing.T, l Level) *stage {
	s := &stage{t: t, level: l, names: map[string]uint32{}, txns: map[int]*Txn{}, waiting: map[int]bool{}, ended: map[int]error{}}
	for n := range s.events {
		s.events[n] = make(chan event, 10)
	}
	s.manager = New(Options{OnWait: func(who Session, _ Table, _ Mode) { s.events[int(who.PID)] <- event{waits: true} }})
	return s
}

func (s *stage) table(name string) Table {
	if s.names[name] == 0 {
		s.names[name] = uint32(100 + len(s.names) + 1)
	}
	return Table{Database: 1, OID: s.names[name]}
}

func (s *stage) begin(n int) {
	s.txns[n] = s.manager.Begin(Session{PID: int32(n), User: "u", Database: "dev"}, s.level)
}

// run starts a statement of the session and says whether it waits, or how it ended.
func (s *stage) run(n int, f func() error) event {
	events := s.events[n]
	go func() { events <- event{err: f()} }()
	e := s.next(n)
	s.waiting[n] = e.waits
	s.settle()
	return e
}

func (s *stage) next(n int) event {
	select {
	case e := <-s.events[n]:
		return e
	case <-time.After(patience):
		s.t.Fatalf("session %d neither waits nor ends; locks: %v", n, s.manager.Locks())
		panic("unreachable")
	}
}

// settle takes what the sessions that waited have to tell, until all that wait still do.
func (s *stage) settle() {
	for again := true; again; {
		again = false
		blocked := map[int]bool{}
		for _, l := range s.manager.Locks() {
			if !l.Granted {
				blocked[int(l.Session.PID)] = true
			}
		}
		for n, waits := range s.waiting {
			if !waits || blocked[n] {
				continue
			}
			again = true
			if e := s.next(n); !e.waits {
				s.waiting[n] = false
				s.ended[n] = e.err
			}
		}
	}
}

var actions = map[string]Action{
	"select": ActionSelect, "insert": ActionAppend, "copy": ActionAppend, "update": ActionModify, "delete": ActionModify,
	"alter": ActionDefine, "drop": ActionDefine, "truncate": ActionDefine, "lock": ActionLock,
}

// statement is one of: begin, commit, rollback, snapshot, create t, resumes, or an action and its tables, each
// with an action of its own where it differs from the first ("insert a select b").
func (s *stage) statement(n int, text string) event {
	words := strings.Fields(text)
	txn := s.txns[n]
	switch words[0] {
	case "begin":
		s.begin(n)
		return event{}
	case "commit":
		return s.run(n, func() error { return txn.Commit(nil) })
	case "rollback":
		return s.run(n, func() error { txn.Rollback(); return nil })
	case "snapshot":
		return s.run(n, func() error { return txn.Snapshot(nil) })
	case "create":
		return s.run(n, func() error {
			err := txn.Snapshot(nil)
			txn.NoteCreate(s.table(words[1]))
			return err
		})
	case "resumes":
		err, ok := s.ended[n]
		if !ok {
			s.t.Fatalf("session %d does not resume; locks: %v", n, s.manager.Locks())
		}
		delete(s.ended, n)
		return event{err: err}
	}
	var uses []TableUse
	var action Action
	for _, w := range words {
		if a, ok := actions[w]; ok {
			action = a
			continue
		}
		uses = append(uses, TableUse{Table: s.table(w), Action: action})
	}
	return s.run(n, func() error {
		err := txn.Admit(context.Background(), uses, nil)
		if err == nil && words[0] == "drop" {
			for _, u := range uses {
				txn.NoteDrop(u.Table)
			}
		}
		return err
	})
}

// outcome names an event: ok, waits, 1023, 1018, deadlock, dropped or the error's text.
func outcome(e event) string {
	var pg *pgconn.PgError
	switch {
	case e.waits:
		return "waits"
	case e.err == nil:
		return "ok"
	case !errors.As(e.err, &pg):
		return e.err.Error()
	case pg.Code == "40P01":
		return "deadlock"
	case strings.Contains(pg.Detail, "dropped by"):
		return "dropped"
	default:
		return pg.Message
	}
}

// play runs a script: lines "session: statement" for what is ok, or "session: statement -> outcome".
func (s *stage) play(script string) {
	s.t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line = strings.TrimSpace(line)
		text, want, ok := strings.Cut(line, " -> ")
		if !ok {
			want = "ok"
		}
		who, text, _ := strings.Cut(text, ": ")
		n, err := strconv.Atoi(who)
		if err != nil {
			s.t.Fatal(err)
		}
		if got := outcome(s.statement(n, text)); got != want {
			s.t.Fatalf("line %d, %q: %s\n%s", i+1, line, got, s.describe())
		}
	}
	if len(s.ended) > 0 {
		s.t.Fatalf("sessions resumed, which the script does not tell: %v", s.ended)
	}
}

func (s *stage) describe() string {
	var b strings.Builder
	for _, l := range s.manager.Locks() {
		fmt.Fprintf(&b, "process %d, table %d, %s, granted %t, waits for %v\n", l.Session.PID, l.Table.OID, l.Mode, l.Granted, l.WaitsFor)
	}
	return b.String()
}

// end rolls back what runs, and expects that nothing of any transaction is left.
func (s *stage) end() {
	s.t.Helper()
	for n, txn := range s.txns {
		txn.Rollback()
		if s.waiting[n] {
			for e := s.next(n); e.waits; {
				e = s.next(n)
			}
		}
	}
	expectEmpty(s.t, s.manager)
}

func expectEmpty(t *testing.T, m *Manager) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.running)+len(m.queues)+len(m.graph.nodes)+len(m.graph.readers)+len(m.graph.writers)+len(m.graph.defined)+len(m.catalog.recent) != 0 {
		t.Fatalf("left over: %d transactions, %d queues, %d nodes, %d and %d tables, %d defined, %d in the catalog", len(m.running), len(m.queues),
			len(m.graph.nodes), len(m.graph.readers), len(m.graph.writers), len(m.graph.defined), len(m.catalog.recent))
	}
}
