package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

func TestWorthMerging(t *testing.T) {
	const mb = 1 << 20
	for name, tt := range map[string]struct {
		depth, level0, below int64
		want                 bool
	}{
		"nothing":                       {},
		"a few tables":                  {depth: compactionDepthMin - 1, level0: 100 * mb},
		"small tables, nothing below":   {depth: compactionDepthMin, level0: 100 * mb, want: true},
		"what the cache holds":          {depth: 20, level0: 15 * mb},
		"as much as below":              {depth: 20, level0: 60 * mb, below: 60 * mb, want: true},
		"less than below":               {depth: 20, level0: 60 * mb, below: 61 * mb},
		"the tables of large epochs":    {depth: 20, level0: 2000 * mb},
		"small tables of a large state": {depth: 40, level0: 600 * mb, below: 4000 * mb},
	} {
		if got := shouldCompact(tt.depth, tt.level0, tt.below, 16*mb); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestSmallEpochsAreMerged: epochs that change the same items over and over
// leave neither ever more tables to look into, nor ever more bytes.
func TestSmallEpochsAreMerged(t *testing.T) {
	t.Parallel()
	for name, ingestFrom := range map[string]int{"batches": 1 << 30, "tables": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{Pipeline: "p", Memory: 1})
			defer func() { s.Close() }()
			s.ingestBytesMin, s.compactionBytesMin = ingestFrom, 0
			ks, err := s.Keyspaces(3)
			if err != nil {
				t.Fatal(err)
			}
			const items, epochs = 400, 24
			size := int64(0)
			for epoch := range int64(epochs) {
				for n := range items {
					ks.All[0].Put(hash(n), fmt.Appendf(nil, "%d %d %s", epoch, n, strings.Repeat("x", 1000)))
				}
				if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: epoch}, Deltas: take(ks)}); err != nil {
					t.Fatal(err)
				}
				if ingestFrom > 0 {
					if err := s.db.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				if s.compaction != nil {
					<-s.compaction.done
				}
				m := s.db.Metrics()
				if depth := m.Levels[0].Sublevels; depth > compactionDepthMin+1 {
					t.Fatalf("epoch %d: a key may be in %d tables of level 0", epoch, depth)
				}
				for _, l := range m.Levels {
					size = max(size, l.TablesSize)
				}
			}
			if most := int64(2 * compactionDepthMin * items * 1100); size > most {
				t.Errorf("a level has %d bytes, want at most %d", size, most)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, Options{Pipeline: "p", Memory: 1})
			if ks, err = s.Keyspaces(3); err != nil {
				t.Fatal(err)
			}
			keys := make([]pipeline.Hash, items)
			for n := range keys {
				keys[n] = hash(n)
			}
			slices.SortFunc(keys, pipeline.Hash.Compare)
			values := make([][]byte, items)
			if err := ks.All[0].Lookup(keys, values); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if !strings.HasPrefix(string(v), fmt.Sprint(epochs-1, " ")) {
					t.Fatalf("item %d is %.20q", i, v)
				}
			}
		})
	}
}
