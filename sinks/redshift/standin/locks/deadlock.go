package locks

// wait is one edge of a cycle of waits: the request, and a transaction that it waits for.
type wait struct {
	request *request
	blocker *Txn
	// ahead is the blocker's request when it only stands ahead in the queue, and has nothing yet that is in
	// the way.
	ahead *request
}

// waits are those that the request waits for, in an order that does not change.
func (m *Manager) waits(r *request) []wait {
	q := m.queues[r.table]
	var list []wait
	for t, h := range q.holders {
		if t != r.txn && r.mode.conflicts(h.modes) {
			list = append(list, wait{request: r, blocker: t})
		}
	}
	sortWaits(list)
	for _, w := range q.waiting {
		if w == r {
			break
		}
		if r.mode.conflicts(setOf(w.mode)) && !r.mode.conflicts(q.held(w.txn)) {
			list = append(list, wait{request: r, blocker: w.txn, ahead: w})
		}
	}
	return list
}

// resolve looks for a cycle of waits after t has begun to wait. It first tries other orders of queues: one
// that only stands ahead of another is put behind it. So does a transaction that has a lock of the table
// already go ahead of those who wait for it anyway. It gives the cycle, from t on, if there is no way out.
func (m *Manager) resolve(t *Txn) []wait {
	cycle := m.cycleFrom(t)
	if cycle == nil {
		return nil
	}
	before := map[*queue][]*request{}
	// Two requests are turned around once, so that this comes to an end.
	turned := map[[2]*request]bool{}
	for next := cycle; next != nil; next = m.anyCycle() {
		var soft *wait
		for i := range next {
			w := &next[i]
			if w.ahead != nil && !turned[[2]*request{w.request, w.ahead}] {
				soft = w
				break
			}
		}
		if soft == nil {
			for q, order := range before {
				q.waiting = order
			}
			return cycle
		}
		q := m.queues[soft.request.table]
		if _, ok := before[q]; !ok {
			before[q] = append([]*request(nil), q.waiting...)
		}
		turned[[2]*request{soft.request, soft.ahead}] = true
		turned[[2]*request{soft.ahead, soft.request}] = true
		q.remove(soft.request)
		q.insert(soft.request, q.index(soft.ahead))
	}
	for q := range before {
		if len(q.waiting) > 0 {
			m.pump(q.waiting[0].table)
		}
	}
	return nil
}

// anyCycle is a cycle of waits, of whomever.
func (m *Manager) anyCycle() []wait {
	for t := range m.running {
		if cycle := m.cycleFrom(t); cycle != nil {
			return cycle
		}
	}
	return nil
}

// cycleFrom is a cycle of waits through t.
func (m *Manager) cycleFrom(t *Txn) []wait {
	seen := map[*Txn]bool{}
	var follow func(at *Txn, path []wait) []wait
	follow = func(at *Txn, path []wait) []wait {
		if at.request == nil || seen[at] {
			return nil
		}
		seen[at] = true
		for _, w := range m.waits(at.request) {
			next := append(path[:len(path):len(path)], w)
			if w.blocker == t {
				return next
			}
			if cycle := follow(w.blocker, next); cycle != nil {
				return cycle
			}
		}
		return nil
	}
	return follow(t, nil)
}
