package settle

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// lateChange is a change from before the retention horizon.
type lateChange struct {
	ordinal int64
	record  []byte
	pos     pipeline.Position
	origin  pipeline.Origin
	reread  bool // a reading before had read it
}

// rejection is a late change that has no effect.
type rejection struct {
	ordinal int64
	key     []byte // of its item
}

// noteLate notes which changes of a packet are late, with their records.
func (s *Settler) noteLate(p *Packet, b *pipeline.Batch) {
	if !s.tables.anyForgotten() {
		return
	}
	for i := range p.changes {
		c := &p.changes[i]
		if c.byArrival || !s.tables.forgotten(p.tables[c.table].id, c.time) {
			continue
		}
		c.late = true
		n := int(b.Changes[i].Record)
		s.late = append(s.late, lateChange{
			p.ordinal + int64(i), bytes.Clone(b.Records.Bytes(n)), b.Records.Position(n), b.Records.Origin(n), n < b.Records.ReadAgain,
		})
	}
}

// reject makes dead letters of changes that have no effect, but for those that were read
// before.
func (s *Settler) reject(r *Result, rejected []rejection) {
	slices.SortFunc(rejected, func(a, b rejection) int { return int(a.ordinal - b.ordinal) })
	for _, j := range rejected {
		r.Rejected = append(r.Rejected, j.ordinal)
		i, _ := slices.BinarySearchFunc(s.late, j.ordinal, func(l lateChange, ordinal int64) int { return int(l.ordinal - ordinal) })
		l := &s.late[i]
		if l.reread {
			r.Reread++
			continue
		}
		r.DeadLetters = append(r.DeadLetters, pipeline.DeadLetter{
			Record: l.record, Reason: pipeline.ReasonTooLate, Node: s.node, Pos: l.pos, Origin: l.origin,
			Message: fmt.Sprintf("item %s: the change is older than deletions are remembered for (state.tombstones), and nothing is known of the item; "+
				"raise state.tombstones if changes may come this late", s.showKey(j.key)),
		})
	}
}
