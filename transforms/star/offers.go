package star

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// offer is a row of the log that may bring members.
type offer struct {
	table   *logTable
	row     []byte // packed
	version pipeline.Version
	itemKey []byte
}

// suspect is an offer whose change may turn out to be a dead letter.
type suspect struct {
	offer
	ordinal int64
}

// Log implements pipeline.KeyedStep. Of all rows that a member is offered it keeps
// the newest only: there are few products and very many that were sold.
func (s *step) Log(reading int, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	t := s.star.readings[reading].log
	s.columns = t.arrange(s.columns, rows.Record)
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		c := &changes[rows.Change[i]]
		s.scratch = packed.AppendRow(s.scratch[:0], s.columns, i)
		o := offer{t, s.scratch, c.Version, c.Key}
		if c.Late {
			o.row, o.itemKey = s.arena.Keep(o.row), s.arena.Keep(o.itemKey)
			s.suspects = append(s.suspects, suspect{o, first + int64(rows.Change[i])})
			continue
		}
		if err := s.offer(&o); err != nil {
			return err
		}
	}
	return nil
}

// offer offers a row to the members that it has the natural keys of.
func (s *step) offer(o *offer) error {
	s.values = packed.SplitRow(s.values[:0], o.row, o.table.widths)
	for _, d := range o.table.dimensions {
		naturalKey, ok := pick(s.values, d.naturalKey)
		if !ok {
			continue
		}
		at, err := s.members.touch(d, naturalKey)
		if err != nil {
			return err
		}
		s.picked = s.picked[:0]
		for _, i := range d.attributes {
			s.picked = append(s.picked, s.values[i])
		}
		s.members.all[at].offer(s.members, o, s.picked)
	}
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

// bringMembers takes what the epoch's log offers, but for changes that turned out
// to be dead letters, and its tracked rows to the members.
func (s *step) bringMembers(dead []int64) error {
	for i := range s.suspects {
		if _, gone := slices.BinarySearch(dead, s.suspects[i].ordinal); gone {
			continue
		}
		if err := s.offer(&s.suspects[i].offer); err != nil {
			return err
		}
	}
	moves, err := s.touchTracked()
	if err != nil {
		return err
	}
	if err := s.members.load(); err != nil {
		return err
	}
	s.members.bring()
	s.move(moves)
	return nil
}
