package oracle

import (
	"cmp"
	"fmt"
	"slices"
)

// policy says how a table is settled; its zero value is last-writer-wins. ttl is
// what becomes of rows of expired items; empty = what onDelete says.
type policy struct{ merge, onDelete, ttl string }

const (
	latestNonNull = "latest_non_null"
	first         = "first"
	flag          = "flag"
	keep          = "keep"
)

// of returns the policy by which a reader that has p settles a table.
func (p policy) of(t *table) policy {
	if t.Keep == first {
		p.merge = first
	}
	p.ttl = t.TTLDeletes
	if t.skipsNullKeys && p.ttl == "delete" {
		p.ttl = flag
	}
	return p
}

// onDeleteOf returns what becomes of a row that goes by a change.
func (p policy) onDeleteOf(by statement) string {
	if by.expired && p.ttl != "" {
		return p.ttl
	}
	return p.onDelete
}

func (p policy) flags() bool { return p.onDelete == flag || p.ttl == flag }

// log is what the items have to say of one table.
type log struct {
	table *table
	items []Item
}

// alsoKeyedBy returns the log with rows that are told apart by some columns besides their
// key, without those that have a null in one.
func (l *log) alsoKeyedBy(columns []string) *log {
	t := *l.table
	t.Key, t.skipsNullKeys = slices.Concat(t.Key, columns), true
	return &log{&t, l.items}
}

// upsert is a row of a change's new image.
type upsert struct {
	Row
	item string
	time int64
}

// newer reports whether an upsert beats the best so far: by time, then by item.
// Of one item the later one does, and they come in order.
func (u *upsert) newer(best *upsert) bool {
	return best == nil || cmp.Or(cmp.Compare(u.time, best.time), cmp.Compare(u.item, best.item)) >= 0
}

// rowsOf returns all rows of a change.
func (l *log) rowsOf(c *Change) []Row {
	rows, err := l.table.rows(c.New)
	if err != nil {
		panic(err) // the change is a dead letter, and was left out
	}
	return rows
}

// eachUpsert calls f with every upsert ever, each item's in order.
func (l *log) eachUpsert(f func(*upsert)) {
	for i := range l.items {
		for j := range l.items[i].Changes {
			c := &l.items[i].Changes[j]
			for _, r := range l.rowsOf(c) {
				f(&upsert{r, l.items[i].Key, c.Time})
			}
		}
	}
}

// contribution is what an item that once yielded a row key says of it, change by
// change.
type contribution struct {
	item       string
	statements []statement
}

// statement is what one change says: a row, or nil that there is none.
type statement struct {
	time             int64
	removes, expired bool // the item
	Row
}

// contributions returns all that is said of each row key.
func (l *log) contributions() map[string][]*contribution {
	all := map[string][]*contribution{}
	for i := range l.items {
		it := &l.items[i]
		own := map[string]*contribution{}
		for j := range it.Changes {
			for _, r := range l.rowsOf(&it.Changes[j]) {
				key, _ := r.keyOf(l.table.Key)
				if own[key] == nil {
					own[key] = l.contributionOf(it, key)
				}
			}
		}
		for key, s := range own {
			all[key] = append(all[key], s)
		}
	}
	return all
}

func (l *log) contributionOf(it *Item, key string) *contribution {
	s := &contribution{item: it.Key}
	for j := range it.Changes {
		c := &it.Changes[j]
		t := statement{time: c.Time, removes: c.New == nil, expired: c.TTL}
		for _, r := range l.rowsOf(c) {
			if k, _ := r.keyOf(l.table.Key); k == key {
				t.Row = r
			}
		}
		s.statements = append(s.statements, t)
	}
	return s
}

// last returns the number of the newest change that yields the key.
func (s *contribution) last() int {
	for n := len(s.statements) - 1; ; n-- {
		if s.statements[n].Row != nil {
			return n
		}
	}
}

// end returns the number of the change by which the row went; -1 = it is there. A
// first row goes with its item, any other when the item does not yield it.
func (s *contribution) end(p policy) int {
	for n := s.last() + 1; n < len(s.statements); n++ {
		if p.merge != first || s.statements[n].removes {
			return n
		}
	}
	return -1
}

// values returns what the item gives the key: the row of its newest change that
// yields it, as an upsert; the first such row since the item was removed; or for
// each column the upsert with its newest value since the item last did not yield
// the key.
func (s *contribution) values(merge string) map[string]*upsert {
	columns := map[string]*upsert{}
	n := s.last()
	if merge == first {
		for i := n; i >= 0 && !s.statements[i].removes; i-- {
			if s.statements[i].Row != nil {
				n = i
			}
		}
	}
	for ; n >= 0 && s.statements[n].Row != nil; n-- {
		for c := range s.statements[n].Row {
			if columns[c] == nil {
				columns[c] = &upsert{s.statements[n].Row, s.item, s.statements[n].time}
			}
		}
		if merge != latestNonNull {
			break
		}
	}
	return columns
}

// newestOf returns the row that some items give a key.
func newestOf(contributions []*contribution, merge string) Row {
	if merge != latestNonNull {
		contributions = []*contribution{newestContribution(contributions, merge)}
	}
	best := map[string]*upsert{}
	for _, s := range contributions {
		for c, u := range s.values(merge) {
			if u.newer(best[c]) {
				best[c] = u
			}
		}
	}
	row := Row{}
	for c, u := range best {
		row[c] = u.Row[c]
	}
	return row
}

// newestContribution returns the one with the newest change that yields the key; of first
// rows, the one with the oldest first row.
func newestContribution(contributions []*contribution, merge string) *contribution {
	var found *contribution
	var best *upsert
	for _, s := range contributions {
		u := &upsert{item: s.item, time: s.statements[s.last()].time}
		if merge == first {
			for _, of := range s.values(merge) {
				u.time = of.time
			}
		}
		if best == nil || u.newer(best) != (merge == first) {
			found, best = s, u
		}
	}
	return found
}

// lastContribution returns the one that was the last to live, of those that all ended.
func lastContribution(contributions []*contribution, p policy) *contribution {
	var found *contribution
	var best *upsert
	for _, s := range contributions {
		u := &upsert{item: s.item, time: s.statements[s.end(p)].time}
		if u.newer(best) {
			found, best = s, u
		}
	}
	return found
}

// settled returns the table's rows.
func (l *log) settled(p policy) Rows {
	p = p.of(l.table)
	rows := Rows{}
	for key, contributions := range l.contributions() {
		var live []*contribution
		for _, s := range contributions {
			if s.end(p) < 0 {
				live = append(live, s)
			}
		}
		outcome, deleted := keep, int64(0)
		if len(live) > 0 {
			rows[key] = newestOf(live, p.merge)
		} else {
			s := lastContribution(contributions, p)
			by := s.statements[s.end(p)]
			if outcome, deleted = p.onDeleteOf(by), by.time; outcome != flag && outcome != keep {
				continue
			}
			rows[key] = newestOf([]*contribution{s}, p.merge)
		}
		if p.flags() {
			rows[key] = rows[key].with(Row{"is_deleted": fmt.Sprint(outcome == flag)})
		}
		if outcome == flag {
			rows[key]["deleted_at"] = Timestamp(deleted)
		}
	}
	return rows
}
