package state

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestRuns: what large epochs wrote is found in their tables, the newest, and
// what they deleted is not, whatever was written by other means between them,
// compacted, or has given way; and where nothing else was ever written, nobody asks
// the database.
func TestRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "state")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := mustOpen(rt, dir, Options{Pipeline: "p", Memory: 1})
		defer func() { s.Close() }()
		s.runs.tablesMax = rapid.SampledFrom([]int{1, 2, 3, runTablesMax, runTablesMax, runTablesMax}).Draw(rt, "tables")
		ks := spaces(rt, s)
		want := map[int]string{}
		asks := false
		for epoch := range rapid.Int64Range(2, 12).Draw(rt, "epochs") {
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, 3), 0, 4).Draw(rt, "keys") {
				if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
					ks.All[n%2].Put(hash(n), nil)
					delete(want, n)
					continue
				}
				want[n] = fmt.Sprint(epoch, n)
				put(rt, ks.All[n%2], hash(n), []byte(want[n]))
			}
			deltas := take(ks)
			for _, d := range deltas {
				d.cold = rapid.IntRange(0, 7).Draw(rt, "idle") == 0
				asks = asks || d.cold && d.bytes > 0
			}
			s.tableFiles = vfs.Default
			if rapid.IntRange(0, 9).Draw(rt, "too many files") == 0 {
				s.tableFiles, asks = fewFiles{vfs.Default}, true
			}
			s.ingestBytesMin = rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1 << 30}).Draw(rt, "ingest from")
			asks = asks || s.ingestBytesMin > 0
			if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: epoch}, Deltas: deltas}); err != nil {
				rt.Fatal(err)
			}
			if rapid.IntRange(0, 7).Draw(rt, "compact") == 0 {
				asks = true // it may be the better one to ask
				if err := s.db.Compact(rt.Context(), []byte{prefixKeyed}, []byte{prefixKeyed + 1}, false); err != nil {
					rt.Fatal(err)
				}
			}
			for _, k := range ks.All { // memory forgets all that is saved
				clear(k.groups[:])
				k.loaded, k.unsaved, k.sizes = false, nil, sizes{}
			}
			checkLookup(rt, ks, want)
			if s.runs.tablesMax == runTablesMax && !asks {
				wantNoAsking(rt, ks)
			}
		}
	})
}

// fewFiles is a file system of which the process has as many files open as it may.
type fewFiles struct{ vfs.FS }

func (fewFiles) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
}

// wantNoAsking: runs alone tell of every key what becomes of it.
func wantNoAsking(t *rapid.T, ks *Keyspaces) {
	for i, k := range ks.All {
		var keys []pipeline.Hash
		for n := i; n < 12; n += 2 {
			keys = append(keys, hash(n))
		}
		slices.SortFunc(keys, pipeline.Hash.Compare)
		var m misses
		for j := range keys {
			m.at = append(m.at, j)
		}
		if err := k.lookupRuns(&m, keys, make([][]byte, len(keys))); err != nil {
			t.Fatal(err)
		}
		if len(m.at) > 0 {
			t.Fatalf("keyspace %d asks the database for %d keys", i, len(m.at))
		}
	}
}

// TestFirstEpochsAreAskedForThemselves: what the first epochs wrote is looked up in
// their own tables when it is used later, though nothing could be looked up in the
// first.
func TestFirstEpochsAreAskedForThemselves(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1 << 20})
	defer s.Close()
	s.ingestBytesMin = 0
	ks, err := s.Keyspaces(3)
	if err != nil {
		t.Fatal(err)
	}
	k := ks.All[0]
	value := make([]byte, 1)
	for epoch := range 4 {
		for n := range 100 {
			k.Put(hash(100*epoch+n), value)
			if epoch > 0 {
				if err := k.Lookup([]pipeline.Hash{hash(100*(epoch-1) + n)}, make([][]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		d := k.Take()
		if d.cold {
			t.Errorf("epoch %d: the keyspace is taken for one that is not looked up", epoch+1)
		}
		if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: int64(epoch)}, Deltas: []*Delta{d}}); err != nil {
			t.Fatal(err)
		}
		if err := ks.Bound(runner); err != nil {
			t.Fatal(err)
		}
	}
}
