package locks

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// LockInfo is a lock that a transaction has or waits for: a row of pg_locks, svv_transactions or stv_locks.
type LockInfo struct {
	Table   Table
	Session Session
	XID     int64
	Mode    Mode
	Granted bool
	// Since is when it was granted, or asked for.
	Since time.Time
	// WaitsFor are the processes in the way of one that is not granted.
	WaitsFor []int32
}

// TxnInfo is a transaction that runs.
type TxnInfo struct {
	Session  Session
	XID      int64
	Level    Level
	Start    time.Time
	Snapshot bool // it has one
}

// Conflict is a transaction that was refused by 1023: a row of stl_tr_conflict.
type Conflict struct {
	Session Session
	XID     int64
	Start   time.Time
	Abort   time.Time
	Table   Table
}

// maxConflicts bounds the conflicts that are remembered.
const maxConflicts = 1000

// Locks are all locks, by transaction, table and mode.
func (m *Manager) Locks() []LockInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []LockInfo
	for table, q := range m.queues {
		for t, h := range q.holders {
			for mode := range Mode(modes) {
				// What shares RowExclusive shows as what it writes with, once it writes.
				if h.modes.has(mode) && !(mode == RowExclusive && h.modes.has(AppendExclusive)) {
					list = append(list, LockInfo{Table: table, Session: t.session, XID: t.xid, Mode: mode, Granted: true, Since: h.since[mode]})
				}
			}
		}
		for _, r := range q.waiting {
			info := LockInfo{Table: table, Session: r.txn.session, XID: r.txn.xid, Mode: r.mode, Since: r.since}
			for _, w := range m.waits(r) {
				if !slices.Contains(info.WaitsFor, w.blocker.session.PID) {
					info.WaitsFor = append(info.WaitsFor, w.blocker.session.PID)
				}
			}
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b LockInfo) int {
		return cmp.Or(cmp.Compare(a.XID, b.XID), cmp.Compare(a.Table.Database, b.Table.Database), cmp.Compare(a.Table.OID, b.Table.OID), cmp.Compare(a.Mode, b.Mode))
	})
	return list
}

// Transactions are all that run, oldest first.
func (m *Manager) Transactions() []TxnInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]TxnInfo, 0, len(m.running))
	for t := range m.running {
		list = append(list, TxnInfo{Session: t.session, XID: t.xid, Level: t.level, Start: t.start, Snapshot: t.snapshot != nil})
	}
	slices.SortFunc(list, func(a, b TxnInfo) int { return cmp.Compare(a.XID, b.XID) })
	return list
}

// Conflicts are the last transactions that were refused by 1023, oldest first.
func (m *Manager) Conflicts() []Conflict {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.conflicts)
}

// refuse remembers a conflict and makes its error.
func (m *Manager) refuse(t *Txn, table Table, cycle []int64) *pgconn.PgError {
	if len(m.conflicts) == maxConflicts {
		m.conflicts = slices.Delete(m.conflicts, 0, 1)
	}
	m.conflicts = append(m.conflicts, Conflict{Session: t.session, XID: t.xid, Start: t.start, Abort: m.options.Now(), Table: table})
	return isolationViolation(table, cycle, t.session.PID)
}

func sortWaits(list []wait) {
	slices.SortFunc(list, func(a, b wait) int { return cmp.Compare(a.blocker.xid, b.blocker.xid) })
}

func sortedNodes(set map[*node]struct{}) []*node {
	return slices.SortedFunc(maps.Keys(set), func(a, b *node) int { return cmp.Compare(a.txn.xid, b.txn.xid) })
}
