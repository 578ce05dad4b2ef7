package settle

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// epochBuffer holds the changes that an epoch brought of the items of a key group, in
// the order read. What settling gets of an epoch is here and, of rows, in rowBuffers:
// packed, so that it can come from anywhere.
type epochBuffer struct {
	arena   reuse.Arena
	changes []change
	added   int // changes that were read; those behind them are of the state
	room    int // changes that the last epoch had

	// scratch
	order  []int32
	sorter byhash.Sorter
	groups [][]int32
	hashes []pipeline.Hash
	values [][]byte
}

type change struct {
	item     pipeline.Hash
	version  pipeline.Version
	key      []byte
	rows     rowRange // in itemPhase.rows
	late     int32    // index in itemPhase.late, or -1
	removal  pipeline.Removal
	rejected bool   // it came too late: it has no effect
	table    uint16 // of LogicalTables
	ordinal  int64  // among the epoch's changes of all transforms
	was      int64  // the time that the item's state had, where that changes
}

// addChanges takes the changes of a batch, without rows.
func (b *epochBuffer) addChanges(batch *pipeline.Batch, ordinal int64, node string, tables *LogicalTables) error {
	if b.changes == nil {
		b.changes = make([]change, 0, b.room)
	}
	for i := range batch.Changes {
		c := &batch.Changes[i]
		if c.Item == (pipeline.Hash{}) {
			return fmt.Errorf("%s: node %s: the record has no item key, so its rows can't be settled: give the source a key",
				batch.Records.Position(int(c.Record)), node)
		}
		table, err := tables.id(c.Table)
		if err != nil {
			return fmt.Errorf("%s: node %s: %w", batch.Records.Position(int(c.Record)), node, err)
		}
		b.changes = append(b.changes, change{item: c.Item, version: c.Version, key: b.arena.Copy(c.Key), late: -1, removal: c.Removal, table: table, ordinal: ordinal + int64(i)})
	}
	b.added = len(b.changes)
	return nil
}

// reset ends the epoch, and frees its memory at once: the steps that follow in this epoch
// need as much, and the next epoch may be long in coming.
func (b *epochBuffer) reset() {
	b.room = reuse.Room(len(b.changes))
	b.changes, b.added, b.order = nil, 0, nil
	b.groups, b.hashes, b.values = nil, nil, nil
	b.sorter = byhash.Sorter{}
}

// byItem groups the changes that were read by item.
func (b *epochBuffer) byItem() [][]int32 {
	return b.group(b.added, func(i int32) pipeline.Hash { return b.changes[i].item })
}

// group groups indices below n by their keys, in the order of the keys, and makes
// room for a lookup of each. The groups are valid until the order is made again.
func (b *epochBuffer) group(n int, key func(i int32) pipeline.Hash) [][]int32 {
	b.groups, b.hashes, b.order = slices.Grow(b.groups[:0], n), slices.Grow(b.hashes[:0], n), slices.Grow(b.order[:0], n)
	sorted := b.sorter.Sort(n, key)
	from := 0
	for at, k := range sorted {
		b.order = append(b.order, k.Index)
		if at+1 < n && sorted[at+1].Hash == k.Hash {
			continue
		}
		b.groups = append(b.groups, b.order[from:])
		b.hashes = append(b.hashes, k.Hash)
		from = at + 1
	}
	b.values = slices.Grow(b.values[:0], len(b.hashes))[:len(b.hashes)]
	return b.groups
}

// readOrder returns the indices of row changes in the order in which the changes that
// they come of were read; those of one change are in the order of their keys already.
func (b *epochBuffer) readOrder(rows []rowChange) []int32 {
	next := make([]int32, len(b.changes)+1)
	for i := range rows {
		next[rows[i].order+1]++
	}
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
	}
	b.order = slices.Grow(b.order[:0], len(rows))[:len(rows)]
	for i := range rows {
		at := &next[rows[i].order]
		b.order[*at] = int32(i)
		*at++
	}
	return b.order
}

// packedRow is a row that an image yields.
type packedRow struct {
	table uint64 // id of the schema
	key   pipeline.Hash
	row   []byte
}

func compareRowKeys(a, b packedRow) int { return a.key.Compare(b.key) }

// rowRange is a range of rows: from the first index up to the second.
type rowRange [2]int32

func (r rowRange) empty() bool { return r[0] == r[1] }

// rowBuffer holds the rows that an epoch's changes yield, packed, in the order of the
// changes.
type rowBuffer struct {
	rows   []packedRow
	ranges []rowRange // in rows, by change
	room   int        // rows that the last epoch had

	// scratch
	owners  []int32 // of the rows added since the last sort: the index of the change in ranges
	columns []arrow.Array
	scratch []byte
}

// grow makes room for the rows of n changes, some of which have rows already.
func (b *rowBuffer) grow(n int) {
	if b.rows == nil {
		b.rows = make([]packedRow, 0, b.room)
	}
	from := len(b.ranges)
	b.ranges = slices.Grow(b.ranges, n-from)[:n]
	clear(b.ranges[from:])
}

// add packs the upserts among the rows of a batch whose first change has the index
// first in ranges.
func (b *rowBuffer) add(arena *reuse.Arena, sc *schema, r *pipeline.Rows, first int) {
	b.columns = sc.arrange(b.columns, r.Record)
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		var key pipeline.Hash
		key, b.scratch = sc.keyHash(b.scratch, r.Record, i)
		b.scratch = packed.AppendRow(b.scratch[:0], b.columns, i)
		b.rows = append(b.rows, packedRow{sc.ID, key, arena.Copy(b.scratch)})
		owner := int32(first) + r.Change[i]
		b.ranges[owner][1]++
		b.owners = append(b.owners, owner)
	}
}

// sort puts the rows added since the last time, of the changes from first on, into the
// order of their changes: they come by table. Until then a range is its length only.
func (b *rowBuffer) sort(first int) {
	base := len(b.rows) - len(b.owners)
	next := int32(base)
	for i := first; i < len(b.ranges); i++ {
		n := b.ranges[i][1]
		b.ranges[i] = rowRange{next, next + n}
		next += n
	}
	if !slices.IsSorted(b.owners) {
		sorted := make([]packedRow, len(b.owners))
		for i, owner := range b.owners {
			at := &b.ranges[owner][0]
			sorted[int(*at)-base] = b.rows[base+i]
			*at++
		}
		copy(b.rows[base:], sorted)
		at := int32(base)
		for i := first; i < len(b.ranges); i++ {
			b.ranges[i][0] = at
			at = b.ranges[i][1]
		}
	}
	b.owners = b.owners[:0]
}

// of returns the rows of a change.
func (b *rowBuffer) of(r rowRange) []packedRow { return b.rows[r[0]:r[1]:r[1]] }

// reset ends the epoch.
func (b *rowBuffer) reset() {
	b.room = reuse.Room(len(b.rows))
	b.rows, b.ranges = nil, nil
}
