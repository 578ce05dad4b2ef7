package star

import (
	"errors"
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
	due, err := s.touchFacts()
	if err != nil {
		return err
	}
	mayWait := s.bounded && !e.Last
	if err := s.makeFacts(due, mayWait); err != nil {
		return err
	}
	if !mayWait {
		if err := s.endWait(); err != nil {
			return err
		}
	}
	s.members.flush(s.out, true)
	s.count()
	s.reset()
	return s.out.flush()
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

// dueFact is a fact that is made again because of a lookup's row.
type dueFact struct {
	hash    pipeline.Hash
	version *pipeline.Version // of the change of the row
}

// touchFacts takes the epoch's rows of lookup tables to the state, touches the
// facts of its base rows, and returns those that the lookup rows concern.
func (s *step) touchFacts() ([]dueFact, error) {
	for i := range s.bases {
		b := &s.bases[i]
		e := s.pass.touch(b.hash)
		e.fact, e.version, e.came = b.fact, b.version, true
		if !b.gone {
			e.base = s.bytes(b.row)
		}
	}
	at := make([]int32, len(s.lookups))
	for i := range s.lookups {
		at[i] = s.rows.touch(s.lookups[i].hash)
	}
	if err := s.rows.load(); err != nil {
		return nil, err
	}
	var changed []int32
	causes := map[int32]*pipeline.Version{}
	for i := range s.lookups {
		c := &s.lookups[i]
		r := &s.rows.all[at[i]]
		if c.gone && r.row == nil || !c.gone && r.row != nil && string(r.row) == string(s.bytes(c.row)) {
			continue
		}
		r.row, r.changed = nil, true
		if !c.gone {
			r.row = s.bytes(c.row)
		}
		if r.segments > 0 || len(r.facts) > 0 {
			changed = append(changed, at[i])
			causes[at[i]] = &c.version
		}
	}
	var due []dueFact
	err := s.rows.eachFact(changed, func(row int32, fact pipeline.Hash) {
		due = append(due, dueFact{fact, causes[row]})
	})
	return due, err
}

// makeFacts makes the facts that were touched and those that are due, in as many
// passes as their number takes: very many may refer to one row. A fact that two
// passes make is the same in both, so it is given out once.
func (s *step) makeFacts(due []dueFact, mayWait bool) error {
	if len(due) > s.most {
		slices.SortFunc(due, func(a, b dueFact) int { return a.hash.Compare(b.hash) })
	}
	for {
		n := min(len(due), s.most)
		for _, d := range due[:n] {
			e := s.pass.touch(d.hash)
			if !e.came && !e.must {
				e.version = *d.version
			}
			e.must = true
		}
		if err := s.pass.run(mayWait); err != nil {
			return err
		}
		if due = due[n:]; len(due) == 0 {
			return nil
		}
		s.members.flush(s.out, false)
	}
}

// chunk is the number of waiting facts that are made at once.
const chunk = 1 << 16

// maxDue is the number of facts that one pass makes because of changed lookup
// rows: as many as an epoch has base rows, at most.
const maxDue = 4 * chunk

var errEnough = errors.New("enough")

// endWait makes the facts that wait, in pieces: there may be many.
func (s *step) endWait() error {
	for s.saved.Waiting > 0 {
		s.members.flush(s.out, false)
		var waiting []pipeline.Hash
		err := s.pass.state.Each(func(h pipeline.Hash, v []byte) error {
			if factWaiting(v) {
				waiting = append(waiting, h)
			}
			if len(waiting) == 16*chunk {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		slices.SortFunc(waiting, pipeline.Hash.Compare)
		for part := range slices.Chunk(waiting, chunk) {
			for _, h := range part {
				s.pass.touch(h).must = true
			}
			if err := s.pass.run(false); err != nil {
				return err
			}
			s.members.flush(s.out, false)
		}
		if len(waiting) == 0 {
			return errors.New("state: facts wait that are not there")
		}
	}
	return nil
}
