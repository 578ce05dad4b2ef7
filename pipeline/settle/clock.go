package settle

import (
	"maps"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// State says whether more may come of a source.
type State uint8

// The states of a source.
const (
	// Reading is a source that may hold changes of any time: a bounded one that is not
	// read to its end, and any of which nothing is known yet in this run.
	Reading State = iota
	// Following is a source without end.
	Following
	// Ended is a bounded source that is read to its end.
	Ended
)

// Progress says how far a source is read when an epoch begins.
type Progress struct {
	State State
	// Table is the logical table of all its records; empty = they say it.
	Table string
	// Behind names the partitions of a source without end that hold more than was
	// read; the others count as read to their end for now.
	Behind []string
	// Unread says that it has partitions of which nothing was read.
	Unread bool
}

// Header is what an epoch begins with.
type Header struct {
	// Time is the wall time, in µs since 1970; 0 = none: nothing is ahead of it.
	Time int64
	// Sources says how far each is that the transform reads.
	Sources map[string]Progress
}

// noTime stands for a time that there is not.
const noTime = pipeline.NoTime

// maxAhead is how far a clock may be ahead of the wall time of the epoch, in µs.
const maxAhead = 10 * 60 * 1_000_000

// maxIdle is the number of partitions of a source whose times are kept while they
// hold nothing more.
const maxIdle = 1024

// clocks tell the times by which deletions are forgotten. They move only between
// epochs: within one, a change is judged by the tombstones that it can find.
type clocks struct {
	tables  *Tables
	sources map[string]*sourceClock
	header  Header // of the epoch
}

// sourceClock is what is known of a source's times.
type sourceClock struct {
	greatest   int64 // creation time read; noTime = nothing was
	untimed    bool  // its versions are not times of changes
	tables     []uint16
	all        *newest
	partitions map[string]*newest
	followed   bool // only then the times of partitions matter
	// missed says that it had been read in part when the transform began to read it.
	missed bool
}

func newClocks(t *Tables, saved map[string]*state.Clock) (*clocks, error) {
	c := &clocks{tables: t, sources: map[string]*sourceClock{}}
	for name, k := range saved {
		s := c.source(name)
		s.untimed, s.missed = k.Untimed, k.Missed
		if k.Newest != nil {
			s.greatest = *k.Newest
		}
		if k.Clock != nil {
			s.all.floor = *k.Clock
		}
		for _, table := range k.Tables {
			id, err := t.id(table)
			if err != nil {
				return nil, err
			}
			s.tables = append(s.tables, id)
		}
		for partition, at := range k.Partitions {
			s.partitions[partition] = newNewest(at)
		}
	}
	return c, nil
}

// source returns the clock of a source, a new one the first time.
func (c *clocks) source(name string) *sourceClock {
	s := c.sources[name]
	if s == nil {
		s = &sourceClock{greatest: noTime, all: newNewest(noTime), partitions: map[string]*newest{}}
		c.sources[name] = s
	}
	return s
}

// read notes the times of the changes of some records, as they were added.
func (c *clocks) read(r *pipeline.Records, added []change) {
	if r.Replays != nil || len(added) == 0 {
		return // what is read again was noted before
	}
	s := c.source(r.Source)
	s.carry(added)
	if s.untimed {
		return
	}
	if !s.followed {
		for i := range added {
			s.greatest = max(s.greatest, added[i].version.Time)
		}
		return
	}
	own := s.partitions[r.Partition]
	if own == nil {
		own = newNewest(noTime)
		s.partitions[r.Partition] = own
	}
	for i := range added {
		t := added[i].version.Time
		s.greatest = max(s.greatest, t)
		own.add(t)
		s.all.add(t)
	}
}

// carry notes the tables of changes, and whether they have times.
func (s *sourceClock) carry(added []change) {
	last := -1
	for i := range added {
		s.untimed = s.untimed || added[i].version.ByArrival
		t := added[i].table
		if int(t) == last {
			continue
		}
		if last = int(t); !slices.Contains(s.tables, t) {
			s.tables = append(s.tables, t)
		}
	}
}

// begin moves the horizons of the tables: to tombstones before the least clock of
// the sources that may bring changes of them, or, when all have ended, before the
// greatest time that was read.
func (c *clocks) begin(h Header, tombstones int64) {
	c.header = h
	for name, p := range h.Sources {
		s := c.source(name)
		s.followed = p.State == Following || s.followed && p.State == Reading
		if len(s.partitions) > maxIdle+len(p.Behind) {
			maps.DeleteFunc(s.partitions, func(partition string, _ *newest) bool { return !slices.Contains(p.Behind, partition) })
		}
	}
	for id := range c.tables.horizons {
		if at := c.least(uint16(id)); at != noTime {
			if h.Time != 0 {
				at = min(at, h.Time+maxAhead)
			}
			c.tables.horizons[id] = max(c.tables.horizons[id], at-tombstones)
		}
	}
}

// least returns the clock of a table, noTime while a source holds it.
func (c *clocks) least(table uint16) int64 {
	least, greatest := int64(math.MaxInt64), noTime
	following := false
	for name, p := range c.header.Sources {
		s := c.sources[name]
		if !c.mayCarry(s, &p, table) {
			continue
		}
		switch {
		case p.State == Reading, s.untimed:
			return noTime
		case p.State == Following:
			at := s.clock(&p)
			if at == noTime {
				return noTime
			}
			following, least = true, min(least, at)
		default:
			greatest = max(greatest, s.greatest)
		}
	}
	if following {
		return least
	}
	return greatest
}

// mayCarry reports whether changes of a table may come of a source, or came. One whose
// records say their table carries those that it had; before it had any, and while a
// bounded one is being read, it may carry every table.
func (c *clocks) mayCarry(s *sourceClock, p *Progress, table uint16) bool {
	if p.Table != "" {
		return c.tables.names[table] == p.Table
	}
	if p.State == Reading || p.State == Following && len(s.tables) == 0 {
		return true
	}
	return slices.Contains(s.tables, table)
}

// clock returns that of a source without end: the least of its partitions. Those that
// are read to their end for now count as the source itself.
func (s *sourceClock) clock(p *Progress) int64 {
	if p.Unread {
		return noTime
	}
	at := s.all.clock()
	for _, partition := range p.Behind {
		n := s.partitions[partition]
		if n == nil {
			return noTime
		}
		at = min(at, n.clock())
	}
	return at
}

// save returns what newClocks is given after a restart. Of partitions, the clocks are
// kept of those that held more when the epoch began.
func (c *clocks) save() map[string]*state.Clock {
	all := make(map[string]*state.Clock, len(c.sources))
	for name, s := range c.sources {
		k := &state.Clock{Untimed: s.untimed, Missed: s.missed, Newest: known(s.greatest), Clock: known(s.all.clock())}
		for _, id := range s.tables {
			k.Tables = append(k.Tables, c.tables.names[id])
		}
		for _, partition := range c.header.Sources[name].Behind {
			if n := s.partitions[partition]; n != nil && n.clock() != noTime {
				if k.Partitions == nil {
					k.Partitions = map[string]int64{}
				}
				k.Partitions[partition] = n.clock()
			}
		}
		all[name] = k
	}
	return all
}

// known returns a pointer to a time, nil = there is none.
func known(at int64) *int64 {
	if at == noTime {
		return nil
	}
	return &at
}
