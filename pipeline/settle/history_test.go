package settle

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// historyRules are all that a Merger is made for.
var historyRules = []mergeRules{
	{fill: true}, {retains: true}, {fill: true, retains: true}, {retains: true, flags: true}, {fill: true, retains: true, flags: true},
}

// TestHistory: what an item contributes is that of all of its changes, whatever
// order they come in, though those that cannot be seen are dropped after each.
func TestHistory(t *testing.T) {
	for _, rules := range historyRules {
		t.Run(fmt.Sprintf("fill %v retains %v flags %v", rules.fill, rules.retains, rules.flags), func(t *testing.T) {
			rules.widths = []int{1, 1, 1}
			rapid.Check(t, func(rt *rapid.T) {
				changes := drawEntries(rt)
				all := history{entries: cloneEntries(changes)}
				all.sort()
				want := describeShares(all.shares(&rules))
				var h history
				for _, e := range rapid.Permutation(changes).Draw(rt, "order of arrival") {
					h.entries = append(h.entries, cloneEntries([]historyEntry{e})...)
					h.sort()
					h.prune(&rules)
					h = decodeHistory(h.append(nil))
				}
				if got := describeShares(h.shares(&rules)); got != want {
					rt.Fatalf("the item contributes\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// drawEntries draws changes at different times; each yields some of two keys.
func drawEntries(t *rapid.T) []historyEntry {
	var all []historyEntry
	for at := range rapid.IntRange(1, 7).Draw(t, "changes") {
		e := historyEntry{Version: pipeline.Version{Time: int64(at), New: uint64(at + 1)}}
		for key := range uint64(2) {
			if !rapid.Bool().Draw(t, "yields") {
				continue
			}
			values := [][]byte{{byte(key)}, nil, nil}
			for c := 1; c < len(values); c++ {
				if rapid.Bool().Draw(t, "value") {
					values[c] = []byte{byte(at)}
				}
			}
			e.rows = append(e.rows, keptRow{key: pipeline.Hash{Lo: key}, row: packed.JoinRow(nil, values)})
		}
		all = append(all, e)
	}
	return all
}

// cloneEntries copies entries whose rows a history may change.
func cloneEntries(entries []historyEntry) []historyEntry {
	cloned := slices.Clone(entries)
	for i := range cloned {
		cloned[i].rows = slices.Clone(cloned[i].rows)
	}
	return cloned
}

func describeShares(shares []keyedShare) string {
	text := ""
	for _, s := range shares {
		text += fmt.Sprintf("key %d: time %d, dead %v, deleted at %d, values %v of %v\n", s.key.Lo, s.time, s.dead, s.deletedAt, s.values, s.times)
	}
	return text
}
