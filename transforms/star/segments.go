package star

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// segment is a part of the facts that refer to one row.
type segment struct {
	key   pipeline.Hash
	row   int32
	facts []byte
}

// segmentKey returns the key in the state of a row's segment.
func (l *lookupRows) segmentKey(row pipeline.Hash, segments, i int32) pipeline.Hash {
	l.scratch = packed.AppendHash(append(l.scratch[:0], tagSegment), row)
	l.scratch = binary.AppendUvarint(l.scratch, uint64(segments))
	l.scratch = binary.AppendUvarint(l.scratch, uint64(i))
	return hashOf(l.scratch)
}

// place returns the segment of a fact.
func place(fact pipeline.Hash, segments int32) int32 { return int32(fact.Lo & uint64(segments-1)) }

// loadSegments reads segments by key; missing ones are empty.
func (l *lookupRows) loadSegments(segments []segment) error {
	return l.finder.Find(l.state, len(segments), func(i int32) pipeline.Hash { return segments[i].key }, func(i int32, v []byte) {
		segments[i].facts = v
	})
}

// allSegments appends the keys of all of a row's segments.
func (l *lookupRows) allSegments(dst []segment, row int32) []segment {
	r := &l.all[row]
	for i := range r.segments {
		dst = append(dst, segment{key: l.segmentKey(r.hash, r.segments, i), row: row})
	}
	return dst
}

// flushSegments writes what was added to and removed from segments, and gives
// rows with many facts more of them, and those with few fewer.
func (l *lookupRows) flushSegments() error {
	if err := l.updateSegments(); err != nil {
		return err
	}
	var misfits []int32
	for i := range l.all {
		if r := &l.all[i]; r.changed && r.misfit() {
			misfits = append(misfits, int32(i))
		}
	}
	return l.respread(misfits)
}

// misfit reports whether the row has too many facts, or far too few, for the
// number of its segments.
func (r *lookupRow) misfit() bool {
	if r.segments == 0 {
		return len(r.facts) > maxInline*hashBytes
	}
	segments := int(r.segments)
	return r.count > segments*2*segmentFill || r.count < segments*segmentFill/8
}

// updateSegments rewrites the segments that facts were added to or removed from.
func (l *lookupRows) updateSegments() error {
	var segments []segment
	at := map[pipeline.Hash]int{}
	var changes []segmentChange
	for i := range l.all {
		r := &l.all[i]
		if r.moved == nil {
			continue
		}
		for _, list := range [][]pipeline.Hash{r.moved.removing, r.moved.adding} {
			for _, fact := range list {
				key := l.segmentKey(r.hash, r.segments, place(fact, r.segments))
				if _, ok := at[key]; !ok {
					at[key] = 0
					segments = append(segments, segment{key: key, row: int32(i)})
				}
				changes = append(changes, segmentChange{key, fact})
			}
		}
		r.count += len(r.moved.adding) - len(r.moved.removing)
	}
	if len(segments) == 0 {
		return nil
	}
	if err := l.loadSegments(segments); err != nil {
		return err
	}
	for i := range segments {
		at[segments[i].key] = i
		segments[i].facts = slices.Clone(segments[i].facts)
	}
	next := 0
	for i := range l.all {
		r := &l.all[i]
		if r.moved == nil {
			continue
		}
		for range r.moved.removing {
			s := &segments[at[changes[next].key]]
			s.facts = without(s.facts, changes[next].fact)
			next++
		}
		for range r.moved.adding {
			s := &segments[at[changes[next].key]]
			s.facts = packed.AppendHash(s.facts, changes[next].fact)
			next++
		}
		r.moved = nil
	}
	l.put(segments)
	return nil
}

type segmentChange struct {
	key  pipeline.Hash
	fact pipeline.Hash
}

func (l *lookupRows) put(segments []segment) {
	for _, s := range segments {
		if len(s.facts) == 0 {
			s.facts = nil
		}
		l.state.Put(s.key, s.facts)
	}
}

// respread spreads the facts of rows over as many segments as they need.
func (l *lookupRows) respread(rows []int32) error {
	var old []segment
	for _, row := range rows {
		old = l.allSegments(old, row)
	}
	if err := l.loadSegments(old); err != nil {
		return err
	}
	facts := map[int32][]byte{}
	for _, s := range old {
		facts[s.row] = append(facts[s.row], s.facts...)
	}
	var all []segment
	for i := range old {
		all = append(all, segment{key: old[i].key}) // it goes
	}
	for _, row := range rows {
		r := &l.all[row]
		if r.segments == 0 {
			facts[row] = r.facts
			r.count = len(r.facts) / hashBytes
		}
		if r.count <= maxInline {
			r.facts, r.segments = facts[row], 0
			continue
		}
		r.facts, r.segments = nil, segmentsFor(r.count)
		all = append(all, l.spread(row, facts[row])...)
	}
	l.put(all)
	return nil
}

// segmentsFor returns the number of segments for so many facts.
func segmentsFor(facts int) int32 {
	n := 2
	for n*segmentFill < facts {
		n *= 2
	}
	return int32(n)
}

// spread returns the segments of a row.
func (l *lookupRows) spread(row int32, facts []byte) []segment {
	r := &l.all[row]
	segments := l.allSegments(nil, row)
	for at := 0; at < len(facts); at += hashBytes {
		h := hashAt(facts, at)
		s := &segments[place(h, r.segments)]
		s.facts = packed.AppendHash(s.facts, h)
	}
	return segments
}
