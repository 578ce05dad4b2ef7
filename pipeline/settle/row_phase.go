package settle

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// keyChange is what an item's new image does to one row key.
type keyChange struct {
	packedRow        // the contribution; of a removal, the one that goes
	was       []byte // the item's former contribution to the key, or nil
	change    int32  // whose it is, in epochBuffer.changes: item and version
	order     int32  // the place among what was read
	remove    bool
}

// rowChange is a settled row.
type rowChange struct {
	packedRow
	change int32
	order  int32
	op     pipeline.Op
}

// setContents makes it lead from one content of the row's key to another, nil = none,
// and reports whether they differ.
func (r *rowChange) setContents(before, after []byte) (differs bool) {
	r.row = after
	switch {
	case before == nil && after == nil, bytes.Equal(before, after):
		return false
	case before == nil:
		r.op = pipeline.OpInsert
	case after == nil:
		r.op, r.row = pipeline.OpDelete, before
	default:
		r.op = pipeline.OpUpdate
	}
	return true
}

// rowPhase applies what the items of the epoch do to row keys, and returns the rows that
// change. The row of a key is its newest contribution.
type rowPhase struct {
	buffer  *epochBuffer
	schemas map[uint64]*schema // by id
	state   Keyspace
	forest  btree.Forest
	items   Keyspace        // for contributions that the epoch did not change
	long    overflow.Values // of items

	keyChanges []keyChange
	rowChanges []rowChange
	shared     []sharedKey
	contended  []keyChange // to the shared keys
	fetches    []fetch
	fetched    int // how many of fetches are answered

	// scratch
	finder    byhash.Finder
	encoded   []byte
	scratch   []byte
	puts      puts
	readAhead int // as in itemPhase
}

func newRowPhase(s *Settler, o *Options, b *epochBuffer) rowPhase {
	p := rowPhase{
		buffer: b, schemas: map[uint64]*schema{}, state: o.State.Keys, items: o.State.Items,
		forest: btree.Forest{State: o.State.Keys, Tag: keyPage, PageBytes: btree.DefaultPageBytes},
		long:   overflow.Values{State: o.State.Items, InlineBytes: overflow.DefaultInlineBytes},
	}
	for _, sc := range s.schemas {
		p.schemas[sc.ID] = sc
	}
	return p
}

// prefetchKeys is the number of row keys whose entries are prefetched, and put, at once.
const prefetchKeys = 32

// run takes the changes to row keys, in the order of the hashes of those, and returns
// the settled rows by table.
func (p *rowPhase) run(keyChanges []keyChange) ([]*SettledRows, error) {
	p.keyChanges = keyChanges
	b := p.buffer
	groups := b.group(len(keyChanges), func(i int32) pipeline.Hash { return keyChanges[i].key })
	if err := p.state.Lookup(b.hashes, b.values); err != nil {
		return nil, err
	}
	p.rowChanges = slices.Grow(p.rowChanges, len(groups))
	for from := 0; from < len(groups); from += prefetchKeys {
		end := min(from+prefetchKeys, len(groups))
		p.state.Prefetch(b.hashes[from:end])
		for _, indices := range groups[from:end] {
			p.readAhead += int(b.changes[keyChanges[indices[0]].change].item.Lo)
		}
		for g := from; g < end; g++ {
			if indices := groups[g]; len(indices) != 1 || !p.applySole(&keyChanges[indices[0]], b.values[g]) {
				p.deferShared(indices, b.values[g])
			}
		}
		p.puts.flush(p.state)
	}
	if err := p.applyShared(); err != nil {
		return nil, err
	}
	rows := p.build()
	p.keyChanges, p.rowChanges, p.contended, p.shared, p.fetches, p.fetched = nil, nil, nil, nil, nil, 0
	return rows, nil
}

// puts are some small entries of row keys, which are put at once.
type puts struct {
	keys   []pipeline.Hash
	values [][]byte
	room   [prefetchKeys][soleBytes]byte
}

// add adds the entry of a key that one item contributes to.
func (w *puts) add(key, item pipeline.Hash) {
	w.keys, w.values = append(w.keys, key), append(w.values, appendSole(w.room[len(w.keys)][:0], item))
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
	item := p.buffer.changes[k.change].item
	if value == nil {
		if k.remove {
			return false
		}
		p.puts.add(k.key, item)
		p.emit(k, nil, k.row)
		return true
	}
	r := packed.Cursor{B: value}
	if r.U8() != soleContributor || r.Hash() != item {
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
	if r, differs := k.rowChange(before, after); differs {
		p.rowChanges = append(p.rowChanges, r)
	}
}

// rowChange returns the settled row that leads from one content of the key to another.
func (k *keyChange) rowChange(before, after []byte) (r rowChange, differs bool) {
	r = rowChange{packedRow: packedRow{table: k.table, key: k.key}, change: k.change, order: k.order}
	differs = r.setContents(before, after)
	return r, differs
}

// build collects the settled rows by table, in the order in which their changes
// were read.
func (p *rowPhase) build() []*SettledRows {
	byTable := map[uint64]*SettledRows{}
	var all []*SettledRows
	order := p.buffer.readOrder(p.rowChanges)
	for n, i := range order {
		if n%prefetchKeys == 0 {
			for _, i := range order[n:min(n+prefetchKeys, len(order))] {
				p.readAhead += int(p.rowChanges[i].table)
			}
		}
		o := &p.rowChanges[i]
		r := byTable[o.table]
		if r == nil {
			sc := p.schemas[o.table]
			if sc.of == nil {
				continue // the table was taken out of the pipeline
			}
			r = sc.builder.settled(sc.of, sc.output, sc.room)
			byTable[o.table] = r
			all = append(all, r)
		}
		r.add(o, &p.buffer.changes[o.change].version)
	}
	for id, r := range byTable {
		p.schemas[id].room = reuse.Room(len(r.Ops))
	}
	return all
}
