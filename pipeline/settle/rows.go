package settle

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// effect is what an item's new image does to one row key.
type effect struct {
	keptRow        // the contribution; of a removal, the one that goes
	was     []byte // the item's former contribution to the key, or nil
	change  int32  // whose effect it is, in Settler.changes: item and version
	order   int32  // the place among what was read
	remove  bool
}

// out is a settled row.
type out struct {
	keptRow
	change int32
	order  int32
	op     pipeline.Op
}

// note compares the rows of an item's new image with those of its old one; both
// are sorted by key.
func (s *Settler) note(hash pipeline.Hash, it *item, was int64, old []keptRow, members []int32) {
	w := &it.contenders[0]
	e := effect{change: w.order, order: w.order}
	if w.order < 0 {
		// A kept contender won because of a change of this epoch.
		e.order = members[len(members)-1]
		e.change = int32(len(s.changes))
		s.changes = append(s.changes, change{item: hash, key: it.key, version: w.Version})
	}
	s.changes[e.change].was = was
	for _, r := range w.rows {
		for len(old) > 0 && old[0].key.Less(r.key) {
			e.keptRow, e.was, e.remove = old[0], old[0].row, true
			s.effects = append(s.effects, e)
			old = old[1:]
		}
		e.keptRow, e.was, e.remove = r, nil, false
		if len(old) > 0 && old[0].key == r.key {
			e.was = old[0].row
			old = old[1:]
		}
		s.effects = append(s.effects, e)
	}
	for _, r := range old {
		e.keptRow, e.was, e.remove = r, r.row, true
		s.effects = append(s.effects, e)
	}
}

// apply takes the effects to the row keys, in the order of their hashes.
func (s *Settler) apply() error {
	groups := s.group(len(s.effects), func(i int32) pipeline.Hash { return s.effects[i].key })
	if err := s.keys.Lookup(s.hashes, s.values); err != nil {
		return err
	}
	s.outs = slices.Grow(s.outs, len(groups))
	for g, indices := range groups {
		if g%ahead == 0 {
			end := min(g+ahead, len(groups))
			s.keys.Prefetch(s.hashes[g:end])
			for _, some := range groups[g:end] {
				s.prefetched += int(s.changes[s.effects[some[0]].change].item.Lo)
			}
		}
		if len(indices) == 1 && s.applySole(&s.effects[indices[0]], s.values[g]) {
			continue
		}
		s.share(indices, s.values[g])
	}
	return s.applyShared()
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

// applySole does the usual case: nobody but the item contributes to the key.
func (s *Settler) applySole(e *effect, value []byte) bool {
	if value == nil {
		if e.remove {
			return false
		}
		s.encoded = appendSole(s.encoded[:0], s.changes[e.change].item)
		s.keys.Put(e.key, s.encoded)
		s.emit(e, nil, e.row)
		return true
	}
	r := packed.Cursor{B: value}
	if r.U8() != soleContributor || r.Hash() != s.changes[e.change].item {
		return false
	}
	if e.remove {
		s.keys.Put(e.key, nil)
		s.emit(e, e.was, nil)
	} else {
		s.emit(e, e.was, e.row)
	}
	return true
}

// emit adds the settled row that leads from one content of the key to another.
func (s *Settler) emit(e *effect, before, after []byte) {
	if o, differs := e.out(before, after); differs {
		s.outs = append(s.outs, o)
	}
}

// out returns the settled row that leads from one content of the key to another.
func (e *effect) out(before, after []byte) (o out, differs bool) {
	o = out{keptRow: keptRow{table: e.table, key: e.key, row: after}, change: e.change, order: e.order}
	switch {
	case before == nil && after == nil, bytes.Equal(before, after):
		return o, false
	case before == nil:
		o.op = pipeline.OpInsert
	case after == nil:
		o.op, o.row = pipeline.OpDelete, before
	default:
		o.op = pipeline.OpUpdate
	}
	return o, true
}

// Settled is the settled rows of one table. They share memory of the Settler and
// its state, and are valid until its Release.
type Settled struct {
	pipeline.PackedRows
	builder *rowBuilder
}

func (b *rowBuilder) settled(t *pipeline.Table, room int) *Settled {
	return &Settled{builder: b, PackedRows: pipeline.PackedRows{
		Table: t, Widths: b.widths, ColumnAt: b.at,
		Rows: make([][]byte, 0, room), Ops: make([]pipeline.Op, 0, room), Versions: make([]pipeline.Version, 0, room),
	}}
}

func (s *Settled) add(o *out, v *pipeline.Version) {
	s.Rows, s.Ops, s.Versions = append(s.Rows, o.row), append(s.Ops, o.op), append(s.Versions, *v)
}

// Columnar returns the rows with a record that the caller releases.
func (s *Settled) Columnar() *pipeline.Rows {
	for _, row := range s.Rows {
		s.builder.append(row)
	}
	return &pipeline.Rows{Table: s.Table, Record: s.builder.record(), Ops: s.Ops, Versions: s.Versions}
}

// build collects the settled rows by table, in the order in which their changes
// were read.
func (s *Settler) build() []*Settled {
	byTable := map[uint64]*Settled{}
	var all []*Settled
	order := s.readOrder(s.outs)
	for n, i := range order {
		if n%ahead == 0 {
			for _, i := range order[n:min(n+ahead, len(order))] {
				s.prefetched += int(s.outs[i].table)
			}
		}
		o := &s.outs[i]
		sc := s.byID[o.table]
		if sc.of == nil {
			continue // the table was taken out of the pipeline
		}
		r := byTable[o.table]
		if r == nil {
			r = sc.builder.settled(sc.of, sc.lately)
			byTable[o.table] = r
			all = append(all, r)
		}
		r.add(o, &s.changes[o.change].version)
	}
	for _, r := range all {
		s.schemas[r.Table.Name].lately = reuse.Room(len(r.Ops))
	}
	return all
}
