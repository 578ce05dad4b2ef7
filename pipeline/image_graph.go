package pipeline

import "slices"

// imageGraph has the images of some candidates as nodes. A candidate that knows its old
// image is an edge from that to its new one. Any other is a jump: it leads to its new image
// from any node, or, if the item Existed, from any node but the absence of the item. So a
// walk over all candidates consists of pieces of edges: the first piece begins at the image
// before, and each other one where a jump ends.
type imageGraph struct {
	images     []uint64 // of the nodes, sorted
	balance    []int32  // edges to the node, less those from it
	jumps      []int32  // that lead to it
	root       []int32  // another node of the same component; itself = it stands for the component
	looseJumps int32    // jumps that may begin at the absence of the item
	jumpsTotal int
	absent     int // the node of there being no item; -1 = none
}

func newImageGraph(cs []*Candidate, before Image) *imageGraph {
	g := &imageGraph{images: make([]uint64, 0, 2*len(cs)+1), absent: -1}
	if before.Known {
		g.images = append(append(g.images, before.Hash), before.Others...)
	}
	for _, c := range cs {
		g.images = append(g.images, c.New)
		if c.HasOld {
			g.images = append(g.images, c.Old)
		}
	}
	slices.Sort(g.images)
	g.images = slices.Compact(g.images)
	n := len(g.images)
	if g.images[0] == 0 {
		g.absent = 0
	}
	numbers := make([]int32, 3*n)
	g.balance, g.jumps, g.root = numbers[:n], numbers[n:2*n], numbers[2*n:]
	for i := range g.root {
		g.root[i] = int32(i)
	}
	for _, c := range cs {
		to := g.node(c.New)
		if !c.HasOld {
			g.jumps[to]++
			g.jumpsTotal++
			if !c.Existed {
				g.looseJumps++
			}
			continue
		}
		from := g.node(c.Old)
		g.balance[to]++
		g.balance[from]--
		g.root[g.component(from)] = int32(g.component(to))
	}
	return g
}

func (g *imageGraph) node(image uint64) int {
	i, _ := slices.BinarySearch(g.images, image)
	return i
}

// component returns the node that stands for the component of a node.
func (g *imageGraph) component(i int) int {
	for int(g.root[i]) != i {
		g.root[i] = g.root[g.root[i]]
		i = int(g.root[i])
	}
	return i
}

// ends returns the nodes at which a walk over all candidates may end, and those at which it
// may end if the image before is one of its Others; nil = images do not decide. Where no walk
// begins at any of these, changes are missing, and what comes late may show any other end.
func (g *imageGraph) ends(cs []*Candidate, before Image) (ends, possible []bool) {
	if !before.Known {
		ends = g.walkEnds(cs)
		return ends, ends
	}
	ends, missing := g.walkEndsFrom(cs, g.node(before.Hash))
	possible, fewest := slices.Clone(ends), missing
	for _, other := range before.Others {
		also, n := g.walkEndsFrom(cs, g.node(other))
		switch {
		case also == nil || possible != nil && n > fewest:
		case possible == nil || n < fewest:
			possible, fewest = also, n
		default:
			for i, is := range also {
				possible[i] = possible[i] || is
			}
		}
	}
	switch {
	case ends != nil && missing == fewest:
	case possible != nil:
		ends = possible
	case slices.ContainsFunc(cs, func(c *Candidate) bool { return c.Partition != cs[0].Partition }):
		ends = g.walkEnds(cs) // of jumps; in one partition, the order of arrival is the better guess
	}
	if fewest > 0 {
		possible = nil
	}
	return ends, possible
}

// pieces returns how many pieces of the walk begin in each component, by the node
// that stands for it; -1 = no candidate has an image in it.
func (g *imageGraph) pieces(cs []*Candidate) []int32 {
	pieces := make([]int32, len(g.images))
	for i := range pieces {
		pieces[i] = -1
	}
	for _, c := range cs {
		pieces[g.component(g.node(c.New))] = 0
	}
	for i, n := range g.jumps {
		if n > 0 {
			pieces[g.component(i)] += n
		}
	}
	return pieces
}

// walkEndsFrom returns the nodes at which a walk from a start may end; nil = there is no such
// walk. A piece in another component than the start's can be the last one. So can one in the
// start's component, unless it is the only one there and the walk has to go on to other
// components. Where all candidates are edges, changes may be missing, as few as can be: one
// before each edge that is one too many away from its node, where another piece begins. What
// has happened is such a walk, too, where changes to some images are dead letters.
func (g *imageGraph) walkEndsFrom(cs []*Candidate, start int) (ends []bool, missing int32) {
	pieces := g.pieces(cs)
	startComponent := g.component(start)
	pieces[startComponent] = max(pieces[startComponent], 0) + 1
	ends = make([]bool, len(g.images))
	absent := int32(0)
	for i := range ends {
		n := g.balance[i] + g.jumps[i]
		if i == start {
			n++
		}
		if n < 0 {
			missing -= n
			pieces[g.component(i)] -= n
		}
		if i == g.absent {
			absent = n
		}
		ends[i] = n > 0
	}
	if missing > 0 && g.jumpsTotal > 0 {
		return nil, 0
	}
	others := false
	for i, n := range pieces {
		if n == 0 {
			return nil, 0 // it can't be reached
		}
		others = others || n > 0 && i != startComponent
	}
	for i := range ends {
		ends[i] = ends[i] && !(others && pieces[startComponent] == 1 && g.component(i) == startComponent)
	}
	if missing > 0 {
		return ends, missing
	}
	return g.withAbsence(ends, absent), 0
}

// withAbsence leaves of the ends those that jumps allow, when so many pieces end where
// there is no item: all but the last are followed by a jump.
func (g *imageGraph) withAbsence(ends []bool, absent int32) []bool {
	switch {
	case absent <= g.looseJumps:
		return ends
	case absent > g.looseJumps+1 || !ends[g.absent]:
		return nil
	}
	clear(ends)
	ends[g.absent] = true
	return ends
}

// walkEnds is walkEndsFrom where the start is not known. An image that more edges lead away
// from than to it is the start. If there is none, any image may be; then jumps have to
// reach all circles but the one in which the walk begins.
func (g *imageGraph) walkEnds(cs []*Candidate) []bool {
	start, missing := -1, int32(0)
	ends := make([]bool, len(g.images))
	absent := int32(0)
	for i := range g.images {
		n := g.balance[i] + g.jumps[i]
		if n < 0 {
			start, missing = i, missing-n
		}
		if i == g.absent {
			absent = max(n, 0)
		}
		ends[i] = n > 0
	}
	switch {
	case missing == 1:
		ends, _ = g.walkEndsFrom(cs, start)
		return ends
	case missing > 1 || g.jumpsTotal == 0:
		return nil
	}
	circles := 0
	for _, n := range g.pieces(cs) {
		if n == 0 {
			circles++
		}
	}
	switch {
	case circles > 1:
		return nil
	case circles == 1:
		return g.withAbsence(ends, absent)
	case absent == g.looseJumps+1:
		return g.withAbsence(ends, absent)
	}
	return nil
}
