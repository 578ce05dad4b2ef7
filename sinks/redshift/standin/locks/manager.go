package locks

import (
	"sync"
	"time"
)

// Table names a table: its database's OID and its own. OIDs are not used again.
type Table struct {
	Database, OID uint32
}

// Session is whose a transaction is, for messages and for those who look at locks.
type Session struct {
	PID      int32
	User     string
	Database string
}

// TableUse is a table that a statement uses, and how.
type TableUse struct {
	Table  Table
	Action Action
}

// Options of a Manager. All may be left out.
type Options struct {
	// Now is the time for Locks, Transactions and Conflicts.
	Now func() time.Time
	// OnWait is called when a request begins to wait, by the goroutine that will, without locks of the manager.
	OnWait func(Session, Table, Mode)
	// FirstXID is the first transaction's number.
	FirstXID int64
}

// Manager has the locks and the transactions of a server, of all its databases. It is for concurrent use.
type Manager struct {
	options Options

	// gate makes a snapshot or a commit, and the same in the database behind, one step. It is taken before mu.
	gate sync.Mutex

	// mu guards what follows and the fields of all transactions.
	mu        sync.Mutex
	xid       int64
	clock     uint64 // the number of commits
	running   map[*Txn]struct{}
	queues    map[Table]*queue
	graph     graph
	catalog   catalog
	conflicts []Conflict
}

// New makes a manager without transactions.
func New(o Options) *Manager {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnWait == nil {
		o.OnWait = func(Session, Table, Mode) {}
	}
	if o.FirstXID == 0 {
		o.FirstXID = 1000
	}
	return &Manager{
		options: o,
		xid:     o.FirstXID,
		running: map[*Txn]struct{}{},
		queues:  map[Table]*queue{},
		graph:   newGraph(),
		catalog: newCatalog(),
	}
}

// Begin starts a transaction. It has to be committed or rolled back.
func (m *Manager) Begin(s Session, l Level) *Txn {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Txn{
		manager: m,
		session: s,
		level:   l,
		xid:     m.xid,
		start:   m.options.Now(),
		begin:   m.clock,
		tables:  map[Table]struct{}{},
		writes:  map[Table]struct{}{},
	}
	m.xid++
	m.running[t] = struct{}{}
	return t
}

// finish takes t out of those that run, releases its locks, and forgets what only mattered to it.
func (m *Manager) finish(t *Txn) {
	delete(m.running, t)
	t.done = true
	if t.request != nil {
		t.request.settle(ErrDone)
		m.queues[t.request.table].remove(t.request)
		m.pump(t.request.table)
		t.request = nil
	}
	for table := range t.tables {
		delete(m.queues[table].holders, t)
		m.pump(table)
	}
	oldestBegin, oldestSnapshot := m.clock, m.clock
	for r := range m.running {
		oldestBegin = min(oldestBegin, r.begin)
		if r.snapshot != nil {
			oldestSnapshot = min(oldestSnapshot, *r.snapshot)
		}
	}
	m.graph.forget(oldestSnapshot)
	m.catalog.forget(oldestBegin)
}
