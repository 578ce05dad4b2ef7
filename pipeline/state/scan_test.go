package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestScan: a scan of some key groups, in pieces of any size, shows their saved entries once and
// in order, and none of others.
func TestScan(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(3, 5)
	if err != nil {
		t.Fatal(err)
	}
	var keys []pipeline.Hash
	for n := range 3 * pipeline.KeyGroups {
		key := hash(n).Beside(pipeline.KeyGroupRange{First: n % pipeline.KeyGroups}.From())
		ks.All[0].Put(key, fmt.Append(nil, n))
		ks.All[1].Put(key, []byte("of another keyspace"))
		keys = append(keys, key)
	}
	if err := s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: take(ks)}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(keys, pipeline.Hash.Compare)
	for _, r := range []pipeline.KeyGroupRange{pipeline.AllKeyGroups, {First: 0, End: 1}, {First: 5, End: 9}, {First: pipeline.KeyGroups - 1, End: pipeline.KeyGroups}} {
		for _, limit := range []int{1, 3, 1000} {
			var found []pipeline.Hash
			for at, end := r.From(), false; !end; {
				before := len(found)
				at, end, err = ks.All[0].Scan(at, r.To(), limit, func(key pipeline.Hash, _ []byte) { found = append(found, key) })
				if err != nil {
					t.Fatal(err)
				}
				if n := len(found) - before; n > limit || n < limit && !end {
					t.Fatalf("%v: %d entries, want %d", r, n, limit)
				}
			}
			if want := slices.DeleteFunc(slices.Clone(keys), func(key pipeline.Hash) bool { return !r.Has(key) }); !slices.Equal(found, want) {
				t.Errorf("%v, %d at a time: %d entries, want %d", r, limit, len(found), len(want))
			}
		}
	}
}
