package settle

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// intake holds an epoch's changes with their rows, packed.
type intake struct {
	arena   []byte
	changes []change
	rows    []epochRow

	// scratch
	columns []arrow.Array
	hash    []byte
	order   []int32
	hashes  []pipeline.Hash
	values  [][]byte
}

type change struct {
	item    pipeline.Hash
	version pipeline.Version
	key     span
	rows    [2]int32 // range in intake.rows
	late    int32    // index in Settler.late, or -1
	ordinal int64    // among the epoch's changes of all transforms
}

type span struct{ from, to int }

type epochRow struct {
	table uint64
	key   pipeline.Hash
	row   span
}

func (s *intake) reset() {
	s.arena, s.changes, s.rows, s.order = s.arena[:0], s.changes[:0], s.rows[:0], s.order[:0]
}

// addChanges takes the changes of a batch, without rows.
func (s *intake) addChanges(b *pipeline.Batch, ordinal int64, node string) error {
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Item == (pipeline.Hash{}) {
			return fmt.Errorf("%s: node %s: the record has no item key, so its rows can't be settled: give the source a key",
				b.Records.Position(int(c.Record)), node)
		}
		from := len(s.arena)
		s.arena = append(s.arena, c.Key...)
		s.changes = append(s.changes, change{item: c.Item, version: c.Version, key: span{from, len(s.arena)}, late: -1, ordinal: ordinal + int64(i)})
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
		key, s.hash = sc.keyHash(s.hash, r.Record, i)
		from := len(s.arena)
		s.arena = packed.AppendRow(s.arena, s.columns, i)
		s.rows = append(s.rows, epochRow{sc.ID, key, span{from, len(s.arena)}})
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
	sorted := make([]epochRow, len(s.order))
	for i, c := range s.order {
		ch := &s.changes[c]
		sorted[int(ch.rows[1])-base] = s.rows[base+i]
		ch.rows[1]++
	}
	copy(s.rows[base:], sorted)
	s.order = s.order[:0]
}

// group sorts the epoch's changes by item, and makes room for a lookup of each.
func (s *intake) group() [][]int32 {
	s.order = s.order[:0]
	for i := range s.changes {
		s.order = append(s.order, int32(i))
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		if c := s.changes[a].item.Compare(s.changes[b].item); c != 0 {
			return c
		}
		return int(a - b)
	})
	var groups [][]int32
	s.hashes = s.hashes[:0]
	for from := 0; from < len(s.order); {
		to := from + 1
		for to < len(s.order) && s.changes[s.order[to]].item == s.changes[s.order[from]].item {
			to++
		}
		groups = append(groups, s.order[from:to])
		s.hashes = append(s.hashes, s.changes[s.order[from]].item)
		from = to
	}
	s.values = slices.Grow(s.values[:0], len(s.hashes))[:len(s.hashes)]
	return groups
}
