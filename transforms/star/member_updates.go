package star

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// attributeRow is a row of a log: it has natural keys of members, and their attributes.
type attributeRow struct {
	table   *logTable
	row     []byte // packed
	version pipeline.Version
	itemKey []byte
}

// lateAttributeRow is one of a late change, which may turn out to be a dead letter.
type lateAttributeRow struct {
	attributeRow
	ordinal int64
}

// memberUpdate is what a row of a log brings to one member.
type memberUpdate struct {
	row        int32 // of operator.attributeRows
	entry      int32 // of members.entries
	dimension  *dimension
	member     pipeline.Hash // of the dimension and the natural key
	naturalKey []byte        // packed
}

// Log implements pipeline.Operator. Of all that is brought to a member it keeps the newest
// only: there are few products and very many that were sold.
func (s *operator) Log(input int, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	t := s.star.inputs[input].log
	s.columns = t.columnsOf(s.columns, rows.Record)
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		c := &changes[rows.Change[i]]
		from := len(s.buffer)
		s.buffer = packed.AppendRow(s.buffer, s.columns, i)
		o := attributeRow{t, s.buffer[from:len(s.buffer):len(s.buffer)], c.Version, c.Key}
		if c.Late {
			o.row, o.itemKey = s.arena.Copy(o.row), s.arena.Copy(o.itemKey)
			s.lateRows = append(s.lateRows, lateAttributeRow{o, first + int64(rows.Change[i])})
			continue
		}
		s.attributeRows = append(s.attributeRows, o)
		if len(s.attributeRows) == prefetchKeys {
			if err := s.applyAttributeRows(); err != nil {
				return err
			}
		}
	}
	return s.applyAttributeRows()
}

// applyAttributeRows takes a batch of rows to the members whose natural keys they have.
func (s *operator) applyAttributeRows() error {
	s.memberUpdates, s.updateKeys = s.memberUpdates[:0], s.updateKeys[:0]
	for i := range s.attributeRows {
		s.addMemberUpdates(int32(i))
	}
	s.members.prefetch(s.updateKeys)
	for i := range s.memberUpdates {
		u := &s.memberUpdates[i]
		var err error
		if u.entry, err = s.members.entryByHash(u.dimension, u.member, u.naturalKey); err != nil {
			return err
		}
		if key := s.members.entries[u.entry].incoming.itemKey; len(key) > 0 {
			s.members.prefetchSum += int64(key[0])
		}
	}
	for i := range s.memberUpdates {
		s.applyMemberUpdate(&s.memberUpdates[i])
	}
	s.attributeRows, s.buffer = s.attributeRows[:0], s.buffer[:0]
	return nil
}

// addMemberUpdates adds what a row brings to members: one for each dimension whose natural
// key has no null in the row.
func (s *operator) addMemberUpdates(row int32) {
	o := &s.attributeRows[row]
	s.values = packed.SplitRow(s.values[:0], o.row, o.table.widths)
	for _, d := range o.table.dimensions {
		naturalKey, ok := selectColumns(s.values, d.naturalKey)
		if !ok {
			if d.rowKey != nil {
				s.trackedRows.addMembership(d, s.trackedHash(d), pipeline.Hash{}, &o.version)
			}
			continue
		}
		u := memberUpdate{row: row, dimension: d, member: s.members.hashNaturalKey(d, naturalKey)}
		from := len(s.buffer)
		s.buffer = packed.JoinRow(s.buffer, naturalKey)
		u.naturalKey = s.buffer[from:len(s.buffer):len(s.buffer)]
		key := d.stateKey(u.member)
		s.memberUpdates, s.updateKeys = append(s.memberUpdates, u), append(s.updateKeys, key)
		if d.rowKey != nil {
			s.trackedRows.addMembership(d, s.trackedHash(d), key, &o.version)
		}
	}
}

// trackedHash returns the key in the state of the tracked row that the row of the log has
// the key of whose values were split last.
func (s *operator) trackedHash(d *dimension) pipeline.Hash {
	s.scratch = append(s.scratch[:0], d.trackedSeed...)
	for _, i := range d.rowKey {
		s.scratch = append(s.scratch, s.values[i]...)
	}
	return hashOf(s.scratch)
}

// applyMemberUpdate takes an update to its member, unless the epoch brought something newer.
func (s *operator) applyMemberUpdate(u *memberUpdate) {
	o, e := &s.attributeRows[u.row], &s.members.entries[u.entry]
	order := e.incoming.compare(&o.version, o.itemKey)
	if order < 0 {
		return
	}
	itemKey := o.itemKey
	if order > 0 {
		itemKey = s.arena.Copy(itemKey)
	}
	s.values = packed.SplitRow(s.values[:0], o.row, o.table.widths)
	s.selected = s.selected[:0]
	for _, i := range u.dimension.attributes {
		if i < 0 {
			s.selected = append(s.selected, nil)
			continue
		}
		s.selected = append(s.selected, s.values[i])
	}
	s.scratch = packed.JoinRow(s.scratch[:0], s.selected)
	e.incoming.add(&o.version, itemKey, s.arena.Copy(s.scratch))
}

// selectColumns returns some of the values, in the memory behind them; ok = false when one
// is null.
func selectColumns(values [][]byte, at []int) (selected [][]byte, ok bool) {
	selected = values[len(values):]
	for _, i := range at {
		if values[i] == nil {
			return nil, false
		}
		selected = append(selected, values[i])
	}
	return selected, true
}

// refreshMembers takes what the epoch's log and its tracked rows say to the members. Late
// changes count unless they were rejected.
func (s *operator) refreshMembers(rejected []int64) error {
	for i := range s.lateRows {
		if _, found := slices.BinarySearch(rejected, s.lateRows[i].ordinal); !found {
			s.attributeRows = append(s.attributeRows, s.lateRows[i].attributeRow)
		}
	}
	if err := s.applyAttributeRows(); err != nil {
		return err
	}
	if err := s.readTracked(); err != nil {
		return err
	}
	if err := s.members.load(); err != nil {
		return err
	}
	s.members.applyAttributes()
	return s.applyTracked()
}
