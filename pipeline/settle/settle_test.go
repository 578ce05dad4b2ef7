package settle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

var things = pipelinetest.Table("thing", "id", "id", "n int64")

// image is what an item looks like: its rows, by key.
type image struct {
	hash uint64 // 0 = no item
	rows map[string]int64
}

// event is one change of an item.
type event struct {
	item     string
	time     int64
	new, old image
	hasOld   bool
	existed  bool // there was an old image, which is not known
	seq      string
	id       uint32 // of the event; 0 = none
	snapshot bool   // an item of a full export
	// What follows is where it arrived.
	partition uint16
	ordinal   int64
}

func (e *event) version() pipeline.Version {
	return pipeline.Version{
		Time: e.time, Seq: e.seq, New: e.new.hash, Old: e.old.hash, HasOld: e.hasOld, Existed: e.existed,
		Event: e.id, Partition: e.partition, Ordinal: e.ordinal, Snapshot: e.snapshot,
	}
}

// drawImage draws an image over few keys, so that items share some.
func drawImage(t *rapid.T, hash uint64) image {
	im := image{hash: hash, rows: map[string]int64{}}
	for range rapid.IntRange(0, 3).Draw(t, "rows") {
		im.rows[rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "key")] = int64(rapid.IntRange(0, 3).Draw(t, "n"))
	}
	return im
}

// drawHistory draws an item's true history, and returns its last image.
func drawHistory(t *rapid.T, item string, sequences bool) ([]event, image, int64) {
	var events []event
	var now image
	at := int64(1)
	for i := range rapid.IntRange(1, 6).Draw(t, "events") {
		next := image{}
		if now.hash == 0 || rapid.IntRange(0, 3).Draw(t, "remove") > 0 {
			next = drawImage(t, xxh3.HashString(fmt.Sprint(item, i))|1)
		}
		at += int64(rapid.IntRange(0, 2).Draw(t, "later"))
		if next.hash == 0 && len(events) > 0 && events[len(events)-1].time == at {
			at++ // twice no image at one time is a walk that nobody can tell the end of
		}
		e := event{item: item, time: at, new: next, old: now, hasOld: true}
		if sequences {
			e.seq = fmt.Sprint(100 + 7*i)
		}
		events = append(events, e)
		now = next
	}
	return events, now, at
}

// harness feeds events to a Settler, over restarts, and applies what it gives.
type harness struct {
	t      failer
	dir    string
	store  *state.Store
	spaces *state.Keyspaces
	s      *Settler
	saved  *state.Checkpoint
	view   *pipelinetest.View
	dead   int
	reread int64   // of the last epoch
	late   []int64 // ordinals of the last epoch's dead letters
	mem    int64
}

// failer is a test that may be one of rapid's.
type failer interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newHarness(t failer, dir string, mem int64) *harness {
	h := &harness{t: t, dir: dir, saved: &state.Checkpoint{}, view: pipelinetest.NewView(), mem: mem}
	h.view.FullDeletes = true
	h.open()
	return h
}

func (h *harness) open() {
	store, err := state.Open(h.dir, state.Options{Pipeline: "p", Memory: h.mem})
	h.check(err)
	h.store = store
	cp, err := store.Checkpoint()
	h.check(err)
	h.spaces, err = store.Keyspaces(0, 1)
	h.check(err)
	o := optionsOf(things, 1000, h.spaces.All[0], h.spaces.All[1])
	if st := cp.Operators["n"]; st != nil {
		o.Saved = SavedState{Schemas: st.Schemas, SourceTimes: st.SourceTimes, LogicalTables: st.LogicalTables}
	}
	h.s, err = New(o)
	h.check(err)
	if rt, ok := h.t.(*rapid.T); ok && rapid.Bool().Draw(rt, "small pages") {
		h.s.small()
	}
}

// small lets few rows and contributors be many.
func (s *Settler) small() {
	s.sizes = sizes{page: 60, inline: 64}
}

// optionsOf are those of a Settler of one table.
func optionsOf(t *pipeline.Table, retention int64, items OrderedKeyspace, keys Keyspace) Options {
	return Options{Node: "n", Sources: []string{"s"}, Tables: []Table{{t, t.Name}}, Retention: retention, State: State{items, keys}}
}

func (h *harness) check(err error) {
	if err != nil {
		h.t.Fatal(err)
	}
}

// readSoFar is a header by which the clock is the greatest time that was read.
func readSoFar(sources ...string) *pipeline.EpochHeader {
	h := &pipeline.EpochHeader{Sources: map[string]pipeline.SourceProgress{}}
	for _, s := range sources {
		h.Sources[s] = pipeline.SourceProgress{State: pipeline.SourceEnded}
	}
	return h
}

// epoch settles the events as one epoch and saves it.
func (h *harness) epoch(events []event, batch int) {
	h.s.Begin(readSoFar("s"))
	ordinal := int64(100)
	for part := range slices.Chunk(events, max(1, batch)) {
		b := batchOf(part)
		h.check(h.s.add(b, ordinal))
		ordinal += int64(len(b.Changes))
		b.Release()
	}
	h.end()
}

// add packs a batch, and adds it to the epoch.
func (s *Settler) add(b *pipeline.Batch, ordinal int64) error {
	p, err := s.NewPacker().Pack(b)
	if err != nil {
		return err
	}
	return s.Add(p, b, ordinal)
}

// runs counts the epochs of all tests.
var runs atomic.Uint64

// settle ends the epoch, with another number of parts and goroutines than the last one had.
func (s *Settler) settle() (*Result, error) { return s.Settle(runnerOf(runs.Add(1))) }

// runnerOf returns a runner that divides and shuffles in a way of its own.
func runnerOf(seed uint64) *exchange.Runner {
	r := rand.New(rand.NewPCG(seed, 1))
	runner := &exchange.Runner{Workers: []int{1, 2, 7}[r.IntN(3)], ForceParts: []int{1, 2, 3, 16, 128}[r.IntN(5)]}
	var mu sync.Mutex
	runner.ShuffleMessages = func(m []pipeline.Message) {
		mu.Lock()
		defer mu.Unlock()
		r.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	return runner
}

// end settles the open epoch and saves it.
func (h *harness) end() {
	r, err := h.s.settle()
	h.check(err)
	h.view.BeginEpoch()
	h.dead, h.late, h.reread = h.dead+len(r.DeadLetters), r.Rejected, r.Reread
	for _, settled := range r.Rows {
		r := settled.Columnar()
		h.check(h.view.Apply(r))
		for i, row := range settled.Rows { // a Keyed reads the same of them
			values := packed.SplitRow(nil, row, settled.Widths)
			for c, at := range settled.ColumnAt {
				if want := packed.AppendValue(nil, r.Record.Column(c), i); !bytes.Equal(values[at], want) {
					h.t.Fatalf("column %d of a packed row is %q, want %q", c, values[at], want)
				}
			}
		}
		r.Record.Release()
	}
	h.s.Release()
	saved, err := h.s.Save()
	h.check(err)
	h.saved.Epoch++
	h.saved.Operators = map[string]*state.OperatorState{"n": {Schemas: saved.Schemas, SourceTimes: saved.SourceTimes, LogicalTables: saved.LogicalTables}}
	deltas := []*state.Delta{h.spaces.All[0].Take(), h.spaces.All[1].Take()}
	h.check(h.spaces.Bound(&exchange.Runner{Workers: 2}))
	h.check(h.store.Save(&state.Update{Checkpoint: h.saved, Deltas: deltas}))
}

// table returns what the settled rows have made: n by id.
func (h *harness) table() map[string]int64 {
	table := map[string]int64{}
	for id, row := range h.view.Tables[things.Name] {
		n, err := strconv.ParseInt(row["n"], 10, 64)
		h.check(err)
		table[id] = n
	}
	return table
}

func (h *harness) restart() {
	h.check(h.store.Close())
	h.open()
}

func batchOf(events []event) *pipeline.Batch {
	b := &pipeline.Batch{Records: &pipeline.Records{Source: "s", Partition: "f", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC}}}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, things.Schema())
	defer rb.Release()
	rows := &pipeline.Rows{Table: things}
	for i, e := range events {
		line := fmt.Appendf(nil, "%s@%d", e.item, e.time)
		from := uint32(len(b.Records.Data))
		b.Records.Data = append(b.Records.Data, line...)
		b.Records.Spans = append(b.Records.Spans, pipeline.Span{Start: from, End: uint32(len(b.Records.Data)), Line: int64(i + 1)})
		h := xxh3.Hash128([]byte(e.item))
		b.Changes = append(b.Changes, pipeline.Change{Record: int32(i), Item: pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, Key: []byte(e.item), Version: e.version()})
		for _, id := range slices.Sorted(maps.Keys(e.new.rows)) {
			rb.Field(0).(*array.StringBuilder).Append(id)
			rb.Field(1).(*array.Int64Builder).Append(e.new.rows[id])
			rows.Ops = append(rows.Ops, pipeline.OpUpsert)
			rows.Change = append(rows.Change, int32(i))
		}
	}
	rows.Record = rb.NewRecord()
	b.Tables = []*pipeline.Rows{rows}
	return b
}

// settled is the oracle: of each key, the row of the newest last image that yields it.
func settled(last map[string]image, times map[string]int64) map[string]int64 {
	want := map[string]int64{}
	by := map[string]string{}
	for _, item := range slices.Sorted(maps.Keys(last)) {
		for id, n := range last[item].rows {
			if other, ok := by[id]; ok && cmp.Or(cmp.Compare(times[other], times[item]), cmp.Compare(other, item)) > 0 {
				continue
			}
			by[id], want[id] = item, n
		}
	}
	return want
}

// disorder shuffles events and repeats some.
func disorder(t *rapid.T, events []event) []event {
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 4).Draw(t, "repeated") {
		events = append(events, events[i])
	}
	return rapid.Permutation(events).Draw(t, "order")
}

// feed gives the events in epochs of drawn sizes, with restarts between some.
func (h *harness) feed(t *rapid.T, events []event) {
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "epoch")
		h.epoch(events[:n], rapid.IntRange(1, 5).Draw(t, "batch"))
		events = events[n:]
		if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
			h.restart()
		}
	}
}

// TestTruth: whatever the order, repetitions, epochs and restarts, the table is
// that of the items' last images.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var events []event
		last, times := map[string]image{}, map[string]int64{}
		for i := range rapid.IntRange(1, 4).Draw(rt, "items") {
			item := string(rune('A' + i))
			es, im, at := drawHistory(rt, item, rapid.Bool().Draw(rt, "sequences"))
			events = append(events, es...)
			last[item], times[item] = im, at
		}
		h := newHarness(rt, t.TempDir(), rapid.SampledFrom([]int64{1, 1 << 20}).Draw(rt, "memory"))
		defer h.store.Close()
		h.feed(rt, disorder(rt, events))
		if d := gocmp.Diff(settled(last, times), h.table()); d != "" {
			rt.Fatalf("table differs (-want +got):\n%s\nevents: %+v", d, events)
		}
		if h.dead > 0 {
			rt.Fatalf("%d dead letters", h.dead)
		}
	})
}

// TestOrderFree: for changes that no history explains, any two orders give the
// same table all the same.
func TestOrderFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		images := make([]image, 4)
		for i := range images {
			if i > 0 {
				images[i] = drawImage(rt, uint64(i))
			}
		}
		// Records with and without old images at one time have no order of their own.
		oldKnown := map[string]bool{"A": rapid.Bool().Draw(rt, "old known of A"), "B": rapid.Bool().Draw(rt, "old known of B")}
		var events []event
		for range rapid.IntRange(1, 8).Draw(rt, "events") {
			e := event{item: rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "item"), time: int64(rapid.IntRange(1, 2).Draw(rt, "time"))}
			e.new = images[rapid.IntRange(0, 3).Draw(rt, "new")]
			if e.hasOld = oldKnown[e.item]; e.hasOld {
				e.old = images[rapid.IntRange(0, 3).Draw(rt, "old")]
			}
			events = append(events, e)
		}
		one, two := newHarness(rt, t.TempDir(), 1<<20), newHarness(rt, t.TempDir(), 1)
		defer one.store.Close()
		defer two.store.Close()
		one.epoch(events, len(events))
		two.feed(rt, disorder(rt, events))
		if d := gocmp.Diff(one.table(), two.table()); d != "" {
			rt.Fatalf("two orders differ (-one +two):\n%s\nevents: %+v", d, events)
		}
	})
}

// TestItemsOfOneKey: a full export has an item once. Two with different content are
// of a source with the wrong key, in one epoch and in two.
func TestItemsOfOneKey(t *testing.T) {
	store, err := state.Open(t.TempDir(), state.Options{Pipeline: "p", Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	spaces, err := store.Keyspaces(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 16 {
		s, err := New(optionsOf(things, 1000, spaces.All[0], spaces.All[1]))
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint("item", n)
		item := func(at int64, hash uint64, snapshot bool) event {
			return event{item: key, time: at, new: image{hash: hash, rows: map[string]int64{key: int64(hash)}}, snapshot: snapshot}
		}
		events := []event{item(5, 1, true), item(5+int64(n&1), 1+uint64(n>>1&1), n>>2&1 == 0)}
		epochs := [][]event{events}
		if n>>3 == 1 {
			epochs = [][]event{events[:1], events[1:]}
		}
		var failed error
		for _, e := range epochs {
			s.Begin(readSoFar("s"))
			if err := s.add(batchOf(e), 1); err != nil {
				t.Fatal(err)
			}
			_, failed = s.settle()
			s.Release()
		}
		want := n&7 == 2 // of one time, with other images, and both of an export
		if want != (failed != nil) || want && !strings.Contains(failed.Error(), "two items with different content that are one by the source's key: "+key+". Set `key:`") {
			t.Errorf("%+v: error %v, want one: %v", epochs, failed, want)
		}
	}
}

// TestTooLate: a change from before the tombstones is a dead letter when
// nothing is known of the item, and has no effect when something is.
func TestTooLate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(rt, t.TempDir(), 1<<20)
		defer h.store.Close()
		row := func(id string, n int64) image { return image{uint64(n) + 1, map[string]int64{id: n}} }
		h.epoch([]event{
			{item: "A", time: 10_000, new: row("a", 1)},
			{item: "D", time: 10_000, old: row("d", 1), hasOld: true},
		}, 5)
		if rapid.Bool().Draw(rt, "restart") {
			h.restart()
		}
		h.epoch([]event{
			{item: "A", time: 8_000, new: row("a", 2)},  // old, but its item is known
			{item: "B", time: 8_999, new: row("b", 3)},  // too late
			{item: "C", time: 9_000, new: row("c", 4)},  // just in time
			{item: "D", time: 8_000, new: row("d", 1)},  // deleted since
			{item: "E", time: 8_000, new: row("e", 5)},  // late, but overtaken
			{item: "E", time: 10_001, new: row("e", 6)}, // by this one
			{item: "G", time: 8_998, new: row("g", 8)},  // too late
		}, 2)
		if d := gocmp.Diff([]int64{101, 106}, h.late); d != "" || h.dead != 2 {
			rt.Fatalf("%d dead letters, want 2; ordinals (-want +got):\n%s", h.dead, d)
		}
		if d := gocmp.Diff(map[string]int64{"a": 1, "c": 4, "e": 6}, h.table()); d != "" {
			rt.Fatal(d)
		}
		// The clock goes on: the tombstone of D is swept, and its late change is too late now.
		h.epoch([]event{{item: "F", time: 20_000, new: row("f", 7)}}, 1)
		h.epoch([]event{{item: "D", time: 8_000, new: row("d", 1)}}, 1)
		if h.dead != 3 || len(h.late) != 1 || h.late[0] != 100 {
			rt.Fatalf("%d dead letters, want 3; the last epoch's ordinals are %v", h.dead, h.late)
		}
		n := 0
		_, _, err := h.spaces.All[0].Scan(pipeline.Hash{}, pipeline.Hash{}, 100, func(_ pipeline.Hash, v []byte) {
			if v[0] != overflow.Page {
				n++
			}
		})
		h.check(err)
		if n != 4 { // A, C, E, F
			rt.Fatalf("%d items in the state, want 4: the tombstone is not swept", n)
		}
	})
}

// TestClockWithinEpoch: the clock that one epoch's changes move does not make
// tombstones expire under others of them, and a change that was in time when it
// was read is not taken for a late one.
func TestClockWithinEpoch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(rt, t.TempDir(), 1<<20)
		defer h.store.Close()
		row := func(id string, n int64) image { return image{uint64(n) + 1, map[string]int64{id: n}} }
		born := event{item: "A", time: 9_900, new: row("a", 1)}
		h.epoch([]event{born, {item: "A", time: 10_000, old: row("a", 1), hasOld: true}}, 9)
		events := []event{born, {item: "B", time: 9_950, new: row("b", 2)}, {item: "F", time: 30_000, new: row("f", 3)}, {item: "B", time: 9_960, new: row("b", 4)}}
		for n := rapid.IntRange(1, len(events)).Draw(rt, "epoch"); len(events) > 0; n = min(n, len(events)) {
			h.epoch(events[:n], n)
			events = events[n:]
		}
		if d := gocmp.Diff(map[string]int64{"b": 4, "f": 3}, h.table()); d != "" || h.dead > 0 {
			rt.Fatalf("%d dead letters; table (-want +got):\n%s", h.dead, d)
		}
	})
}

// TestPlainJSONKeepsTombstones: the clock of another source does not make the
// deletions of plain JSON expire.
func TestPlainJSONKeepsTombstones(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(rt, t.TempDir(), 1<<20)
		defer h.store.Close()
		add := func(source string, encoding pipeline.Encoding, events ...event) {
			b := batchOf(events)
			b.Records.Source, b.Records.Format = source, &pipeline.Format{Encoding: encoding}
			for i := range b.Changes {
				b.Changes[i].Version.ByArrival = encoding == pipeline.JSON
			}
			h.check(h.s.add(b, 0))
			b.Release()
		}
		begin := func() { h.s.Begin(readSoFar("json", "cdc")) }
		born := event{item: "J", time: 500, new: image{7, map[string]int64{"j": 1}}}
		begin()
		add("json", pipeline.JSON, born, event{item: "J", time: 600})
		add("cdc", pipeline.DynamoDBCDC, event{item: "F", time: 20_000, new: image{8, map[string]int64{"f": 2}}})
		h.end()
		begin()
		add("json", pipeline.JSON, born)
		h.end()
		if d := gocmp.Diff(map[string]int64{"f": 2}, h.table()); d != "" {
			rt.Fatal(d)
		}
	})
}

// TestSchemaChange: a column may be added and taken out while rows are kept.
func TestSchemaChange(t *testing.T) {
	saved := map[string]json.RawMessage{}
	old, err := restoreSchemas(saved, []Table{{things, things.Name}})
	if err != nil {
		t.Fatal(err)
	}
	b := batchOf([]event{{item: "A", new: image{1, map[string]int64{"a": 7}}}})
	sc := old["thing"]
	row := packed.AppendRow(nil, sc.arrange(nil, b.Tables[0].Record), 0)
	if saved["thing"], err = json.Marshal(sc); err != nil {
		t.Fatal(err)
	}
	wider := pipelinetest.Table("thing", "id", "extra double", "id")
	now, err := restoreSchemas(saved, []Table{{wider, wider.Name}})
	if err != nil {
		t.Fatal(err)
	}
	settled := newLayout(now["thing"], wider, 0).rows(1)
	settled.Rows = append(settled.Rows, row)
	rec := settled.Columnar().Record
	defer rec.Release()
	if got := rec.Column(1).(*array.String).Value(0); got != "a" || !rec.Column(0).IsNull(0) {
		t.Errorf("row is %v, want a null and a", rec)
	}
	values := packed.SplitRow(nil, row, settled.Widths)
	if extra, id := values[settled.ColumnAt[0]], values[settled.ColumnAt[1]]; extra != nil || string(id) != "\x01a" {
		t.Errorf("packed, the row is %q and %q, want a null and a", extra, id)
	}
	for name, changed := range map[string]*pipeline.Table{
		"type": pipelinetest.Table("thing", "id", "id", "n"),
		"key":  pipelinetest.Table("thing", "n", "n int64"),
	} {
		if _, err := restoreSchemas(saved, []Table{{changed, changed.Name}}); err == nil {
			t.Errorf("another %s is accepted", name)
		}
	}
}

// FuzzItem: what append writes, decode reads.
func FuzzItem(f *testing.F) {
	f.Add(int64(5), "key", "12", uint64(7), uint64(8), true, []byte("row"))
	f.Fuzz(func(t *testing.T, at int64, key, seq string, n, o uint64, hasOld bool, row []byte) {
		if !hasOld {
			o = 0
		}
		two := func(at int64, seq string, n, o uint64, hasOld bool) pipeline.Candidate {
			return pipeline.Candidate{Version: pipeline.Version{Time: at, Seq: seq, New: n, Old: o, HasOld: hasOld, Event: uint32(n), Partition: uint16(o), Ordinal: at >> 1}}
		}
		at = max(at, 2) // one before it is possible
		in := item{time: at, key: []byte(key), candidates: []candidate{
			{Candidate: two(at, seq, n, o, hasOld), order: -1, rows: []packedRow{{3, pipeline.Hash{Hi: n, Lo: o}, row}}},
			{Candidate: two(at, "", o, n, n > 0), order: -1}}}
		in.candidates[1].VersionOnly, in.candidates[1].Snapshot = true, n == 0
		if o&1 == 0 {
			in.past = past{before: pipeline.Image{Known: hasOld}, instants: []instant{{time: at - 1, changes: []pipeline.Candidate{two(at-1, "", o, 7, true), two(at-1, seq, n, 0, hasOld)}}}}
			if hasOld {
				in.past.before.Hash = n
			}
			in.past.image()
		}
		var out item
		var kept []packedRow
		out.decode(in.append(nil), &kept)
		if a, b := fmt.Sprintf("%q", fmt.Sprint(in)), fmt.Sprintf("%q", fmt.Sprint(out)); a != b || binary.Size(at) != 8 {
			t.Errorf("%s is read as %s", a, b)
		}
	})
}
