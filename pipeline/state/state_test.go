package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

func hash(n int) pipeline.Hash {
	return pipeline.Hash{Hi: uint64(n) * 0x9e3779b97f4a7c15, Lo: uint64(n) * 0xbf58476d1ce4e5b9}
}

func mustOpen(t interface{ Fatal(...any) }, dir string, o Options) *Store {
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKeyspace: whatever memory holds, and however epochs are saved, a keyspace
// is a map, over restarts; what was not saved is gone after one.
func TestKeyspace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "state")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := Options{Pipeline: "p", Memory: rapid.SampledFrom([]int64{1, 600 << 10, 64 << 20}).Draw(rt, "memory")}
		s := mustOpen(rt, dir, o)
		defer func() { s.Close() }()
		ks := spaces(rt, s)
		now, saved := map[int]string{}, map[int]string{}
		var cp Checkpoint
		for range rapid.IntRange(1, 12).Draw(rt, "epochs") {
			for range rapid.IntRange(0, 6).Draw(rt, "writes") {
				n := rapid.IntRange(0, 9).Draw(rt, "key")
				if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
					ks.All[n%2].Put(hash(n), nil)
					delete(now, n)
					continue
				}
				v := fmt.Sprintf("%d %s", cp.Epoch, strings.Repeat("x", rapid.SampledFrom([]int{1, 100, 300 << 10}).Draw(rt, "size")))
				put(rt, ks.All[n%2], hash(n), []byte(v))
				now[n] = v
			}
			if rapid.IntRange(0, 4).Draw(rt, "fail") == 0 { // the epoch fails: back to what is saved
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = mustOpen(rt, dir, o)
				ks = spaces(rt, s)
				now = map[int]string{}
				for n, v := range saved {
					now[n] = v
				}
			} else {
				cp.Epoch++
				s.ingestBytesMin = rapid.SampledFrom([]int{0, 0, 0, 1 << 30}).Draw(rt, "ingest from")
				cursors := map[string]map[string][]byte{"s": {"f": fmt.Append(nil, cp.Epoch), "g": []byte("x")}}
				if err := s.Save(&Update{Checkpoint: &cp, Cursors: cursors, Deltas: take(ks)}); err != nil {
					rt.Fatal(err)
				}
				saved = map[int]string{}
				for n, v := range now {
					saved[n] = v
				}
			}
			check(rt, s, ks, now, &cp)
		}
	})
}

// spaces opens two keyspaces; the tests put even numbers into the first.
func spaces(t *rapid.T, s *Store) *Keyspaces {
	ks, err := s.Keyspaces(3, 5)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

// put puts a value in either way.
func put(t *rapid.T, k *Keyspace, key pipeline.Hash, value []byte) {
	if rapid.Bool().Draw(t, "idle") {
		k.PutCold(key, value)
	} else {
		k.Put(key, value)
	}
}

// runner has as many parts as there can be, on some goroutines.
var runner = &exchange.Runner{Workers: 3, ForceParts: pipeline.KeyGroups}

// take ends an epoch.
func take(ks *Keyspaces) []*Delta { return takeBy(ks, runner) }

func takeBy(ks *Keyspaces, r pipeline.Runner) []*Delta {
	deltas, err := ks.Take(r)
	if err := errors.Join(err, ks.Bound(r)); err != nil {
		panic(err)
	}
	return deltas
}

func check(t *rapid.T, s *Store, ks *Keyspaces, want map[int]string, cp *Checkpoint) {
	checkLookup(t, ks, want)
	checkEach(t, ks, want)
	read, err := s.Checkpoint()
	if err != nil || read.Epoch != cp.Epoch {
		t.Fatalf("checkpoint %+v, %v; want epoch %d", read, err, cp.Epoch)
	}
	cursors, err := s.Cursors("s")
	if err != nil || cp.Epoch > 0 && string(cursors["f"]) != fmt.Sprint(cp.Epoch) {
		t.Fatalf("cursors %q, %v; want %d", cursors, err, cp.Epoch)
	}
}

// tested are the numbers whose hashes are keys, by hash.
func tested() map[pipeline.Hash]int {
	of := map[pipeline.Hash]int{}
	for n := range 12 {
		of[hash(n)] = n
	}
	return of
}

// checkLookup: Lookup finds the values of some of the keys.
func checkLookup(t *rapid.T, ks *Keyspaces, want map[int]string) {
	of := tested()
	for i, k := range ks.All {
		var keys []pipeline.Hash
		wanted, got := map[int]string{}, map[int]string{}
		for n := i; n < len(of); n += 2 {
			if rapid.Bool().Draw(t, "look up") {
				keys = append(keys, hash(n))
				if v, ok := want[n]; ok {
					wanted[n] = v
				}
			}
		}
		slices.SortFunc(keys, pipeline.Hash.Compare)
		values := make([][]byte, len(keys))
		if err := k.Lookup(keys, values); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v != nil {
				got[of[keys[i]]] = string(v)
			}
		}
		if d := cmp.Diff(wanted, got); d != "" {
			t.Fatalf("keyspace %d (-want +got):\n%.2000s", i, d)
		}
	}
}

// checkEach: Range gives every entry once, in the order of their keys, and goes on
// at any of them.
func checkEach(t *rapid.T, ks *Keyspaces, want map[int]string) {
	of := tested()
	got := map[int]string{}
	for i, k := range ks.All {
		var keys []pipeline.Hash
		err := k.Range(pipeline.Hash{}, pipeline.Hash{}, func(h pipeline.Hash, v []byte) error {
			n, known := of[h]
			if _, twice := got[n]; twice || !known || n%2 != i {
				t.Fatalf("key %v of %d twice, or unknown", h, n)
			}
			got[n] = string(v)
			keys = append(keys, h)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(keys, pipeline.Hash.Compare) {
			t.Fatal("each goes in no order")
		}
		if len(keys) > 0 {
			checkStop(t, k)
			checkFrom(t, k, keys, rapid.IntRange(0, len(keys)-1).Draw(t, "from"))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("each (-want +got):\n%.2000s", d)
	}
}

// checkFrom: Range begins at a key, whether it is there or not.
func checkFrom(t *rapid.T, k *Keyspace, keys []pipeline.Hash, at int) {
	for _, from := range []pipeline.Hash{keys[at], {Hi: keys[at].Hi, Lo: max(keys[at].Lo, 1) - 1}} {
		var got []pipeline.Hash
		if err := k.Range(from, pipeline.Hash{}, func(h pipeline.Hash, _ []byte) error { got = append(got, h); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, keys[at:]) {
			t.Fatalf("each from %v gives %v, want %v", from, got, keys[at:])
		}
		for end, to := range keys[at:] {
			if to == (pipeline.Hash{}) {
				continue // stands for the end
			}
			if got = nil; k.Range(from, to, func(h pipeline.Hash, _ []byte) error { got = append(got, h); return nil }) != nil || !slices.Equal(got, keys[at:at+end]) {
				t.Fatalf("from %v to before %v are %v, want %v", from, to, got, keys[at:at+end])
			}
		}
	}
}

// checkStop: Range ends with the first error.
func checkStop(t *rapid.T, k *Keyspace) {
	stop := errors.New("stop")
	n := 0
	if err := k.Range(pipeline.Hash{}, pipeline.Hash{}, func(pipeline.Hash, []byte) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Fatalf("each called %d times, and returned %v", n, err)
	}
}

// TestUnsaved: Lookup and Range show what epochs wrote that are not saved yet, one
// that is saved meanwhile, and the open one, whatever memory holds.
func TestUnsaved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "state")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := mustOpen(rt, dir, Options{Pipeline: "p", Memory: rapid.SampledFrom([]int64{1, 1200 << 10, 64 << 20}).Draw(rt, "memory")})
		defer s.Close()
		ks := spaces(rt, s)
		now := map[int]string{}
		var open [][]*Delta
		for i := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := rapid.IntRange(0, 7).Draw(rt, "key")
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0:
				open = append(open, take(ks))
			case 1:
				if len(open) > 0 {
					if err := s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: open[0]}); err != nil {
						rt.Fatal(err)
					}
					open = open[1:]
				}
			case 2:
				ks.All[n%2].Put(hash(n), nil)
				delete(now, n)
			case 3:
				checkLookup(rt, ks, now)
			default:
				now[n] = fmt.Sprint(i)
				put(rt, ks.All[n%2], hash(n), []byte(now[n]))
			}
			checkEach(rt, ks, now)
		}
	})
}

// TestRestart: the cursors of a source that is read again are dropped with the
// save that has its new ones.
func TestRestart(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1 << 20})
	defer s.Close()
	save := func(u *Update) {
		t.Helper()
		u.Checkpoint = &Checkpoint{}
		if err := s.Save(u); err != nil {
			t.Fatal(err)
		}
	}
	save(&Update{Cursors: map[string]map[string][]byte{"s": {"a": []byte("1"), "b": []byte("2")}, "s2": {"a": []byte("3")}}})
	save(&Update{Restart: []string{"s"}, Cursors: map[string]map[string][]byte{"s": {"b": []byte("4")}}})
	got, err := s.Cursors("s")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]byte{"b": []byte("4")}, got); d != "" {
		t.Error(d)
	}
	if other, err := s.Cursors("s2"); err != nil || len(other) != 1 {
		t.Errorf("another source's cursors are %q, %v", other, err)
	}
}

// TestRefused: folders that are in use, of another pipeline or of a newer
// starlift are refused with a way to go on.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{Pipeline: "p"})
	id := s.ID()
	if len(id) != 16 {
		t.Errorf("state id %q", id)
	}
	refused := func(o Options, words ...string) {
		t.Helper()
		other, err := Open(dir, o)
		if err == nil {
			other.Close()
			t.Fatal("opened")
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not say %q", err, w)
			}
		}
	}
	refused(Options{Pipeline: "p"}, "another process has it open", dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refused(Options{Pipeline: "q"}, `"p"`, `"q"`, "state.dir")
	s = mustOpen(t, dir, Options{Pipeline: "p"})
	if s.ID() != id {
		t.Errorf("the id was %s and is %s", id, s.ID())
	}
	raw, err := json.Marshal(Meta{Version: FormatVersion + 1, Pipeline: "p", StateID: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set(keyMeta, raw, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refused(Options{Pipeline: "p"}, "newer starlift", "new folder")
	for version := 1; version < FormatVersion; version++ {
		if raw, err = json.Marshal(Meta{Version: version, Pipeline: "p", StateID: id}); err != nil {
			t.Fatal(err)
		}
		setMeta(t, dir, raw)
		before := contentsOf(t, dir)
		refused(Options{Pipeline: "p"}, "older starlift", fmt.Sprintf("format %d, this one needs %d", version, FormatVersion), "starlift reset FILE")
		if after := contentsOf(t, dir); !maps.Equal(before, after) {
			t.Errorf("a refused start changed the folder of format %d from %v to %v", version, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.sst")); err != nil || len(left) > 0 {
		t.Errorf("files left: %v %v", left, err)
	}
}

// contentsOf returns what is in the files below a folder, by their paths.
func contentsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// setMeta writes the description of a folder, whatever it says.
func setMeta(t *testing.T, dir string, raw []byte) {
	t.Helper()
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quietLogger{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set(keyMeta, raw, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestStepKeyspaces: no two steps share a keyspace, and none is the greatest
// byte, which can't be a prefix.
func TestStepKeyspaces(t *testing.T) {
	seen := map[byte]bool{255: true}
	for n := 0; n <= MaxOperatorNumber; n++ {
		for i := range pipeline.MaxKeyspaces {
			number := (&OperatorState{Number: byte(n)}).Keyspace(i)
			if seen[number] {
				t.Fatalf("keyspace %d of step %d is taken", number, n)
			}
			seen[number] = true
		}
	}
}

// TestRecentIsSpread: a table of a part of another's entries finds them as fast;
// were they from neighbouring slots, each would be looked for among all others.
func TestRecentIsSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	full := newTable(0)
	for range 100_000 {
		full.put(pipeline.Hash{Hi: r.Uint64(), Lo: r.Uint64()}, []byte("x"), 1)
	}
	l := full.live(1)
	half := full.recent(1, &l, l.all/2)
	if half.n < 45_000 || half.n > 55_000 {
		t.Errorf("%d of 100000 entries are kept for half of the bytes", half.n)
	}
	longest, run := 0, 0
	for i := range half.slots {
		if run++; half.slots[i] == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 500 {
		t.Errorf("%d entries are in a row, of %d slots", longest, len(half.slots))
	}
}

// TestManyTables: an epoch that takes several tables is saved whole, and what a
// crash leaves of tables is removed.
func TestManyTables(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "epoch-7.sst")
	if err := os.WriteFile(left, []byte("half a table"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{Pipeline: "p", Memory: 1})
	ks, err := s.Keyspaces(3, 5)
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	value := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 100_000) }
	for i := range n {
		ks.All[i%2].Put(hash(i), value(i))
	}
	if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: 1}, Deltas: []*Delta{ks.All[0].Take(), ks.All[1].Take()}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if tables, err := filepath.Glob(filepath.Join(dir, "*.sst")); err != nil || len(tables) > 0 {
		t.Errorf("%v is left, %v", tables, err)
	}
	s = mustOpen(t, dir, Options{Pipeline: "p", Memory: 1})
	defer s.Close()
	if ks, err = s.Keyspaces(3, 5); err != nil {
		t.Fatal(err)
	}
	var finder byhash.Finder
	for space := range 2 {
		found := 0
		err := finder.Find(ks.All[space], n, func(i int32) pipeline.Hash { return hash(int(i)) }, func(i int32, v []byte) {
			if int(i)%2 != space || !bytes.Equal(v, value(int(i))) {
				t.Errorf("keyspace %d has %d, of %d bytes", space, i, len(v))
			}
			found++
		})
		if err != nil || found != n/2 {
			t.Errorf("%d keys found, %v", found, err)
		}
	}
}

// TestTakeKeepsNewest: whichever delta is found saved first, what is left of them
// has no older value than the database.
func TestTakeKeepsNewest(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1})
	defer s.Close()
	ks, err := s.Keyspaces(3)
	if err != nil {
		t.Fatal(err)
	}
	k := ks.All[0]
	var deltas []*Delta
	for i := range 2 {
		k.Put(hash(1), fmt.Append(nil, i))
		deltas = append(deltas, k.Take())
		if err := s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: deltas[i:]}); err != nil {
			t.Fatal(err)
		}
	}
	deltas[0].saved.Store(false) // as it was when Take looked at it
	k.Take()
	if err := ks.Bound(runner); err != nil {
		t.Fatal(err)
	}
	values := make([][]byte, 1)
	if err := k.Lookup([]pipeline.Hash{hash(1)}, values); err != nil || string(values[0]) != "1" {
		t.Fatalf("%q, %v; want 1", values[0], err)
	}
}

// TestLockThatCannotBeOpened: a state folder that may not be used is not said to be
// open in another process.
func TestLockThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "db", "LOCK"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Pipeline: "p"}); err == nil || errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("the error is %v", err)
	}
	dir = t.TempDir()
	s, err := Open(dir, Options{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Open(dir, Options{Pipeline: "p"}); !errors.Is(err, ErrLocked) {
		t.Errorf("the error is %v", err)
	}
}
