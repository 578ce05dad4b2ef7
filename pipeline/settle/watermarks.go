package settle

import (
	"maps"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// noTime stands for a time that there is not.
const noTime = pipeline.NoTime

// aheadMicrosMax is how far a watermark may be ahead of the wall time of the epoch.
const aheadMicrosMax = 10 * 60 * 1_000_000

// idlePartitionsMax is the number of partitions of a source whose times are kept while
// they hold nothing more.
const idlePartitionsMax = 1024

// watermarks say up to which time the changes of each source were read. They move the
// retention horizons of the logical tables only when an epoch begins: within one, a
// change is judged by the tombstones that it can find.
type watermarks struct {
	tables  *LogicalTables
	inputs  []string // the sources that the transform reads
	sources map[string]*sourceTimes
	// progress says how far each input was read when the epoch began.
	progress map[string]pipeline.SourceProgress
}

// sourceTimes is what is known of a source's times.
type sourceTimes struct {
	greatest   int64 // creation time read; noTime = nothing was
	untimed    bool  // its versions are not times of changes
	tables     []uint16
	all        *watermark
	partitions map[string]*watermark
	followed   bool // only then the times of partitions matter
	// missed says that it had been read in part when the transform began to read it.
	missed bool
}

func newWatermarks(t *LogicalTables, inputs []string, saved map[string]*state.SourceTimes) (*watermarks, error) {
	w := &watermarks{tables: t, inputs: inputs, sources: map[string]*sourceTimes{}}
	for name, k := range saved {
		s := w.source(name)
		s.untimed, s.missed = k.Untimed, k.Missed
		if k.Greatest != nil {
			s.greatest = *k.Greatest
		}
		if k.Watermark != nil {
			s.all.floor = *k.Watermark
		}
		for _, table := range k.Tables {
			id, err := t.id(table)
			if err != nil {
				return nil, err
			}
			s.tables = append(s.tables, id)
		}
		for partition, at := range k.Partitions {
			s.partitions[partition] = newWatermark(at)
		}
	}
	return w, nil
}

// source returns the times of a source, new ones the first time.
func (w *watermarks) source(name string) *sourceTimes {
	s := w.sources[name]
	if s == nil {
		s = &sourceTimes{greatest: noTime, all: newWatermark(noTime), partitions: map[string]*watermark{}}
		w.sources[name] = s
	}
	return s
}

// observe notes the times of the changes of some records.
func (w *watermarks) observe(r *pipeline.Records, p *Packet) {
	if r.Replays != nil || len(p.changes) == 0 {
		return // what is read again was noted before
	}
	s := w.source(r.Source)
	s.untimed = s.untimed || p.untimed
	for i := range p.tables {
		if t := p.tables[i].id; !slices.Contains(s.tables, t) {
			s.tables = append(s.tables, t)
		}
	}
	if s.untimed {
		return
	}
	if !s.followed {
		for i := range p.changes {
			s.greatest = max(s.greatest, p.changes[i].time)
		}
		return
	}
	own := s.partitions[r.Partition]
	if own == nil {
		own = newWatermark(noTime)
		s.partitions[r.Partition] = own
	}
	for i := range p.changes {
		t := p.changes[i].time
		s.greatest = max(s.greatest, t)
		own.observe(t)
		s.all.observe(t)
	}
}

// advance moves the retention horizons of the tables: to retention before the least
// watermark of the sources that may bring changes of them, or, when all have ended,
// before the greatest time that was read.
func (w *watermarks) advance(h *pipeline.EpochHeader, retention int64) {
	w.progress = make(map[string]pipeline.SourceProgress, len(w.inputs))
	for _, name := range w.inputs {
		p, known := h.Sources[name]
		if !known {
			continue
		}
		w.progress[name] = p
		s := w.source(name)
		s.followed = p.State == pipeline.SourceFollowing || s.followed && p.State == pipeline.SourceReading
		if len(s.partitions) > idlePartitionsMax+len(p.Behind) {
			maps.DeleteFunc(s.partitions, func(partition string, _ *watermark) bool { return !slices.Contains(p.Behind, partition) })
		}
	}
	for id := range w.tables.horizons {
		if at := w.ofTable(uint16(id)); at != noTime {
			if h.Time != 0 {
				at = min(at, h.Time+aheadMicrosMax)
			}
			w.tables.horizons[id] = max(w.tables.horizons[id], at-retention)
		}
	}
}

// ofTable returns the watermark of a table, noTime while a source holds it.
func (w *watermarks) ofTable(table uint16) int64 {
	least, greatest := int64(math.MaxInt64), noTime
	following := false
	for name, p := range w.progress {
		s := w.sources[name]
		if !w.mayCarry(s, &p, table) {
			continue
		}
		switch {
		case p.State == pipeline.SourceReading, s.untimed:
			return noTime
		case p.State == pipeline.SourceFollowing:
			at := s.watermark(&p)
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
func (w *watermarks) mayCarry(s *sourceTimes, p *pipeline.SourceProgress, table uint16) bool {
	if p.Table != "" {
		return w.tables.names[table] == p.Table
	}
	if p.State == pipeline.SourceReading || p.State == pipeline.SourceFollowing && len(s.tables) == 0 {
		return true
	}
	return slices.Contains(s.tables, table)
}

// watermark returns that of a source without end: the least of its partitions. Those
// that are read to their end for now count as the source itself.
func (s *sourceTimes) watermark(p *pipeline.SourceProgress) int64 {
	if p.Unread {
		return noTime
	}
	at := s.all.time()
	for _, partition := range p.Behind {
		own := s.partitions[partition]
		if own == nil {
			return noTime
		}
		at = min(at, own.time())
	}
	return at
}

// save returns what newWatermarks is given after a restart. Of partitions, the
// watermarks are kept of those that held more when the epoch began.
func (w *watermarks) save() map[string]*state.SourceTimes {
	all := make(map[string]*state.SourceTimes, len(w.sources))
	for name, s := range w.sources {
		k := &state.SourceTimes{Untimed: s.untimed, Missed: s.missed, Greatest: known(s.greatest), Watermark: known(s.all.time())}
		for _, id := range s.tables {
			k.Tables = append(k.Tables, w.tables.names[id])
		}
		for _, partition := range w.progress[name].Behind {
			if own := s.partitions[partition]; own != nil && own.time() != noTime {
				if k.Partitions == nil {
					k.Partitions = map[string]int64{}
				}
				k.Partitions[partition] = own.time()
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
