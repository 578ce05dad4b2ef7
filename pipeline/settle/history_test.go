package settle

import (
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
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// historyRules are all that a policy is made for.
var historyRules = []policyRules{
	{fillsNulls: true}, {keepsDeleted: true, onDelete: pipeline.Keep, onExpiry: pipeline.Keep}, {fillsNulls: true, keepsDeleted: true, onDelete: pipeline.Keep, onExpiry: pipeline.Keep},
	{keepsDeleted: true, flags: true, onDelete: pipeline.Flag, onExpiry: pipeline.Flag}, {fillsNulls: true, keepsDeleted: true, flags: true, onDelete: pipeline.Flag, onExpiry: pipeline.Flag},
	{first: true}, {first: true, keepsDeleted: true, onDelete: pipeline.Keep, onExpiry: pipeline.Keep}, {first: true, keepsDeleted: true, onExpiry: pipeline.Keep},
	{keepsDeleted: true, onExpiry: pipeline.Keep}, {fillsNulls: true, keepsDeleted: true, flags: true, onExpiry: pipeline.Flag},
}

// TestHistory: what an item contributes is that of all of its changes, whatever
// order they come in, though those that cannot be seen are dropped after each.
func TestHistory(t *testing.T) {
	for _, rules := range historyRules {
		t.Run(fmt.Sprintf("%+v", rules), func(t *testing.T) {
			rules.widths = []int{1, 1, 1}
			rapid.Check(t, func(rt *rapid.T) {
				changes := drawEntries(rt)
				all := history{entries: cloneEntries(changes)}
				all.sort()
				want := describeContributions(all.contributions(&rules, historyChangesMax))
				var h history
				for _, e := range rapid.Permutation(changes).Draw(rt, "order of arrival") {
					h.entries = append(h.entries, cloneEntries([]historyEntry{e})...)
					h.sort()
					h.prune(&rules)
					h = decodeHistory(h.append(nil))
				}
				if got := describeContributions(h.contributions(&rules, historyChangesMax)); got != want {
					rt.Fatalf("the item contributes\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// drawEntries draws changes at different times; each yields some of two keys.
func drawEntries(t *rapid.T) []historyEntry {
	var all []historyEntry
	for at := range rapid.IntRange(1, 7).Draw(t, "changes") {
		e := historyEntry{Candidate: pipeline.Candidate{Version: pipeline.Version{Time: int64(at), New: uint64(at + 1)}}}
		if e.removal = pipeline.Removal(max(0, rapid.IntRange(-3, int(pipeline.Expired)).Draw(t, "removal"))); e.removal != pipeline.NotRemoved {
			e.New = 0
			all = append(all, e)
			continue
		}
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
			e.rows = append(e.rows, packedRow{key: pipeline.Hash{Lo: key}, row: packed.JoinRow(nil, values)})
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

func describeContributions(shares []keyContribution) string {
	text := ""
	for _, s := range shares {
		text += fmt.Sprintf("key %d: time %d, dead %v (%d), deleted at %d, values %v of %v\n", s.key.Lo, s.time, s.dead, s.fate, s.deletedAt, s.values, s.times)
	}
	return text
}

// TestHistoryStaysSmall: of very many changes of one time that nothing orders but
// their arrival, the rows of few are kept.
func TestHistoryStaysSmall(t *testing.T) {
	rules := policyRules{fillsNulls: true, keepsDeleted: true, widths: []int{1}}
	var h history
	for n := range uint64(100) {
		row := packed.JoinRow(nil, [][]byte{{byte(n)}})
		h.entries = append(h.entries, historyEntry{Candidate: pipeline.Candidate{Version: pipeline.Version{Time: 1, New: n + 1, Ordinal: int64(n)}}, rows: []packedRow{{row: row}}})
		h.sort()
		h.prune(&rules)
	}
	rows := 0
	for _, e := range h.entries {
		if len(e.rows[0].row) > 0 {
			rows++
		}
	}
	if rows > historyChangesMax+1 || h.entries[0].New != 100 {
		t.Errorf("%d rows are kept, the newest is of %d", rows, h.entries[0].New)
	}
}

// policyHarness runs a policy on the rows of things, and applies what it gives.
type policyHarness struct {
	t      *testing.T
	spaces *state.Keyspaces
	m      *policyAlone
	view   *pipelinetest.View
}

func newPolicyHarness(t *testing.T, policy pipeline.Policy) *policyHarness {
	store, err := state.Open(t.TempDir(), state.Options{Pipeline: "p", Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o := PolicyTable{Table: things, Policy: policy}
	spaces, err := store.Keyspaces(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	o.State = State{spaces.All[0], spaces.All[1]}
	tables, err := newLogicalTables(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newPolicyAlone(o, tables)
	if err != nil {
		t.Fatal(err)
	}
	return &policyHarness{t, spaces, m, pipelinetest.NewView()}
}

// yield is a change: item, time, and the key of its row; "" = none.
type yield struct {
	item string
	time int64
	key  string
}

// epoch takes changes as one epoch; each row's n is the time.
func (mt *policyHarness) epoch(changes ...yield) {
	mt.t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, things.Schema())
	defer b.Release()
	batch := &pipeline.Batch{}
	rows := &pipeline.Rows{Table: things}
	for i, c := range changes {
		batch.Changes = append(batch.Changes, pipeline.Change{
			Item: pipeline.Hash{Lo: xxh3.HashString(c.item)}, Key: []byte(c.item), Version: pipeline.Version{Time: c.time, New: uint64(len(c.key))},
		})
		if c.key == "" {
			continue
		}
		b.Field(0).(*array.StringBuilder).Append(c.key)
		b.Field(1).(*array.Int64Builder).Append(c.time)
		rows.Ops, rows.Change = append(rows.Ops, pipeline.OpUpsert), append(rows.Change, int32(i))
	}
	rows.Record = b.NewRecord()
	batch.Tables = append(batch.Tables, rows)
	mt.take(batch)
}

// take takes a batch as one epoch, and releases it.
func (mt *policyHarness) take(batch *pipeline.Batch) {
	mt.t.Helper()
	defer batch.Release()
	if err := mt.m.Add(batch, 0); err != nil {
		mt.t.Fatal(err)
	}
	defer mt.m.Release()
	merged, err := mt.m.Finish()
	if err != nil {
		mt.t.Fatal(err)
	}
	for _, k := range mt.spaces.All {
		k.Take()
	}
	mt.view.BeginEpoch()
	for _, rows := range merged {
		settled := rows.Columnar()
		defer settled.Record.Release()
		if err := mt.view.Apply(settled); err != nil {
			mt.t.Fatal(err)
		}
	}
}

// rows returns the rows as texts, by id.
func (mt *policyHarness) rows() map[string]string { return mt.view.Texts(things.Name) }

// TestPolicyOverManyChanges: a row that is left behind by more changes than a
// history keeps is told of, wherever epochs are cut.
func TestPolicyOverManyChanges(t *testing.T) {
	changes := []yield{{"i", 1, "gone"}}
	for at := int64(2); at < 3*historyChangesMax; at++ {
		changes = append(changes, yield{"i", at, "kept"})
	}
	for _, size := range []int{1, 2, historyChangesMax, len(changes)} {
		mt := newPolicyHarness(t, pipeline.Policy{OnDelete: pipeline.Flag})
		for part := range slices.Chunk(changes, size) {
			mt.epoch(part...)
		}
		if got, want := mt.rows()["gone"], "gone|1|true|"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "00:00:00.000002") {
			t.Errorf("epochs of %d: %q, want %s… at 2", size, got, want)
		}
	}
}

// TestLastValues: a row of several items that is gone shows what it did before.
func TestLastValues(t *testing.T) {
	mt := newPolicyHarness(t, pipeline.Policy{OnDelete: pipeline.Keep})
	for _, c := range []yield{{"a", 1, "k"}, {"b", 2, "k"}, {"b", 3, ""}} {
		mt.epoch(c)
	}
	before := mt.rows()["k"]
	mt.epoch(yield{"a", 4, ""})
	if got := mt.rows()["k"]; got != before || before != "k|1" {
		t.Errorf("the delete turned %q into %q", before, got)
	}
}
