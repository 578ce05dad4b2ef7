package star

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// trackedRow is what the state keeps of a row of a table whose deletes matter to a
// dimension.
type trackedRow struct {
	member  pipeline.Hash // of its natural key; zero = that has a null
	deleted bool
	// memberships are those of a flagged dimension, one for each natural key that items
	// ever gave the row; those that were given last are first. Where the natural key is
	// part of the row's key there is only one, which the state does not keep.
	memberships []membership
}

// membership is what is known of the time in which a row was one of a member's. Several
// items may feed one row and give it different natural keys; the row has that of the newest.
type membership struct {
	member pipeline.Hash // zero = the natural key has a null
	first  int64         // when an item gave the row the natural key for the first time, µs since 1970; math.MaxInt64 = not known
	last   int64         // and for the last time; noTime = not known
	ended  int64         // when the last item took it back; noTime = one has it still
}

func (r *trackedRow) append(b []byte) []byte {
	dead := byte(0)
	if r.deleted {
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
	r := trackedRow{deleted: c.U8() == 1, member: c.Hash()}
	for len(c.B) > 0 {
		r.memberships = append(r.memberships, membership{c.Hash(), int64(c.U64()), int64(c.U64()), int64(c.U64())})
	}
	return r
}

func (r *trackedRow) equal(o *trackedRow) bool {
	return r.member == o.member && r.deleted == o.deleted && slices.Equal(r.memberships, o.memberships)
}

// memberDeparture is when a row left a member; noTime = it is one of the member's, or nobody
// knows.
type memberDeparture struct {
	member pipeline.Hash
	at     int64
}

// departures returns when the row left each of its members, sorted by member.
//
// A row left a member when the last item took the natural key back. As long as an item has
// it, but another item's natural key is newer, the row left when that one took its place. The
// keys that may have done so are those that were given after the member's was given last; the
// row left when one of them was given for the first time, and no earlier than the member's
// last time.
//
// This is a function of minima and maxima over all changes, so the order in which they come
// plays no part. The exact moment does not have that: where two keys take turns, it is the
// first change after the member's last one, and a late change of the member would ask for the
// time of every change since.
func (r *trackedRow) departures() []memberDeparture {
	all := make([]memberDeparture, 0, len(r.memberships))
	next := int64(math.MaxInt64) // the least first time of those given later
	for from := 0; from < len(r.memberships); {
		to := from + 1
		for to < len(r.memberships) && r.memberships[to].last == r.memberships[from].last {
			to++
		}
		for i := from; i < to; i++ {
			if member := r.memberships[i].member; member != (pipeline.Hash{}) {
				all = append(all, memberDeparture{member, r.departed(i, next)})
			}
		}
		for i := from; i < to; i++ {
			next = min(next, r.memberships[i].first)
		}
		from = to
	}
	slices.SortFunc(all, func(a, b memberDeparture) int { return a.member.Compare(b.member) })
	return all
}

// departed returns when the row left the member of membership i. next is the first time of
// the natural keys that were given later; math.MaxInt64 = there are none.
func (r *trackedRow) departed(i int, next int64) int64 {
	switch m := &r.memberships[i]; {
	case !r.deleted && r.member == m.member:
		return noTime
	case m.ended != noTime:
		return m.ended
	case next == math.MaxInt64:
		return m.last
	default:
		return max(m.last, next)
	}
}

// update takes what an epoch says of the row's memberships, in any order.
func (r *trackedRow) update(updates []membershipUpdate) {
	all := r.memberships
	for i := range updates {
		all = append(all, updates[i].membership)
	}
	slices.SortStableFunc(all, func(a, b membership) int { return a.member.Compare(b.member) })
	known := all[:0]
	for _, m := range all {
		if n := len(known); n > 0 && known[n-1].member == m.member {
			o := &known[n-1]
			o.first, o.last = min(o.first, m.first), max(o.last, m.last)
			continue
		}
		known = append(known, m)
	}
	for i := range updates {
		if u := &updates[i]; u.ends {
			at, _ := slices.BinarySearchFunc(known, u.member, func(m membership, h pipeline.Hash) int { return m.member.Compare(h) })
			known[at].ended = u.ended
		}
	}
	slices.SortFunc(known, func(a, b membership) int { return cmp.Or(cmp.Compare(b.last, a.last), a.member.Compare(b.member)) })
	r.memberships = known
}
