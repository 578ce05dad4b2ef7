package star

import (
	"bytes"
	"errors"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// maxDue is the number of facts that an epoch makes besides those of its base
// rows: as many as it has base rows, at most. Very many may refer to one row, or
// wait; the others follow in further epochs.
const maxDue = 1 << 18

// dueRow is a changed row of a lookup table whose facts are to be made again.
type dueRow struct {
	row     pipeline.Hash
	version pipeline.Version // of the change of the row
	// The segment of the row's facts to go on at, of so many.
	from, segments int32
}

// makeFacts makes the facts of the epoch's base rows and of changed rows of lookup
// tables and, when nothing may wait any longer, those that wait.
func (s *step) makeFacts(mayWait bool) error {
	if err := s.touchBases(); err != nil {
		return err
	}
	if err := s.touchDue(); err != nil {
		return err
	}
	if err := s.pass.run(mayWait); err != nil {
		return err
	}
	if mayWait || len(s.due) > 0 {
		return nil
	}
	return s.endWait()
}

// touchBases takes the epoch's rows of lookup tables to the state, and touches the
// facts of its base rows.
func (s *step) touchBases() error {
	s.pass.entries = slices.Grow(s.pass.entries, len(s.bases))
	for i := range s.bases {
		if i%ahead == 0 {
			s.pass.keys = keysAhead(s.pass.keys, i, s.bases, func(b *baseRow) (pipeline.Hash, bool) { return b.hash, true })
			s.pass.index.Prefetch(s.pass.keys)
		}
		b := &s.bases[i]
		e := s.pass.touch(b.hash)
		e.fact, e.cause, e.base, e.came = b.fact, &b.version, b.row, true
	}
	at := make([]int32, len(s.lookups))
	for i := range s.lookups {
		if i%ahead == 0 {
			s.rows.keys = keysAhead(s.rows.keys, i, s.lookups, func(c *lookupChange) (pipeline.Hash, bool) { return c.hash, true })
			s.rows.index.Prefetch(s.rows.keys)
		}
		at[i] = s.rows.touch(s.lookups[i].hash)
	}
	if err := s.rows.load(); err != nil {
		return err
	}
	queued := map[pipeline.Hash]int{}
	for i := range s.due {
		queued[s.due[i].row] = i
	}
	for i := range s.lookups {
		c := &s.lookups[i]
		r := &s.rows.all[at[i]]
		if (c.row == nil) == (r.row == nil) && bytes.Equal(c.row, r.row) {
			continue
		}
		r.row, r.changed = c.row, true
		if r.segments == 0 && len(r.facts) == 0 {
			continue
		}
		due := dueRow{row: c.hash, version: c.version}
		if n, ok := queued[c.hash]; ok {
			s.due[n] = due // from the beginning
		} else {
			s.due = append(s.due, due)
		}
	}
	return nil
}

// touchDue touches facts of the rows that are due, as many as an epoch makes.
func (s *step) touchDue() error {
	// They stay as they are while the pass refers to their versions.
	rows := slices.Clone(s.due[:min(len(s.due), s.most)])
	at := make([]int32, len(rows))
	for i := range rows {
		at[i] = s.rows.touch(rows[i].row)
	}
	if err := s.rows.load(); err != nil {
		return err
	}
	var segments []segment
	var causes []*pipeline.Version // of the segments
	facts, done := 0, 0
	for ; done < len(rows) && facts < s.most; done++ {
		d, r := &rows[done], &s.rows.all[at[done]]
		for f := 0; f < len(r.facts); f += hashBytes {
			s.touchAgain(hashAt(r.facts, f), &d.version)
		}
		facts += len(r.facts) / hashBytes
		if d.segments != r.segments {
			d.from, d.segments = 0, r.segments
		}
		for ; d.from < d.segments && facts < s.most; d.from++ {
			segments = append(segments, segment{key: s.rows.segmentKey(r.hash, r.segments, d.from), row: at[done]})
			causes = append(causes, &d.version)
			facts += max(1, r.count/int(r.segments))
		}
		if d.from < d.segments {
			break
		}
	}
	if err := s.rows.loadSegments(segments); err != nil {
		return err
	}
	for i := range segments {
		for f := 0; f < len(segments[i].facts); f += hashBytes {
			s.touchAgain(hashAt(segments[i].facts, f), causes[i])
		}
	}
	copy(s.due, rows) // where to go on
	s.due = slices.Delete(s.due, 0, done)
	return nil
}

// touchAgain touches a fact because a row of a lookup table has changed.
func (s *step) touchAgain(fact pipeline.Hash, cause *pipeline.Version) {
	e := s.pass.touch(fact)
	if !e.came && !e.must {
		e.cause = cause
	}
	e.must = true
}

var errEnough = errors.New("enough")

// endWait makes facts that wait, as many as an epoch makes.
func (s *step) endWait() error {
	if s.saved.Waiting == 0 {
		return nil
	}
	waiting, err := s.findWaiting()
	if err == nil && len(waiting) == 0 && s.waitAt != (pipeline.Hash{}) {
		s.waitAt = pipeline.Hash{} // some may be from before
		waiting, err = s.findWaiting()
	}
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		return errors.New("state: facts wait that are not there")
	}
	s.waitAt = waiting[len(waiting)-1]
	if err := s.members.flush(s.out, false); err != nil {
		return err
	}
	for _, h := range waiting {
		s.pass.touch(h).must = true
	}
	return s.pass.run(false)
}

func (s *step) findWaiting() (waiting []pipeline.Hash, err error) {
	err = s.pass.state.Each(s.waitAt, func(h pipeline.Hash, v []byte) error {
		if factWaiting(v) {
			waiting = append(waiting, h)
		}
		if len(waiting) == s.most {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return waiting, err
}
