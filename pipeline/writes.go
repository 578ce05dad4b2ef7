package pipeline

import (
	"cmp"
	"slices"
)

// A write of an item may come through several inputs, each of which identifies it in a way of its
// own: DynamoDB Streams by a sequence number, Kinesis by an eventID, exports not at all. Where their
// times are equal once they are cut to one unit, only the images tell that it is one write.

// identities is the number of ways in which inputs identify a change.
const identities = 3

// identity returns by what a record identifies its change among those with the same images, the better the
// greater.
func (v *Version) identity() int {
	switch {
	case v.Seq != "":
		return 2
	case v.Event != 0:
		return 1
	}
	return 0
}

// write is what may be one write of an item.
type write struct {
	from [identities]*Candidate // by identity; nil = it did not come through such an input
	edge Candidate              // what all of them tell together
}

// takes reports whether a candidate may be the same write. exact asks for equal images; otherwise one of
// the two may not know its old image.
func (w *write) takes(c *Candidate, exact bool) bool {
	e := &w.edge
	if w.from[c.identity()] != nil || e.New != c.New {
		return false
	}
	for _, o := range w.from {
		if o != nil && o.Partition == c.Partition {
			return false // one partition does not bring a write twice, but in the same way
		}
	}
	if e.HasOld == c.HasOld {
		return e.Old == c.Old && e.Existed == c.Existed
	}
	known, other := e, c
	if c.HasOld {
		known, other = c, e
	}
	return !exact && !(other.Existed && known.Old == 0)
}

// take adds a candidate that the write takes.
func (w *write) take(c *Candidate) {
	w.from[c.identity()] = c
	if c.HasOld && !w.edge.HasOld {
		w.edge.Old, w.edge.HasOld, w.edge.Existed = c.Old, true, false
	}
}

// candidate returns the one that stands for the write: that with the best identity, of those whose rows are
// stored.
func (w *write) candidate() (best *Candidate) {
	for _, c := range w.from {
		if c != nil && (best == nil || !c.VersionOnly || best.VersionOnly) {
			best = c
		}
	}
	return best
}

// mergeWrites returns, of candidates of one item and time, the writes that they are: one candidate of each, and an edge
// with what is known of its images. Of n candidates with the same images that one input brought, each is a
// write; those of another input are the same writes. So where both bring all writes, however often
// they repeat each other, each is there once.
func mergeWrites(cs []*Candidate, before Image) (writes, edges []*Candidate) {
	if !before.Inputs || !severalIdentities(cs) {
		return cs, cs
	}
	for _, w := range writesOf(cs) {
		writes, edges = append(writes, w.candidate()), append(edges, &w.edge)
	}
	return writes, edges
}

// severalIdentities reports whether the candidates are identified in several ways.
func severalIdentities(cs []*Candidate) bool {
	return slices.ContainsFunc(cs, func(c *Candidate) bool { return c.identity() != cs[0].identity() })
}

// writesOf returns the writes that candidates are. The result does not depend on their order.
func writesOf(cs []*Candidate) (all []*write) {
	byImage := map[uint64][]*write{}
	for _, c := range byIdentity(cs) {
		taken := false
		for _, exact := range []bool{true, false} {
			for _, w := range byImage[c.New] {
				if taken = w.takes(c, exact); taken {
					w.take(c)
					break
				}
			}
			if taken {
				break
			}
		}
		if !taken {
			w := &write{edge: *c}
			w.take(c)
			all, byImage[c.New] = append(all, w), append(byImage[c.New], w)
		}
	}
	return all
}

// byIdentity returns candidates in an order that depends on the set only: those with the best identity first, and
// of those the newest as far as they can be compared.
func byIdentity(cs []*Candidate) []*Candidate {
	return slices.SortedFunc(slices.Values(cs), func(a, b *Candidate) int {
		if order := cmp.Compare(b.identity(), a.identity()); order != 0 {
			return order
		}
		if order, known := b.compare(&a.Version); known {
			return order
		}
		return b.compareArrival(&a.Version)
	})
}
