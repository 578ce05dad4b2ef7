package star

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// trackedRow is what the state keeps of a row of a table whose deletes matter
// to a dimension.
type trackedRow struct {
	member pipeline.Hash // zero = its natural key has a null
	dead   bool
	at     int64 // when it was deleted, µs since 1970
}

func (r *trackedRow) append(b []byte) []byte {
	dead := byte(0)
	if r.dead {
		dead = 1
	}
	return binary.LittleEndian.AppendUint64(packed.AppendHash(append(b, dead), r.member), uint64(r.at))
}

func decodeTracked(b []byte) trackedRow {
	c := packed.Cursor{B: b}
	dead := c.U8() == 1
	return trackedRow{member: c.Hash(), dead: dead, at: int64(c.U64())}
}

// move is a tracked row that the epoch has changed.
type move struct {
	change      *trackedChange
	before, now trackedRow
	known       bool
}

// touchTracked reads the tracked rows from the state and touches the members
// that they had and have.
func (s *step) touchTracked() ([]move, error) {
	moves := make([]move, len(s.tracks))
	for i := range s.tracks {
		moves[i].change = &s.tracks[i]
	}
	err := s.members.finder.Find(s.members.state, len(moves), func(i int32) pipeline.Hash { return moves[i].change.hash }, func(i int32, v []byte) {
		moves[i].before, moves[i].known = decodeTracked(v), true
	})
	if err != nil {
		return nil, err
	}
	for i := range moves {
		if err := s.touchMove(&moves[i]); err != nil {
			return nil, err
		}
	}
	return moves, nil
}

func (s *step) touchMove(m *move) error {
	d := m.change.dimension
	if m.before.member != (pipeline.Hash{}) {
		s.members.touchHash(d, m.before.member)
	}
	s.values = packed.SplitRow(s.values[:0], m.change.row, d.rows.widths)
	n := len(d.naturalKey)
	m.now = trackedRow{dead: s.values[n] != nil && s.values[n][0] == 1, at: math.MinInt64}
	if at := s.values[n+1]; at != nil {
		m.now.at = int64(binary.LittleEndian.Uint64(at))
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
	if r.member == (pipeline.Hash{}) {
		return
	}
	at, _ := s.members.index.Get(r.member) // touchMove has touched it
	e := &s.members.all[at]
	e.version, e.changed = m.change.version, true
	switch {
	case !r.dead:
		e.live += n
	case e.dimension.onDelete != pipeline.Flag: // nobody asks when
	case n > 0:
		e.bury(m.change.hash, r.at)
	default:
		e.raise(m.change.hash)
	}
}
