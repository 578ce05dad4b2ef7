package settle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

func hashOf(item string) pipeline.Hash {
	h := xxh3.Hash128([]byte(item))
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}
}

// ending is a header that ends a part of a snapshot.
func ending(e pipeline.SnapshotEnd) *pipeline.EpochHeader {
	h := readSoFar("s")
	h.Sources["s"] = pipeline.SourceProgress{State: pipeline.SourceEnded, SnapshotEnd: &e}
	return h
}

// in reports whether an item belongs to a part.
func in(t failer, e pipeline.SnapshotEnd, item pipeline.Hash) bool {
	from, to, err := partOf(&e)
	if err != nil {
		t.Fatal(err)
	}
	return !item.Less(from) && (to == pipeline.Hash{} || item.Less(to))
}

// TestSnapshotEnd: an item whose newest change is older than a snapshot when its part of that ends
// has one more change, a removal of the snapshot's time: what is read before, meanwhile and
// afterwards, in whatever order, has the effect that it has beside such a change. Everything else
// stays as it is.
func TestSnapshotEnd(t *testing.T) {
	checks(t, 50)
	rapid.Check(t, func(rt *rapid.T) {
		var events []event
		for i := range rapid.IntRange(1, 5).Draw(rt, "items") {
			es, _, _ := drawHistory(rt, string(rune('A'+i)), rapid.Bool().Draw(rt, "sequences"))
			for k := range es {
				es[k].time = int64(2 * (k + 1)) // ties are for TestTruth
			}
			events = append(events, es...)
		}
		at := int64(rapid.IntRange(1, 14).Draw(rt, "snapshot")) // odd: no change has its time
		order := disorder(rt, events)
		if at%2 == 0 { // what comes afterwards at that time may be before or behind the removal
			slices.SortStableFunc(order, func(a, b event) int {
				return cmp.Compare(btoi(a.time != at), btoi(b.time != at))
			})
		}
		parts := rapid.IntRange(1, 4).Draw(rt, "parts")
		h := newHarness(rt, t.TempDir(), rapid.SampledFrom([]int64{1, 1 << 20}).Draw(rt, "memory"))
		defer h.store.Close()
		read := 0
		for ; read < len(order) && order[read].time == at; read++ { // they are in the snapshot
		}
		h.feed(rt, order[:read])
		all := slices.Clone(events)
		for part := range parts {
			n := rapid.IntRange(read, len(order)).Draw(rt, "read")
			if n > read {
				h.feed(rt, order[read:n])
			}
			read = n
			e := pipeline.SnapshotEnd{Time: at, Part: part, Parts: parts}
			all = append(all, missingOf(rt, order[:read], e)...)
			h.s.Begin(ending(e))
			h.end()
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				h.restart()
			}
		}
		if read < len(order) {
			h.feed(rt, order[read:])
		}
		last, times := map[string]image{}, map[string]int64{}
		slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.time, b.time) })
		for _, e := range all {
			last[e.item], times[e.item] = e.new, e.time
		}
		if d := gocmp.Diff(settled(last, times), h.table()); d != "" {
			rt.Fatalf("table differs (-want +got):\n%s\nsnapshot of %d, events: %+v", d, at, order)
		}
		if h.dead > 0 {
			rt.Fatalf("%d dead letters", h.dead)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// missingOf returns the removals that the end of a snapshot makes, by what was read before it.
func missingOf(t failer, read []event, e pipeline.SnapshotEnd) (removals []event) {
	newest := map[string]event{}
	for _, c := range read {
		if n, known := newest[c.item]; !known || c.time > n.time {
			newest[c.item] = c
		}
	}
	for item, c := range newest {
		if c.time < e.Time && c.new.hash != 0 && in(t, e, hashOf(item)) {
			removals = append(removals, event{item: item, time: e.Time})
		}
	}
	return removals
}

// TestSnapshotEndPolicies: histories have the removals too.
func TestSnapshotEndPolicies(t *testing.T) {
	spaces := newStore(t)
	all := slices.DeleteFunc(policies(), func(p pipeline.Policy) bool {
		rules := rulesOf(p)
		return rules.releases // what a late change says of released rows depends on the order
	})
	table := keyedTable("rows")
	checks(t, 30*len(all))
	rapid.Check(t, func(rt *rapid.T) {
		empty(rt, spaces)
		p := rapid.SampledFrom(all).Draw(rt, "policy")
		changes := drawTold(rt, false, false)
		for i := range changes {
			changes[i].time *= 2
		}
		end := pipeline.SnapshotEnd{Time: 1 + 2*int64(rapid.IntRange(0, 15).Draw(rt, "snapshot")), Parts: 1}
		o := optionsOf(table, 1<<40, pipelinetest.NewKeyspace(), pipelinetest.NewKeyspace())
		o.Policies = []PolicyTable{{Table: table, Policy: p, State: State{spaces.All[0], spaces.All[1]}}}
		s, err := New(o)
		if err != nil {
			rt.Fatal(err)
		}
		pt := &policyTest{t: rt, table: table, view: pipelinetest.NewView()}
		settle := func(h *pipeline.EpochHeader, some []told) {
			s.Begin(h)
			batch := toldBatch(table, some)
			defer batch.Release()
			if err := s.add(batch, 0); err != nil {
				rt.Fatal(err)
			}
			r, err := s.settle()
			if err != nil {
				rt.Fatal(err)
			}
			defer s.Release()
			pt.view.BeginEpoch()
			for _, rows := range r.Rows {
				columnar := rows.Columnar()
				if rows.Output == 1 {
					if err := pt.view.Apply(columnar); err != nil {
						rt.Fatal(err)
					}
				}
				columnar.Record.Release()
			}
		}
		feed := func(some []told) {
			for len(some) > 0 {
				n := rapid.IntRange(1, len(some)).Draw(rt, "epoch")
				settle(readSoFar("s"), some[:n])
				some = some[n:]
			}
		}
		order := rapid.Permutation(changes).Draw(rt, "order of arrival")
		n := rapid.IntRange(0, len(order)).Draw(rt, "read before")
		feed(order[:n])
		newest := map[int]told{}
		for _, c := range order[:n] {
			if c.time > newest[c.item].time {
				newest[c.item] = c
			}
		}
		for item, c := range newest {
			if c.time < end.Time && c.removal == pipeline.NotRemoved {
				changes = append(changes, told{item: item, time: end.Time, removal: pipeline.Removed})
			}
		}
		settle(ending(end), nil)
		feed(order[n:])
		if want := model(p, changes); !maps.Equal(pt.rows(), want) {
			rt.Fatalf("%+v: the rows are\n%+v\nwant\n%+v\nof %+v, snapshot of %d behind %d of %+v", p, pt.rows(), want, changes, end.Time, n, order)
		}
	})
}

// toldBatch returns changes as a batch of one table.
func toldBatch(table *pipeline.Table, changes []told) *pipeline.Batch {
	batch := &pipeline.Batch{Records: &pipeline.Records{Source: "s", Partition: "f", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC}}}
	rows := newRowsOf(table)
	for i, c := range changes {
		v := pipeline.Version{Time: c.time, New: uint64(c.time)}
		if c.removal != pipeline.NotRemoved {
			v.New = 0
		}
		batch.Changes = append(batch.Changes, pipeline.Change{
			Item: pipeline.Hash{Lo: uint64(c.item + 1)}, Key: []byte{'a' + byte(c.item)}, Version: v, Removal: c.removal,
		})
		for _, k := range c.keys {
			rows.add(i, k, c.time)
		}
	}
	batch.Tables = append(batch.Tables, rows.done())
	return batch
}

// snapshotBatch returns events as items of a full export of table t.
func snapshotBatch(events []event, at int64, dead ...pipeline.Hash) *pipeline.Batch {
	b := batchOf(events)
	b.Records.Format = &pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t", ExportTime: at, Snapshot: true}
	for i := range b.Changes {
		b.Changes[i].Table = "t"
	}
	for _, h := range dead {
		b.DeadLetters = append(b.DeadLetters, pipeline.DeadLetter{Item: h})
	}
	return b
}

// TestSnapshotWithDeadLetters: an item that is in a snapshot as a dead letter stays, also over a restart, until
// a snapshot comes that does not have it. Where nobody knows which item it is, none goes.
func TestSnapshotWithDeadLetters(t *testing.T) {
	h := newHarness(t, t.TempDir(), 1)
	defer func() { _ = h.store.Close() }()
	row := func(item string, at int64) event {
		return event{item: item, time: at, new: image{hash: uint64(at), rows: map[string]int64{item: at}}, snapshot: true}
	}
	add := func(b *pipeline.Batch) {
		t.Helper()
		defer b.Release()
		h.check(h.s.add(b, 0))
	}
	epoch := func(b *pipeline.Batch) {
		t.Helper()
		h.s.Begin(readSoFar("s"))
		add(b)
		h.end()
		h.restart()
	}
	want := func(table map[string]int64) {
		t.Helper()
		if d := gocmp.Diff(table, h.table()); d != "" {
			t.Fatalf("table (-want +got):\n%s", d)
		}
	}
	end := func(table string, at int64) {
		t.Helper()
		for part := range 3 {
			h.s.Begin(ending(pipeline.SnapshotEnd{Table: table, Time: at, Part: part, Parts: 3}))
			h.end()
		}
		h.restart()
	}
	epoch(snapshotBatch([]event{row("a", 10), row("b", 10), row("c", 10)}, 10))
	epoch(snapshotBatch([]event{row("a", 20)}, 20, hashOf("b")))
	end("another", 20)
	want(map[string]int64{"a": 20, "b": 10, "c": 10})
	end("t", 20)
	want(map[string]int64{"a": 20, "b": 10})
	if n := marks(t, h); n != 0 {
		t.Errorf("%d marks are left of a snapshot that has ended", n)
	}
	epoch(snapshotBatch([]event{row("a", 30)}, 30, hashOf("b"), pipeline.Hash{}))
	h.s.Begin(ending(pipeline.SnapshotEnd{Table: "t", Time: 30, Parts: 1}))
	if _, err := h.s.settle(); err == nil || !strings.Contains(err.Error(), "Have a new snapshot made") {
		t.Fatalf("a snapshot with records that could not be read ends with: %v", err)
	}
	h.s.Release()
	h.restart()
	rowsLeftOut := snapshotBatch([]event{row("a", 40)}, 40)
	rowsLeftOut.DeadLetters = []pipeline.DeadLetter{{Row: &pipeline.DeadRow{Table: "t"}}} // of a, which takes effect
	epoch(rowsLeftOut)
	end("t", 40)
	want(map[string]int64{"a": 40})
}

// marks counts the marks in the state of items that are dead letters.
func marks(t *testing.T, h *harness) (n int) {
	t.Helper()
	h.check(h.spaces.All[0].Range(pipeline.Hash{}, pipeline.Hash{}, func(_ pipeline.Hash, v []byte) error {
		if v[0] == refusedEntry {
			n++
		}
		return nil
	}))
	return n
}

// TestSnapshotUnits: an item that is in a snapshot stays, whatever the times of its table were cut to when it
// was read and are cut to when the snapshot ends.
func TestSnapshotUnits(t *testing.T) {
	const at = 1_700_000_123_456_789
	for _, read := range []int32{1, 1_000, 1_000_000} {
		for _, now := range []int32{1, 1_000, 1_000_000} {
			t.Run(fmt.Sprint(read, " ", now), func(t *testing.T) {
				h := newHarness(t, t.TempDir(), 1<<20)
				defer func() { _ = h.store.Close() }()
				item := func(name string, time int64, snapshot bool) event {
					return event{item: name, time: cutTo(time, read), new: image{hash: 7, rows: map[string]int64{name: 1}}, snapshot: snapshot}
				}
				h.s.Begin(readSoFar("s"))
				b := snapshotBatch([]event{item("there", at, true), item("gone", at-5_000_000, false)}, at)
				h.check(h.s.add(b, 0))
				b.Release()
				h.end()
				id, err := h.s.tables.id("t")
				h.check(err)
				h.s.tables.units[id].coarsest = now
				h.s.Begin(ending(pipeline.SnapshotEnd{Table: "t", Time: at, Parts: 1}))
				h.end()
				if d := gocmp.Diff(map[string]int64{"there": 1}, h.table()); d != "" {
					t.Errorf("table (-want +got):\n%s", d)
				}
			})
		}
	}
}

// TestNoSuchPart: a part that there is not is a mistake of the source.
func TestNoSuchPart(t *testing.T) {
	for _, e := range []pipeline.SnapshotEnd{{}, {Part: 2, Parts: 2}, {Part: -1, Parts: 1}} {
		if _, _, err := partOf(&e); err == nil {
			t.Errorf("part %d of %d is taken", e.Part, e.Parts)
		}
	}
	var before pipeline.Hash
	for part := range 7 { // each begins where the one before ends
		from, to, err := partOf(&pipeline.SnapshotEnd{Part: part, Parts: 7})
		if err != nil || from != before || (to == pipeline.Hash{}) != (part == 6) {
			t.Errorf("part %d is from %v to %v, error %v; the one before ends at %v", part, from, to, err, before)
		}
		before = to
	}
}
