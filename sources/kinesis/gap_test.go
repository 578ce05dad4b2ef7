package kinesis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// gapOf returns the gap that opening or reading ends with.
func (r *rig) gapOf() *pipeline.GapError {
	r.t.Helper()
	err := r.tryOpen()
	if err == nil {
		err = r.fails()
	}
	var gap *pipeline.GapError
	if !errors.Is(err, pipeline.ErrGap) || !errors.As(err, &gap) {
		r.t.Fatalf("the end is %v, want a gap", err)
	}
	return gap
}

// TestDownForTooLong: a position that the service takes though it has dropped what came behind
// it, and one that it refuses.
func TestDownForTooLong(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, refuse := range []bool{false, true} {
			r := newRig(t, kinesistest.Options{RefuseTrimmed: refuse}, 1)
			r.put("a", "read")
			r.open()
			r.take(1)
			r.close()
			arrived := r.fake.Now()
			r.put("a", "lost")
			r.fake.Advance(25 * time.Hour)
			r.put("a", "kept")
			gap := r.gapOf()
			if gap.Partition != r.shards()[0] || gap.Position == "" || gap.From.After(arrived) || !gap.To.After(arrived) || gap.To.After(r.fake.Now().Add(-24*time.Hour).Add(time.Second)) {
				t.Errorf("the gap is %+v", gap)
			}
			if len(r.got) != 1 {
				t.Errorf("%q was read", r.texts())
			}
			r.gapOf() // until somebody accepts it
			r.accept = true
			r.open()
			r.take(2)
			r.accept = false
			r.open()
			r.put("a", "more")
			r.take(3)
			r.wantTexts("read", "kept", "more")
		}
	})
}

// TestQuietForDays: a shard that is read and has nothing is no gap, however old its last record is; nor is a
// stop then, until it lasts for longer than the stream keeps records.
func TestQuietForDays(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		r := newRig(t, kinesistest.Options{RefuseTrimmed: refuse}, 1)
		r.put("a", "x")
		s, err := newStream(r.cfg)
		r.must(err)
		r.must(s.Connect(t.Context(), pipeline.NewEnv()))
		found, err := s.Discover(t.Context(), nil)
		r.must(err)
		at := pipeline.PartitionPosition{Cursor: found[0].Start, ReadUntil: found[0].StartTime}
		read := func(want string) {
			t.Helper()
			reader, err := s.OpenPartition(t.Context(), found[0], at)
			r.must(err)
			for range 3 {
				p, err := reader.Read(t.Context(), 1<<20)
				r.must(err)
				got := ""
				if p.Records != nil {
					got = string(p.Records.Data)
					at.Cursor, at.ReadUntil = p.Records.CursorAfter(p.Records.Len()), time.UnixMicro(p.Records.Arrived[0])
				}
				if p.ReadUntil.After(at.ReadUntil) {
					at.ReadUntil = p.ReadUntil
				}
				if got != want {
					t.Fatalf("%q came, want %q", got, want)
				}
				want = ""
				r.fake.Advance(10 * time.Hour) // the iterator dies as well
			}
			r.must(reader.Close())
		}
		read("x")
		read("")
		read("")
		r.put("a", "y")
		read("y")
		r.fake.Advance(15 * time.Hour) // beside the ten since the last page
		reader, err := s.OpenPartition(t.Context(), found[0], at)
		if err == nil { // the clock is known with the first answer
			_, err = reader.Read(t.Context(), 1<<20)
		}
		var gap *pipeline.GapError
		if !errors.As(err, &gap) {
			t.Errorf("after 25 hours: %v", err)
		}
	}
}

// TestQuietSoonAfterTheStart: up to when a quiet shard is known to be read is saved within
// seconds, so that a process which never lasts long has it, too.
func TestQuietSoonAfterTheStart(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", "one")
		r.open()
		r.take(1)
		r.until("the record to be saved", func() bool { return strings.Contains(r.saved(0), `"records":1`) })
		before := r.saved(0)
		r.until("how far it is read to be saved without a record", func() bool { return r.saved(0) != before })
		if after := r.saved(0); !strings.Contains(after, `"records":1`) {
			t.Errorf("the cursor was %s, and is %s", before, after)
		}
	})
}

// TestPlaceOfAnother: a service that does not know the record that was read last.
func TestPlaceOfAnother(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, code := range []string{"InvalidArgumentException", "ResourceNotFoundException"} {
			if r := newRig(t, kinesistest.Options{}, 1); r.cfg.Consumer.given() && code == codeNotFound {
				continue // that is said of shards and consumers only
			}
			r := newRig(t, kinesistest.Options{}, 1)
			r.put("a", "x", "y")
			r.open()
			r.take(2)
			r.close()
			r.fake.Inject(kinesistest.Fault{Operation: r.placing(), Effect: kinesistest.Refuse, Code: code, Message: "StartingSequenceNumber is invalid"})
			if gap := r.gapOf(); !strings.Contains(gap.Error(), "does not know the record") {
				t.Errorf("the gap is %v", gap)
			}
		}
	})
}

// TestMadeAgain: a stream that was deleted and made again, while nobody read it and under way.
func TestMadeAgain(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, running := range []bool{false, true} {
			r := newRig(t, kinesistest.Options{}, 2)
			r.putKeyed(0, 20)
			r.open()
			r.take(20)
			if !running {
				r.close()
			}
			r.must(r.fake.Delete(streamOf))
			r.later()
			r.must(r.fake.Create(streamOf, 2))
			r.putKeyed(20, 20)
			var err error
			if running {
				err = r.fails()
			} else {
				err = r.gapOf()
			}
			if !errors.Is(err, pipeline.ErrGap) || !strings.Contains(err.Error(), "deleted and made again") {
				t.Errorf("running %v: %v", running, err)
			}
			r.checkKeyed(20)
			r.accept = true
			r.open()
			r.take(40)
			r.checkKeyed(40)
			r.close()
		}
	})
}

// TestUnreadShardLeaves: one that was read in part, and a child that was not read at all.
func TestUnreadShardLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", numbered("x", 3)...)
		r.open()
		r.take(3)
		r.close()
		r.put("a", "lost")
		parent := r.shards()[0]
		_, _, err := r.fake.SplitShard(streamOf, parent)
		r.must(err)
		r.must(r.fake.Forget(streamOf, parent))
		if gap := r.gapOf(); !strings.HasPrefix(gap.Partition, parent) || !strings.Contains(gap.Error(), "not read to its end") {
			t.Errorf("the gap is %v", gap)
		}
	})
}

// TestClosedBeforeTheStart: a shard that leaves retention and was closed before the time to start at is none.
func TestClosedBeforeTheStart(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", "old")
		parent := r.shards()[0]
		_, _, err := r.fake.SplitShard(streamOf, parent)
		r.must(err)
		r.later()
		r.cfg.Start = start.Latest
		remove := r.fake.Inject(kinesistest.Fault{Operation: r.placing(), Effect: kinesistest.Refuse, Code: "LimitExceededException"})
		r.open()
		r.until("the start to be saved", func() bool { return len(r.cursors) == 3 })
		r.must(r.fake.Forget(streamOf, parent))
		remove()
		r.put("a", "new")
		r.take(1)
		r.wantTexts("new")
	})
}
