package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// walkEnds is the model: the images that some order of the changes ends at in which
// each finds what it says it found, tried one order after the other. With a start
// that is not known, all images are tried, and one that no change speaks of.
func walkEnds(changes []Version, before Image) map[uint64]bool {
	ends := map[uint64]bool{}
	done := make([]bool, len(changes))
	var walk func(now uint64, left int)
	walk = func(now uint64, left int) {
		if left == 0 {
			ends[now] = true
			return
		}
		for i, c := range changes {
			if done[i] || c.HasOld && c.Old != now || c.Existed && now == 0 {
				continue
			}
			done[i] = true
			walk(c.New, left-1)
			done[i] = false
		}
	}
	if before.Known {
		walk(before.Hash, len(changes))
		return ends
	}
	for image := range uint64(5) {
		walk(image, len(changes))
	}
	return ends
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
// are several ends; however they are given, and whatever partitions they are of.
func TestNewestIsTheEndOfAWalk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
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
		ends := walkEnds(changes, before)
		got := Newest(contenders(changes), same, before)
		what := fmt.Sprintf("seed %d: of%s after %+v, which may end at %v, the newest is%s", seed, show(changes...), before, ends, show(got[0].Version))
		r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		if again := Newest(contenders(changes), same, before); again[0].Version != got[0].Version {
			t.Fatalf("%s, and in another order%s", what, show(again[0].Version))
		}
		loose := slices.ContainsFunc(changes, func(v Version) bool { return !v.HasOld && !v.Existed })
		if len(ends) == 0 {
			if before.Known && one(changes) && !loose && got[0].Ordinal != int64(len(changes)-1) {
				t.Fatalf("%s, which did not arrive last", what)
			}
			continue
		}
		if loose {
			continue // of such changes, some more ends are thought to be possible
		}
		if !ends[got[0].New] {
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
