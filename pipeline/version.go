package pipeline

import "slices"

// Newest puts the newest of some changes of one item first, and drops those
// that can not become it any more. All have the same time, and no two the same
// version. The result is a function of the set: their order plays no part.
//
// Each change is an edge from its old image to its new one; the item's history
// is a walk over them, and the walk ends at the image that has one more edge in
// than out. Where the edges do not tell, the greatest new image wins.
func Newest[T any](changes []T, version func(*T) *Version) []T {
	if len(changes) == 1 {
		return changes
	}
	c := contenders[T]{changes, version}
	best := 0
	bySequence := !c.any(func(v *Version) bool { return v.Seq == "" })
	for i := range changes {
		if bySequence && c.sequenceLess(best, i) || !bySequence && c.later(i, best) {
			best = i
		}
	}
	changes[0], changes[best] = changes[best], changes[0]
	if bySequence || !c.any(func(v *Version) bool { return v.HasOld }) {
		return changes[:1] // no chain can ever make another one the newest
	}
	return changes
}

// contenders are changes of one item and time.
type contenders[T any] struct {
	changes []T
	version func(*T) *Version
}

func (c contenders[T]) any(is func(*Version) bool) bool {
	return slices.ContainsFunc(c.changes, func(x T) bool { return is(c.version(&x)) })
}

// sequenceLess compares sequence numbers: decimal digits without leading zeros.
func (c contenders[T]) sequenceLess(i, j int) bool {
	a, b := c.version(&c.changes[i]).Seq, c.version(&c.changes[j]).Seq
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// later reports whether change i comes after j: first by whether the walk over
// the images ends at its new image, then by the greater new image. Of two with
// one new image either will do: their rows are the same.
func (c contenders[T]) later(i, j int) bool {
	a, b := c.version(&c.changes[i]).New, c.version(&c.changes[j]).New
	if ea, eb := c.walkEnds(a), c.walkEnds(b); ea != eb {
		return ea
	}
	return a > b
}

// walkEnds reports whether more edges lead into the image than out of it.
func (c contenders[T]) walkEnds(image uint64) bool {
	balance := 0
	for i := range c.changes {
		v := c.version(&c.changes[i])
		if v.New == image {
			balance++
		}
		if v.HasOld && v.Old == image {
			balance--
		}
	}
	return balance > 0
}
