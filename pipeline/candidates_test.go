package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// walkEnds is the model: the images that some order of the changes ends at in which
// each finds what it says it found, tried one order after the other. Where there is none
// from a known start, those of the orders in which the fewest do not find it: as many
// changes are missing. With a start that is not known, all images are tried, and one that
// no change speaks of.
func walkEnds(changes []Version, before Image) (ends map[uint64]bool, missing int) {
	done := make([]bool, len(changes))
	missing = len(changes)
	var walk func(now uint64, left, without int)
	walk = func(now uint64, left, without int) {
		switch {
		case without > missing:
			return
		case left == 0:
			if without < missing || ends == nil {
				ends, missing = map[uint64]bool{}, without
			}
			ends[now] = true
			return
		}
		for i, c := range changes {
			if done[i] {
				continue
			}
			done[i] = true
			if c.HasOld && c.Old != now || c.Existed && now == 0 {
				walk(c.New, left-1, without+1)
			} else {
				walk(c.New, left-1, without)
			}
			done[i] = false
		}
	}
	if before.Known {
		walk(before.Hash, len(changes), 0)
		return ends, missing
	}
	missing = 0
	for image := range uint64(5) {
		walk(image, len(changes), 0)
	}
	return ends, missing
}

// circles reports whether changes that know their old images have one that only another
// change leads to: any of its images may be the first then.
func circles(changes []Version, before Image) bool {
	to := func(image uint64) (n int) {
		if image == before.Hash {
			n++
		}
		for _, c := range changes {
			if c.New == image {
				n++
			}
			if c.Old == image {
				n--
			}
		}
		return n
	}
	reached := map[uint64]bool{before.Hash: true}
	for _, c := range changes {
		reached[c.Old] = reached[c.Old] || to(c.Old) < 0
	}
	for range changes {
		for _, c := range changes {
			either := reached[c.Old] || reached[c.New]
			reached[c.Old], reached[c.New] = either, either
		}
	}
	return slices.ContainsFunc(changes, func(c Version) bool { return !reached[c.New] })
}

// drawChange draws a change between few images.
func drawChange(r *rand.Rand, i int) Version {
	v := Version{Time: 1, New: r.Uint64N(4), Event: uint32(i + 1), Ordinal: int64(i)}
	switch r.IntN(4) {
	case 0:
		v.Existed = r.IntN(8) > 0
	default:
		v.HasOld, v.Old = true, r.Uint64N(4)
	}
	return v
}

func contenders(changes []Version) (cs []Candidate) {
	for _, v := range changes {
		cs, _ = AddCandidate(cs, same, Candidate{Version: v})
	}
	return cs
}

func same(c *Candidate) *Candidate { return c }

// TestNewestIsTheEndOfAWalk: where there are walks over all changes from the image
// before, the newest leads to the end of one, to that which arrived last if there
// are several ends; however they are given, and whatever partitions they are of. Where
// changes are missing, it does so of the walks that lack the fewest.
func TestNewestIsTheEndOfAWalk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	lacking := 0
	for range 20_000 {
		changes := make([]Version, 1+r.IntN(6))
		for i := range changes {
			changes[i] = drawChange(r, i)
			if r.IntN(8) == 0 {
				changes[i].Partition = 1
			}
		}
		before := Image{Hash: r.Uint64N(4), Known: r.IntN(3) > 0}
		if !before.Known {
			before.Hash = 0
		}
		ends, missing := walkEnds(changes, before)
		got := Newest(contenders(changes), same, before)
		what := fmt.Sprintf("seed %d: of%s after %+v, which may end at %v without %d, the newest is%s", seed, show(changes...), before, ends, missing, show(got[0].Version))
		r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		if again := Newest(contenders(changes), same, before); again[0].Version != got[0].Version {
			t.Fatalf("%s, and in another order%s", what, show(again[0].Version))
		}
		switch jumps := slices.ContainsFunc(changes, func(v Version) bool { return !v.HasOld }); {
		case len(ends) == 0:
			continue
		case slices.ContainsFunc(changes, func(v Version) bool { return !v.HasOld && !v.Existed }):
			continue // of such changes, some more ends are thought to be possible
		case missing > 0 && (jumps || circles(changes, before)):
			ends = nil // the order of arrival decides
		case missing > 0:
			lacking++
		}
		if ends != nil && !ends[got[0].New] {
			t.Fatalf("%s", what)
		}
		last := slices.MaxFunc(changes, func(a, b Version) int {
			if ends[a.New] != ends[b.New] {
				if ends[a.New] {
					return 1
				}
				return -1
			}
			return int(a.Ordinal - b.Ordinal)
		})
		if one(changes) && got[0].New != last.New {
			t.Fatalf("%s, and%s arrived later", what, show(last))
		}
	}
	if lacking < 100 {
		t.Errorf("seed %d: changes were missing only %d times", seed, lacking)
	}
}

// TestNewestWhereAChangeIsMissing: what leads away from the image before has not come, or is
// a dead letter. Images decide all the same where one end lacks fewer changes than others,
// whatever partitions the changes came by; otherwise the last to arrive is the newest.
func TestNewestWhereAChangeIsMissing(t *testing.T) {
	const b, c, d = 1, 2, 3
	changes := func(images ...[2]uint64) (vs []Version) {
		for i, im := range images {
			vs = append(vs, Version{Time: 1, HasOld: true, Old: im[0], New: im[1], Event: uint32(i + 1), Ordinal: int64(i)})
		}
		return vs
	}
	for _, tc := range []struct {
		what       string
		changes    []Version // in the order of arrival
		want, also uint64    // in one partition, and where each has its own
	}{
		{"the end comes first", changes([2]uint64{c, b}, [2]uint64{c, c}), b, b},
		{"the end comes last", changes([2]uint64{c, c}, [2]uint64{c, b}), b, b},
		{"the end comes first, elsewhere", changes([2]uint64{c, d}, [2]uint64{0, c}), d, d},
		{"a removal comes first", changes([2]uint64{d, 0}, [2]uint64{c, d}), 0, 0},
		{"what leads away is missing before", changes([2]uint64{c, b}, [2]uint64{b, d}), d, d},
		{"what leads back is missing between", changes([2]uint64{b, d}, [2]uint64{c, b}), b, d},
		{"a circle", changes([2]uint64{c, d}, [2]uint64{d, c}), c, d},
	} {
		before := Image{Hash: b, Known: true}
		if got := Newest(contenders(tc.changes), same, before)[0].New; got != tc.want {
			t.Errorf("%s: of%s after %d the newest is %d, want %d", tc.what, show(tc.changes...), b, got, tc.want)
		}
		for i := range tc.changes {
			tc.changes[i].Partition = uint16(i)
		}
		if got := Newest(contenders(tc.changes), same, before)[0].New; got != tc.also {
			t.Errorf("%s: of%s after %d the newest is %d, want %d", tc.what, show(tc.changes...), b, got, tc.also)
		}
	}
}

// TestArrivalInOrder: changes that arrive in one partition as they happened end at the
// last one, whatever is known of the images.
func TestArrivalInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	for range 20_000 {
		before := Image{Hash: r.Uint64N(3), Known: r.IntN(3) > 0}
		var changes []Version
		now := before.Hash
		for i := range 1 + r.IntN(8) {
			v := Version{Time: 1, HasOld: true, Old: now, New: r.Uint64N(3), Event: uint32(i + 1), Ordinal: int64(i)}
			if r.IntN(3) == 0 {
				v.HasOld, v.Old, v.Existed = false, 0, now != 0 && r.IntN(4) > 0
			}
			if r.IntN(10) == 0 {
				v.Seq = fmt.Sprint(100 + i)
			}
			now = v.New
			changes = append(changes, v)
		}
		if !before.Known {
			before.Hash = 0
		}
		r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		if got := Newest(contenders(changes), same, before); got[0].New != now {
			slices.SortFunc(changes, func(a, b Version) int { return int(a.Ordinal - b.Ordinal) })
			t.Fatalf("seed %d: of%s after %+v the newest is%s", seed, show(changes...), before, show(got[0].Version))
		}
	}
}

// TestArrivalInOrderWithDeadLetters: so do they where changes to some of the images are dead
// letters, and where the image before is as old as the last that was none.
func TestArrivalInOrderWithDeadLetters(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	for range 20_000 {
		dead := []uint64{r.Uint64N(5), r.Uint64N(5)}
		before := Image{Hash: r.Uint64N(5), Known: true}
		now := before.Hash
		if r.IntN(3) == 0 {
			now = dead[0]
		}
		if slices.Contains(dead, before.Hash) {
			continue
		}
		var changes []Version
		for i := range 2 + r.IntN(8) {
			next := r.Uint64N(5)
			if !slices.Contains(dead, next) {
				changes = append(changes, Version{Time: 1, HasOld: true, Old: now, New: next, Event: uint32(i + 1), Ordinal: int64(i)})
			}
			now = next
		}
		if len(changes) == 0 {
			continue
		}
		if got, last := Newest(contenders(changes), same, before), changes[len(changes)-1]; got[0].New != last.New {
			t.Fatalf("seed %d: of%s after %d, without changes to %v, the newest is%s", seed, show(changes...), before.Hash, dead, show(got[0].Version))
		}
	}
}

func one(changes []Version) bool {
	return !slices.ContainsFunc(changes, func(v Version) bool { return v.Partition != changes[0].Partition })
}

// show writes changes as ordinal, partition and images.
func show(changes ...Version) (text string) {
	for _, v := range changes {
		old := "?"
		switch {
		case v.HasOld:
			old = fmt.Sprint(v.Old)
		case v.Existed:
			old = "!"
		}
		text += fmt.Sprintf(" %d/%d:%s→%d", v.Ordinal, v.Partition, old, v.New)
	}
	return text
}
