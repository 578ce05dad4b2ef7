package settle

import (
	"fmt"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// bill is what some epochs wrote to the state.
type bill struct {
	bytes   int
	largest int // value, at the end of an epoch
}

// costOf settles epochs of changes by a policy, and returns what that wrote.
func costOf(t *testing.T, p pipeline.Policy, epochs [][]part) (b bill) {
	spaces := newStores(t, 1)[0]
	items, keys := spaces.All[0], spaces.All[1]
	tables, err := newLogicalTables(nil)
	if err != nil {
		t.Fatal(err)
	}
	var add func(*pipeline.Batch) error
	var end func() error
	if (p == pipeline.Policy{}) {
		s, err := New(optionsOf(wide, 1<<40, items, keys))
		if err != nil {
			t.Fatal(err)
		}
		add = func(b *pipeline.Batch) error { s.Begin(readSoFar("s")); return s.add(b, 0) }
		end = func() error { defer s.Release(); _, err := s.settle(); return err }
	} else {
		m, err := newPolicyAlone(PolicyTable{Table: wide, Policy: p, State: State{items, keys}}, tables)
		if err != nil {
			t.Fatal(err)
		}
		add = func(b *pipeline.Batch) error { return m.Add(b, 0) }
		end = func() error { defer m.Release(); _, err := m.Finish(); return err }
	}
	for n, parts := range epochs {
		batch := partsOf(parts)
		err := add(batch)
		if err == nil {
			err = end()
		}
		if err != nil {
			t.Fatal(err)
		}
		batch.Release()
		b.bytes += items.Take().Bytes() + keys.Take().Bytes()
		if n%10 == 0 || n == len(epochs)-1 {
			spaces.each(t, func(_, size int) { b.largest = max(b.largest, size) })
		}
	}
	return b
}

// fed is an item's change that yields a row of a key.
func fed(item int, time int64, key int) part {
	return part{item: item, time: time, row: rowOfKey(key, item)}
}

func rowOfKey(key, n int) string {
	return fmt.Sprintf(`{"k":%d,"a":"name of %06d","b":%d,"c":null}`, key, n, n)
}

// TestCostOfFeeders: a key that all items feed, or an item that yields all rows, takes
// about what as many keys and items take, and none of its values is large.
func TestCostOfFeeders(t *testing.T) {
	const n, size = 1000, 100
	policies := map[string]pipeline.Policy{
		"replace": {}, "flag": {OnDelete: pipeline.Flag}, "keep": {OnDelete: pipeline.Keep}, "first": {Merge: pipeline.First},
		"latest_non_null": {Merge: pipeline.LatestNonNull},
	}
	// Each returns the changes where one key, or item, gets all, and where as many do.
	shapes := map[string]func(one bool) [][]part{
		"key": func(one bool) [][]part {
			var all []part
			for i := range n {
				all = append(all, fed(i, int64(i+1), pick(one, 0, i)))
			}
			for i := n - 1; i >= 0; i-- {
				all = append(all, part{item: i, time: int64(3*n - i), removal: pipeline.Removed})
			}
			return slices.Collect(slices.Chunk(all, size))
		},
		"key at once": func(one bool) [][]part {
			var all []part
			for i := range n {
				all = append(all, fed(i, int64(i+1), pick(one, 0, i)))
			}
			var gone []part
			for i := range n {
				gone = append(gone, part{item: i, time: int64(n + i + 1), removal: pipeline.Removed})
			}
			return [][]part{all, gone}
		},
		"item": func(one bool) [][]part {
			var epochs [][]part
			for at := range int64(3) {
				var all []part
				for i := range n {
					p := fed(i, at+1, i)
					if at == 1 && i == n/2 {
						p.row = rowOfKey(i, 7)
					}
					if at == 2 {
						p = part{item: i, time: at + 1, removal: pipeline.Removed}
					}
					if one && len(all) > 0 {
						if all[0].more = append(all[0].more, p.row); at == 2 {
							all[0].more = nil
						}
						continue
					}
					all = append(all, p)
				}
				epochs = slices.AppendSeq(epochs, slices.Chunk(all, size))
			}
			return epochs
		},
		"instant": func(one bool) [][]part {
			var all []part
			for i := range n / 2 {
				p := fed(pick(one, 0, i), 1, pick(one, 0, i))
				p.ordinal = int64(i + 1)
				all = append(all, p)
			}
			return slices.Collect(slices.Chunk(all, 10))
		},
	}
	for name, policy := range policies {
		for shape, changes := range shapes {
			t.Run(name+" "+shape, func(t *testing.T) {
				one, many := costOf(t, policy, changes(true)), costOf(t, policy, changes(false))
				t.Logf("one %d bytes, many %d", one.bytes, many.bytes)
				if shape == "instant" { // an epoch writes the pages that have changed
					many.bytes += n / 2 / 10 * 8 << 10
				}
				if one.bytes > 2*many.bytes || one.largest > 24<<10 {
					t.Errorf("%d bytes are written, and %d where there are as many; the largest value has %d", one.bytes, many.bytes, one.largest)
				}
			})
		}
	}
}

func pick(one bool, a, b int) int {
	if one {
		return a
	}
	return b
}
