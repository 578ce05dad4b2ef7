package kinesis

import (
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// later moves the fake's clock so far that what follows is told from what came before by the
// whole seconds of its header.
func (r *rig) later() { r.fake.Advance(2 * time.Second) }

// TestLatestAfterReshard: of a stream that was split before the start nothing old is read,
// neither of the parent nor of its children.
func TestLatestAfterReshard(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", numbered("old", 5)...)
		_, _, err := r.fake.SplitShard(streamOf, r.shards()[0])
		r.must(err)
		r.put("a", numbered("older child", 5)...)
		r.put("b", numbered("older child", 5)...)
		r.later()
		r.cfg.Start = start.Latest
		r.open()
		r.until("the start to be saved", func() bool { return len(r.cursors) >= 3 })
		r.put("a", "new a")
		r.put("b", "new b")
		r.take(2)
		r.nothing(400 * time.Millisecond)
		r.wantTexts("new a", "new b")
	})
}

// TestLatestKilledBeforeTheFirstRecord: the time of the first start is kept, whatever start says
// by then, and shards that came meanwhile are read from their first record.
func TestLatestKilledBeforeTheFirstRecord(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 2)
		r.put("a", "old")
		r.later()
		r.cfg.Start = start.Latest
		r.open()
		r.until("the start to be saved", func() bool { return len(r.cursors) == 2 })
		r.close()
		r.put("a", "between")
		_, _, err := r.fake.SplitShard(streamOf, r.shards()[0])
		r.must(err)
		_, _, err = r.fake.SplitShard(streamOf, r.shards()[1])
		r.must(err)
		r.put("a", "in a child")
		r.later()
		r.cfg.Start = start.TrimHorizon
		r.open()
		r.take(2)
		r.nothing(400 * time.Millisecond)
		r.wantTexts("between", "in a child")
	})
}

// TestStartTime: reading begins with what arrived at that time, in all shards.
func TestStartTime(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", "old")
		_, _, err := r.fake.SplitShard(streamOf, r.shards()[0])
		r.must(err)
		r.put("a", "old in a child")
		r.fake.Advance(time.Hour)
		r.cfg.Start = timeText(r.fake.Now())
		r.put("a", "new")
		r.later()
		r.open()
		r.take(1)
		r.nothing(400 * time.Millisecond)
		r.wantTexts("new")
	})
}

// TestStartTimeBeforeTheOldest and in the future: the one begins at the trim horizon, the other ends
// the start.
func TestStartTimeOutOfRange(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	r.put("a", "x")
	r.cfg.Start = "2020-01-01"
	r.open()
	r.take(1)

	r = newRig(t, kinesistest.Options{}, 1)
	r.cfg.Start = timeText(r.fake.Now().Add(time.Hour))
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "has not come yet") {
		t.Errorf("a start in the future: %v", err)
	}
}

// TestLatestByTheServicesClock: ours is an hour ahead, or behind.
func TestLatestByTheServicesClock(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
			r := newRig(t, kinesistest.Options{}, 1)
			r.fake.Advance(ahead)
			r.put("a", "old")
			r.later()
			r.cfg.Start = start.Latest
			r.open()
			r.until("the start to be saved", func() bool { return len(r.cursors) == 1 })
			r.put("a", "new")
			r.take(1)
			r.wantTexts("new")
		}
	})
}

// TestQuietShardExpires: an iterator that expires before anything was read leads to one for the
// configured start, not for the newest record; and so does one that expires later.
func TestIteratorsExpire(t *testing.T) {
	t.Parallel()
	for _, start := range []string{start.TrimHorizon, start.Latest} {
		r := newRig(t, kinesistest.Options{}, 1)
		r.cfg.Start = start
		r.open()
		r.until("the start to be saved", func() bool { return len(r.cursors) == 1 })
		r.nothing(300 * time.Millisecond)
		for i := range 3 {
			text := numbered("x", 3)[i]
			r.put("a", text) // written while the iterator expires
			r.fake.Advance(6 * time.Minute)
			r.take(i + 1)
		}
		r.wantTexts(numbered("x", 3)...)
	}
}

// TestEmptyPagesWithLag: they are no end, and the lag is told.
func TestEmptyPagesWithLag(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	r.put("a", "x")
	r.must(r.fake.EmptyPages(streamOf, r.shards()[0], 6))
	r.fake.Advance(time.Minute)
	r.open()
	r.take(1)
	if n := len(r.fake.Requests("GetRecords", streamOf, "")); n < 7 {
		t.Errorf("%d reads", n)
	}
	if n := len(r.fake.Requests("GetShardIterator", streamOf, "")); n != 1 {
		t.Errorf("%d iterators", n)
	}
}

// TestStartReported: since when nothing is missing, by the place where reading begins; a process
// that goes on with what another one has saved does not know it.
func TestStartReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		age   time.Duration // of the stream
		start func(now time.Time) string
		want  time.Duration // before now
	}{
		"a young stream from its first record":                             {time.Hour, func(time.Time) string { return start.TrimHorizon }, time.Hour},
		"an old one, whose oldest records are dropped while they are read": {100 * time.Hour, func(time.Time) string { return start.TrimHorizon }, 23 * time.Hour},
		"a time":                      {100 * time.Hour, func(now time.Time) string { return timeText(now.Add(-5 * time.Hour)) }, 5 * time.Hour},
		"a time before the stream":    {time.Hour, func(now time.Time) string { return timeText(now.Add(-5 * time.Hour)) }, time.Hour},
		"a time that is kept no more": {100 * time.Hour, func(now time.Time) string { return timeText(now.Add(-90 * time.Hour)) }, 23 * time.Hour},
		"the newest record":           {time.Hour, func(time.Time) string { return start.Latest }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kinesistest.Options{}, 1)
			r.fake.Advance(c.age)
			now := r.fake.Now()
			r.cfg.Start = c.start(now)
			r.open()
			at, known := r.source.StartTime()
			if off := at.Sub(now.Add(-c.want)); !known || off.Abs() > 10*time.Second {
				t.Errorf("it began at %v, known %v: %v off", at, known, off)
			}
			r.until("the start to be saved", func() bool { return len(r.cursors) == 1 })
			r.open()
			if at, known := r.source.StartTime(); known {
				t.Errorf("after a restart it is %v", at)
			}
		})
	}
}
