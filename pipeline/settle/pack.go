package settle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Packer packs what batches bring to the items of a Settler. It belongs to one goroutine, and
// changes nothing that others use.
type Packer struct {
	common *common

	rows    []imageRow
	sorted  []imageRow
	ends    []int32 // of the rows of each change
	bytes   []byte  // the packed rows
	message []byte
	key     []byte
	keys    []pipeline.Hash // of the rows of a table
	columns []arrow.Array
}

// imageRow is a row that a change yields, or the key of one that was left out.
type imageRow struct {
	change   int32
	output   int32 // 0 = last-writer-wins, otherwise 1 + the number of the policy
	dropped  bool
	table    uint64 // id of the schema
	key      pipeline.Hash
	from, to uint32 // in Packer.bytes
}

// Packet is a batch as a Packer packs it.
type Packet struct {
	changes []packetChange
	byGroup []int32                   // changes in the order of their items' key groups
	ends    [pipeline.KeyGroups]int32 // of the changes of each key group, in byGroup
	bodies  [][]byte                  // of the messages of the changes, in the order of byGroup
	memory  reuse.Arena               // of the bodies
	tables  []packetTable
	untimed bool  // some of its versions are no times of changes
	ordinal int64 // of the first change
}

// packetChange is what is looked at of a change when its packet is added.
type packetChange struct {
	item      pipeline.Hash
	time      int64  // once it is added
	table     uint16 // in Packet.tables
	byArrival bool
	late      bool // once it is added
}

// packetTable is a logical table that a packet has changes of.
type packetTable struct {
	name  string
	first int32 // change of it
	id    uint16
}

// NewPacker returns a Packer; each worker of the engine has one of its own.
func (s *Settler) NewPacker() *Packer { return &Packer{common: &s.common} }

// arenaChangesMin is the number of changes from which a packet fills a chunk of an arena, or nearly:
// an epoch may have very many packets of few changes.
const arenaChangesMin = 256

// Pack packs the changes of a batch, and keeps nothing of it.
func (p *Packer) Pack(b *pipeline.Batch) (*Packet, error) {
	if err := p.common.checkItems(b); err != nil {
		return nil, err
	}
	p.packTables(b)
	p.sort(len(b.Changes))
	packet := &Packet{changes: make([]packetChange, len(b.Changes)), bodies: make([][]byte, len(b.Changes))}
	for i := range b.Changes {
		c := &b.Changes[i]
		packet.untimed = packet.untimed || c.Version.ByArrival
		packet.changes[i] = packetChange{item: c.Item, table: packet.table(c.Table, int32(i)), byArrival: c.Version.ByArrival}
	}
	packet.sort()
	copyOf := packet.memory.Copy
	if len(b.Changes) < arenaChangesMin {
		copyOf = bytes.Clone
	}
	for at, i := range packet.byGroup {
		p.message = p.appendImageRows(appendChange(p.message[:0], &b.Changes[i]), p.of(int(i)))
		packet.bodies[at] = copyOf(p.message)
	}
	return packet, nil
}

// sort puts the changes into the order of their items' key groups: those of a part of an epoch
// lie together.
func (p *Packet) sort() {
	for i := range p.changes {
		p.ends[p.changes[i].item.KeyGroup()]++
	}
	sum := int32(0)
	for g, n := range p.ends {
		p.ends[g] = sum
		sum += n
	}
	p.byGroup = make([]int32, len(p.changes))
	for i := range p.changes {
		at := &p.ends[p.changes[i].item.KeyGroup()]
		p.byGroup[*at] = int32(i)
		*at++
	}
}

// checkItems fails if a change has no item.
func (s *common) checkItems(b *pipeline.Batch) error {
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Item == (pipeline.Hash{}) {
			return fmt.Errorf("%s: node %s: the record has no item key, so its rows can't be settled: give the source a key",
				b.Records.Position(int(c.Record)), s.node)
		}
	}
	return nil
}

// table returns the place of a logical table among those of the packet.
func (p *Packet) table(name string, change int32) uint16 {
	if n := len(p.tables); n > 0 && p.tables[n-1].name == name {
		return uint16(n - 1)
	}
	i := slices.IndexFunc(p.tables, func(t packetTable) bool { return t.name == name })
	if i < 0 {
		i = len(p.tables)
		p.tables = append(p.tables, packetTable{name: name, first: change})
	}
	return uint16(i)
}

// packTables packs the rows of a batch, table by table.
func (p *Packer) packTables(b *pipeline.Batch) {
	p.rows, p.bytes = p.rows[:0], p.bytes[:0]
	for _, r := range b.Tables {
		if sc := p.common.byTable[r.Table]; sc != nil {
			p.hashKeys(sc.seed, r)
			p.pack(r, sc, imageRow{table: sc.ID})
		}
		for i, policy := range p.common.policies {
			switch r.Table {
			case policy.table:
				p.hashKeys(policy.seed, r)
				p.addExtraKey(policy.extraKey, r)
				p.pack(r, policy.schema, imageRow{output: 1 + int32(i)})
			case policy.unfiltered:
				p.hashKeys(policy.seed, r)
				p.pack(r, nil, imageRow{output: 1 + int32(i), dropped: true})
			}
		}
	}
}

// hashKeys hashes the keys of rows.
func (p *Packer) hashKeys(seed []byte, r *pipeline.Rows) {
	p.keys = slices.Grow(p.keys[:0], len(r.Ops))[:len(r.Ops)]
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		p.key = append(p.key[:0], seed...)
		for _, c := range r.Table.Key {
			p.key = packed.AppendValue(p.key, r.Record.Column(c), i)
		}
		p.keys[i] = packed.HashKey(p.key)
	}
}

// addExtraKey has more columns tell rows apart. What there is of one row key stays in its key
// group.
func (p *Packer) addExtraKey(columns []int, r *pipeline.Rows) {
	if len(columns) == 0 {
		return
	}
	p.columns = p.columns[:0]
	for _, c := range columns {
		p.columns = append(p.columns, r.Record.Column(c))
	}
	for i, op := range r.Ops {
		if op == pipeline.OpUpsert {
			p.key = packed.AppendRow(packed.AppendHash(p.key[:0], p.keys[i]), p.columns, i) // nulls differ from all values
			p.keys[i] = packed.HashKey(p.key).Beside(p.keys[i])
		}
	}
}

// pack packs the upserts among rows; without a schema, only their keys.
func (p *Packer) pack(r *pipeline.Rows, sc *schema, y imageRow) {
	if sc != nil {
		p.columns = sc.arrange(p.columns, r.Record)
	}
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		y.change, y.key, y.from = r.Change[i], p.keys[i], uint32(len(p.bytes))
		if sc != nil {
			p.bytes = packed.AppendRow(p.bytes, p.columns, i)
		}
		y.to = uint32(len(p.bytes))
		p.rows = append(p.rows, y)
	}
}

// sort puts the rows into the order of n changes, and those of one by output and key.
func (p *Packer) sort(n int) {
	p.ends = slices.Grow(p.ends[:0], n+1)[:n+1]
	clear(p.ends)
	for i := range p.rows {
		p.ends[p.rows[i].change+1]++
	}
	for i := range n {
		p.ends[i+1] += p.ends[i]
	}
	p.sorted = slices.Grow(p.sorted[:0], len(p.rows))[:len(p.rows)]
	for i := range p.rows {
		at := &p.ends[p.rows[i].change]
		p.sorted[*at] = p.rows[i]
		*at++
	}
	// Each end is where the change's rows end now.
	for i := range n {
		if rows := p.of(i); len(rows) > 1 {
			slices.SortFunc(rows, compareImageRows)
		}
	}
}

// of returns the rows of a change.
func (p *Packer) of(change int) []imageRow {
	from := int32(0)
	if change > 0 {
		from = p.ends[change-1]
	}
	return p.sorted[from:p.ends[change]]
}

func compareImageRows(a, b imageRow) int {
	if c := cmp.Compare(a.output, b.output); c != 0 {
		return c
	}
	if a.dropped != b.dropped {
		if b.dropped {
			return -1
		}
		return 1
	}
	return a.key.Compare(b.key)
}

// appendImageRows appends the rows of a change, which are sorted.
func (p *Packer) appendImageRows(b []byte, rows []imageRow) []byte {
	b, from := appendLength(b)
	at := 0
	for ; at < len(rows) && rows[at].output == 0; at++ {
		y := &rows[at]
		b = binary.AppendUvarint(b, y.table)
		b = packed.AppendBytes(packed.AppendHash(b, y.key), p.bytes[y.from:y.to])
	}
	endLength(b, from)
	for i := range p.common.policies {
		end := at
		for end < len(rows) && rows[end].output == int32(i)+1 {
			end++
		}
		if b, from = appendLength(b); end > at {
			b = p.appendPolicyRows(b, rows[at:end])
		}
		endLength(b, from)
		at = end
	}
	return b
}

// appendPolicyRows appends the rows of one policy, and the keys of those that were left out.
func (p *Packer) appendPolicyRows(b []byte, rows []imageRow) []byte {
	n := 0
	for n < len(rows) && !rows[n].dropped {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i := range rows[:n] {
		y := &rows[i]
		b = packed.AppendBytes(packed.AppendHash(b, y.key), p.bytes[y.from:y.to])
	}
	for i := n; i < len(rows); i++ {
		_, there := slices.BinarySearchFunc(rows[:n], rows[i].key, func(y imageRow, key pipeline.Hash) int { return y.key.Compare(key) })
		if !there {
			b = packed.AppendHash(b, rows[i].key)
		}
	}
	return b
}

// appendTo appends the messages of changes to items of some key groups, and completes them.
func (p *Packet) appendTo(messages []pipeline.Message, groups pipeline.KeyGroupRange) []pipeline.Message {
	first := int32(0)
	if groups.First > 0 {
		first = p.ends[groups.First-1]
	}
	for at := first; at < p.ends[groups.End-1]; at++ {
		i, body := p.byGroup[at], p.bodies[at]
		c := &p.changes[i]
		ordinal := uint64(p.ordinal) + uint64(i)
		completeHead(body, ordinal, c.time, p.tables[c.table].id, c.late)
		messages = append(messages, pipeline.Message{To: c.item, Order: ordinal, Body: body})
	}
	return messages
}

// release gives the memory of the messages back.
func (p *Packet) release() {
	p.memory.Release()
	p.bodies = nil
}
