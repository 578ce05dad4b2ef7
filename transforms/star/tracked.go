package star

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// trackedRow is what the state keeps of a row of a table whose deletes matter to a
// dimension.
type trackedRow struct {
	member pipeline.Hash // of its natural key; zero = that has a null
	dead   bool
	// memberships are all natural keys that items gave the row, the newest first.
	// Where the natural key is part of the row's key there is only one, which is not
	// kept.
	memberships []membership
}

// membership is the time that a row was one of a member's. Items that feed one row
// may give it different natural keys; the row has that of the newest.
type membership struct {
	member pipeline.Hash // zero = the natural key has a null
	first  int64         // when an item gave the row this natural key for the first time, µs since 1970; math.MaxInt64 = not known
	last   int64         // and for the last time; noTime = not known
	ended  int64         // when the last item took it back; noTime = one has it still
}

func (r *trackedRow) append(b []byte) []byte {
	dead := byte(0)
	if r.dead {
		dead = 1
	}
	b = packed.AppendHash(append(b, dead), r.member)
	for i := range r.memberships {
		m := &r.memberships[i]
		b = packed.AppendHash(b, m.member)
		for _, at := range []int64{m.first, m.last, m.ended} {
			b = binary.LittleEndian.AppendUint64(b, uint64(at))
		}
	}
	return b
}

func decodeTracked(b []byte) trackedRow {
	c := packed.Cursor{B: b}
	r := trackedRow{dead: c.U8() == 1, member: c.Hash()}
	for len(c.B) > 0 {
		r.memberships = append(r.memberships, membership{c.Hash(), int64(c.U64()), int64(c.U64()), int64(c.U64())})
	}
	return r
}

func (r *trackedRow) equal(o *trackedRow) bool {
	return r.member == o.member && r.dead == o.dead && slices.Equal(r.memberships, o.memberships)
}

// departure is when a row left a member; noTime = it is one of the member's, or nobody
// knows.
type departure struct {
	member pipeline.Hash
	at     int64
}

// departures tells for each membership when it was over, sorted by member. The row
// left a member when the last item took the natural key back. Where an item has it
// still, and another one's is newer, the row left when any of the natural keys that
// were given after the member's last time was given first, but not before that last
// time. All this depends on which changes there were, not on their order of arrival;
// telling exactly when the newest natural key became another one for the last time
// would need the time of every change ever.
func (r *trackedRow) departures() []departure {
	all := make([]departure, 0, len(r.memberships))
	next := int64(math.MaxInt64) // the least first time of those given later
	for from := 0; from < len(r.memberships); {
		to := from + 1
		for to < len(r.memberships) && r.memberships[to].last == r.memberships[from].last {
			to++
		}
		for i := from; i < to; i++ {
			if member := r.memberships[i].member; member != (pipeline.Hash{}) {
				all = append(all, departure{member, r.departed(i, next)})
			}
		}
		for i := from; i < to; i++ {
			next = min(next, r.memberships[i].first)
		}
		from = to
	}
	slices.SortFunc(all, func(a, b departure) int { return a.member.Compare(b.member) })
	return all
}

func (r *trackedRow) departed(i int, next int64) int64 {
	switch m := &r.memberships[i]; {
	case !r.dead && r.member == m.member:
		return noTime
	case m.ended != noTime:
		return m.ended
	case next == math.MaxInt64:
		return m.last
	default:
		return max(m.last, next)
	}
}

// join adds what the epoch says of memberships, in any order.
func (r *trackedRow) join(said []saidMembership) {
	all := r.memberships
	for i := range said {
		all = append(all, said[i].membership)
	}
	slices.SortStableFunc(all, func(a, b membership) int { return a.member.Compare(b.member) })
	joined := all[:0]
	for _, m := range all {
		if n := len(joined); n > 0 && joined[n-1].member == m.member {
			o := &joined[n-1]
			o.first, o.last = min(o.first, m.first), max(o.last, m.last)
			continue
		}
		joined = append(joined, m)
	}
	for i := range said {
		if s := &said[i]; s.settled {
			at, _ := slices.BinarySearchFunc(joined, s.member, func(m membership, h pipeline.Hash) int { return m.member.Compare(h) })
			joined[at].ended = s.ended
		}
	}
	slices.SortFunc(joined, func(a, b membership) int { return cmp.Or(cmp.Compare(b.last, a.last), a.member.Compare(b.member)) })
	r.memberships = joined
}

// trackedRows are the tracked rows of an epoch.
type trackedRows struct {
	index byhash.Index
	all   []trackedEntry
	said  []saidMembership
}

// trackedEntry is a tracked row that the epoch touches.
type trackedEntry struct {
	dimension   *dimension
	hash        pipeline.Hash
	version     pipeline.Version // the newest of those that touched it
	before, now trackedRow
	known       bool   // it is in the state
	long        []byte // its entry there
}

// saidMembership is what a change says of a row's membership.
type saidMembership struct {
	membership
	row     int32 // of trackedRows.all
	settled bool  // it says whether the membership has ended; otherwise, when the natural key was given
}

// touch returns the place of a row, new or there already.
func (t *trackedRows) touch(d *dimension, row pipeline.Hash, v *pipeline.Version) int32 {
	i, added := t.index.Add(row, int32(len(t.all)))
	if added {
		t.all = append(t.all, trackedEntry{dimension: d, hash: row, version: *v})
	}
	if e := &t.all[i]; v.Time > e.version.Time {
		e.version = *v
	}
	return i
}

// given notes that an item gave a row a natural key.
func (t *trackedRows) given(d *dimension, row, member pipeline.Hash, v *pipeline.Version) {
	t.said = append(t.said, saidMembership{membership: membership{member, v.Time, v.Time, noTime}, row: t.touch(d, row, v)})
}

func (t *trackedRows) reset() {
	t.index.Clear()
	t.all, t.said = reuse.Emptied(t.all), reuse.Emptied(t.said)
}

// readTracked reads the tracked rows that the epoch touches from the state, brings
// them to what it says of them, and touches the members that they had and have.
func (s *step) readTracked() error {
	t := &s.tracked
	for i := range s.tracks {
		t.touch(s.tracks[i].dimension, s.tracks[i].hash, &s.tracks[i].version)
	}
	for i := range s.left {
		t.touch(s.left[i].dimension, s.left[i].hash, &s.left[i].version)
	}
	var failed error
	err := s.members.finder.Find(s.members.state, len(t.all), func(i int32) pipeline.Hash { return t.all[i].hash }, func(i int32, v []byte) {
		e := &t.all[i]
		e.known, e.long = true, v
		whole, err := s.members.long.Whole(e.hash, v)
		if err != nil {
			failed = err
			return
		}
		e.before = decodeTracked(whole)
	})
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	for i := range t.all {
		e := &t.all[i]
		if e.dimension.rowKey != nil && e.before.memberships == nil && e.before.member != (pipeline.Hash{}) {
			e.before.memberships = []membership{{e.before.member, math.MaxInt64, noTime, noTime}} // the state is from before they were kept
		}
		e.now = e.before
		e.now.memberships = slices.Clone(e.before.memberships)
	}
	for i := range s.tracks {
		if err := s.track(&s.tracks[i]); err != nil {
			return err
		}
	}
	for i := range s.left {
		if err := s.leave(&s.left[i]); err != nil {
			return err
		}
	}
	t.join()
	s.touchTracked()
	return nil
}

// track brings a row to what it is now.
func (s *step) track(c *trackedChange) error {
	member, dead, _, err := s.memberOfRow(c)
	if err != nil {
		return err
	}
	i, _ := s.tracked.index.Get(c.hash)
	e := &s.tracked.all[i]
	e.now.member, e.now.dead = member, dead
	return nil
}

// leave notes when the last item took a natural key of a row back, or that one has it
// again.
func (s *step) leave(c *trackedChange) error {
	member, _, at, err := s.memberOfRow(c)
	if err != nil || member == (pipeline.Hash{}) {
		return err
	}
	i, _ := s.tracked.index.Get(c.hash)
	s.tracked.said = append(s.tracked.said, saidMembership{membership: membership{member, math.MaxInt64, noTime, at}, row: i, settled: true})
	return nil
}

// memberOfRow returns the member of a row's natural key, zero where that has a null,
// and whether and when the row was deleted.
func (s *step) memberOfRow(c *trackedChange) (member pipeline.Hash, dead bool, at int64, err error) {
	d := c.dimension
	s.values = packed.SplitRow(s.values[:0], c.row, d.rows.widths)
	n := len(d.naturalKey)
	dead, at = c.gone || s.values[n] != nil && s.values[n][0] == 1, noTime
	if deleted := s.values[n+1]; deleted != nil {
		at = int64(binary.LittleEndian.Uint64(deleted))
	} else if dead {
		at = c.version.Time // time to live took it out: it has no flags
	}
	naturalKey := s.values[:n]
	if slices.ContainsFunc(naturalKey, func(v []byte) bool { return v == nil }) {
		return member, dead, at, nil
	}
	i, err := s.members.touch(d, naturalKey)
	if err != nil {
		return member, dead, at, err
	}
	return s.members.all[i].hash, dead, at, nil
}

// join brings the memberships of rows to what the epoch says of them.
func (t *trackedRows) join() {
	slices.SortStableFunc(t.said, func(a, b saidMembership) int { return cmp.Compare(a.row, b.row) })
	for from := 0; from < len(t.said); {
		to := from + 1
		for to < len(t.said) && t.said[to].row == t.said[from].row {
			to++
		}
		t.all[t.said[from].row].now.join(t.said[from:to])
		from = to
	}
}

// touchTracked touches the members of tracked rows that change.
func (s *step) touchTracked() {
	for i := range s.tracked.all {
		e := &s.tracked.all[i]
		if e.before.member != (pipeline.Hash{}) {
			s.members.touchHash(e.dimension, e.before.member)
		}
		e.eachDeparture(func(member pipeline.Hash, _ int64) { s.members.touchHash(e.dimension, member) })
	}
}

// eachDeparture calls f for each member of which the row's departure has changed.
func (e *trackedEntry) eachDeparture(f func(member pipeline.Hash, at int64)) {
	before := e.before.departures()
	for _, now := range e.now.departures() {
		for len(before) > 0 && before[0].member.Less(now.member) {
			before = before[1:] // a membership never goes; it may only become known
		}
		if len(before) == 0 || before[0] != now {
			f(now.member, now.at)
		}
	}
}

// applyTracked brings the loaded members to what their tracked rows are now, and
// writes these to the state.
func (s *step) applyTracked() error {
	for i := range s.tracked.all {
		e := &s.tracked.all[i]
		if e.before.member != e.now.member || e.before.dead != e.now.dead || !e.known {
			if e.known {
				s.countRow(e, &e.before, -1)
			}
			s.countRow(e, &e.now, 1)
		}
		if e.dimension.onDelete == pipeline.Flag {
			e.eachDeparture(func(member pipeline.Hash, at int64) {
				m := s.memberOf(member)
				m.raise(e.hash)
				if at != noTime {
					m.bury(e.hash, at)
				}
				m.version, m.changed = e.version, true
			})
		}
		if e.dimension.rowKey == nil {
			e.now.memberships = nil
		}
		if e.known && e.now.equal(&e.before) {
			continue
		}
		s.scratch = e.now.append(s.scratch[:0])
		if err := s.members.long.Put(e.hash, e.long, s.scratch); err != nil {
			return err
		}
	}
	s.tracked.reset()
	return nil
}

// countRow adds the row to the rows of its member, or takes it away.
func (s *step) countRow(e *trackedEntry, r *trackedRow, n int64) {
	if r.dead || r.member == (pipeline.Hash{}) {
		return
	}
	m := s.memberOf(r.member)
	m.live += n
	m.version, m.changed = e.version, true
}

// memberOf returns the entry of a member that was touched.
func (s *step) memberOf(h pipeline.Hash) *memberEntry {
	at, _ := s.members.index.Get(h)
	return &s.members.all[at]
}
