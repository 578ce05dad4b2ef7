package export

import (
	"fmt"
	"time"
)

// Incremental exports are compacted: an item that was made and deleted within the window of one has no line
// in it (DynamoDB developer guide, "DynamoDB table export output format"). So exports that overlap are as bad
// as a hole between them: an item that was made in the overlap, which the earlier one has, and deleted later in
// the window of the other is deleted in none of them. Each window has to begin exactly where what is
// read before it ends.

// needed returns which of the chain's exports are to be read. Where some of them meet exactly, from what was
// read or from a full one on until the end of the chain, those between are not: all their changes are in the
// others. Else all are.
func (c *chain) needed(read Span, begun func(*Export) bool) func(*Export) bool {
	for _, start := range c.starts(read) {
		path, ok := c.path(start)
		if !ok {
			continue
		}
		known := false // the items that have not changed since
		for _, e := range c.exports {
			known = known || !e.Incremental && (begun(e) || !c.read && e.To.Equal(start))
		}
		return func(e *Export) bool {
			switch {
			case begun(e), path[e]:
				return true
			case c.read && !e.To.After(read.Since):
				return true // it comes before all that was read
			case !e.Incremental && !c.read:
				return e.To.Equal(start)
			}
			return !e.Incremental && !known
		}
	}
	return func(*Export) bool { return true }
}

// starts returns where the reading of a chain may begin, best first: the earliest has the most history.
func (c *chain) starts(read Span) (all []time.Time) {
	switch {
	case c.read:
		return []time.Time{read.Until}
	case !c.full:
		return []time.Time{c.span.Since}
	}
	for _, e := range c.exports {
		if !e.Incremental {
			all = append(all, e.To)
		}
	}
	return all
}

// path returns incremental exports that meet exactly, from a time to the end of the chain; false = there are none.
func (c *chain) path(start time.Time) (path map[*Export]bool, ok bool) {
	before := map[int64]*Export{start.UnixNano(): nil} // the export by which a time is reached
	for _, e := range c.exports {                      // in the order of From, so that all that end there have been seen
		_, begins := before[e.From.UnixNano()]
		if _, ends := before[e.To.UnixNano()]; e.Incremental && begins && !ends {
			before[e.To.UnixNano()] = e
		}
	}
	at := c.span.Until
	if _, ok = before[at.UnixNano()]; !ok {
		return nil, false
	}
	path = map[*Export]bool{}
	for e := before[at.UnixNano()]; e != nil; e = before[e.From.UnixNano()] {
		path[e] = true
	}
	return path, true
}

// addOverlaps tells of the exports that begin before what is read before them ends.
func (p *Plan) addOverlaps(todo []*Export, read Span, begun func(*Export) bool) {
	if read != (Span{}) {
		p.addOverlap("what was read before", read.Until, todo, begun)
	}
	for _, e := range todo {
		if !begun(e) {
			p.addOverlap(e.String(), e.To, todo, func(*Export) bool { return false })
		}
	}
}

// addOverlap tells that an end lies within a window, if one is not told of yet, and no other begins there.
func (p *Plan) addOverlap(what string, end time.Time, todo []*Export, told func(*Export) bool) {
	var around *Export
	for _, e := range todo {
		switch {
		case e.Incremental && e.From.Equal(end):
			return
		case e.Incremental && e.From.Before(end) && e.To.After(end) && !told(e):
			around = e
		}
	}
	if around != nil {
		p.Notices = append(p.Notices, fmt.Sprintf("%s begins at %s, before %s ends, at %s: exports say nothing of items that were made and deleted within their time, "+
			"so items that were made between the two times, and deleted before %s, stay. Have incremental exports begin exactly where the one before them ends, and make the full one of a whole second (--export-time)",
			around, text(around.From), what, text(end), text(around.To)))
	}
}
