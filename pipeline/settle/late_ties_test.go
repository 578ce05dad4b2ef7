package settle

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// drawLate draws histories whose changes come in any order, each of which can end in
// one way only: a change at time 1, some times later on with several.
func drawLate(n int, seed uint64) []*tied {
	r := rand.New(rand.NewPCG(seed, 1))
	histories := make([]*tied, n)
	for i := range histories {
		h := &tied{item: fmt.Sprint("i", i), views: "old images"}
		now, id := uint64(0), uint32(0)
		for at, most := range []int{1, 1, 3, 3} {
			var group []event
			for range 1 + r.IntN(most) {
				id++
				e := event{item: h.item, time: int64(at + 1), id: id, hasOld: true, old: tiedImage(h.item, now)}
				if now = 1 + (now+r.Uint64N(3))%4; e.old.hash != 0 && r.IntN(3) == 0 {
					now = 0
				}
				e.new = tiedImage(h.item, now)
				group = append(group, e)
			}
			h.truth, h.events = append(h.truth, group), append(h.events, group...)
		}
		r.Shuffle(len(h.events), func(i, j int) { h.events[i], h.events[j] = h.events[j], h.events[i] })
		for i := range h.events {
			h.events[i].ordinal = int64(i)
		}
		histories[i] = h
	}
	return histories
}

// TestLateTies: a change that comes late, and is newer than what is forgotten of the
// item, tells where the changes of a later time begin, though only one of those was
// known when older ones were forgotten.
func TestLateTies(t *testing.T) {
	ties, seed := drawTies(t)
	histories := drawLate(len(ties)/5, seed)
	for _, size := range []int{0, 1, 2} {
		table := settleTied(t, histories, size)
		mt := newPolicyHarness(t, pipeline.Policy{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Delete})
		for epoch := range 8 {
			var events []event
			for _, h := range histories {
				events = append(events, h.cut(size, epoch)...)
			}
			mt.take(batchOf(events))
		}
		for _, h := range histories {
			last := h.truth[len(h.truth)-1]
			want := last[len(last)-1].new.hash
			got := tiedImage(h.item, uint64(table[h.item])).hash
			row := ""
			if want != 0 {
				row = fmt.Sprintf("%s|%d", h.item, want/0x1234567)
			}
			if got != want || mt.rows()[h.item] != row {
				t.Fatalf("-ties.seed %d, epochs of %d: %s: is %d, and merged %q, want %q", seed, size, h.show(), table[h.item], mt.rows()[h.item], row)
			}
		}
	}
}

// TestFirstRowOfLateTies: the same holds for what is the first row since a removal
// that comes last.
func TestFirstRowOfLateTies(t *testing.T) {
	bare := func(hash uint64) image { return image{hash: hash} }
	full := func(n int64) image { return image{hash: uint64(n), rows: map[string]int64{"a": n}} }
	var events []event
	for i, c := range []struct {
		time     int64
		old, new image
	}{
		{1, image{}, bare(1)}, {3, full(3), full(4)}, {4, full(5), full(4)}, {3, bare(2), full(3)}, {4, full(4), full(5)}, {3, image{}, bare(2)}, {2, bare(1), image{}},
	} {
		events = append(events, event{item: "a", time: c.time, id: uint32(i + 1), ordinal: int64(i), hasOld: true, old: c.old, new: c.new})
	}
	for _, size := range []int{1, 2, len(events)} {
		mt := newPolicyHarness(t, pipeline.Policy{Merge: pipeline.First, OnDelete: pipeline.Delete})
		for rest := events; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			mt.take(batchOf(rest[:min(size, len(rest))]))
		}
		if mt.rows()["a"] != "a|3" {
			t.Errorf("epochs of %d: the row is %q, want that of the first change after the removal, a|3", size, mt.rows()["a"])
		}
	}
}
