package oracle

// span is the time that a row had a natural key: where items that feed the row say
// different ones, it has that of the newest, and they may take turns.
type span struct {
	has         bool  // the row has it now
	first, last int64 // when items said it for the first and the last time
	ended       int64 // when the last item took it back; 0 = one says it still
}

// null stands for a natural key that has a null.
const null = "null"

// spans returns the spans of each row, by its key and by natural key.
func (l *log) spans(naturalKey []string) map[string]map[string]*span {
	all := map[string]map[string]*span{}
	of := func(row Row) *span {
		key, _ := row.keyOf(l.table.Key)
		nk, ok := row.keyOf(naturalKey)
		if !ok {
			nk = null
		}
		if all[key] == nil {
			all[key] = map[string]*span{}
		}
		if all[key][nk] == nil {
			all[key][nk] = &span{}
		}
		return all[key][nk]
	}
	l.each(func(u *upsert) {
		s := of(u.Row)
		if s.first == 0 || u.time < s.first {
			s.first = u.time
		}
		s.last = max(s.last, u.time)
	})
	for _, row := range l.settled(policy{onDelete: flag}) {
		of(row).has = row["is_deleted"] == "false"
	}
	for _, row := range l.by(naturalKey).settled(policy{onDelete: flag}) {
		if row["is_deleted"] == "true" {
			of(row).ended = microseconds(row["deleted_at"])
		}
	}
	return all
}

// left returns when the row left the natural key of s, of all spans of the row; 0 =
// it has it. That is when the last item took it back. Where one says it still, it is
// when another natural key took its place: the first time that one was said which was
// also said after the last time of s. What was said before that last time too took
// its place at the earliest then.
func (s *span) left(spans map[string]*span) int64 {
	switch {
	case s.has:
		return 0
	case s.ended != 0:
		return s.ended
	}
	at := int64(0)
	for _, o := range spans {
		if o.last > s.last && (at == 0 || o.first < at) {
			at = o.first
		}
	}
	return max(at, s.last)
}
