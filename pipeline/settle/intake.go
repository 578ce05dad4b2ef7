package settle

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// intake holds an epoch's changes with their rows, packed.
type intake struct {
	arena   reuse.Arena
	changes []change
	rows    []keptRow
	lately  sizes // of the last epoch

	// scratch
	columns []arrow.Array
	scratch []byte
	order   []int32
	sorter  byhash.Sorter
	groups  [][]int32
	hashes  []pipeline.Hash
	values  [][]byte
}

type change struct {
	item    pipeline.Hash
	version pipeline.Version
	key     []byte
	rows    [2]int32 // range in intake.rows
	late    int32    // index in Settler.late, or -1
	removal pipeline.Removal
	table   uint16 // of Tables
	ordinal int64  // among the epoch's changes of all transforms
	was     int64  // the time that the item's state had, where that changes
}

// Release is called when the epoch's settled rows, which are in this memory, are
// of no use any more.
func (s *intake) Release() { s.arena.Release() }

// reset ends the epoch. Its memory is given back for as long as nothing of the
// next one has come: what follows in this epoch needs as much.
func (s *intake) reset() {
	s.lately = sizes{reuse.Room(len(s.changes)), reuse.Room(len(s.rows))}
	s.changes, s.rows, s.order = nil, nil, nil
	s.groups, s.hashes, s.values = nil, nil, nil
	s.sorter = byhash.Sorter{}
}

// sizes are those that an epoch takes.
type sizes struct{ changes, rows int }

// begin makes room for an epoch like the last one.
func (s *intake) begin() {
	if s.changes == nil {
		s.changes, s.rows = make([]change, 0, s.lately.changes), make([]keptRow, 0, s.lately.rows)
	}
}

// addChanges takes the changes of a batch, without rows.
func (s *intake) addChanges(b *pipeline.Batch, ordinal int64, node string, tables *Tables) error {
	s.begin()
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Item == (pipeline.Hash{}) {
			return fmt.Errorf("%s: node %s: the record has no item key, so its rows can't be settled: give the source a key",
				b.Records.Position(int(c.Record)), node)
		}
		table, err := tables.id(c.Table)
		if err != nil {
			return fmt.Errorf("%s: node %s: %w", b.Records.Position(int(c.Record)), node, err)
		}
		s.changes = append(s.changes, change{item: c.Item, version: c.Version, key: s.arena.Keep(c.Key), late: -1, removal: c.Removal, table: table, ordinal: ordinal + int64(i)})
	}
	return nil
}

// addRows keeps the upserts among the rows; s.order holds each one's change, for gather.
func (s *intake) addRows(sc *schema, r *pipeline.Rows, first int) {
	s.columns = sc.arrange(s.columns, r.Record)
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		var key pipeline.Hash
		key, s.scratch = sc.keyHash(s.scratch, r.Record, i)
		s.scratch = packed.AppendRow(s.scratch[:0], s.columns, i)
		s.rows = append(s.rows, keptRow{sc.ID, key, s.arena.Keep(s.scratch)})
		s.changes[first+int(r.Change[i])].rows[1]++
		s.order = append(s.order, int32(first)+r.Change[i])
	}
}

// gather puts the rows added since the change first into the order of their
// changes: they come by table.
func (s *intake) gather(first int) {
	base := len(s.rows) - len(s.order)
	next := int32(base)
	for i := first; i < len(s.changes); i++ {
		n := s.changes[i].rows[1]
		s.changes[i].rows = [2]int32{next, next}
		next += n
	}
	sorted := make([]keptRow, len(s.order))
	for i, c := range s.order {
		ch := &s.changes[c]
		sorted[int(ch.rows[1])-base] = s.rows[base+i]
		ch.rows[1]++
	}
	copy(s.rows[base:], sorted)
	s.order = s.order[:0]
}

// byItem groups the epoch's changes by item.
func (s *intake) byItem() [][]int32 {
	return s.group(len(s.changes), func(i int32) pipeline.Hash { return s.changes[i].item })
}

// group groups indices below n by their keys, in the order of the keys, and makes
// room for a lookup of each. The groups are valid until the order is made again.
func (s *intake) group(n int, key func(i int32) pipeline.Hash) [][]int32 {
	s.groups, s.hashes, s.order = slices.Grow(s.groups[:0], n), slices.Grow(s.hashes[:0], n), slices.Grow(s.order[:0], n)
	sorted := s.sorter.Sort(n, key)
	from := 0
	for at, k := range sorted {
		s.order = append(s.order, k.Index)
		if at+1 < n && sorted[at+1].Hash == k.Hash {
			continue
		}
		s.groups = append(s.groups, s.order[from:])
		s.hashes = append(s.hashes, k.Hash)
		from = at + 1
	}
	s.values = slices.Grow(s.values[:0], len(s.hashes))[:len(s.hashes)]
	return s.groups
}

// gatherInto returns the elements with the given indices, in the order of their
// changes, in the memory of dst.
func gatherInto[T any](dst, all []T, indices []int32, change func(*T) int32) []T {
	dst = dst[:0]
	for _, i := range indices {
		dst = append(dst, all[i])
	}
	slices.SortStableFunc(dst, func(a, b T) int { return cmp.Compare(change(&a), change(&b)) })
	return dst
}

// readOrder returns the indices of the settled rows in the order in which their
// changes were read; those of one change are in the order of their keys already.
func (s *intake) readOrder(outs []out) []int32 {
	next := make([]int32, len(s.changes)+1)
	for i := range outs {
		next[outs[i].order+1]++
	}
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
	}
	s.order = slices.Grow(s.order[:0], len(outs))[:len(outs)]
	for i := range outs {
		at := &next[outs[i].order]
		s.order[*at] = int32(i)
		*at++
	}
	return s.order
}
