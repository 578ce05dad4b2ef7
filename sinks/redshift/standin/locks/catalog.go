package locks

// catalog knows which tables were created, dropped and written lately, by the numbers of commits: as long as a
// transaction runs that was there before.
type catalog struct {
	recent map[Table]*recent
	oldest uint64
}

type recent struct {
	created, dropped, written uint64
	writer                    int64
}

func newCatalog() catalog { return catalog{recent: map[Table]*recent{}} }

func (c *catalog) of(t Table) *recent {
	r := c.recent[t]
	if r == nil {
		r = &recent{}
		c.recent[t] = r
	}
	return r
}

func (c *catalog) commit(t *Txn, at uint64) {
	for table := range t.writes {
		r := c.of(table)
		r.written, r.writer = at, t.xid
	}
	for _, table := range t.creates {
		c.of(table).created = at
	}
	for _, table := range t.drops {
		c.of(table).dropped = at
	}
}

// created is the commit that created the table, or 0 if all that run began after it.
func (c *catalog) created(t Table) uint64 {
	if r := c.recent[t]; r != nil {
		return r.created
	}
	return 0
}

func (c *catalog) dropped(t Table) bool {
	r := c.recent[t]
	return r != nil && r.dropped != 0
}

// writer is the transaction that wrote the table last.
func (c *catalog) writer(t Table) (int64, bool) {
	r := c.recent[t]
	if r == nil || r.written == 0 {
		return 0, false
	}
	return r.writer, true
}

// forget drops what all transactions that run, the first of which began after that many commits, have been
// behind.
func (c *catalog) forget(oldest uint64) {
	if oldest == c.oldest {
		return
	}
	c.oldest = oldest
	for t, r := range c.recent {
		if max(r.created, r.dropped, r.written) <= oldest {
			delete(c.recent, t)
		}
	}
}
