package settle

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// fetchPhase answers row keys that ask the items of a part for the rows which they
// contribute. Only items are asked that the epoch did not change there: what their state says
// is as it was before.
type fetchPhase struct {
	*common
	long overflow.Values
	out  *exchange.Sender // to the row keys

	// scratch
	hashes  []pipeline.Hash
	ends    []int
	values  [][]byte
	item    item
	rows    []packedRow
	encoded []byte
}

func newFetchPhase(c *common) fetchPhase {
	return fetchPhase{common: c, long: c.values(c.state.Items)}
}

// appendAsk appends the body of a message to an item: for which row key it is asked.
func appendAsk(b []byte, key pipeline.Hash) []byte { return packed.AppendHash(b, key) }

// answer is what an item says of its row for a key.
type answer struct {
	item    pipeline.Hash
	time    int64 // of the item
	itemKey []byte
	row     []byte // nil = it yields none
}

func (a *answer) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(packed.AppendHash(b, a.item), uint64(a.time))
	b = packed.AppendBytes(b, a.itemKey)
	if a.row != nil {
		b = packed.AppendBytes(b, a.row)
	}
	return b
}

func (a *answer) decode(b []byte) {
	c := packed.Cursor{B: b}
	*a = answer{item: c.Hash(), time: int64(c.U64()), itemKey: c.Bytes()}
	if len(c.B) > 0 {
		a.row = c.Bytes()
	}
}

// run answers the questions to the items of a part.
func (p *fetchPhase) run(messages []pipeline.Message) error {
	p.hashes, p.ends = groups(messages, p.hashes, p.ends)
	p.values = slices.Grow(p.values[:0], len(p.hashes))[:len(p.hashes)]
	if err := p.state.Items.Lookup(p.hashes, p.values); err != nil {
		return err
	}
	from := 0
	for g, end := range p.ends {
		if err := p.answer(p.hashes[g], p.values[g], messages[from:end]); err != nil {
			return err
		}
		from = end
	}
	return nil
}

func (p *fetchPhase) answer(item pipeline.Hash, entry []byte, asks []pipeline.Message) error {
	if entry == nil {
		return fmt.Errorf("state: an item that contributes to a row key is not there: %x", packed.AppendHash(nil, item))
	}
	value, err := p.long.Whole(item, entry)
	if err != nil {
		return err
	}
	p.rows = p.rows[:0]
	p.item.decode(value, &p.rows)
	yields := p.item.candidates[0].rows
	for _, m := range asks {
		c := packed.Cursor{B: m.Body}
		key := c.Hash()
		a := answer{item: item, time: p.item.time, itemKey: p.item.key}
		i, ok := slices.BinarySearchFunc(yields, key, func(r packedRow, key pipeline.Hash) int { return r.key.Compare(key) })
		if ok {
			a.row = yields[i].row
		}
		p.encoded = a.append(p.encoded[:0])
		p.out.Send(key, p.encoded)
	}
	return nil
}
