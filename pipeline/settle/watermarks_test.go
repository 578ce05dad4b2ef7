package settle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// given is what a source gave of one partition: changes at times from-to, of a table.
type given struct {
	source, partition, table string
	from, to                 int64
	untimed                  bool
}

// watermarksAfter returns watermarks that have read what was given.
func watermarksAfter(t *testing.T, header *pipeline.EpochHeader, all ...given) *watermarks {
	t.Helper()
	tables, err := newLogicalTables(nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWatermarks(tables, []string{"a", "b", "c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.advance(header, 1000)
	for _, g := range all {
		id, err := tables.id(g.table)
		if err != nil {
			t.Fatal(err)
		}
		added := &Packet{tables: []packetTable{{name: g.table, id: id}}, untimed: g.untimed}
		for at := g.from; at <= g.to; at++ {
			added.changes = append(added.changes, packetChange{time: at})
		}
		w.observe(&pipeline.Records{Source: g.source, Partition: g.partition}, added)
	}
	return w
}

// TestHorizon: the deletions of a table are forgotten by the source of its changes that
// is furthest behind, in its partition that is, and by none that may still bring changes
// of any time.
func TestHorizon(t *testing.T) {
	type sources = map[string]pipeline.SourceProgress
	following, ended, reading := pipeline.SourceProgress{State: pipeline.SourceFollowing}, pipeline.SourceProgress{State: pipeline.SourceEnded}, pipeline.SourceProgress{}
	a := func(partition string, from, to int64) given {
		return given{source: "a", partition: partition, table: "t", from: from, to: to}
	}
	b := func(table string, from, to int64) given {
		return given{source: "b", partition: "q", table: table, from: from, to: to}
	}
	cases := []struct {
		name    string
		given   []given
		sources sources
		wall    int64
		want    int64
	}{
		{"caught up", []given{a("p", 4001, 5000)}, sources{"a": following}, 0, 4937 - 1000},
		{"fewer than 64 changes", []given{a("p", 4938, 5000)}, sources{"a": following}, 0, noTime},
		{"63 from the future", []given{a("p", 4001, 5000), a("p", 900_001, 900_063)}, sources{"a": following}, 0, 5000 - 1000},
		{"a partition behind", []given{a("p", 8001, 9000), a("q", 2001, 3000)}, sources{"a": {State: pipeline.SourceFollowing, Behind: []string{"q"}}}, 0, 2937 - 1000},
		{"all caught up, one for long", []given{a("p", 8001, 9000), a("q", 2001, 3000)}, sources{"a": following}, 0, 8937 - 1000},
		{"a partition with few changes behind", []given{a("p", 8001, 9000), a("q", 8001, 8005)}, sources{"a": {State: pipeline.SourceFollowing, Behind: []string{"q"}}}, 0, noTime},
		{"a partition that is not begun", []given{a("p", 8001, 9000)}, sources{"a": {State: pipeline.SourceFollowing, Unread: true}}, 0, noTime},
		{"many partitions of few changes", []given{a("p", 1, 30), a("q", 31, 60), a("r", 61, 90)}, sources{"a": following}, 0, 27 - 1000},
		{"the one behind", []given{a("p", 4001, 5000), b("t", 2001, 3000)}, sources{"a": following, "b": following}, 0, 2937 - 1000},
		{"nothing read yet", []given{a("p", 4001, 5000)}, sources{"a": following, "b": following}, 0, noTime},
		{"one of another table is behind", []given{a("p", 4001, 5000), b("u", 2001, 3000)}, sources{"a": following, "b": following}, 0, 4937 - 1000},
		{"one of another table, by its configuration, not begun", []given{a("p", 4001, 5000)}, sources{"a": following, "b": {State: pipeline.SourceFollowing, Table: "u"}}, 0, 4937 - 1000},
		{"an archive of another table, by its configuration", []given{a("p", 4001, 5000), b("u", 1, 5)}, sources{"a": following, "b": {State: pipeline.SourceReading, Table: "u"}}, 0, 4937 - 1000},
		{"an archive that is being read", []given{a("p", 4001, 5000)}, sources{"a": reading}, 0, noTime},
		{"an archive beside a followed source", []given{a("p", 1, 2), b("t", 8001, 9000)}, sources{"a": reading, "b": following}, 0, noTime},
		{"an archive that was read", []given{a("p", 1, 2), b("t", 8001, 9000)}, sources{"a": ended, "b": following}, 0, 8937 - 1000},
		{"a newer archive that was read", []given{a("p", 19_000, 20_000), b("t", 8001, 9000)}, sources{"a": ended, "b": following}, 0, 8937 - 1000},
		{"all were read", []given{a("p", 4999, 5000), b("t", 8999, 9000)}, sources{"a": ended, "b": ended}, 0, 9000 - 1000},
		{"an empty one was read", []given{a("p", 8999, 9000)}, sources{"a": ended, "b": ended}, 0, 9000 - 1000},
		{"ahead of the wall", []given{a("p", 1_000_000_001, 1_000_000_100)}, sources{"a": following}, 300_000_000, 300_000_000 + aheadMicrosMax - 1000},
		{"all were read, ahead of the wall", []given{a("p", 1_000_000_001, 1_000_000_002)}, sources{"a": ended}, 300_000_000, 300_000_000 + aheadMicrosMax - 1000},
		{"versions that are no times", []given{a("p", 8001, 9000), {source: "b", table: "t", from: 1, to: 5, untimed: true}}, sources{"a": following, "b": ended}, 0, noTime},
	}
	for _, c := range cases {
		h := &pipeline.EpochHeader{Time: c.wall, Sources: c.sources}
		k := watermarksAfter(t, h, c.given...)
		k.advance(h, 1000)
		id, err := k.tables.id("t")
		if err != nil {
			t.Fatal(err)
		}
		if got := k.tables.horizons[id]; got != c.want {
			t.Errorf("%s: the horizon is %d, want %d", c.name, got, c.want)
		}
	}
}

// TestWatermarksAfterRestart: what the checkpoint keeps moves the horizons no further than
// what was forgotten would have, and they never fall.
func TestWatermarksAfterRestart(t *testing.T) {
	behind := &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{"a": {State: pipeline.SourceFollowing, Behind: []string{"q"}}}}
	k := watermarksAfter(t, behind,
		given{source: "a", partition: "p", table: "t", from: 8001, to: 9000},
		given{source: "a", partition: "q", table: "t", from: 2001, to: 3000})
	k.advance(behind, 1000)
	reopen := func() {
		t.Helper()
		tables, err := newLogicalTables(k.tables.save())
		if err != nil {
			t.Fatal(err)
		}
		if k, err = newWatermarks(tables, k.inputs, k.save()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, h *pipeline.EpochHeader, want int64) {
		t.Helper()
		k.advance(h, 1000)
		if got := k.tables.horizons[0]; got != want {
			t.Errorf("%s: the horizon is %d, want %d", when, got, want)
		}
	}
	check("before", behind, 1937)
	reopen()
	check("nothing is known", &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{"a": {}}}, 1937)
	check("still behind", behind, 1937)
	check("a partition that had no clock", &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{"a": {State: pipeline.SourceFollowing, Behind: []string{"new"}}}}, 1937)
	check("caught up", &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{"a": {State: pipeline.SourceFollowing}}}, 7937)
	reopen()
	check("behind again", behind, 7937)
	want := []state.LogicalTable{{Name: "t", Horizon: known(7937)}}
	if d := gocmp.Diff(want, k.tables.save()); d != "" {
		t.Error(d)
	}
}

// TestWatermark: the clock is the 64th greatest of all times, in whatever order they come.
func TestWatermark(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 50 {
		n := newWatermark(noTime)
		var all []int64
		disorder := int64(1 + r.IntN(200))
		for i := range int64(400) {
			at := i + r.Int64N(disorder)
			all = append(all, at)
			n.observe(at)
			want := noTime
			if len(all) >= watermarkTimes {
				sorted := slices.Sorted(slices.Values(all))
				want = sorted[len(sorted)-watermarkTimes]
			}
			if got := n.time(); got != want {
				t.Fatalf("seed %d: after %d times the clock is %d, want %d", seed, len(all), got, want)
			}
		}
		if cap(n.times) > 2*watermarkTimes {
			t.Fatalf("seed %d: %d times are kept", seed, cap(n.times))
		}
	}
}

// TestIdlePartitions: of many partitions that hold nothing more, the times are not kept.
func TestIdlePartitions(t *testing.T) {
	h := &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{"a": {State: pipeline.SourceFollowing, Behind: []string{"p7"}}}}
	var all []given
	for i := range 2 * idlePartitionsMax {
		all = append(all, given{source: "a", partition: fmt.Sprintf("p%d", i), table: "t", from: int64(i), to: int64(i + 64)})
	}
	k := watermarksAfter(t, h, all...)
	k.advance(h, 1000)
	if n := len(k.sources["a"].partitions); n != 1 {
		t.Errorf("times of %d partitions are kept", n)
	}
	if got, want := k.tables.horizons[0], int64(8-1000); got != want {
		t.Errorf("the horizon is %d, want %d", got, want)
	}
}

// TestReread: a late change of an item without state that a reading before had read is
// counted, and no dead letter; consumers of the log are told all the same.
func TestReread(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(rt, t.TempDir(), 1<<20)
		defer h.store.Close()
		row := func(id string) image { return image{7, map[string]int64{id: 1}} }
		h.epoch([]event{{item: "A", time: 10_000, new: row("a")}}, 1)
		h.s.Begin(readSoFar("s"))
		b := batchOf([]event{{item: "B", time: 10, new: row("b")}, {item: "A", time: 10, new: row("x")}, {item: "C", time: 9_500, new: row("c")}, {item: "D", time: 20, new: row("d")}})
		for i := range b.Changes {
			b.Changes[i].Record = int32(i)
		}
		b.Records.ReadAgain = 3
		h.check(h.s.add(b, 0))
		b.Release()
		h.end()
		if d := gocmp.Diff([]int64{0, 3}, h.late); d != "" || h.dead != 1 || h.reread != 1 {
			rt.Fatalf("%d dead letters and %d read again, want one each; ordinals (-want +got):\n%s", h.dead, h.reread, d)
		}
		if d := gocmp.Diff(map[string]int64{"a": 1, "c": 1}, h.table()); d != "" {
			rt.Fatal(d)
		}
	})
}
