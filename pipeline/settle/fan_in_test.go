package settle

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// small lets few rows, contributions and changes be many.
func (m *policyAlone) small() {
	m.Settler.small()
	m.policies[0].inlineBytes, m.policies[0].scannedChanges = 150, 3
}

var wide = pipelinetest.Table("wide", "k", "k int64", "a", "b int64", "c int64")

// part is a change of an item that yields one row at most.
type part struct {
	item    int
	time    int64
	removal pipeline.Removal
	row     string   // JSON; "" = none
	text    string   // of its values
	more    []string // further rows
	ordinal int64
}

func (p *part) hash() pipeline.Hash {
	return pipeline.Hash{Hi: uint64(p.item) * 0x9e3779b97f4a7c15, Lo: uint64(p.item + 1)}
}

// key is that of two items: of different tables, say.
func (p *part) key() []byte { return fmt.Append(nil, p.item/2) }

// partsOf makes a batch of changes.
func partsOf(parts []part) *pipeline.Batch {
	b := &pipeline.Batch{Records: &pipeline.Records{Source: "s", Partition: "f", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC}}}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, wide.Schema())
	defer rb.Release()
	rows := &pipeline.Rows{Table: wide}
	for i, p := range parts {
		v := pipeline.Version{Time: p.time, New: uint64(p.time)<<20 | uint64(p.item+1), Ordinal: p.ordinal, Event: uint32(p.ordinal)}
		if p.removal != pipeline.NotRemoved {
			v.New = 0
		}
		from := len(b.Records.Data)
		b.Records.Data = fmt.Appendf(b.Records.Data, "%d@%d", p.item, p.time)
		b.Records.Spans = append(b.Records.Spans, pipeline.Span{Start: uint32(from), End: uint32(len(b.Records.Data)), Line: int64(i + 1)})
		b.Changes = append(b.Changes, pipeline.Change{
			Record: int32(i), Item: p.hash(), Key: p.key(), Version: v, Removal: p.removal,
		})
		for _, row := range append([]string{p.row}, p.more...) {
			if row == "" {
				continue
			}
			if err := rb.UnmarshalJSON([]byte(row)); err != nil {
				panic(err)
			}
			rows.Ops, rows.Change = append(rows.Ops, pipeline.OpUpsert), append(rows.Change, int32(i))
		}
	}
	rows.Record = rb.NewRecord()
	b.Tables = []*pipeline.Rows{rows}
	return b
}

// drawParts draws an epoch of changes of many items that yield few keys. No item has
// two changes of one time, those in seen included.
func drawParts(r *rand.Rand, seen map[string]bool, at int64, n, items int, removes int) (all []part) {
	for range n {
		p := part{item: r.IntN(items), time: at + int64(r.IntN(40))}
		if id := fmt.Sprint(p.item, p.time); seen[id] {
			continue
		} else {
			seen[id] = true
		}
		value := func() string {
			if r.IntN(2) == 0 {
				return "null"
			}
			return fmt.Sprint(r.IntN(100))
		}
		if r.IntN(10) < removes {
			p.removal = []pipeline.Removal{pipeline.Removed, pipeline.Expired}[r.IntN(2)]
		} else {
			k, a, b := r.IntN(3), value(), value()
			p.row = fmt.Sprintf(`{"k":%d,"a":"%d","b":%s,"c":%s}`, k, p.item, a, b)
			p.text = fmt.Sprint(k, "|", p.item, "|", a, "|", b)
		}
		all = append(all, p)
	}
	return all
}

// TestFanIn: a policy whose keys have many contributions gives what one gives that keeps them
// all in one value, while they become many and few again, late changes come, and what
// is over is forgotten; and in the end nothing is left.
func TestFanIn(t *testing.T) {
	policies := append(policies(), pipeline.Policy{Merge: pipeline.LatestNonNull},
		pipeline.Policy{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Flag}, pipeline.Policy{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Keep})
	checks(t, 2)
	for _, p := range policies {
		// A store of each policy: what was removed is in the way of scans.
		t.Run(fmt.Sprint(p), func(t *testing.T) { checkFanIn(t, p, newStores(t, 2)) })
	}
}

// checkFanIn plays histories of a policy into two stores; in the second one are few contributions in a value.
func checkFanIn(t *testing.T, p pipeline.Policy, spaces []*saved) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		settlers := make([]*policyAlone, 2)
		open := func() {
			for i := range settlers {
				o := PolicyTable{Table: wide, Policy: p, State: State{spaces[i].All[0], spaces[i].All[1]}}
				if settlers[i] != nil {
					o.Saved, _ = settlers[i].Save()
				}
				tables, err := newLogicalTables([]state.LogicalTable{{Name: ""}})
				if err != nil {
					rt.Fatal(err)
				}
				if settlers[i], err = newPolicyAlone(o, tables); err != nil {
					rt.Fatal(err)
				}
				settlers[i].policies[0].inlineBytes, settlers[i].policies[0].scannedChanges = 1<<30, 1<<30
			}
			if rapid.IntRange(0, 4).Draw(rt, "small pages") > 0 {
				settlers[1].small()
			}
		}
		for _, s := range spaces {
			empty(rt, s.Keyspaces)
			s.save(rt)
		}
		open()
		items := rapid.SampledFrom([]int{3, 12, 40}).Draw(rt, "items")
		at, horizon, seen := int64(1000), int64(0), map[string]bool{}
		for range rapid.IntRange(1, 10).Draw(rt, "epochs") {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
			parts := drawParts(r, seen, at, 1+r.IntN(40), items, rapid.SampledFrom([]int{1, 4, 8}).Draw(rt, "removes"))
			at += int64(r.IntN(60))
			if r.IntN(3) == 0 {
				horizon = max(horizon, at-int64(r.IntN(100)))
			}
			parts = slices.DeleteFunc(parts, func(p part) bool { return p.time < horizon })
			same(rt, spaces, settlers, parts, horizon)
			if r.IntN(4) == 0 {
				open()
			}
		}
		var gone []part
		for i := range items {
			gone = append(gone, part{item: i, time: at + 1000, removal: pipeline.Removed})
		}
		same(rt, spaces, settlers, gone, horizon)
		var left [2][2]int
		for round := 0; round < 20 && (round < 2 || left[1][0] > 0 || left[0][1] == 0 && left[1][1] > 0); round++ { // each sweeps some
			same(rt, spaces, settlers, nil, at+2000)
			left = [2][2]int{}
			for i, s := range spaces {
				s.each(rt, func(space, _ int) { left[i][space]++ })
			}
		}
		if left[0][1] == 0 && left[1][1] > 0 || left[1][0] > 0 {
			rt.Fatalf("entries are left: %d, of few contributions %d", left[1], left[0])
		}
	})
}

// same takes changes to policies as one epoch, and holds what they give against each other.
func same(t *rapid.T, spaces []*saved, settlers []*policyAlone, parts []part, horizon int64) {
	var got [][]string
	for i, m := range settlers {
		b := partsOf(parts)
		if err := m.Add(b, 0); err != nil {
			t.Fatal(err)
		}
		m.tables.horizons[0] = horizon
		rows, err := m.Finish()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, settled := range rows {
			r := settled.Columnar()
			for i, op := range r.Ops {
				line := op.String()
				for _, c := range r.Record.Columns() {
					line += " " + c.ValueStr(i)
				}
				lines = append(lines, line)
			}
			r.Record.Release()
		}
		slices.Sort(lines) // which items have been swept may differ, and with it by which change a row is told
		got = append(got, lines)
		m.Release()
		b.Release()
		spaces[i].save(t)
	}
	if !slices.Equal(got[0], got[1]) {
		t.Fatalf("many contributions give\n%q\nwant\n%q", got[1], got[0])
	}
}

// TestContributors: the row of a key that many items yield is that of the newest, while
// they become many and few again.
func TestContributors(t *testing.T) {
	spaces := newStores(t, 1)[0]
	checks(t, 40)
	rapid.Check(t, func(rt *rapid.T) {
		empty(rt, spaces.Keyspaces)
		s := newContributors(rt, spaces)
		items := rapid.SampledFrom([]int{3, 12, 40}).Draw(rt, "items")
		newest := map[int]part{} // by item
		view := pipelinetest.NewView()
		view.FullDeletes = true
		at, seen := int64(1000), map[string]bool{}
		for range rapid.IntRange(1, 12).Draw(rt, "epochs") {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
			parts := drawParts(r, seen, at, 1+r.IntN(30), items, rapid.SampledFrom([]int{1, 5, 9}).Draw(rt, "removes"))
			at += int64(r.IntN(60))
			settleParts(rt, s, parts, view)
			spaces.save(rt)
			for _, p := range parts {
				if n, known := newest[p.item]; !known || p.time > n.time {
					newest[p.item] = p
				}
			}
			if got, want := view.Texts(wide.Name), modelParts(newest); !maps.Equal(got, want) {
				rt.Fatalf("rows %v, want %v", got, want)
			}
			if r.IntN(4) == 0 {
				s = newContributors(rt, spaces)
			}
		}
		var gone []part
		for i := range items {
			gone = append(gone, part{item: i, time: at + 1000, removal: pipeline.Removed})
		}
		settleParts(rt, s, gone, view)
		spaces.save(rt)
		if left := view.Lines(wide.Name); len(left) > 0 {
			rt.Fatalf("rows %v are left", left)
		}
		spaces.each(rt, func(space, _ int) {
			if space == 1 {
				rt.Fatalf("keys are left")
			}
		})
	})
}

func newContributors(t *rapid.T, spaces *saved) *Settler {
	s, err := New(optionsOf(wide, 1<<40, spaces.All[0], spaces.All[1]))
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 3).Draw(t, "small pages") > 0 {
		s.small()
	}
	return s
}

// settleParts settles changes as one epoch, and applies what comes of them.
func settleParts(t *rapid.T, s *Settler, parts []part, view *pipelinetest.View) {
	s.Begin(readSoFar("s"))
	b := partsOf(parts)
	defer b.Release()
	if err := s.add(b, 0); err != nil {
		t.Fatal(err)
	}
	r, err := s.settle()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	view.BeginEpoch()
	for _, settled := range r.Rows {
		r := settled.Columnar()
		defer r.Record.Release()
		if err := view.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
}

// modelParts returns the rows of the newest changes of items.
func modelParts(newest map[int]part) map[string]string {
	best, rows := map[string]part{}, map[string]string{}
	for _, p := range newest {
		if p.row == "" {
			continue
		}
		k, _, _ := strings.Cut(p.text, "|")
		o, there := best[k]
		if !there || cmp.Or(cmp.Compare(p.time, o.time), bytes.Compare(p.key(), o.key()), p.hash().Compare(o.hash())) > 0 {
			best[k], rows[k] = p, p.text
		}
	}
	return rows
}

// newStores returns two keyspaces each of so many stores.
func newStores(t *testing.T, n int) (all []*saved) {
	t.Helper()
	for range n {
		store, err := state.Open(t.TempDir(), state.Options{Pipeline: "p", Memory: 1 << 24})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		spaces, err := store.Keyspaces(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &saved{spaces, store, 0})
	}
	return all
}

// saved are keyspaces whose epochs are saved.
type saved struct {
	*state.Keyspaces
	store *state.Store
	epoch int64
}

func (s *saved) save(t fataler) {
	s.epoch++
	var deltas []*state.Delta
	for _, k := range s.All {
		deltas = append(deltas, k.Take())
	}
	if err := s.Bound(&exchange.Runner{Workers: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Save(&state.Update{Checkpoint: &state.Checkpoint{Epoch: s.epoch}, Deltas: deltas}); err != nil {
		t.Fatal(err)
	}
}

// each calls f for the size of each value.
func (s *saved) each(t fataler, f func(space, size int)) {
	for i, k := range s.All {
		err := k.Range(pipeline.Hash{}, pipeline.Hash{}, func(_ pipeline.Hash, v []byte) error {
			f(i, len(v))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

type fataler interface{ Fatal(args ...any) }
