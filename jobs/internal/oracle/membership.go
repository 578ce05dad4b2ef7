package oracle

// membership is the time that a row had a natural key: where items that feed the row say
// different ones, it has that of the newest, and they may take turns.
type membership struct {
	current     bool  // the row has it now
	first, last int64 // when items said it for the first and the last time
	ended       int64 // when the last item took it back; 0 = one says it still
}

// null stands for a natural key that has a null.
const null = "null"

// memberships returns the memberships of each row, by its key and by natural key.
func (l *log) memberships(naturalKey []string) map[string]map[string]*membership {
	all := map[string]map[string]*membership{}
	of := func(row Row) *membership {
		key, _ := row.keyOf(l.table.Key)
		nk, ok := row.keyOf(naturalKey)
		if !ok {
			nk = null
		}
		if all[key] == nil {
			all[key] = map[string]*membership{}
		}
		if all[key][nk] == nil {
			all[key][nk] = &membership{}
		}
		return all[key][nk]
	}
	l.eachUpsert(func(u *upsert) {
		s := of(u.Row)
		if s.first == 0 || u.time < s.first {
			s.first = u.time
		}
		s.last = max(s.last, u.time)
	})
	for _, row := range l.settled(policy{onDelete: flag}) {
		of(row).current = row["is_deleted"] == "false"
	}
	for _, row := range l.alsoKeyedBy(naturalKey).settled(policy{onDelete: flag}) {
		if row["is_deleted"] == "true" {
			of(row).ended = microseconds(row["deleted_at"])
		}
	}
	return all
}

// departure returns when the row left the natural key of m, of all memberships of the row; 0 =
// it has it. That is when the last item took it back. Where one says it still, it is
// when another natural key took its place: the first time that one was said which was
// also said after the last time of m. What was said before that last time too took
// its place at the earliest then.
func (m *membership) departure(memberships map[string]*membership) int64 {
	switch {
	case m.current:
		return 0
	case m.ended != 0:
		return m.ended
	}
	at := int64(0)
	for _, o := range memberships {
		if o.last > m.last && (at == 0 || o.first < at) {
			at = o.first
		}
	}
	return max(at, m.last)
}
