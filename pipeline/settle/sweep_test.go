package settle

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestTombstonesDoNotPileUp: where every item lives for a moment only, the state
// keeps the tombstones of a few epochs, not of all.
func TestTombstonesDoNotPileUp(t *testing.T) {
	dir := t.TempDir()
	ran := false
	rapid.Check(t, func(rt *rapid.T) {
		if ran { // the harness wants a rapid.T; there is nothing to draw
			return
		}
		ran = true
		h := newHarness(rt, dir, 64<<20)
		defer h.store.Close()
		h.s.sizes = usualSizes // pages are swept over, too
		const items, epochs = 500, 16
		for epoch := range epochs {
			var events []event
			for i := range items {
				name, number, at := fmt.Sprintf("i%d-%d", epoch, i), uint64(2*(epoch*items+i)+1), int64(10+5000*epoch)
				events = append(events,
					event{item: name, time: at, new: image{hash: number, rows: map[string]int64{name: 1}}},
					event{item: name, time: at + 1, old: image{hash: number}, hasOld: true})
			}
			h.epoch(events, len(events))
		}
		kept := 0
		if err := h.spaces.All[0].Range(pipeline.Hash{}, pipeline.Hash{}, func(pipeline.Hash, []byte) error { kept++; return nil }); err != nil {
			rt.Fatal(err)
		}
		if kept > 4*items {
			rt.Errorf("%d tombstones are kept, of %d epochs with %d each", kept, epochs, items)
		}
	})
}
