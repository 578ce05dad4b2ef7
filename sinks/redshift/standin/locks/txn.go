package locks

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Txn is a transaction. One goroutine at a time uses it, except for Rollback. After an error of any method it
// can only be rolled back, which the caller does at once, as the service does, and not only when its client
// sends ROLLBACK: others may wait for its locks.
type Txn struct {
	manager *Manager
	session Session
	level   Level
	xid     int64
	start   time.Time
	begin   uint64 // the commits before it began

	// Guarded by manager.mu.
	snapshot *uint64 // the commits that it sees; nil before
	tables   map[Table]struct{}
	writes   map[Table]struct{}
	request  *request // what it waits for
	creates  []Table
	drops    []Table
	err      error // why it can't commit
	commits  bool  // Commit has begun
	done     bool
}

// XID is the transaction's number, unique in its manager.
func (t *Txn) XID() int64 { return t.xid }

// Admit is called before a statement runs, with the tables that it uses, a target before its sources. It waits
// for the locks; takes the snapshot, if the transaction has none and the statement needs one, where snapshot
// takes that of the database behind (it must not wait for anything of this package; nil is allowed); and
// checks the isolation level. Its errors are *pgconn.PgError, or ctx's cause when that ended a wait.
func (t *Txn) Admit(ctx context.Context, uses []TableUse, snapshot func() error) error {
	needed := false
	for _, u := range uses {
		for _, mode := range u.Action.modes(t.level) {
			if err := t.Lock(ctx, u.Table, mode); err != nil {
				return err
			}
		}
		needed = needed || u.Action != ActionLock
	}
	if !needed {
		return nil
	}
	if err := t.Snapshot(snapshot); err != nil {
		return err
	}
	t.manager.mu.Lock()
	defer t.manager.mu.Unlock()
	for _, u := range uses {
		if err := t.checkUse(u); err != nil {
			return t.fail(err)
		}
	}
	return nil
}

// checkUse checks that the table is in the snapshot and that the isolation level allows the use of it.
func (t *Txn) checkUse(u TableUse) error {
	m := t.manager
	if t.done {
		return ErrDone
	}
	if u.Action == ActionLock {
		return nil
	}
	if m.catalog.created(u.Table) > *t.snapshot {
		return NotInSnapshot()
	}
	if u.Action.writes() {
		t.writes[u.Table] = struct{}{}
	}
	if t.level != Serializable {
		return nil
	}
	if cycle := m.graph.add(t, u); cycle != nil {
		return m.refuse(t, u.Table, cycle)
	}
	return nil
}

// fail notes why the transaction can only be rolled back. Until it is, it is no reason any more to refuse
// others.
func (t *Txn) fail(err error) error {
	if t.err == nil {
		t.err = err
		t.manager.graph.remove(t)
	}
	return err
}

// Lock waits for a lock of the table in the mode, which the transaction keeps to its end. Statements are
// locked for by Admit.
func (t *Txn) Lock(ctx context.Context, table Table, mode Mode) error {
	m := t.manager
	m.mu.Lock()
	r, err := t.ask(table, mode)
	m.mu.Unlock()
	if r == nil || err != nil {
		return err
	}
	m.options.OnWait(t.session, table, mode)
	select {
	case err = <-r.result:
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		if r.settled {
			return <-r.result
		}
		m.withdraw(r)
		err = t.fail(context.Cause(ctx))
	}
	return err
}

// ask grants the lock, or gives the request that waits for it.
func (t *Txn) ask(table Table, mode Mode) (*request, error) {
	m := t.manager
	if t.done {
		return nil, ErrDone
	}
	if t.err != nil {
		return nil, t.err
	}
	if m.catalog.dropped(table) {
		return nil, t.fail(ConcurrentDrop(table))
	}
	q := m.queue(table)
	r := &request{txn: t, table: table, mode: mode, since: m.options.Now(), result: make(chan error, 1)}
	if q.free(r, len(q.waiting)) {
		q.grant(r)
		return nil, nil
	}
	q.waiting = append(q.waiting, r)
	t.request = r
	if cycle := m.resolve(t); cycle != nil {
		m.withdraw(r)
		return nil, t.fail(deadlock(cycle))
	}
	if r.settled {
		// Another order of the queue has granted it.
		return nil, <-r.result
	}
	return r, nil
}

// Snapshot takes the transaction's snapshot, if it has none: for statements that take one without the use of a
// table, as CREATE TABLE. The function takes that of the database behind meanwhile; see Admit.
func (t *Txn) Snapshot(take func() error) error {
	m := t.manager
	m.gate.Lock()
	defer m.gate.Unlock()
	m.mu.Lock()
	has, done, err := t.snapshot != nil, t.done, t.err
	m.mu.Unlock()
	switch {
	case done:
		return ErrDone
	case err != nil:
		return err
	case has:
		return nil
	}
	if take != nil {
		err = take()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		return t.fail(err)
	}
	// No commit came between, since commits take the gate.
	s := m.clock
	t.snapshot = &s
	return nil
}

// NoteCreate tells of a table that the transaction has created.
func (t *Txn) NoteCreate(table Table) {
	t.manager.mu.Lock()
	defer t.manager.mu.Unlock()
	t.creates = append(t.creates, table)
}

// NoteDrop tells of a table that the transaction has dropped, with those that a CASCADE took along.
func (t *Txn) NoteDrop(table Table) {
	t.manager.mu.Lock()
	defer t.manager.mu.Unlock()
	t.drops = append(t.drops, table)
}

// Commit commits: the database behind by the function (nil is allowed, and it must not wait for anything of
// this package), and then here. If the function fails, or an error came before, nothing is committed, and the
// transaction is rolled back here. It ends the transaction in any case.
func (t *Txn) Commit(commit func() error) error {
	m := t.manager
	m.gate.Lock()
	defer m.gate.Unlock()
	m.mu.Lock()
	done, err := t.done || t.commits, t.err
	t.commits = true
	m.mu.Unlock()
	if done {
		return ErrDone
	}
	if err == nil && commit != nil {
		err = commit()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.graph.remove(t)
		m.finish(t)
		return err
	}
	m.clock++
	m.graph.commit(t, m.clock)
	m.catalog.commit(t, m.clock)
	for _, table := range t.drops {
		m.failWaits(table)
	}
	m.finish(t)
	return nil
}

// Rollback ends the transaction without effect here; the database behind is rolled back before. It may be
// called at any time, again, and while another goroutine waits for a lock of the transaction, which gets
// ErrDone. After Commit was called it does nothing.
func (t *Txn) Rollback() {
	m := t.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.done || t.commits {
		return
	}
	m.graph.remove(t)
	m.finish(t)
}

// RowConflict is the error for a row of the table that a concurrent transaction has changed, which the
// database behind found out.
func (t *Txn) RowConflict(table Table) *pgconn.PgError {
	m := t.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	cycle := []int64{t.xid}
	if w, ok := m.catalog.writer(table); ok && w != t.xid {
		cycle = append(cycle, w)
	}
	err := m.refuse(t, table, cycle)
	t.fail(err)
	return err
}
