package star

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// trackedRow is what the state keeps of a row of a table whose deletes matter
// to a dimension.
type trackedRow struct {
	member pipeline.Hash // zero = its natural key has a null
	dead   bool
}

func (r *trackedRow) append(b []byte) []byte {
	dead := byte(0)
	if r.dead {
		dead = 1
	}
	return packed.AppendHash(append(b, dead), r.member)
}

func decodeTracked(b []byte) trackedRow {
	c := packed.Cursor{B: b}
	return trackedRow{dead: c.U8() == 1, member: c.Hash()}
}

// move is a tracked row that the epoch has changed.
type move struct {
	change      *trackedChange
	before, now trackedRow
	known       bool
	at          int64 // when the row was deleted, µs since 1970
}

// touchTracked reads the tracked rows from the state and touches the members
// that they had and have.
func (s *step) touchTracked() ([]move, error) {
	moves := movesOf(s.tracks)
	err := s.members.finder.Find(s.members.state, len(moves), func(i int32) pipeline.Hash { return moves[i].change.hash }, func(i int32, v []byte) {
		moves[i].before, moves[i].known = decodeTracked(v), true
	})
	if err != nil {
		return nil, err
	}
	return moves, s.touchMoves(moves)
}

func movesOf(changes []trackedChange) []move {
	moves := make([]move, len(changes))
	for i := range changes {
		moves[i].change = &changes[i]
	}
	return moves
}

func (s *step) touchMoves(moves []move) error {
	for i := range moves {
		if err := s.touchMove(&moves[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) touchMove(m *move) error {
	d := m.change.dimension
	if m.before.member != (pipeline.Hash{}) {
		s.members.touchHash(d, m.before.member)
	}
	s.values = packed.SplitRow(s.values[:0], m.change.row, d.rows.widths)
	n := len(d.naturalKey)
	m.now = trackedRow{dead: m.change.gone || s.values[n] != nil && s.values[n][0] == 1}
	m.at = m.change.version.Time
	if at := s.values[n+1]; at != nil {
		m.at = int64(binary.LittleEndian.Uint64(at))
	}
	naturalKey := s.values[:n]
	if slices.ContainsFunc(naturalKey, func(v []byte) bool { return v == nil }) {
		return nil
	}
	at, err := s.members.touch(d, naturalKey)
	if err != nil {
		return err
	}
	m.now.member = s.members.all[at].hash
	return nil
}

// leave notes when rows left members, or that they have come back.
func (s *step) leave(moves []move) {
	for i := range moves {
		m := &moves[i]
		e := s.memberOf(m.now.member)
		if e == nil {
			continue
		}
		e.raise(m.change.hash)
		if m.now.dead {
			e.bury(m.change.hash, m.at)
		}
		e.version, e.changed = m.change.version, true
	}
}

// move counts the rows of the members that tracked rows have left and come to.
func (s *step) move(moves []move) {
	for i := range moves {
		m := &moves[i]
		if m.known && m.before == m.now {
			continue
		}
		if m.known {
			s.shift(m.before, m, -1)
		}
		s.shift(m.now, m, 1)
		s.scratch = m.now.append(s.scratch[:0])
		s.members.state.Put(m.change.hash, s.scratch)
	}
}

// shift adds the row to a member, or takes it away.
func (s *step) shift(r trackedRow, m *move, n int64) {
	e := s.memberOf(r.member)
	if e == nil || r.dead {
		return
	}
	e.version, e.changed = m.change.version, true
	e.live += n
	switch row := m.change.hash; {
	case e.dimension.onDelete != pipeline.Flag: // nobody asks when
	case n > 0:
		e.raise(row)
	case !e.has(row): // its item says so still, but another's row is the newest of the key
		e.bury(row, m.change.version.Time)
	}
}

// memberOf returns the entry of a member that was touched; nil = none.
func (s *step) memberOf(h pipeline.Hash) *memberEntry {
	if h == (pipeline.Hash{}) {
		return nil
	}
	at, _ := s.members.index.Get(h)
	return &s.members.all[at]
}
