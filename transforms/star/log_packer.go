package star

import (
	"sync"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// logPacker makes messages to members of the rows of logs, and to tracked rows whose natural
// keys may change.
type logPacker struct {
	star   *Star
	seeds  [][]byte      // of the inputs
	unused []sync.Pool   // of the inputs: logs of earlier epochs
	last   []packedSizes // of the inputs

	columns, selected []arrow.Array
	hashed            []byte
}

// packedSizes is how much a log has.
type packedSizes struct{ messages, bodies int }

// Pack implements pipeline.LogPacker.
func (p *logPacker) Pack(input int, changes []pipeline.Change, rows *pipeline.Rows) (*pipeline.PackedLog, error) {
	t := p.star.inputs[input].log
	p.columns = t.columnsOf(p.columns, rows.Record)
	log := p.newLog(input)
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		for _, d := range t.dimensions {
			p.addRow(log, d, &changes[rows.Change[i]], rows.Change[i], i)
		}
	}
	p.last[input] = packedSizes{len(log.To), len(log.Bodies)}
	return log, nil
}

// newLog returns an empty log of an input, with room for as much as the last one had.
func (p *logPacker) newLog(input int) *pipeline.PackedLog {
	if log, ok := p.unused[input].Get().(*pipeline.PackedLog); ok {
		*log = pipeline.PackedLog{Input: input, To: log.To[:0], Ends: log.Ends[:0], Bodies: log.Bodies[:0], Changes: log.Changes[:0]}
		return log
	}
	n, bytes := reuse.Room(p.last[input].messages), reuse.Room(p.last[input].bodies)
	return &pipeline.PackedLog{Input: input, To: make([]pipeline.Hash, 0, n), Ends: make([]uint32, 0, n), Bodies: make([]byte, 0, bytes), Changes: make([]int32, 0, n)}
}

// addRow adds what row i says to a dimension: it brings a member, unless its natural key has a null.
func (p *logPacker) addRow(log *pipeline.PackedLog, d *dimension, c *pipeline.Change, change int32, i int) {
	member, ok := p.member(d, i)
	if ok {
		b := appendUpsert(log.Bodies, d, &c.Version, c.Key, i)
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
		log.Bodies = packed.AppendRow(b, p.selected, i)
		addMessage(log, member, change)
	}
	if d.rowKey != nil {
		p.hashed = append(p.hashed[:0], p.seeds[d.trackedInput]...)
		for _, at := range d.rowKey {
			p.hashed = packed.AppendValue(p.hashed, p.columns[at], i)
		}
		log.Bodies = packed.AppendHash(appendVersion(appendMemberHead(log.Bodies, trackedMessage, d), &c.Version), member)
		addMessage(log, d.trackedKey(packed.HashKey(p.hashed)), change)
	}
}

// addMessage adds the message whose body was appended last.
func addMessage(log *pipeline.PackedLog, to pipeline.Hash, change int32) {
	log.To, log.Ends, log.Changes = append(log.To, to), append(log.Ends, uint32(len(log.Bodies))), append(log.Changes, change)
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
