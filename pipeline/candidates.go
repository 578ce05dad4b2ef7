package pipeline

import (
	"cmp"
	"slices"
)

// Image is what is known of an item at one moment.
type Image struct {
	Hash  uint64 // as of Version; 0 = there is no item
	Known bool
	// Others are the images that it may be as well: only the order of arrival says that it
	// is Hash.
	Others []uint64
	// Inputs says that several inputs may bring the changes that follow it, each with a way of its own to
	// identify them: see Newest.
	Inputs bool
}

// otherImagesMax bounds Image.Others.
const otherImagesMax = 16

// Candidate is a change that is the newest of its item, or may turn out to be when another
// change of the same time arrives.
type Candidate struct {
	Version
	VersionOnly bool // the rows of the change are not stored: only its version still matters
}

// AddCandidate adds a change to others of one item and time, and reports whether that
// changed them. It does not if the change was delivered before, or if a sequence number or
// the order of arrival says that it is older than one of them. Where these say that it is
// newer than one, it replaces that one.
func AddCandidate[T any](changes []T, of func(*T) *Candidate, change T) ([]T, bool) {
	n := len(changes)
	changes = append(changes, change) // a pointer to the parameter would cost memory of its own
	v := of(&changes[n])
	for i := range n {
		o := of(&changes[i])
		if v.Same(&o.Version) {
			if v.Partition > o.Partition || v.Partition == o.Partition && v.Ordinal >= o.Ordinal {
				return changes[:n], false
			}
			o.Partition, o.Ordinal = v.Partition, v.Ordinal // this was the first delivery
			return changes[:n], true
		}
		if order, known := v.compare(&o.Version); known {
			if order <= 0 {
				return changes[:n], false
			}
			changes[i] = changes[n]
			return changes[:n], true
		}
	}
	return changes, true
}

// Newest puts the newest of some candidates first. They are of one item and time, and were
// collected by [AddCandidate]; before is the item before that time. It marks those as
// VersionOnly that can't become the newest any more, or only after another change has
// brought the same image. The result depends on the set, not on the order of the slice.
//
// Where all have sequence numbers, the greatest is the newest. Where one input brings some without, images play no part,
// and only the one with the greatest sequence number competes with those. Otherwise each change is
// an edge from its old image to its new one, and what has happened is a walk that
// begins at the image before and uses every edge; there being no item is one more
// image. Where no walk begins there, those do that lack the fewest changes. If all
// such walks end at one image, a change that leads to it is the newest. Of the
// images that they may end at, and of all where there is no such walk, the one that
// arrived last in its partition is the newest, and of those of several partitions
// the one with the greatest sequence number, or else the greatest content. Where old images are
// missing, the greatest sequence number goes before all that.
//
// Where there are several inputs (Image.Inputs), changes that they identify in different ways, and that lead from and
// to the same images, are taken for one write: it is one edge (see mergeWrites).
func Newest[T any](changes []T, of func(*T) *Candidate, before Image) []T {
	if len(changes) == 1 {
		return changes
	}
	cs := make([]*Candidate, len(changes))
	for i := range changes {
		cs[i] = of(&changes[i])
	}
	newest, _ := newestOf(cs, before)
	markVersionOnly(cs, newest, before)
	changes[0], changes[newest] = changes[newest], changes[0]
	return changes
}

// After returns the image after changes of one item and time.
func After[T any](changes []T, of func(*T) *Candidate, before Image) Image {
	if len(changes) == 1 {
		return Image{Hash: of(&changes[0]).New, Known: true, Inputs: before.Inputs}
	}
	cs := make([]*Candidate, len(changes))
	for i := range changes {
		cs[i] = of(&changes[i])
	}
	newest, others := newestOf(cs, before)
	return Image{Hash: cs[newest].New, Known: true, Others: others, Inputs: before.Inputs}
}

// Sort sorts changes of one item and time, not put together by AddCandidate, the newest
// first: each is the newest of itself and those behind it.
func Sort[T any](changes []T, of func(*T) *Candidate, before Image) {
	cs := make([]*Candidate, len(changes))
	for i := range changes {
		cs[i] = of(&changes[i])
	}
	if !before.Inputs || withoutImages(cs, before) || !severalIdentities(cs) {
		sortWrites(changes, of, before)
		return
	}
	index := make(map[*Candidate]T, len(cs))
	for i, c := range cs {
		index[c] = changes[i]
	}
	writes := writesOf(cs)
	sortWrites(writes, func(w **write) *Candidate { return &(*w).edge }, before)
	sorted := make([]T, 0, len(changes))
	for _, w := range writes {
		first := w.candidate()
		sorted = append(sorted, index[first])
		for _, c := range slices.Backward(w.from[:]) {
			if c != nil && c != first {
				sorted = append(sorted, index[c])
			}
		}
	}
	copy(changes, sorted)
}

// sortWrites is Sort for changes each of which is a write of its own.
func sortWrites[T any](changes []T, of func(*T) *Candidate, before Image) {
	sequences := true
	cs, order := make([]*Candidate, len(changes)), make([]int32, len(changes))
	for i := range changes {
		cs[i], order[i] = of(&changes[i]), int32(i)
		sequences = sequences && cs[i].Seq != ""
	}
	slices.SortFunc(order, func(a, b int32) int {
		v, o := &cs[a].Version, &cs[b].Version
		if sequences {
			order, _ := o.compare(v)
			return order
		}
		return cmp.Or(cmp.Compare(o.Ordinal, v.Ordinal), o.compareArrival(v))
	})
	sorted := make([]T, len(changes))
	for i, from := range order {
		sorted[i] = changes[from]
	}
	copy(changes, sorted)
	if sequences {
		return
	}
	for from := range min(len(changes)-1, imageSortedMax) {
		rest := cs[from:]
		for i := range rest {
			rest[i] = of(&changes[from+i])
		}
		if from == 0 && isWalk(rest, before) {
			return
		}
		newest := from
		if withoutImages(rest, before) {
			n, _ := newestWithoutImages(rest)
			newest += n
		} else {
			n, _ := newestWrite(rest, rest, before)
			newest += n
		}
		first := changes[newest]
		copy(changes[from+1:newest+1], changes[from:newest])
		changes[from] = first
	}
}

// imageSortedMax is how many changes of one item and time are sorted by their images,
// those behind them by their arrival.
const imageSortedMax = 64

// isWalk reports whether candidates in this order, the newest first, form a walk over their
// images, or are in an order that needs no images.
func isWalk(cs []*Candidate, before Image) bool {
	for i, c := range cs {
		was := before
		if i+1 < len(cs) {
			next := &cs[i+1].Version
			if order, known := c.compare(next); known {
				if order < 0 {
					return false
				}
				continue
			}
			if c.Partition != next.Partition || c.Imageless() || next.Imageless() {
				return false
			}
			was = Image{Hash: next.New, Known: true}
		}
		switch {
		case !was.Known:
		case c.HasOld && c.Old != was.Hash, c.Existed && was.Hash == 0:
			return false
		}
	}
	return true
}

// newestOf returns the number of the newest candidate, and the images of others
// that arrival alone has put behind it.
func newestOf(cs []*Candidate, before Image) (newest int, others []uint64) {
	if withoutImages(cs, before) {
		return newestWithoutImages(cs)
	}
	writes, edges := mergeWrites(cs, before)
	newest, others = newestWrite(writes, edges, before)
	return slices.Index(cs, writes[newest]), others
}

// newestWrite is newestOf for writes, with an edge of each.
func newestWrite(writes, edges []*Candidate, before Image) (newest int, others []uint64) {
	g := newImageGraph(edges, before)
	ends, possible := g.ends(edges, before)
	leadsToEnd := func(c *Candidate) bool { return ends == nil || ends[g.node(c.New)] }
	newest = lastArrived(writes, leadsToEnd)
	// A walk with jumps is little more than a guess; sequence numbers are none.
	if last := lastSequenced(writes); last >= 0 && (g.jumpsTotal > 0 || leadsToEnd(writes[last])) {
		newest = last
	}
	for i, image := range g.images {
		if image != writes[newest].New && len(others) < otherImagesMax && (possible == nil || possible[i]) {
			others = append(others, image)
		}
	}
	return newest, others
}

// withoutImages reports whether images play no part: where older candidates are not kept, there is no
// walk over all. That is so where all have sequence numbers, of plain JSON, and where one input brings
// changes with sequence numbers and without. Those of another input are all there.
func withoutImages(cs []*Candidate, before Image) bool {
	sequences := 0
	for _, c := range cs {
		if c.ByArrival {
			return true
		}
		if c.Seq != "" {
			sequences++
		}
	}
	if sequences == 0 || sequences == len(cs) || !before.Inputs {
		return sequences > 0
	}
	sequenced := make(map[uint16]bool, 1)
	for _, c := range cs {
		if c.Seq != "" {
			sequenced[c.Partition] = true
		}
	}
	return slices.ContainsFunc(cs, func(c *Candidate) bool { return c.Seq == "" && sequenced[c.Partition] })
}

// lastSequenced returns the number of the candidate with the greatest sequence number; -1 = none has one.
func lastSequenced(cs []*Candidate) int {
	last := -1
	for i, c := range cs {
		if c.Seq == "" {
			continue
		}
		if last >= 0 {
			if order, _ := c.compare(&cs[last].Version); order < 0 {
				continue
			}
		}
		last = i
	}
	return last
}

// newestWithoutImages is newestOf where images play no part. Of those with sequence numbers only the last
// may be the newest, whatever others there are.
func newestWithoutImages(cs []*Candidate) (newest int, others []uint64) {
	last, decided := 0, true
	for i := range cs {
		order, known := cs[i].compare(&cs[last].Version)
		if decided = decided && known; known && order > 0 || cs[last].Seq == "" && cs[i].Seq != "" {
			last = i
		}
	}
	if decided {
		return last, nil
	}
	candidate := func(c *Candidate) bool { return c == cs[last] || c.Seq == "" }
	newest = lastArrived(cs, candidate)
	for _, c := range cs {
		if c.New != cs[newest].New && len(others) < otherImagesMax && candidate(c) && !slices.Contains(others, c.New) {
			others = append(others, c.New)
		}
	}
	return newest, others
}

// lastArrived returns the number of the candidate that arrived last; of all candidates, if
// the candidates are VersionOnly.
func lastArrived(cs []*Candidate, candidate func(*Candidate) bool) int {
	order := make([]int, 0, len(cs))
	for i, c := range cs {
		if !c.VersionOnly && (candidate == nil || candidate(c)) {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		if candidate == nil {
			return 0
		}
		return lastArrived(cs, nil)
	}
	slices.SortFunc(order, func(a, b int) int { return cs[a].compareArrival(&cs[b].Version) })
	best := -1
	for at, i := range order {
		if at+1 < len(order) && cs[order[at+1]].Partition == cs[i].Partition {
			continue
		}
		if best < 0 || cmp.Or(cs[i].compareContent(&cs[best].Version), cmp.Compare(cs[i].Partition, cs[best].Partition)) > 0 {
			best = i
		}
	}
	return best
}

// wholeCandidatesMax is the number of candidates that are kept whole because they arrived
// last.
const wholeCandidatesMax = 32

// markVersionOnly marks candidates as VersionOnly where there are very many. Changes that
// come later can make another image the last one only if one of them leads to that image, so
// the rows come with it; the exception are images to which more of the known changes lead
// than away from them, of which one candidate stays whole. If the image before is not what
// was assumed, the last arrivals decide: those stay whole too.
func markVersionOnly(cs []*Candidate, newest int, before Image) {
	if len(cs) <= wholeCandidatesMax {
		return
	}
	_, edges := mergeWrites(cs, before)
	g := newImageGraph(edges, before)
	if before.Known {
		g.balance[g.node(before.Hash)]++
	}
	order := make([]int, len(cs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(cs[b].Ordinal, cs[a].Ordinal), cs[b].compareArrival(&cs[a].Version))
	})
	for at, i := range order {
		c := cs[i]
		node := g.node(c.New)
		switch {
		case i == newest, at < wholeCandidatesMax, c.New == 0, c.Seq != "", c.VersionOnly:
		case g.balance[node] > 0:
			g.balance[node] = 0 // this candidate stays whole, and is the only one of its image
		default:
			c.VersionOnly = true
		}
	}
}
