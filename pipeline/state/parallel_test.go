package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
)

// groupUser is one goroutine's work on some key groups of a keyspace, held against a map.
type groupUser struct {
	k      *Keyspace
	groups []int
	rand   *rand.Rand
	want   map[pipeline.Hash][]byte
}

// key returns one of a hundred keys of its key groups.
func (u *groupUser) key() pipeline.Hash {
	g := uint64(u.groups[u.rand.IntN(len(u.groups))])
	n := u.rand.IntN(100)
	return hash(n).Beside(pipeline.Hash{Hi: g << 57})
}

// epoch puts, and looks up what should be there.
func (u *groupUser) epoch(n int) error {
	for range 30 {
		key := u.key()
		var value []byte
		if u.rand.IntN(4) > 0 {
			value = fmt.Appendf(nil, "%d %s", n, bytes.Repeat([]byte{'x'}, u.rand.IntN(300)))
		}
		u.k.Prefetch([]pipeline.Hash{key})
		if u.rand.IntN(3) > 0 {
			u.k.Put(key, value)
		} else {
			u.k.PutCold(key, value)
		}
		if u.want[key] = value; value == nil {
			delete(u.want, key)
		}
		if u.rand.IntN(10) == 0 {
			if err := u.check(); err != nil {
				return err
			}
		}
	}
	return u.check()
}

// check looks up some keys, which may be there or not, and a range.
func (u *groupUser) check() error {
	var keys []pipeline.Hash
	for range 40 {
		keys = append(keys, u.key())
	}
	slices.SortFunc(keys, pipeline.Hash.Compare)
	keys = slices.Compact(keys)
	values := make([][]byte, len(keys))
	if err := u.k.Lookup(keys, values); err != nil {
		return err
	}
	for i, key := range keys {
		if want, there := u.want[key]; there != (values[i] != nil) || !bytes.Equal(values[i], want) {
			return fmt.Errorf("%x is %.20q, want %.20q", key, values[i], want)
		}
	}
	r := pipeline.KeyGroupRange{First: u.groups[0], End: u.groups[0] + 1}
	found := 0
	err := u.k.Range(r.From(), r.To(), func(key pipeline.Hash, value []byte) error {
		if found++; !bytes.Equal(value, u.want[key]) {
			return fmt.Errorf("%x in a range is %.20q, want %.20q", key, value, u.want[key])
		}
		return nil
	})
	for key := range u.want {
		if r.Has(key) {
			found--
		}
	}
	if err == nil && found != 0 {
		err = fmt.Errorf("a range has %d entries more than there are", found)
	}
	return err
}

// TestManyGoroutines: goroutines that use different key groups of the same keyspaces at the
// same time find what each has put, whatever memory holds and however the epochs before are
// saved meanwhile; and so does who opens the folder again.
func TestManyGoroutines(t *testing.T) {
	for name, memory := range map[string]int64{"no memory": 1, "little memory": 400 << 10, "enough memory": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{Pipeline: "p", Memory: memory})
			defer func() { s.Close() }()
			ks, err := s.Keyspaces(3, 5)
			if err != nil {
				t.Fatal(err)
			}
			users := usersOf(ks, 8, seed)
			update := &Update{Checkpoint: &Checkpoint{}}
			for epoch := range 8 {
				s.ingestBytesMin = []int{0, 1 << 30, 0, 0}[epoch%4]
				work(t, users, epoch, func() error { return s.Save(update) })
				update = &Update{Checkpoint: &Checkpoint{Epoch: int64(epoch)}, Deltas: take(ks)}
			}
			if err := errors.Join(s.Save(update), s.Close()); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, Options{Pipeline: "p", Memory: memory})
			if ks, err = s.Keyspaces(3, 5); err != nil {
				t.Fatal(err)
			}
			for i, u := range users {
				u.k = ks.All[i%2]
			}
			work(t, users, 8, func() error { return nil })
		})
	}
}

// work has all users work on an epoch, while the one before is saved.
func work(t *testing.T, users []*groupUser, epoch int, save func() error) {
	var all errgroup.Group
	all.Go(save)
	for _, u := range users {
		all.Go(func() error { return u.epoch(epoch) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

// usersOf divides the key groups of each keyspace among some goroutines.
func usersOf(ks *Keyspaces, n int, seed uint64) (users []*groupUser) {
	for i := range n {
		u := &groupUser{k: ks.All[i%2], rand: rand.New(rand.NewPCG(seed, uint64(i))), want: map[pipeline.Hash][]byte{}}
		for g := i / 2; g < pipeline.KeyGroups; g += n / 2 * 5 { // some are never used
			u.groups = append(u.groups, g)
		}
		users = append(users, u)
	}
	return users
}

// TestFewEntries: key groups of few entries take little memory, and an epoch has to do with
// those that it uses only; what others wrote is dropped from memory once it is saved.
func TestFewEntries(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 64 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(1, 2, 3, 4, 5)
	if err != nil {
		t.Fatal(err)
	}
	save := func(want int) {
		t.Helper()
		deltas := take(ks)
		groups := 0
		for _, d := range deltas {
			groups += len(d.numbers)
		}
		if groups != want {
			t.Errorf("an epoch that uses %d key groups has to do with %d", want, groups)
		}
		if err := s.Save(&Update{Checkpoint: &Checkpoint{}, Deltas: deltas}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range ks.All {
		for g := range uint64(pipeline.KeyGroups) {
			k.Put(pipeline.Hash{Hi: g << 57, Lo: 1}, []byte("a value"))
		}
	}
	save(5 * pipeline.KeyGroups)
	if size := ks.Size(); size > 1<<20 {
		t.Errorf("%d key groups of one entry take %d bytes", 5*pipeline.KeyGroups, size)
	}
	ks.All[2].Put(pipeline.Hash{Lo: 1}, []byte("another"))
	save(1)
	save(0)
	for i, k := range ks.All {
		for n, g := range k.groups {
			if len(g.unsaved) > 0 {
				t.Fatalf("key group %d of keyspace %d keeps what is saved", n, i)
			}
		}
	}
}
