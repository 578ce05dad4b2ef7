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
	if t.part && p.ttl == "delete" {
		p.ttl = flag
	}
	return p
}

// fate returns what becomes of a row that goes by a change.
func (p policy) fate(by told) string {
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

// by returns the log with rows that are told apart by some columns besides their
// key, without those that have a null in one.
func (l *log) by(columns []string) *log {
	t := *l.table
	t.Key, t.part = slices.Concat(t.Key, columns), true
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

// yields returns all rows of a change.
func (l *log) yields(c *Change) []Row {
	rows, err := l.table.rows(c.New)
	if err != nil {
		panic(err) // the change is a dead letter, and was left out
	}
	return rows
}

// each calls f with every upsert ever, each item's in order.
func (l *log) each(f func(*upsert)) {
	for i := range l.items {
		for j := range l.items[i].Changes {
			c := &l.items[i].Changes[j]
			for _, r := range l.yields(c) {
				f(&upsert{r, l.items[i].Key, c.Time})
			}
		}
	}
}

// story is what an item that once yielded a row key says of it, change by
// change.
type story struct {
	item string
	told []told
}

// told is what one change says: a row, or nil that there is none.
type told struct {
	time             int64
	removes, expired bool // the item
	Row
}

// stories returns all that is said of each row key.
func (l *log) stories() map[string][]*story {
	all := map[string][]*story{}
	for i := range l.items {
		it := &l.items[i]
		own := map[string]*story{}
		for j := range it.Changes {
			for _, r := range l.yields(&it.Changes[j]) {
				key, _ := r.keyOf(l.table.Key)
				if own[key] == nil {
					own[key] = l.story(it, key)
				}
			}
		}
		for key, s := range own {
			all[key] = append(all[key], s)
		}
	}
	return all
}

func (l *log) story(it *Item, key string) *story {
	s := &story{item: it.Key}
	for j := range it.Changes {
		c := &it.Changes[j]
		t := told{time: c.Time, removes: c.New == nil, expired: c.TTL}
		for _, r := range l.yields(c) {
			if k, _ := r.keyOf(l.table.Key); k == key {
				t.Row = r
			}
		}
		s.told = append(s.told, t)
	}
	return s
}

// last returns the number of the newest change that yields the key.
func (s *story) last() int {
	for n := len(s.told) - 1; ; n-- {
		if s.told[n].Row != nil {
			return n
		}
	}
}

// end returns the number of the change by which the row went; -1 = it is there. A
// first row goes with its item, any other when the item does not yield it.
func (s *story) end(p policy) int {
	for n := s.last() + 1; n < len(s.told); n++ {
		if p.merge != first || s.told[n].removes {
			return n
		}
	}
	return -1
}

// values returns what the item gives the key: the row of its newest change that
// yields it, as an upsert; the first such row since the item was removed; or for
// each column the upsert with its newest value since the item last did not yield
// the key.
func (s *story) values(merge string) map[string]*upsert {
	columns := map[string]*upsert{}
	n := s.last()
	if merge == first {
		for i := n; i >= 0 && !s.told[i].removes; i-- {
			if s.told[i].Row != nil {
				n = i
			}
		}
	}
	for ; n >= 0 && s.told[n].Row != nil; n-- {
		for c := range s.told[n].Row {
			if columns[c] == nil {
				columns[c] = &upsert{s.told[n].Row, s.item, s.told[n].time}
			}
		}
		if merge != latestNonNull {
			break
		}
	}
	return columns
}

// newestOf returns the row that some items give a key.
func newestOf(stories []*story, merge string) Row {
	if merge != latestNonNull {
		stories = []*story{newestStory(stories, merge)}
	}
	best := map[string]*upsert{}
	for _, s := range stories {
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

// newestStory returns the one with the newest change that yields the key; of first
// rows, the one with the oldest first row.
func newestStory(stories []*story, merge string) *story {
	var found *story
	var best *upsert
	for _, s := range stories {
		u := &upsert{item: s.item, time: s.told[s.last()].time}
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

// lastStory returns the one that was the last to live, of those that all ended.
func lastStory(stories []*story, p policy) *story {
	var found *story
	var best *upsert
	for _, s := range stories {
		u := &upsert{item: s.item, time: s.told[s.end(p)].time}
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
	for key, stories := range l.stories() {
		var live []*story
		for _, s := range stories {
			if s.end(p) < 0 {
				live = append(live, s)
			}
		}
		fate, deleted := keep, int64(0)
		if len(live) > 0 {
			rows[key] = newestOf(live, p.merge)
		} else {
			s := lastStory(stories, p)
			by := s.told[s.end(p)]
			if fate, deleted = p.fate(by), by.time; fate != flag && fate != keep {
				continue
			}
			rows[key] = newestOf([]*story{s}, p.merge)
		}
		if p.flags() {
			rows[key] = rows[key].with(Row{"is_deleted": fmt.Sprint(fate == flag)})
		}
		if fate == flag {
			rows[key]["deleted_at"] = Timestamp(deleted)
		}
	}
	return rows
}
