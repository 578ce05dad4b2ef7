package kinesis

import (
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// TestSplitWithBacklog: a parent is read to its end before its children, and they from their
// first record.
func TestSplitWithBacklog(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.putKeyed(0, 40)
		_, _, err := r.fake.SplitShard(streamOf, r.shards()[0])
		r.must(err)
		r.putKeyed(40, 40)
		r.open()
		r.take(80)
		r.checkKeyed(80)
	})
}

// TestResumeInClosedShard: a shard that was closed while nobody read it is read on where its cursor is.
func TestResumeInClosedShard(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.putKeyed(0, 40)
		r.open()
		r.take(40)
		r.close()
		r.putKeyed(40, 10)
		_, _, err := r.fake.SplitShard(streamOf, r.shards()[0])
		r.must(err)
		r.putKeyed(50, 30)
		r.open()
		r.take(80)
		r.checkKeyed(80)
	})
}

// TestGenerations: children that were split themselves before anybody read them.
func TestGenerations(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, emptyLast := range []bool{false, true} {
			r := newRig(t, kinesistest.Options{EmptyLastPage: emptyLast}, 1)
			n := 0
			for range 3 {
				r.putKeyed(n, 20)
				n += 20
				ids := r.shards()
				_, _, err := r.fake.SplitShard(streamOf, ids[len(ids)-1])
				r.must(err)
			}
			ids := r.shards()
			_, err := r.fake.MergeShards(streamOf, ids[len(ids)-2], ids[len(ids)-1])
			r.must(err)
			r.putKeyed(n, 20)
			r.open()
			r.take(n + 20)
			r.checkKeyed(n + 20)
			r.close()
		}
	})
}

// TestReshardWhileReading: splits and merges under way, with a new process now and then.
func TestReshardWhileReading(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 4)
		r.open()
		n := 0
		for i, shards := range []int{8, 3, 5} {
			r.putKeyed(n, 40)
			n += 40
			r.must(r.fake.Resize(streamOf, shards))
			r.putKeyed(n, 40)
			n += 40
			r.take(n - 10)
			if i == 1 {
				r.open()
			}
		}
		r.take(n)
		r.checkKeyed(n)
		r.nothing(300 * time.Millisecond)
	})
}

// TestHiddenChildren: children that only the end of their parent names, and a parent that nobody
// knows any longer.
func TestHiddenChildren(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.putKeyed(0, 10)
		parent := r.shards()[0]
		low, high, err := r.fake.SplitShard(streamOf, parent)
		r.must(err)
		r.must(r.fake.Hide(streamOf, low, true))
		r.must(r.fake.Hide(streamOf, high, true))
		r.putKeyed(10, 10)
		r.open()
		r.take(20)
		r.checkKeyed(20)

		orphans := newRig(t, kinesistest.Options{}, 1)
		orphans.putKeyed(0, 10)
		parent = orphans.shards()[0]
		_, _, err = orphans.fake.SplitShard(streamOf, parent)
		orphans.must(err)
		orphans.must(orphans.fake.Forget(streamOf, parent))
		orphans.putKeyed(10, 10)
		orphans.open()
		orphans.take(10)
		for _, one := range orphans.got {
			if one.shard == parent {
				t.Errorf("%s came of a shard that is gone", one.text)
			}
		}
	})
}

// TestFinishedParentLeaves: a shard that was read to its end is no loss when retention takes it.
func TestFinishedParentLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.putKeyed(0, 10)
		parent := r.shards()[0]
		_, _, err := r.fake.SplitShard(streamOf, parent)
		r.must(err)
		r.open()
		r.take(10)
		r.putKeyed(10, 1)
		r.take(11) // a child is read: the parent has ended
		r.close()
		r.must(r.fake.Forget(streamOf, parent))
		r.putKeyed(11, 10)
		r.open()
		r.take(21)
		r.checkKeyed(21)
		r.until("the parent to be forgotten", func() bool { return len(r.cursors) == 2 })
	})
}

// TestManyShards: more shards than a page of the list has, and a token that expires meanwhile.
func TestManyShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{ShardPage: 100}, 1500)
	remove := r.fake.Inject(kinesistest.Fault{Operation: "ListShards", Effect: kinesistest.Refuse, Code: "ExpiredNextTokenException", Message: "expired", After: 3, Times: 1})
	defer remove()
	r.cfg.Start = start.Latest
	r.open()
	r.until("all cursors", func() bool { return len(r.cursors) == 1500 })
	r.put("a", "x")
	r.take(1)
	r.wantTexts("x")
}
