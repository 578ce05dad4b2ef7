package unnest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/transforms/internal/meta"
)

// mapper is one worker of an Unnest: it decides which tables want a record, has their
// rows made, and makes a change or a dead letter of it. One goroutine uses it.
type mapper struct {
	unnest   *Unnest
	settled  bool
	deletes  bool // some table needs deletes
	archives bool // some table takes removed items
	formats  map[*pipeline.Format]*boundFormat
	tables   []tableBuilder
	rows     rowMaker // of the record that is being read

	// The batch that is being made.
	records       *pipeline.Records
	batch         *pipeline.Batch
	order         uint16
	noFutureUntil int64  // changes that are dated no later are not from the future
	arena         []byte // the keys of the batch's changes

	// The record that is being read.
	identified  bool // its item is known, where somebody settles
	removal     pipeline.Removal
	oldMatched  bool // its old image was matched
	filteredOut bool // a filter before does not let its item pass
}

// failure is why a change takes no effect. A fatal one ends the run.
type failure struct {
	reason  pipeline.Reason
	message string
	node    string // that refuses it; empty = this one
	fatal   bool
}

// contextCheckRecords is how many records pass between looks at the context.
const contextCheckRecords = 1024

// Map implements pipeline.Mapper.
func (m *mapper) Map(ctx context.Context, r *pipeline.Records) (*pipeline.Batch, error) {
	m.begin(r)
	for i := range r.Spans {
		if i%contextCheckRecords == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("unnest: %w", ctx.Err())
		}
		if err := m.record(i); err != nil {
			return nil, err
		}
	}
	return m.finish(), nil
}

func (m *mapper) begin(r *pipeline.Records) {
	m.rows.binding, m.records, m.order = m.bind(r.Format), r, r.Order()
	m.noFutureUntil = latestOf(r)
	m.batch = &pipeline.Batch{Records: r, Changes: make([]pipeline.Change, 0, len(r.Spans))}
	m.arena = make([]byte, 0, cap(m.arena))
	for i := range m.tables {
		if m.tables[i].wanted {
			m.tables[i].start(len(r.Spans))
		}
	}
}

// finish closes the batch; the mapper keeps nothing of it.
func (m *mapper) finish() *pipeline.Batch {
	for i := range m.tables {
		if rows := m.tables[i].finish(len(m.records.Spans)); rows != nil {
			m.batch.Tables = append(m.batch.Tables, rows)
		}
	}
	b := m.batch
	for i := range m.tables {
		m.tables[i].coverage.report(b)
	}
	m.batch, m.records, m.rows.rec = nil, nil, nil
	return b
}

// record maps one record: to rows, a dead letter, or an error that ends the run.
func (m *mapper) record(i int) error {
	mark := m.records.MarkOf(i)
	if mark == pipeline.Suppressed {
		m.batch.Ignored++
		return nil
	}
	m.rows.rec, m.rows.index, m.identified, m.rows.dropped = m.records.Bytes(i), i, false, m.rows.dropped[:0]
	gone, d := mark == pipeline.FilteredOut, &m.rows.binding.record
	if err := m.rows.binding.decoder.Decode(m.rows.rec, d); err != nil {
		var bad *decode.Error
		if !errors.As(err, &bad) {
			return fmt.Errorf("%s: %w", m.records.Position(i), err)
		}
		if m.records.Recheck != nil {
			if err := m.records.Recheck(i); err != nil {
				return err
			}
		}
		message := bad.Error()
		if m.records.Defect != nil {
			if defect := m.records.Defect(i); defect != nil {
				message = defect.Error()
			}
		}
		return m.refuse(&failure{reason: pipeline.ReasonBadRecord, message: m.unnest.maskMessage(message)})
	}
	m.identified = m.settled && d.Lacks == nil
	if d.Created > m.noFutureUntil && d.Created > m.records.Latest(i) {
		return m.refuse(m.future(d.Created))
	}
	if mark == pipeline.Refused {
		why := m.records.Refusals[i]
		return m.refuse(&failure{reason: pipeline.ReasonBadValue, message: why.Message, node: why.Node, fatal: why.Fatal})
	}
	m.readMeta()
	if gone {
		d.HasNew = false
	}
	m.removal = removalOf(d, gone)
	m.filteredOut = gone
	matched, f := m.match()
	if f != nil {
		return m.refuse(f)
	}
	if !gone && !d.HasNew && !d.HasOld && d.Event != decode.Remove {
		matched = false // a null: nothing for any table
	}
	if d.HasNew || m.oldMatched {
		m.coverImages()
	}
	if !matched && !gone && m.unnest.unmatched != unmatchedIgnore {
		if f := m.unmatched(); f != nil {
			return m.refuse(f)
		}
	}
	if d.Lacks != nil {
		if matched && !gone {
			return m.refuse(&failure{reason: pipeline.ReasonBadRecord, message: m.unnest.maskMessage(d.Lacks.Error())})
		}
		m.batch.Ignored++
		return nil
	}
	if f := m.makeRows(); f != nil {
		m.rollback()
		return m.refuse(f)
	}
	m.accept(matched)
	return nil
}

// accept records the change whose rows are in the builds.
func (m *mapper) accept(matched bool) {
	for i := range m.rows.dropped {
		letter := m.rows.dropped[i]
		letter.Node, letter.Pos, letter.At = m.unnest.name, m.records.Position(m.rows.index), m.rows.index
		if i == 0 {
			letter.Record = slices.Clone(m.rows.rec)
		}
		m.batch.DeadLetters = append(m.batch.DeadLetters, letter)
	}
	if !matched {
		m.batch.Ignored++
		if !m.settled && !m.hasRows() {
			return
		}
	}
	d := &m.rows.binding.record
	moved := m.settled && d.Moved
	if moved {
		v := d.Version
		v.New = 0 // the item is gone
		m.change(d.Was, d.WasKey, v, pipeline.Removed)
	}
	at := int32(len(m.batch.Changes))
	for i := range m.tables {
		m.tables[i].assign(at, moved)
	}
	m.change(d.Item, d.Key, d.Version, m.removal)
}

// change adds a change of the record to the batch.
func (m *mapper) change(item pipeline.Hash, key []byte, v pipeline.Version, removal pipeline.Removal) {
	c := pipeline.Change{Record: int32(m.rows.index), Version: v, Removal: removal}
	c.Version.Partition, c.Version.Ordinal = m.order, m.records.Ordinal(m.rows.index)
	if m.records.Replays != nil {
		c.Version.Partition = m.records.Replays[m.rows.index].Origin.Order
	}
	if m.settled {
		start := len(m.arena)
		m.arena = append(m.arena, key...)
		c.Item, c.Key, c.Table = item, slices.Clip(m.arena[start:]), m.rows.binding.record.Logical
		c.Unit, c.ByDigits = int32(m.rows.binding.record.Unit), m.rows.binding.record.ByDigits
	}
	m.batch.Changes = append(m.batch.Changes, c)
}

// hasRows reports whether the record has rows.
func (m *mapper) hasRows() bool {
	for i := range m.tables {
		if len(m.tables[i].ops) > m.tables[i].recordStart {
			return true
		}
	}
	return false
}

func (m *mapper) rollback() {
	for i := range m.tables {
		if m.tables[i].wanted {
			m.tables[i].truncate(m.tables[i].recordStart)
		}
	}
}

// refuse makes the record a dead letter, or ends the run.
func (m *mapper) refuse(f *failure) error {
	letter := pipeline.DeadLetter{
		Record: slices.Clone(m.rows.rec), Reason: f.reason, Message: f.message,
		Node: cmp.Or(f.node, m.unnest.name), Pos: m.records.Position(m.rows.index), At: m.rows.index,
	}
	if f.fatal {
		return &letter
	}
	if m.identified {
		letter.Item = m.rows.binding.record.Item
	}
	m.batch.DeadLetters = append(m.batch.DeadLetters, letter)
	return nil
}

// unmatched says why a record that no table wants is refused; nil = it is one to ignore.
func (m *mapper) unmatched() *failure {
	matcher, d := m.rows.binding.ignoreNew, &m.rows.binding.record
	values, has := d.New, d.HasNew
	if d.Event == decode.Remove {
		matcher, values, has = m.rows.binding.ignoreOld, d.Old, d.HasOld
	}
	if matcher != nil && has {
		switch ok, err := matcher.Match(m.rows.rec, values, &m.rows.meta); {
		case err != nil:
			return m.unmatchable("ignore", err)
		case ok:
			return nil
		}
	}
	return &failure{
		reason: pipeline.ReasonUnmatched, fatal: m.unnest.unmatched == unmatchedFail,
		message: "no table wants the item; add a table, widen a where, name it in ignore, or set unmatched: ignore",
	}
}

// match finds the tables that want the images, and reports whether any table
// wants the item: by its new image, or, when it is removed, by its old one. A
// removal that tells no more than the key is wanted by whoever had the item,
// which its where can't say.
func (m *mapper) match() (bool, *failure) {
	d := &m.rows.binding.record
	anyNew, f := m.matchNew()
	if f != nil {
		return false, f
	}
	anyOld := false
	m.oldMatched = false
	if m.deletes || d.Event == decode.Remove && (m.unnest.canMiss || m.archives) {
		if anyOld, f = m.matchOld(); f != nil {
			return false, f
		}
		m.oldMatched = d.HasOld
	}
	switch {
	case !m.unnest.canMiss:
		return true, nil
	case d.Event == decode.Remove:
		return anyOld || !d.HasOld || d.KeyOnly, nil
	default:
		return anyNew, nil
	}
}

// matchNew marks the tables that want the new image.
func (m *mapper) matchNew() (matched bool, f *failure) {
	d := &m.rows.binding.record
	for i := range m.tables {
		b, v := &m.tables[i], &m.rows.binding.newImages[i]
		ok := d.HasNew && v.hasWhere
		wants := ok
		if ok && v.matcher != nil && (b.wanted || !matched) {
			var err error
			if ok, wants, err = m.matchItem(b, v, d.New); err != nil {
				return false, m.unmatchable(b.where(), err)
			}
		}
		matched = matched || wants
		b.matchNew = ok
	}
	return matched, nil
}

// matchItem reports whether a table takes the change with the image of values, and
// whether it wants the item: one of first rows does whatever happens to the item.
func (m *mapper) matchItem(b *tableBuilder, v *imageProjection, values []decode.Value) (takes, wants bool, err error) {
	takes, err = v.matcher.Match(m.rows.rec, values, &m.rows.meta)
	wants = takes
	if err == nil && !takes && b.table.takesFirstRows() {
		wants, err = v.matcher.MayMatch(m.rows.rec, values, &m.rows.meta, pattern.UnknownKind)
	}
	return takes, wants, err
}

// unmatchable says why it can't be told whether a pattern, at a place of the
// configuration, matches an image.
func (m *mapper) unmatchable(at string, err error) *failure {
	if isOfCondition(err) {
		return &failure{reason: pipeline.ReasonBadValue, message: fmt.Sprintf("%s: %v", at, err)}
	}
	return &failure{reason: pipeline.ReasonBadRecord, message: m.unnest.maskMessage(err.Error())}
}

// isOfCondition reports whether an error is of an expression that can't be computed.
func isOfCondition(err error) bool {
	var condition *pattern.ConditionError
	return errors.As(err, &condition)
}

// readMeta takes what columns and patterns can see of the change itself.
func (m *mapper) readMeta() {
	arrived := pipeline.NoTime
	if m.records.Arrived != nil {
		arrived = m.records.Arrived[m.rows.index]
	}
	m.rows.meta = meta.Of(m.rows.rec, &m.rows.binding.record, m.rows.binding.tableName, arrived)
}
