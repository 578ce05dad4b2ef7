package star

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// membershipEvent is a change that says something of a row's membership.
type membershipEvent struct {
	member byte
	at     int64
	ends   bool // the last item took the natural key back; otherwise one gave it
}

func (s membershipEvent) memberships(row int32) membershipUpdate {
	m := membershipUpdate{membership: membership{pipeline.Hash{Hi: uint64(s.member)}, s.at, s.at, noTime}, row: row}
	if s.ends {
		m.first, m.last, m.ended, m.ends = math.MaxInt64, noTime, s.at, true
	}
	return m
}

// TestDepartures: when a row left each of its members depends on what was said of it,
// not on the order or on where epochs are cut, and neither does what the state keeps.
func TestDepartures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []membershipEvent
		var last [5]int64
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			s := membershipEvent{member: byte(rapid.IntRange(0, 4).Draw(t, "member")), at: rapid.Int64Range(1, 9).Draw(t, "time")}
			last[s.member] = max(last[s.member], s.at)
			all = append(all, s)
		}
		ended := map[byte]int64{}
		for m, at := range last {
			if at > 0 && rapid.Bool().Draw(t, "ends") {
				ended[byte(m)] = at + rapid.Int64Range(0, 3).Draw(t, "after")
				all = append(all, membershipEvent{byte(m), ended[byte(m)], true})
			}
		}
		row := trackedRow{member: pipeline.Hash{Hi: uint64(rapid.IntRange(0, 4).Draw(t, "is of"))}, deleted: rapid.Bool().Draw(t, "is dead")}
		inOrder := joinAll(row, [][]membershipEvent{all})
		shuffled := rapid.Permutation(all).Draw(t, "shuffled")
		var epochs [][]membershipEvent
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "epoch")
			epochs, shuffled = append(epochs, shuffled[:n]), shuffled[n:]
		}
		other := joinAll(row, epochs)
		if a, b := inOrder.append(nil), other.append(nil); !bytes.Equal(a, b) {
			t.Fatalf("in order the state has\n%v, shuffled\n%v", inOrder, other)
		}
		for _, d := range other.departures() {
			m := byte(d.member.Hi)
			if want := departureOf(&row, all, ended, m); d.at != want {
				t.Fatalf("the row left %d at %d, want %d, of %v", m, d.at, want, all)
			}
		}
	})
}

func joinAll(row trackedRow, epochs [][]membershipEvent) trackedRow {
	for _, epoch := range epochs {
		rows := trackedPart{entries: []trackedEntry{{now: row}}}
		for _, s := range epoch {
			rows.updates = append(rows.updates, s.memberships(0))
		}
		rows.applyUpdates()
		row = decodeTracked(rows.entries[0].now.append(nil))
	}
	return row
}

// departureOf is the model of departures.
func departureOf(row *trackedRow, all []membershipEvent, ended map[byte]int64, member byte) int64 {
	if !row.deleted && row.member.Hi == uint64(member) {
		return noTime
	}
	if at, ok := ended[member]; ok {
		return at
	}
	given := func(m byte) (times []int64) {
		for _, s := range all {
			if s.member == m && !s.ends {
				times = append(times, s.at)
			}
		}
		return times
	}
	last, next := slices.Max(given(member)), int64(0)
	for m := range byte(5) {
		if times := given(m); len(times) > 0 && slices.Max(times) > last && (next == 0 || slices.Min(times) < next) {
			next = slices.Min(times)
		}
	}
	return max(last, next)
}
