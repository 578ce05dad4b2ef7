package state

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestLook: a look at a folder, there or not, shows what is in it and changes
// nothing; Create makes it with the id that Inspect has told, and what was read
// stays good.
func TestLook(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "data", "state")
	look := func() *Store {
		s, err := Inspect(dir, Options{Pipeline: "p", Memory: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	unchanged := func(before map[string]string) {
		t.Helper()
		if after := contentsOf(t, top); !maps.Equal(before, after) {
			t.Errorf("a look changed the folder from %v to %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
		}
	}
	s := look()
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) || !s.New() {
		t.Errorf("a look at nothing: new %v, the folder: %v", s.New(), err)
	}
	ks, err := s.Keyspaces(3)
	if err != nil {
		t.Fatal(err)
	}
	id := s.ID()
	if err := s.Create(); err != nil || s.New() {
		t.Fatal(err)
	}
	key := pipeline.Hash{Hi: 1, Lo: 2}
	ks.All[0].Put(key, []byte("v"))
	if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: 4}, Deltas: []*Delta{ks.All[0].Take()}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := contentsOf(t, top)
	s = look()
	c, err := s.Checkpoint()
	if err != nil || s.ID() != id || s.New() || c.Epoch != 4 {
		t.Errorf("id %s, want %s; new: %v; checkpoint %v, %v", s.ID(), id, s.New(), c, err)
	}
	if _, err := Inspect(dir, Options{Pipeline: "p"}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second look: %v", err)
	}
	unchanged(before)
	if ks, err = s.Keyspaces(3); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(); err != nil {
		t.Fatal(err)
	}
	values := make([][]byte, 1)
	if err := ks.All[0].Lookup([]pipeline.Hash{key}, values); err != nil || string(values[0]) != "v" {
		t.Errorf("the value is %q, %v", values[0], err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	before = contentsOf(t, top)
	if err := look().Close(); err != nil {
		t.Fatal(err)
	}
	unchanged(before)
}

// TestLooksAtOnce: of two processes that have looked at nothing, one makes the
// folder, and the other is told to start again.
func TestLooksAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var stores [2]*Store
	for i := range stores {
		s, err := Inspect(dir, Options{Pipeline: "p"})
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = s
	}
	if err := stores[0].Create(); err != nil {
		t.Fatal(err)
	}
	if err := stores[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Create(); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("got error %v", err)
	}
	if err := stores[1].Close(); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{Pipeline: "p"})
	if s.ID() != stores[0].ID() {
		t.Errorf("the id was %s and is %s", stores[0].ID(), s.ID())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
