package star

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

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

// epochLog is rows of a log that came with the epoch.
type epochLog struct {
	*pipeline.PackedLog
	first int64 // ordinal of the first change of its batch
}

// memberUpdate is what a row of a log brings to one member.
type memberUpdate struct {
	row        int32 // of operator.attributeRows
	entry      int32 // of members.entries
	dimension  *dimension
	member     pipeline.Hash // of the dimension and the natural key
	naturalKey []byte        // packed
}

// logPacker packs what logs bring to members.
type logPacker struct {
	star    *Star
	columns []arrow.Array
}

// NewLogPacker implements pipeline.Operator.
func (s *operator) NewLogPacker() pipeline.LogPacker { return &logPacker{star: s.star} }

// Pack implements pipeline.LogPacker.
func (p *logPacker) Pack(input int, changes []pipeline.Change, rows *pipeline.Rows) (*pipeline.PackedLog, error) {
	t := p.star.inputs[input].log
	p.columns = t.columnsOf(p.columns, rows.Record)
	log := &pipeline.PackedLog{Input: input}
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		c := &changes[rows.Change[i]]
		b := binary.LittleEndian.AppendUint64(nil, uint64(c.Version.Time))
		b = packed.AppendCandidate(b, &pipeline.Candidate{Version: c.Version})
		b = packed.AppendRow(packed.AppendBytes(b, c.Key), p.columns, i)
		log.Messages, log.Changes = append(log.Messages, pipeline.Message{Body: b}), append(log.Changes, rows.Change[i])
	}
	return log, nil
}

// Log implements pipeline.Operator.
func (s *operator) Log(first int64, log *pipeline.PackedLog) {
	s.logs = append(s.logs, epochLog{log, first})
}

// applyLogs takes the logs of the epoch, without the changes that have no effect. Of all that is
// brought to a member it keeps the newest only: there are few products and very many that were
// sold.
func (s *operator) applyLogs(rejected []int64) error {
	for _, log := range s.logs {
		t := s.star.inputs[log.Input].log
		for i := range log.Messages {
			if _, found := slices.BinarySearch(rejected, log.first+int64(log.Changes[i])); found {
				continue
			}
			c := packed.Cursor{B: log.Messages[i].Body}
			o := attributeRow{table: t, version: c.Candidate(int64(c.U64())).Version}
			if log.Times != nil {
				o.version.Time = log.Times[i]
			}
			o.itemKey = c.Bytes()
			o.row = c.B
			if s.attributeRows = append(s.attributeRows, o); len(s.attributeRows) == prefetchKeys {
				if err := s.applyAttributeRows(); err != nil {
					return err
				}
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
	if err := s.applyLogs(rejected); err != nil {
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
