package star

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// Finish implements pipeline.KeyedStep.
func (s *step) Finish(e pipeline.EpochEnd, emit func(*pipeline.Rows) error) error {
	s.out.emit = emit
	if !s.begun {
		for _, d := range s.star.dimensions {
			s.out.begin(d)
		}
		s.begun = true
	}
	if err := s.bringMembers(e.Dead); err != nil {
		return err
	}
	mayWait := s.bounded && !e.Last
	if err := s.makeFacts(mayWait); err != nil {
		return err
	}
	s.members.flush(s.out, true)
	s.count()
	s.reset()
	return s.out.flush()
}

// Pending implements pipeline.KeyedStep.
func (s *step) Pending(last bool) bool {
	return len(s.saved.Due) > 0 || (last || !s.bounded) && s.saved.Waiting > 0
}

// reset ends the epoch. Its memory is given back for as long as nothing of the
// next one has come: settling that needs as much.
func (s *step) reset() {
	s.lately = sizes{more(len(s.arena)), more(len(s.changes)), more(len(s.logged)), more(len(s.lookups)), more(len(s.bases))}
	s.arena, s.changes, s.logged, s.lookups, s.bases, s.tracks = nil, nil, nil, nil, nil, nil
}

// sizes are those that an epoch takes.
type sizes struct{ arena, changes, logged, lookups, bases int }

// more returns what the next epoch may take when this one took n: were it a bit
// more than there is room for, all would be copied.
func more(n int) int { return n + n/16 }

// room makes room for an epoch like the last one.
func (s *step) room() {
	if s.arena == nil {
		s.arena, s.changes = make([]byte, 0, s.lately.arena), make([]logChange, 0, s.lately.changes)
		s.logged, s.lookups, s.bases = make([]logRow, 0, s.lately.logged), make([]lookupChange, 0, s.lately.lookups), make([]baseRow, 0, s.lately.bases)
	}
}

func (s *step) count() {
	for _, d := range s.star.dimensions {
		if d.calendar == nil {
			s.counters.InferredOpen(d.name, s.members.open[d])
		}
		s.counters.UnknownMembers(d.name, s.out.unknowns[d.name])
	}
	clear(s.out.unknowns)
}

// offer is a row of the log that brings a member.
type offer struct {
	member     int32
	row        int32
	attributes int32 // index of the dimension in the row's table
}

// bringMembers takes the epoch's log and tracked rows to the members.
func (s *step) bringMembers(dead []int64) error {
	var offers []offer
	for i := range s.logged {
		r := &s.logged[i]
		if _, gone := slices.BinarySearch(dead, s.changes[r.change].ordinal); gone {
			continue
		}
		s.values = packed.SplitRow(s.values[:0], s.bytes(r.row), r.table.widths)
		for n, d := range r.table.dimensions {
			naturalKey, ok := pick(s.values, d.naturalKey)
			if !ok {
				continue
			}
			at, err := s.members.touch(d, naturalKey)
			if err != nil {
				return err
			}
			offers = append(offers, offer{at, int32(i), int32(n)})
		}
	}
	moves, err := s.touchTracked()
	if err != nil {
		return err
	}
	if err := s.members.load(); err != nil {
		return err
	}
	for _, o := range offers {
		s.bring(&o)
	}
	s.move(moves)
	return nil
}

// pick returns some of the values; ok = false when one is null.
func pick(values [][]byte, at []int) (picked [][]byte, ok bool) {
	picked = values[len(values):]
	for _, i := range at {
		if values[i] == nil {
			return nil, false
		}
		picked = append(picked, values[i])
	}
	return picked, true
}

// bring completes a member by a row of the log, unless it has a newer one.
func (s *step) bring(o *offer) {
	r := &s.logged[o.row]
	c := &s.changes[r.change]
	m := &s.members.all[o.member]
	itemKey := s.bytes(c.itemKey)
	if m.beats(&c.version, itemKey) < 0 {
		return
	}
	s.values = packed.SplitRow(s.values[:0], s.bytes(r.row), r.table.widths)
	s.scratch = s.scratch[:0]
	d := r.table.dimensions[o.attributes]
	n := len(s.values)
	for _, i := range d.attributes {
		s.values = append(s.values, s.values[i])
	}
	from := len(s.arena)
	s.arena = packed.JoinRow(s.arena, s.values[n:])
	s.members.complete(m, &c.version, itemKey, s.bytes(span{from, len(s.arena)}))
}
