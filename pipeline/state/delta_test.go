package state

import (
	"bytes"
	"testing"
)

// TestUnsavedCounts: what waits for its save is part of the memory that the state takes, and keys
// that are in memory leave room for it.
func TestUnsavedCounts(t *testing.T) {
	const bound, entries = 4 << 20, 10_000
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: bound})
	defer s.Close()
	ks, err := s.Keyspaces(3)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range 6 {
		for n := range entries {
			ks.All[0].Put(hash(epoch*entries+n), bytes.Repeat([]byte{1}, 100))
		}
		deltas := take(ks)
		held, size := deltas[0].held, ks.Size()
		if size > bound {
			t.Errorf("epoch %d: %d bytes, %d of them unsaved", epoch, size, held)
		}
		if epoch == 5 && held < entries*100 {
			t.Errorf("the epoch holds %d bytes, though memory has room for no key that is not looked up", held)
		}
		if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: int64(epoch)}, Deltas: deltas}); err != nil {
			t.Fatal(err)
		}
		if after := ks.Size(); after != size-held {
			t.Errorf("epoch %d: %d bytes of %d after a save of %d", epoch, after, size, held)
		}
	}
}
