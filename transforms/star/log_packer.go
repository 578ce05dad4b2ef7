package star

import (
	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// logPacker makes messages to members of the rows of logs, and to tracked rows whose natural
// keys may change.
type logPacker struct {
	star  *Star
	seeds [][]byte // of the inputs

	columns, selected []arrow.Array
	hashed            []byte
	bodies            []byte
	ends              []int // of the bodies
}

// Pack implements pipeline.LogPacker.
func (p *logPacker) Pack(input int, changes []pipeline.Change, rows *pipeline.Rows) (*pipeline.PackedLog, error) {
	t := p.star.inputs[input].log
	p.columns = t.columnsOf(p.columns, rows.Record)
	log := &pipeline.PackedLog{Input: input}
	p.bodies, p.ends = p.bodies[:0], p.ends[:0]
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		for _, d := range t.dimensions {
			p.addRow(log, d, &changes[rows.Change[i]], rows.Change[i], i)
		}
	}
	bodies, from := append([]byte(nil), p.bodies...), 0
	for i, end := range p.ends {
		log.Messages[i].Body = bodies[from:end:end]
		from = end
	}
	return log, nil
}

// addRow adds what row i says to a dimension: it brings a member, unless its natural key has a null.
func (p *logPacker) addRow(log *pipeline.PackedLog, d *dimension, c *pipeline.Change, change int32, i int) {
	member, ok := p.member(d, i)
	if ok {
		b := appendUpsert(p.bodies, d, &c.Version, c.Key, i)
		p.hashed = packed.AppendRow(p.hashed[:0], p.selected, i) // the natural key
		b = packed.AppendBytes(b, p.hashed)
		p.selected = p.selected[:0]
		for _, at := range d.attributes {
			if at < 0 {
				p.selected = append(p.selected, nil)
				continue
			}
			p.selected = append(p.selected, p.columns[at])
		}
		p.bodies = packed.AppendRow(b, p.selected, i)
		p.add(log, member, change)
	}
	if d.rowKey != nil {
		p.hashed = append(p.hashed[:0], p.seeds[d.trackedInput]...)
		for _, at := range d.rowKey {
			p.hashed = packed.AppendValue(p.hashed, p.columns[at], i)
		}
		p.bodies = packed.AppendHash(appendVersion(appendMemberHead(p.bodies, trackedMessage, d), &c.Version), member)
		p.add(log, d.trackedKey(packed.HashKey(p.hashed)), change)
	}
}

// add adds the message whose body was appended last.
func (p *logPacker) add(log *pipeline.PackedLog, to pipeline.Hash, change int32) {
	log.Messages, log.Changes = append(log.Messages, pipeline.Message{To: to}), append(log.Changes, change)
	p.ends = append(p.ends, len(p.bodies))
}

// member returns the key in the state of the member that row i brings, zero if its natural
// key has a null; the columns of the natural key are selected then.
func (p *logPacker) member(d *dimension, i int) (key pipeline.Hash, ok bool) {
	p.hashed, p.selected = append(p.hashed[:0], d.seed...), p.selected[:0]
	for _, at := range d.naturalKey {
		column := p.columns[at]
		if column.IsNull(i) {
			return pipeline.Hash{}, false
		}
		p.hashed, p.selected = packed.AppendValue(p.hashed, column, i), append(p.selected, column)
	}
	return d.stateKey(hashOf(p.hashed)), true
}
