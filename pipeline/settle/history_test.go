package settle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// historyRules are all that a Merger is made for.
var historyRules = []mergeRules{
	{fill: true}, {retains: true}, {fill: true, retains: true}, {retains: true, flags: true}, {fill: true, retains: true, flags: true},
}

// TestHistory: what an item contributes is that of all of its changes, whatever
// order they come in, though those that cannot be seen are dropped after each.
func TestHistory(t *testing.T) {
	for _, rules := range historyRules {
		t.Run(fmt.Sprintf("fill %v retains %v flags %v", rules.fill, rules.retains, rules.flags), func(t *testing.T) {
			rules.widths = []int{1, 1, 1}
			rapid.Check(t, func(rt *rapid.T) {
				changes := drawEntries(rt)
				all := history{entries: cloneEntries(changes)}
				all.sort()
				want := describeShares(all.shares(&rules, maxHistory))
				var h history
				for _, e := range rapid.Permutation(changes).Draw(rt, "order of arrival") {
					h.arrive(&rules, e)
				}
				if got := describeShares(h.shares(&rules, maxHistory)); got != want {
					rt.Fatalf("the item contributes\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// drawEntries draws changes at different times; each yields some of two keys,
// and may be an insert.
func drawEntries(t *rapid.T) []historyEntry {
	var all []historyEntry
	for at := range rapid.IntRange(1, 7).Draw(t, "changes") {
		e := historyEntry{Version: pipeline.Version{Time: int64(at), New: uint64(at + 1)}}
		e.HasOld = rapid.IntRange(0, 3).Draw(t, "insert") == 0
		for key := range uint64(2) {
			if !rapid.Bool().Draw(t, "yields") {
				continue
			}
			values := [][]byte{{byte(key)}, nil, nil}
			for c := 1; c < len(values); c++ {
				if rapid.Bool().Draw(t, "value") {
					values[c] = []byte{byte(at)}
				}
			}
			e.rows = append(e.rows, keptRow{key: pipeline.Hash{Lo: key}, row: packed.JoinRow(nil, values)})
		}
		all = append(all, e)
	}
	return all
}

// cloneEntries copies entries whose rows a history may change.
func cloneEntries(entries []historyEntry) []historyEntry {
	cloned := slices.Clone(entries)
	for i := range cloned {
		cloned[i].rows = slices.Clone(cloned[i].rows)
	}
	return cloned
}

func describeShares(shares []keyedShare) string {
	text := ""
	for _, s := range shares {
		text += fmt.Sprintf("key %d: time %d, dead %v, deleted at %d, values %v of %v\n", s.key.Lo, s.time, s.dead, s.deletedAt, s.values, s.times)
	}
	return text
}

// TestInsertEndsALife: what is older than an insert does not show through it,
// whether or not a deletion between them is known, in whatever order they come.
func TestInsertEndsALife(t *testing.T) {
	old, deleted := pipeline.Version{Time: 1, New: 10}, pipeline.Version{Time: 3}
	inserted, exported := pipeline.Version{Time: 5, New: 50, HasOld: true}, pipeline.Version{Time: 5, New: 50}
	modified := pipeline.Version{Time: 7, New: 70, Old: 50, HasOld: true}
	at := func(v pipeline.Version, time int64) pipeline.Version { v.Time = time; return v }
	numbered := func(v pipeline.Version, seq string) pipeline.Version { v.Time, v.Seq = 5, seq; return v }
	for _, c := range []struct {
		name    string
		changes []historyEntry
		want    byte // the time of the change that the value is from; 0 = it is null
	}{
		{"the deletion is forgotten", []historyEntry{full(old), blank(inserted)}, 0},
		{"the deletion is known", []historyEntry{full(old), gone(deleted), blank(inserted)}, 0},
		{"the insert has a value", []historyEntry{full(old), full(inserted), blank(modified)}, 5},
		{"the insert has none, nor what follows it", []historyEntry{full(old), blank(inserted), blank(modified)}, 0},
		{"what follows the insert has one", []historyEntry{full(old), blank(inserted), full(modified)}, 7},
		{"nobody says that there was no item", []historyEntry{full(old), blank(exported), blank(modified)}, 1},
		{"an export has the insert too", []historyEntry{full(old), blank(inserted), blank(exported)}, 0},
		{"one time, and the deletion", []historyEntry{full(old), gone(pipeline.Version{Time: 5, Old: 10, HasOld: true}), blank(inserted)}, 0},
		{"one time, and a blank after it", []historyEntry{full(old), blank(inserted), blank(at(modified, 5))}, 0},
		{"one time, and a value under a blank", []historyEntry{full(old), full(inserted), blank(at(modified, 5))}, 5},
		{"a sequence with a value before it", []historyEntry{full(numbered(old, "8")), blank(numbered(inserted, "9")), blank(numbered(modified, "10"))}, 0},
		{"a sequence with a value after it", []historyEntry{blank(numbered(inserted, "9")), full(numbered(old, "10")), blank(numbered(modified, "11"))}, 5},
		{"the row is gone again", []historyEntry{full(old), blank(inserted), gone(at(deleted, 9))}, 0},
		{"the insert yields no row", []historyEntry{full(old), gone(inserted)}, 1},
		{"two lives", []historyEntry{full(old), blank(inserted), gone(at(deleted, 6)), blank(at(inserted, 8))}, 0},
	} {
		for _, rules := range historyRules {
			if rules.widths = []int{1}; rules.fill {
				eachOrder(c.changes, func(changes []historyEntry) {
					checkValue(t, &rules, fmt.Sprintf("%s, retains %v", c.name, rules.retains), changes, c.want)
				})
			}
		}
	}
}

// full, blank and gone are changes that yield a row with a value, a row with a
// null, and none.
func full(v pipeline.Version) historyEntry { return entryOf(v, []byte{byte(v.Time)}) }

func blank(v pipeline.Version) historyEntry { return entryOf(v, nil) }

func gone(v pipeline.Version) historyEntry { return historyEntry{Version: v} }

func entryOf(v pipeline.Version, value []byte) historyEntry {
	return historyEntry{v, []keptRow{{row: packed.JoinRow(nil, [][]byte{value})}}}
}

// checkValue checks the one value of the one row that changes end in, which come
// twice, as in a backfill.
func checkValue(t *testing.T, rules *mergeRules, what string, changes []historyEntry, want byte) {
	t.Helper()
	var h history
	for _, e := range slices.Concat(changes, changes) {
		if !h.has(&e.Version) {
			h.arrive(rules, e)
		}
	}
	shares := h.shares(rules, maxHistory)
	if len(h.entries[0].rows) == 0 && !rules.retains {
		if len(shares) > 0 {
			t.Errorf("%s: a row that is gone: %s", what, describeShares(shares))
		}
		return
	}
	var value []byte
	if want > 0 {
		value = []byte{want}
	}
	if len(shares) != 1 || !bytes.Equal(shares[0].values[0], value) {
		t.Errorf("%s, order %v: %swant the value %v", what, timesOf(changes), describeShares(shares), value)
	}
}

// arrive adds a change to a history as an epoch of its own does.
func (h *history) arrive(rules *mergeRules, e historyEntry) {
	h.entries = append(h.entries, cloneEntries([]historyEntry{e})...)
	h.sort()
	h.prune(rules)
	*h = decodeHistory(h.append(nil))
}

// eachOrder calls f with the entries in every order.
func eachOrder(entries []historyEntry, f func([]historyEntry)) {
	if len(entries) == 0 {
		f(nil)
	}
	for i := range entries {
		rest := slices.Delete(slices.Clone(entries), i, i+1)
		eachOrder(rest, func(order []historyEntry) { f(append(order, entries[i])) })
	}
}

func timesOf(entries []historyEntry) (all []int64) {
	for i := range entries {
		all = append(all, entries[i].Time)
	}
	return all
}

// TestHistoryStaysSmall: of changes of one time that nothing orders but their
// images' hashes, only the one that can be seen is kept.
func TestHistoryStaysSmall(t *testing.T) {
	rules := mergeRules{fill: true, retains: true, widths: []int{1}}
	var h history
	for n := range uint64(100) {
		row := packed.JoinRow(nil, [][]byte{{byte(n)}})
		h.entries = append(h.entries, historyEntry{pipeline.Version{Time: 1, New: n + 1}, []keptRow{{row: row}}})
		h.sort()
		h.prune(&rules)
	}
	if len(h.entries) > maxHistory || h.entries[0].New != 100 {
		t.Errorf("%d changes are kept, the newest %d", len(h.entries), h.entries[0].New)
	}
}

// mergeTest runs a Merger on the rows of things, and applies what it gives.
type mergeTest struct {
	t     *testing.T
	store *state.Store
	m     *Merger
	saved state.Checkpoint
	rows  map[string]string
}

func newMergeTest(t *testing.T, policy pipeline.Policy) *mergeTest {
	store, err := state.Open(t.TempDir(), state.Options{Pipeline: "p", Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := MergerOptions{Node: "n", Table: things, Policy: policy}
	spaces, err := store.Keyspaces(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	o.Items, o.Keys = spaces.All[0], spaces.All[1]
	m, err := NewMerger(o)
	if err != nil {
		t.Fatal(err)
	}
	return &mergeTest{t: t, store: store, m: m, rows: map[string]string{}}
}

// yield is a change of an item.
type yield struct {
	item   string
	time   int64
	key    string // of its row; "" = none
	blank  bool   // the row's n is null; otherwise it is the time
	insert bool   // it says that there was no item before
}

// epoch takes changes as one epoch.
func (mt *mergeTest) epoch(changes ...yield) {
	mt.t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, things.Schema())
	defer b.Release()
	batch := &pipeline.Batch{}
	rows := &pipeline.Rows{Table: things}
	for i, c := range changes {
		batch.Changes = append(batch.Changes, pipeline.Change{
			Item: pipeline.Hash{Lo: xxh3.HashString(c.item)}, Key: []byte(c.item),
			Version: pipeline.Version{Time: c.time, New: uint64(len(c.key)), HasOld: c.insert},
		})
		if c.key == "" {
			continue
		}
		b.Field(0).(*array.StringBuilder).Append(c.key)
		b.Field(1).(*array.Int64Builder).AppendValues([]int64{c.time}, []bool{!c.blank})
		rows.Ops, rows.Change = append(rows.Ops, pipeline.OpUpsert), append(rows.Change, int32(i))
	}
	rows.Record = b.NewRecord()
	defer rows.Record.Release()
	batch.Tables = append(batch.Tables, rows)
	if err := mt.m.Add(batch, 0); err != nil {
		mt.t.Fatal(err)
	}
	settled, err := mt.m.Finish(nil, 0, false)
	if err != nil {
		mt.t.Fatal(err)
	}
	mt.save()
	if settled == nil {
		return
	}
	defer settled.Record.Release()
	for i, op := range settled.Ops {
		var row []string
		for c := range settled.Table.Columns {
			row = append(row, settled.Record.Column(c).ValueStr(i))
		}
		_, there := mt.rows[row[0]]
		if there == (op == pipeline.OpInsert) {
			mt.t.Fatalf("%s of %s, and the row is there: %v", op, row[0], there)
		}
		mt.rows[row[0]] = strings.Join(row, "|")
	}
}

// save saves what an epoch has put.
func (mt *mergeTest) save() {
	mt.t.Helper()
	mt.saved.Epoch++
	if err := mt.store.Save(&state.Update{Checkpoint: &mt.saved, Deltas: []*state.Delta{mt.m.items.Take(), mt.m.keys.Take()}}); err != nil {
		mt.t.Fatal(err)
	}
}

// TestMergerOverManyChanges: a row that is left behind by more changes than a
// history keeps is told of, wherever epochs are cut.
func TestMergerOverManyChanges(t *testing.T) {
	changes := []yield{{item: "i", time: 1, key: "gone"}}
	for at := int64(2); at < 3*maxHistory; at++ {
		changes = append(changes, yield{item: "i", time: at, key: "kept"})
	}
	for _, size := range []int{1, 2, maxHistory, len(changes)} {
		mt := newMergeTest(t, pipeline.Policy{OnDelete: pipeline.Flag})
		for part := range slices.Chunk(changes, size) {
			mt.epoch(part...)
		}
		if got, want := mt.rows["gone"], "gone|1|true|"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "00:00:00.000002Z") {
			t.Errorf("epochs of %d: %q, want %s… at 2", size, got, want)
		}
	}
}

// TestLastValues: a row of several items that is gone shows what it did before.
func TestLastValues(t *testing.T) {
	mt := newMergeTest(t, pipeline.Policy{OnDelete: pipeline.Keep})
	for _, c := range []yield{{item: "a", time: 1, key: "k"}, {item: "b", time: 2, key: "k"}, {item: "b", time: 3}} {
		mt.epoch(c)
	}
	before := mt.rows["k"]
	mt.epoch(yield{item: "a", time: 4})
	if got := mt.rows["k"]; got != before || before != "k|1" {
		t.Errorf("the delete turned %q into %q", before, got)
	}
}

// forget lets the tombstones from before a time expire.
func (mt *mergeTest) forget(before int64) {
	mt.t.Helper()
	rows, err := mt.m.Finish(nil, before, true)
	if err != nil || rows != nil {
		mt.t.Fatalf("an epoch without changes gives %v %v", rows, err)
	}
	mt.save()
}

// TestForgottenDeletion: a change from before a deletion that is forgotten does
// not show through the item's newer life, which an insert began.
func TestForgottenDeletion(t *testing.T) {
	mt := newMergeTest(t, pipeline.Policy{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Keep})
	mt.epoch(yield{item: "i", time: 2, key: "k"})
	mt.epoch(yield{item: "i", time: 3})
	mt.forget(4)
	mt.epoch(yield{item: "i", time: 5, key: "k", blank: true, insert: true})
	for _, c := range []yield{{item: "i", time: 1, key: "k"}, {item: "i", time: 2, key: "k"}, {item: "i", time: 6, key: "k", blank: true}} {
		mt.epoch(c)
		if got, want := mt.rows["k"], "k|(null)"; got != want {
			t.Errorf("after the change of time %d: %q, want %q", c.time, got, want)
		}
	}
}

// TestInsertBesideOthers: an insert hides older values of its own item, not those
// that other items give the same row.
func TestInsertBesideOthers(t *testing.T) {
	mt := newMergeTest(t, pipeline.Policy{Merge: pipeline.LatestNonNull})
	mt.epoch(yield{item: "a", time: 1, key: "k"})
	mt.epoch(yield{item: "b", time: 2, key: "k"}, yield{item: "b", time: 5, key: "k", blank: true, insert: true})
	if got, want := mt.rows["k"], "k|1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
