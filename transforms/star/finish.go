package star

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Finish implements pipeline.Operator.
func (s *step) Finish(e pipeline.EpochInfo, emit func(*pipeline.Rows) error) error {
	s.out.emit = emit
	if !s.begun {
		for _, d := range s.star.dimensions {
			s.out.begin(d)
		}
		s.begun = true
	}
	if err := s.bringMembers(e.RejectedChanges); err != nil {
		return err
	}
	mayWait := s.bounded && !e.Last
	if err := s.makeFacts(mayWait); err != nil {
		return err
	}
	if err := s.members.flush(s.out, true); err != nil {
		return err
	}
	if err := s.saveDue(); err != nil {
		return err
	}
	s.count()
	s.reset()
	return s.out.flush()
}

// Pending implements pipeline.Operator.
func (s *step) Pending(last bool) bool {
	return len(s.due) > 0 || (last || !s.bounded) && s.saved.Waiting > 0
}

// reset ends the epoch. Its memory is given back for as long as nothing of the
// next one has come: settling that needs as much.
func (s *step) reset() {
	s.lately = sizes{reuse.Room(len(s.lookups)), reuse.Room(len(s.bases))}
	s.suspects, s.lookups, s.bases, s.tracks, s.left = nil, nil, nil, nil, nil
	s.arena.Release()
}

// sizes are those that an epoch takes.
type sizes struct{ lookups, bases int }

// room makes room for an epoch like the last one.
func (s *step) room() {
	if s.lookups == nil {
		s.lookups, s.bases = make([]lookupChange, 0, s.lately.lookups), make([]baseRow, 0, s.lately.bases)
	}
}

func (s *step) count() {
	for _, d := range s.star.dimensions {
		if d.calendar == nil {
			s.metrics.inferredOpen.WithLabelValues(d.name).Set(float64(s.members.open[d]))
		}
		s.metrics.unknownMembers.WithLabelValues(d.name).Add(float64(s.out.unknowns[d.name]))
	}
	clear(s.out.unknowns)
}
