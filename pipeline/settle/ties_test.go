package settle

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

var (
	tieSeed      = flag.Uint64("ties.seed", 0, "seed of the histories with ties; 0 = another one each time")
	tieHistories = flag.Int("ties.histories", 10_000, "histories with ties")
)

// tied is the history of an item, with several changes at one time, as it is
// delivered.
type tied struct {
	item    string
	events  []event   // in the order of delivery
	truth   [][]event // by time
	ordered bool      // those of one time are delivered as they happened, by one partition
	views   string
}

// drawTied draws a history of one to three times.
func drawTied(r *rand.Rand, item string) *tied {
	h := &tied{item: item, views: []string{"old images", "new images", "some old images", "sequences", "some sequences"}[r.IntN(5)]}
	now := uint64(0)
	if r.IntN(3) == 0 { // there was something before what is read begins
		now = 1 + r.Uint64N(3)
	}
	id := uint32(0)
	for at := range 1 + r.IntN(3) {
		var group []event
		for range 1 + r.IntN(4) {
			id++
			e := event{item: item, time: int64(at + 1), id: id, old: tiedImage(item, now)}
			if now = 1 + r.Uint64N(3); e.old.hash != 0 && r.IntN(3) == 0 {
				now = 0
			}
			e.new = tiedImage(item, now)
			switch e.hasOld = true; {
			case h.views == "sequences" || h.views == "some sequences" && r.IntN(2) == 0:
				e.seq, e.id = fmt.Sprint(90+7*id), 0
			case e.old.hash != 0 && (h.views == "new images" || h.views == "some old images" && r.IntN(2) == 0):
				e.hasOld, e.existed, e.old = false, true, image{}
			}
			group = append(group, e)
		}
		h.truth = append(h.truth, group)
	}
	h.deliver(r)
	return h
}

func tiedImage(item string, n uint64) image {
	if n == 0 {
		return image{}
	}
	return image{hash: n * 0x1234567, rows: map[string]int64{item: int64(n)}}
}

// deliver draws the order of delivery: shuffled within a time or not, by one or two
// partitions, some again, and maybe a change of an earlier time last.
func (h *tied) deliver(r *rand.Rand) {
	shuffled, partitions := r.IntN(2) == 0, 1+r.IntN(2)
	h.ordered = !shuffled && partitions == 1
	for _, group := range h.truth {
		order := slices.Clone(group)
		if shuffled {
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		h.events = append(h.events, order...)
	}
	if n := len(h.truth); n > 1 && r.IntN(3) == 0 {
		late := r.IntN(len(h.events) - len(h.truth[n-1]))
		e := h.events[late]
		h.ordered = h.ordered && e.id == h.truth[e.time-1][len(h.truth[e.time-1])-1].id // it was the last of its time anyway
		h.events = append(slices.Delete(h.events, late, late+1), e)
	}
	for i := range h.events {
		h.events[i].partition = uint16(r.IntN(partitions))
	}
	for r.IntN(3) == 0 { // again, at any time after
		i := r.IntN(len(h.events))
		h.events = slices.Insert(h.events, i+1+r.IntN(len(h.events)-i), h.events[i])
	}
	ordinals := map[uint16]int64{}
	for i := range h.events {
		e := &h.events[i]
		e.ordinal = ordinals[e.partition]
		ordinals[e.partition]++
	}
}

// ends is the model: the images that the item may be left with, when nothing but the
// set of changes is known, by trying all orders of the changes of each time. Without
// an image before the first time any is possible.
func (h *tied) ends() map[uint64]bool {
	starts := map[uint64]bool{}
	for n := range uint64(5) {
		starts[tiedImage(h.item, n).hash] = true
	}
	for _, group := range h.truth {
		ends := map[uint64]bool{}
		if slices.ContainsFunc(group, func(e event) bool { return e.seq != "" }) {
			lastOfSome(group, ends)
			starts = ends
			continue
		}
		for start := range starts {
			walkTied(group, make([]bool, len(group)), start, len(group), ends)
		}
		starts = ends
	}
	return starts
}

// lastOfSome is the model where changes have sequence numbers: any that has none may
// be the last, and of the others the one with the greatest.
func lastOfSome(group []event, ends map[uint64]bool) {
	var last *event
	for i := range group {
		if e := &group[i]; e.seq == "" {
			ends[e.new.hash] = true
		} else {
			last = e
		}
	}
	ends[last.new.hash] = true
}

func walkTied(group []event, done []bool, now uint64, left int, ends map[uint64]bool) {
	if left == 0 {
		ends[now] = true
		return
	}
	for i := range group {
		e := &group[i]
		if done[i] || e.hasOld && e.old.hash != now || e.existed && now == 0 {
			continue
		}
		done[i] = true
		walkTied(group, done, e.new.hash, left-1, ends)
		done[i] = false
	}
}

// cut returns the history's part of an epoch; size = 0 is all of it.
func (h *tied) cut(size, epoch int) []event {
	if size == 0 {
		size = len(h.events)
	}
	from := min(len(h.events), size*epoch)
	return h.events[from:min(len(h.events), from+size)]
}

// settleTied settles all histories side by side, each in epochs of a size, and
// returns the rows by item.
func settleTied(t *testing.T, histories []*tied, size int) map[string]int64 {
	h := newHarness(t, t.TempDir(), 64<<20)
	defer func() { h.check(h.store.Close()) }()
	for epoch := 0; ; epoch++ {
		var events []event
		for _, history := range histories {
			events = append(events, history.cut(size, epoch)...)
		}
		if len(events) == 0 {
			return h.table()
		}
		h.epoch(events, len(events))
		if epoch == 2 {
			h.restart()
		}
	}
}

func drawTies(t *testing.T) ([]*tied, uint64) {
	seed := *tieSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-ties.seed %d", seed)
	n := *tieHistories
	if raceEnabled {
		n /= 5
	}
	r := rand.New(rand.NewPCG(seed, 0))
	histories := make([]*tied, n)
	for i := range histories {
		histories[i] = drawTied(r, fmt.Sprint("i", i))
	}
	return histories, seed
}

// TestTies: what arrives in one partition as it happened ends at what the last
// change says. Of anything else, an item ends where some order of its changes does in
// which each finds the image that it says it found, and that is the same wherever
// epochs are cut.
func TestTies(t *testing.T) {
	histories, seed := drawTies(t)
	bySize := map[int]map[string]int64{}
	for _, size := range []int{0, 1, 2} {
		bySize[size] = settleTied(t, histories, size)
	}
	decided := 0
	for _, h := range histories {
		last := h.truth[len(h.truth)-1]
		truth := last[len(last)-1].new.hash
		ends := h.ends()
		if !ends[truth] {
			t.Fatalf("%s: the model excludes the truth", h.show())
		}
		if len(ends) == 1 {
			decided++
		}
		for size, table := range bySize {
			end := tiedImage(h.item, uint64(table[h.item])).hash
			what := fmt.Sprintf("-ties.seed %d, epochs of %d: %s: is %d", seed, size, h.show(), table[h.item])
			switch {
			case h.ordered && end != truth:
				t.Errorf("%s, not what the last change says", what)
			case !ends[end]:
				t.Errorf("%s, of the images %v", what, slices.Sorted(maps.Keys(ends)))
			case table[h.item] != bySize[0][h.item]:
				t.Errorf("%s, in one epoch %d", what, bySize[0][h.item])
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d histories can end in one way only", decided, len(histories))
}

// TestTiesOfPolicies: rows that a policy settles follow the same order.
func TestTiesOfPolicies(t *testing.T) {
	histories, seed := drawTies(t)
	histories = histories[:len(histories)/2]
	for _, size := range []int{0, 1} {
		want := settleTied(t, histories, size)
		for _, p := range []pipeline.Policy{
			{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Delete},
			{TTLDeletes: pipeline.TTLDeletes{Set: true, Fate: pipeline.Keep}}, // of items that do not expire
		} {
			rows := settleTiedBy(t, histories, size, p)
			for _, h := range histories {
				row := ""
				if n := want[h.item]; n > 0 {
					row = fmt.Sprintf("%s|%d", h.item, n)
				}
				if rows[h.item] != row {
					t.Fatalf("-ties.seed %d, epochs of %d: %s: by %+v the row is %q, want %q", seed, size, h.show(), p, rows[h.item], row)
				}
			}
		}
	}
}

// settleTiedBy is settleTied by a policy.
func settleTiedBy(t *testing.T, histories []*tied, size int, p pipeline.Policy) map[string]string {
	mt := newPolicyHarness(t, p)
	for epoch := 0; ; epoch++ {
		var events []event
		for _, h := range histories {
			events = append(events, h.cut(size, epoch)...)
		}
		if len(events) == 0 {
			return mt.rows()
		}
		mt.take(batchOf(events))
	}
}

// show writes what was delivered: time, partition, event and images.
func (h *tied) show() (text string) {
	image := func(i image) uint64 { return i.hash / 0x1234567 }
	for _, e := range h.events {
		old := fmt.Sprint(image(e.old))
		if !e.hasOld {
			old = "?"
		}
		text += fmt.Sprintf(" t%d/%d e%d%s:%s→%d", e.time, e.partition, e.id, e.seq, old, image(e.new))
	}
	return h.views + text
}
