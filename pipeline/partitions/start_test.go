package partitions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// TestStartIsSavedFirst: where a first start begins is durable before any shard is asked for
// anything, and asked for to be saved at once.
func TestStartIsSavedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &sourcetest.Stream{}
		a := stream.Add(3)
		stream.Add(3)
		var asked atomic.Int64
		stream.Fault = func(_ context.Context, shard string) error {
			if shard != "" {
				asked.Add(1)
			}
			return nil
		}
		s := New("stream", stream.Reader(true), Options{})
		openAt(t, s, nil)
		r, err := s.Read(t.Context())
		if err != nil || !r.SaveNow || len(r.Positions) != 2 {
			t.Fatalf("the first that it gives is %+v, %v", r, err)
		}
		commit := func(cursors map[string][]byte) {
			t.Helper()
			if err := s.Committed(t.Context(), cursors); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour) // of the bubble
			synctest.Wait()
		}
		commit(map[string][]byte{"another": {}})
		commit(map[string][]byte{a.Name: cursor{At: "2"}.encode()}) // of an epoch before
		if n := asked.Load(); n != 0 {
			t.Errorf("shards were asked %d times before their start was saved", n)
		}
		commit(r.Positions)
		if asked.Load() == 0 {
			t.Error("no shard was asked when its start was saved")
		}
		closeIt(t, s, stream)
	})
}

// TestKilledAtStart: killed at each step of a first start at the newest record, the next start
// misses nothing of what came after the first that was saved, and reads nothing older.
func TestKilledAtStart(t *testing.T) {
	for step, name := range []string{"before its start is handed over", "before that is saved", "before it is told", "when it was told", "when a shard was read"} {
		t.Run(name, func(t *testing.T) {
			stream := &sourcetest.Stream{}
			a := stream.Add(3)
			saved := map[string][]byte{}
			s := sourceOf(stream, true)
			openAt(t, s, nil)
			if step >= 1 {
				r, err := s.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if step >= 2 {
					maps.Copy(saved, r.Positions)
				}
			}
			stream.Put(a, 2)
			b := stream.Add(2, a)
			if step >= 3 {
				if err := s.Committed(t.Context(), maps.Clone(saved)); err != nil {
					t.Fatal(err)
				}
			}
			if step >= 4 {
				readUntil(t, s, map[string][]byte{}, func(r *pipeline.Records) bool { return r.Partition == b.Name })
			}
			closeIt(t, s, stream)

			want := textsOf(stream, b, 0)
			if step >= 2 {
				want = append(slices.Clone(textsOf(stream, a, 3)), want...)
			} else { // nothing was saved: it starts for the first time
				stream.Put(b, 1)
				want = []string{}
			}
			s = sourceOf(stream, true)
			openAt(t, s, saved)
			defer closeIt(t, s, stream)
			if step < 2 {
				readUntil(t, s, saved, func(r *pipeline.Records) bool { return r.SaveNow })
				stream.Put(b, 2)
				want = textsOf(stream, b, 3)
			}
			var got []string
			readUntil(t, s, saved, func(r *pipeline.Records) bool {
				for i := range r.Len() {
					got = append(got, string(r.Bytes(i)))
				}
				return len(got) >= len(want)
			})
			if !slices.Equal(got, want) {
				t.Errorf("it read %v, want %v", got, want)
			}
		})
	}
}

// TestUnreadIsSaved: a shard that was found has a cursor though nothing was read of it, so that its
// loss is found out.
func TestUnreadIsSaved(t *testing.T) {
	stream := &sourcetest.Stream{}
	a := stream.Add(3)
	b := stream.Add(3, a)
	cursors := map[string][]byte{}
	s := sourceOf(stream, false)
	openAt(t, s, nil)
	readUntil(t, s, cursors, func(*pipeline.Records) bool { return true })
	closeIt(t, s, stream)
	if got := fmt.Sprintf("%s", cursors); got != `map[shard-000:{} shard-001:{"parents":["shard-000"]}]` {
		t.Errorf("the cursors of %s and %s are %s", a.Name, b.Name, got)
	}
}
