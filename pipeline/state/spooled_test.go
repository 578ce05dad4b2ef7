package state

import (
	"bytes"
	"maps"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestSpooled: what a committable has spooled is there until an epoch neither has nor retains it,
// whichever way its update is written, and whatever was read before.
func TestSpooled(t *testing.T) {
	for name, ingestBytes := range map[string]int{"by batch": 1 << 30, "by tables": 0} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := reopened(t, nil, dir)
			s.ingestBytesMin = ingestBytes
			save := func(epoch int64, sinks map[string]*pipeline.Committable) {
				t.Helper()
				for _, c := range sinks {
					c.Epoch = epoch
				}
				if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: epoch, Committables: sinks}}); err != nil {
					t.Fatal(err)
				}
			}
			want := func(want map[string]map[int64]string) {
				t.Helper()
				for range 2 { // the second time from a folder that was opened anew
					c, err := s.Checkpoint()
					if err != nil {
						t.Fatal(err)
					}
					for sink, rc := range c.Committables {
						if !bytes.Equal(rc.Spooled, []byte(want[sink][c.Epoch])) {
							t.Errorf("epoch %d, sink %s: the committable has %q", c.Epoch, sink, rc.Spooled)
						}
					}
					got := map[string]map[int64]string{}
					for sink, epochs := range c.Spooled {
						got[sink] = map[int64]string{}
						for epoch, value := range epochs {
							got[sink][epoch] = string(value)
						}
					}
					if !maps.EqualFunc(got, want, maps.Equal) {
						t.Errorf("epoch %d: %v, want %v", c.Epoch, got, want)
					}
					s = reopened(t, s, dir)
					s.ingestBytesMin = ingestBytes
				}
			}
			save(1, map[string]*pipeline.Committable{"a": {Spooled: []byte("a1"), RetainEpochs: []int64{1}}, "ab": {Spooled: []byte("ab1")}, "none": {}})
			want(map[string]map[int64]string{"a": {1: "a1"}, "ab": {1: "ab1"}})
			save(1, map[string]*pipeline.Committable{"a": {Spooled: []byte("a1"), RetainEpochs: []int64{1}}, "ab": {Spooled: []byte("ab1")}}) // rows were refused
			save(2, map[string]*pipeline.Committable{"a": {Spooled: []byte("a2"), RetainEpochs: []int64{1, 2}}, "ab": {}})
			want(map[string]map[int64]string{"a": {1: "a1", 2: "a2"}})
			save(256, map[string]*pipeline.Committable{"a": {RetainEpochs: []int64{2, 3}}, "ab": {Spooled: []byte("ab256")}})
			want(map[string]map[int64]string{"a": {2: "a2"}, "ab": {256: "ab256"}})
			save(257, map[string]*pipeline.Committable{"ab": {}})
			want(map[string]map[int64]string{})
		})
	}
}

// reopened closes a store, if there is one, and opens the folder.
func reopened(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	if s != nil {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir, Options{Pipeline: "p", Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
