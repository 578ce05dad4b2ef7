package locks

import "time"

// queue has the locks of one table.
type queue struct {
	holders map[*Txn]*grant
	waiting []*request
}

// grant is what one transaction has of a table.
type grant struct {
	modes modeSet
	since [modes]time.Time
}

// request is a lock that a transaction waits for.
type request struct {
	txn     *Txn
	table   Table
	mode    Mode
	since   time.Time
	result  chan error // takes one without a reader
	settled bool       // result has it
}

func (r *request) settle(err error) {
	r.settled = true
	r.result <- err
}

func (m *Manager) queue(table Table) *queue {
	q := m.queues[table]
	if q == nil {
		q = &queue{holders: map[*Txn]*grant{}}
		m.queues[table] = q
	}
	return q
}

// held are the modes that t has.
func (q *queue) held(t *Txn) modeSet {
	if h := q.holders[t]; h != nil {
		return h.modes
	}
	return 0
}

// free says whether the request, at this place of the queue, needs to wait for nobody.
func (q *queue) free(r *request, at int) bool {
	if q.held(r.txn).covers(r.mode) {
		return true
	}
	for t, h := range q.holders {
		if t != r.txn && r.mode.conflicts(h.modes) {
			return false
		}
	}
	for _, w := range q.waiting[:at] {
		if r.mode.conflicts(setOf(w.mode)) {
			return false
		}
	}
	return true
}

func (q *queue) grant(r *request) {
	h := q.holders[r.txn]
	if h == nil {
		h = &grant{}
		q.holders[r.txn] = h
	}
	if !h.modes.has(r.mode) {
		h.since[r.mode] = r.since
	}
	h.modes |= setOf(r.mode)
	r.txn.tables[r.table] = struct{}{}
}

func (q *queue) insert(r *request, at int) {
	q.waiting = append(q.waiting, nil)
	copy(q.waiting[at+1:], q.waiting[at:])
	q.waiting[at] = r
}

// index is the request's place, or -1.
func (q *queue) index(r *request) int {
	for i, w := range q.waiting {
		if w == r {
			return i
		}
	}
	return -1
}

func (q *queue) remove(r *request) {
	if i := q.index(r); i >= 0 {
		q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
	}
}

// pump grants what needs to wait no longer, and forgets a queue that nobody is in.
func (m *Manager) pump(table Table) {
	q := m.queues[table]
	for i := 0; i < len(q.waiting); {
		r := q.waiting[i]
		if !q.free(r, i) {
			i++
			continue
		}
		q.remove(r)
		r.since = m.options.Now()
		q.grant(r)
		r.txn.request = nil
		r.settle(nil)
	}
	if len(q.waiting) == 0 && len(q.holders) == 0 {
		delete(m.queues, table)
	}
}

// withdraw takes a request back, and lets go on who waited behind it.
func (m *Manager) withdraw(r *request) {
	r.txn.request = nil
	m.queues[r.table].remove(r)
	m.pump(r.table)
}

// failWaits refuses all that wait for a table that was dropped.
func (m *Manager) failWaits(table Table) {
	q := m.queues[table]
	if q == nil {
		return
	}
	for _, r := range q.waiting {
		r.txn.request = nil
		r.settle(r.txn.fail(ConcurrentDrop(table)))
	}
	q.waiting = nil
}
