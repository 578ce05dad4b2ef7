package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// rowPhase applies what the items of the epoch do to the row keys of a part, and finds the
// rows that change. The row of a key is its newest contribution.
type rowPhase struct {
	*common
	forest btree.Forest
	arena  *reuse.Arena
	asks   *exchange.Sender // to items
	part   *epochPart
	*rowWork

	// scratch
	hashes    []pipeline.Hash // of the row keys
	ends      []int           // of the changes to each, in the messages
	values    [][]byte
	ready     []*sharedKey
	encoded   []byte
	rank      []byte
	puts      puts
	readAhead int // as in itemPhase
}

// rowWork is what a rowPhase has found out of a part. Where it has to ask items, the rest is
// done when they have answered.
type rowWork struct {
	rowChanges []rowChange // in the order of their keys
	shared     []sharedKey
	contenders []contender // to the shared keys
	asked      bool
}

func newRowPhase(c *common, arena *reuse.Arena) rowPhase {
	return rowPhase{
		common: c, arena: arena, rowWork: &rowWork{},
		forest: btree.Forest{State: c.state.Keys, Tag: keyPage, PageBytes: c.sizes.page},
	}
}

// prefetchKeys is the number of row keys whose entries are prefetched, and put, at once.
const prefetchKeys = 32

// run takes the changes to the row keys of the part. It leaves the settled rows in the part, or
// what there is to go on with when items have been asked.
func (p *rowPhase) run(messages []pipeline.Message) error {
	if len(messages) == 0 {
		return nil
	}
	p.hashes, p.ends = groups(messages, p.hashes, p.ends)
	p.values = slices.Grow(p.values[:0], len(p.hashes))[:len(p.hashes)]
	if err := p.state.Keys.Lookup(p.hashes, p.values); err != nil {
		return err
	}
	p.rowChanges = slices.Grow(p.rowChanges[:0], len(p.hashes))
	var k keyChange
	from := 0
	for g, end := range p.ends {
		if g%prefetchKeys == 0 {
			p.puts.flush(p.state.Keys)
			p.prefetch(messages, g)
		}
		if end-from == 1 {
			k.decode(messages[from])
		}
		if end-from > 1 || !p.applySole(&k, p.values[g]) {
			p.deferShared(messages[from:end], p.values[g])
		}
		from = end
	}
	p.puts.flush(p.state.Keys)
	if err := p.openShared(); err != nil {
		return err
	}
	if p.asked {
		p.part.rest, p.rowWork = p.rowWork, &rowWork{}
		return nil
	}
	return p.finish()
}

// prefetch reads what is looked at of some row keys, from the g-th on, in one go.
func (p *rowPhase) prefetch(messages []pipeline.Message, g int) {
	end := min(g+prefetchKeys, len(p.hashes))
	p.state.Keys.Prefetch(p.hashes[g:end])
	from := 0
	if g > 0 {
		from = p.ends[g-1]
	}
	n := 0
	for i := from; i < p.ends[end-1]; i++ {
		n += int(messages[i].Body[0])
	}
	p.readAhead += n
}

// finish ends the work on the part when all is known.
func (p *rowPhase) finish() error {
	if err := p.finishShared(); err != nil {
		return err
	}
	p.part.addRows(p.rowChanges, func(table uint64) *layout { return p.schemas[table].layout })
	w := p.rowWork
	clear(w.shared)
	clear(w.contenders)
	*w = rowWork{rowChanges: reuse.Emptied(w.rowChanges), shared: w.shared[:0], contenders: w.contenders[:0]}
	return nil
}

// puts are some small entries of row keys, which are put at once.
type puts struct {
	keys   []pipeline.Hash
	values [][]byte
	room   [prefetchKeys][soleBytes]byte
}

// add adds the entry of a key that one item contributes to.
func (w *puts) add(key, item pipeline.Hash) {
	w.values = append(w.values, appendSole(w.room[len(w.keys)][:0], item))
	w.keys = append(w.keys, key)
}

// remove removes a key's entry.
func (w *puts) remove(key pipeline.Hash) {
	w.keys, w.values = append(w.keys, key), append(w.values, nil)
}

func (w *puts) flush(state Keyspace) {
	if len(w.keys) > 0 {
		state.PutAll(w.keys, w.values)
		w.keys, w.values = w.keys[:0], w.values[:0]
	}
}

// First bytes of entries of row keys: an entry is the hash of the only contributor, or
// the root of the tree of several; or a page of such a tree.
const (
	soleContributor = 1 + iota
	manyContributors
	keyPage
)

func appendSole(b []byte, item pipeline.Hash) []byte {
	return packed.AppendHash(append(b, soleContributor), item)
}

// soleBytes is the length of the entry of a key with one contributor.
const soleBytes = 1 + 16

// applySole applies a change in the usual case, that no other item contributes to the key; it
// returns false in others.
func (p *rowPhase) applySole(k *keyChange, value []byte) bool {
	if value == nil {
		if k.remove {
			return false
		}
		p.puts.add(k.key, k.item)
		p.emit(k, nil, k.row)
		return true
	}
	r := packed.Cursor{B: value}
	if r.U8() != soleContributor || r.Hash() != k.item {
		return false
	}
	if k.remove {
		p.puts.remove(k.key)
		p.emit(k, k.was, nil)
	} else {
		p.emit(k, k.was, k.row)
	}
	return true
}

// emit adds the settled row that leads from one content of the key to another.
func (p *rowPhase) emit(k *keyChange, before, after []byte) {
	r := rowChange{packedRow: packedRow{table: k.table, key: k.key}}
	if r.setContents(before, after) {
		r.cause = k.details().cause
		p.rowChanges = append(p.rowChanges, r)
	}
}

// addRows adds settled rows, in the order of their keys, to those of the part. Rows of tables
// without a layout are left out: those were taken out of the pipeline.
func (p *epochPart) addRows(changes []rowChange, layoutOf func(table uint64) *layout) {
	var counts [64]int
	for i := range changes {
		counts[changes[i].table%64]++
	}
	byTable := map[uint64]*SettledRows{}
	for i := range changes {
		o := &changes[i]
		r, known := byTable[o.table]
		if !known {
			if l := layoutOf(o.table); l != nil {
				r = l.rows(counts[o.table%64])
				p.rows = append(p.rows, r)
			}
			byTable[o.table] = r
		}
		if r != nil {
			r.add(o)
		}
	}
}
