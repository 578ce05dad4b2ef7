package settle

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// TestReleasedRows: what expired items leave is not for their later inserts, or for
// changes that come late, to take away; but it is replaced by what yields its key.
func TestReleasedRows(t *testing.T) {
	spaces := newStore(t)
	p := pipeline.Policy{TTLDeletes: pipeline.TTLDeletes{Set: true, Fate: pipeline.Keep}}
	insert, expire := told{time: 1, keys: []int{0}}, told{time: 5, removal: pipeline.Expired}
	for name, c := range map[string]struct {
		then []told
		want map[int]modelRow
	}{
		"an insert of another key":   {[]told{{time: 7, keys: []int{1}}}, map[int]modelRow{0: {time: 1}, 1: {time: 7}}},
		"which is removed":           {[]told{{time: 7, keys: []int{1}}, {time: 8, removal: pipeline.Removed}}, map[int]modelRow{0: {time: 1}}},
		"a late change of the key":   {[]told{{time: 3, keys: []int{1}}}, map[int]modelRow{0: {time: 1}, 1: {time: 3}}},
		"a late removal":             {[]told{{time: 3, removal: pipeline.Removed}}, map[int]modelRow{0: {time: 1}}},
		"a late change of the row":   {[]told{{time: 3, keys: []int{0}}}, map[int]modelRow{0: {time: 3}}},
		"an insert of the key":       {[]told{{time: 7, keys: []int{0}}}, map[int]modelRow{0: {time: 7}}},
		"which is removed by a user": {[]told{{time: 7, keys: []int{0}}, {time: 8, removal: pipeline.Removed}}, map[int]modelRow{}},
		"another item":               {[]told{{item: 1, time: 3, keys: []int{0}}, {item: 1, time: 8, removal: pipeline.Removed}}, map[int]modelRow{}},
		"another item that went":     {[]told{{item: 1, time: 3, keys: []int{0}}, {item: 1, time: 4, removal: pipeline.Removed}}, map[int]modelRow{0: {time: 1}}},
	} {
		for _, size := range []int{1, 2, 10} {
			checks(t, 1)
			rapid.Check(t, func(rt *rapid.T) {
				empty(rt, spaces)
				pt := newPolicyTest(rt, spaces, p, false)
				for some := range slices.Chunk(slices.Concat([]told{insert, expire}, c.then), size) {
					pt.take(some)
				}
				if !maps.Equal(pt.rows(), c.want) {
					rt.Errorf("%s, epochs of %d: %+v, want %+v", name, size, pt.rows(), c.want)
				}
			})
		}
	}
}

// TestFirstRowsStaySmall: of very many changes of an item, few are kept.
func TestFirstRowsStaySmall(t *testing.T) {
	rules := rulesOf(pipeline.Policy{Merge: pipeline.First, OnDelete: pipeline.Flag})
	rules.widths = []int{1}
	var h history
	for n := range 1000 {
		e := historyEntry{Candidate: pipeline.Candidate{Version: pipeline.Version{Time: int64(n), New: uint64(n + 1)}}}
		if n%10 == 0 {
			e.New, e.removal = 0, pipeline.Removed
		} else if n%3 > 0 {
			e.rows = []packedRow{{row: packed.JoinRow(nil, [][]byte{{byte(n)}})}}
		}
		h.entries = append(h.entries, e)
		h.sort()
		h.prune(&rules)
	}
	if len(h.entries) > historyChangesMax+4 {
		t.Errorf("%d changes are kept", len(h.entries))
	}
	shares := h.contributions(&rules, historyChangesMax)
	if len(shares) != 1 || shares[0].time != 991 || shares[0].dead {
		t.Errorf("shares %+v", shares)
	}
}
