package oracle

import (
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// Domain says which items a pipeline gets. Domains are small, so that items
// meet often: in keys, in natural keys, in times.
type Domain []Kind

// Kind is a type of item.
type Kind struct {
	Items      []Identity
	Attributes []Attribute
	Expires    bool // time to live removes items, too
}

// Identity is one item: its primary key, and attributes that never change.
type Identity struct{ Key, Fixed Image }

// Attribute is one that changes: it has one of the values.
type Attribute struct {
	Name   string
	Values []any
}

// Missing stands for an attribute that is not there.
var Missing any = missingValue{}

type missingValue struct{}

// Order is what decides between an item's changes of one time.
type Order int

// The orders.
const (
	ByTime     Order = iota // no two changes of an item have one time
	BySequence              // every change has a sequence number
	ByImages                // every change has its old image
	ByWrites                // every change is a write that two inputs bring, in seconds and finer (twoInputs)
	ByCircles               // as ByWrites, and images recur within a second, so that only its end is decided
)

// Histories draws what happens to some items of a domain: each one's changes in
// their order. bad reports whether an image would be a dead letter, members returns the members
// of dimensions that one brings.
func Histories(t *rapid.T, d Domain, order Order, oldImages bool, bad func(Image) bool, members func(Image) []string) [][]Change {
	h := history{t: t, order: order, oldImages: oldImages || order >= ByImages, bad: bad, members: members}
	var all [][]Change
	for _, k := range d {
		for _, id := range k.Items {
			if changes := h.draw(&k, id); len(changes) > 0 {
				all = append(all, changes)
			}
		}
	}
	return all
}

type history struct {
	t         *rapid.T
	order     Order
	oldImages bool
	bad       func(Image) bool
	members   func(Image) []string
}

// Start is the time at which histories begin, in µs since 1970; Tick is the unit
// of their times, two milliseconds: a millisecond lies between any two.
const (
	Start = 1_709_290_800_000_000 // 2024-03-01 11:00
	Tick  = 2000

	second = 1_000_000
)

func (h *history) draw(k *Kind, id Identity) []Change {
	var changes []Change
	var now Image
	tick, most := int64(Tick), 4
	if h.order >= ByWrites {
		tick, most = second, 8
	}
	at := Start + tick*int64(rapid.IntRange(0, 5).Draw(h.t, "first"))
	walk := []Image{nil} // the images that the item had at this time
	for i := range rapid.IntRange(0, most).Draw(h.t, "changes") {
		var next Image
		if now == nil || rapid.IntRange(0, 3).Draw(h.t, "remove") > 0 {
			next = h.image(k, id, now)
		}
		later := int64(rapid.IntRange(0, 3).Draw(h.t, "later"))
		if i > 0 && later == 0 && !h.tie(changes, walk, next) {
			later = 1
		}
		if later > 0 {
			walk = []Image{now}
		}
		walk = append(walk, next)
		at += later * tick
		c := Change{Key: id.Key, Time: at, New: next}
		if k.Expires && next == nil {
			c.TTL = rapid.Bool().Draw(h.t, "expired")
		}
		if h.order == BySequence || h.order >= ByWrites {
			c.Seq = int64(8 + 3*i) // from one digit to two
		}
		if h.order >= ByWrites {
			c.Finer = int64(i)*100 + int64(rapid.IntRange(0, 99).Draw(h.t, "finer")) // all within a millisecond
		}
		if now == nil || h.oldImages {
			c.Old, c.HasOld = now, true
		}
		changes = append(changes, c)
		now = next
	}
	return changes
}

// tie reports whether the next image may come at the time of the images before
// it. Of more than two changes the middle one may be missing in what a single
// row or member sees of them, and then the images tell nothing. Nor do they where the item
// had the middle image before: as long as what led away from it then is missing, the change
// from it may as well be the first, and the one to it the last.
func (h *history) tie(changes []Change, walk []Image, next Image) bool {
	switch h.order {
	case BySequence:
		return true
	case ByCircles:
		return !same(walk[len(walk)-1], next) && !slices.ContainsFunc(walk, h.bad) && !h.bad(next)
	case ByWrites: // where images recur, several orders are walks, and policies show which
		return !slices.ContainsFunc(walk, func(im Image) bool { return same(im, next) || h.bad(im) }) && !h.bad(next) && !h.returns(walk, next)
	case ByImages:
		return len(walk) == 2 && !h.bad(walk[1]) && !h.bad(next) &&
			!slices.ContainsFunc(walk, func(im Image) bool { return same(im, next) }) &&
			(same(walk[0], walk[1]) || !slices.ContainsFunc(changes[:len(changes)-1], func(c Change) bool { return same(c.New, walk[1]) }))
	default:
		return false
	}
}

// returns reports whether the next image brings a member that images before it brought at this
// time, but for the last one: what led from those to the next is missing in what the member sees.
func (h *history) returns(walk []Image, next Image) bool {
	brought := map[string]bool{}
	for _, im := range walk[1:] {
		for _, m := range h.members(im) {
			brought[m] = true
		}
	}
	last := h.members(walk[len(walk)-1])
	return slices.ContainsFunc(h.members(next), func(m string) bool { return brought[m] && !slices.Contains(last, m) })
}

// image draws an item's next image: a few attributes change.
func (h *history) image(k *Kind, id Identity, now Image) Image {
	next := maps.Clone(id.Key)
	maps.Copy(next, id.Fixed)
	for _, a := range k.Attributes {
		v, kept := now[a.Name]
		if now == nil || rapid.Bool().Draw(h.t, "redraw") {
			v = rapid.SampledFrom(a.Values).Draw(h.t, a.Name)
			kept = v != Missing
		}
		if kept {
			next[a.Name] = v
		}
	}
	return next
}
