package settle

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// told is a change of an item: when, and which keys it yields a row of. Of those
// in dropped, the row was left out behind the table.
type told struct {
	item    int
	time    int64 // no two changes have one
	removal pipeline.Removal
	keys    []int
	dropped map[int]bool
	version pipeline.Version // that of changes of which several have one time
}

// policies are all that a table may have that are not last-writer-wins.
func policies() (all []pipeline.Policy) {
	fates := []pipeline.OnDelete{pipeline.Delete, pipeline.Flag, pipeline.Keep}
	for _, merge := range []pipeline.MergePolicy{pipeline.Replace, pipeline.First} {
		for _, deletes := range fates {
			all = append(all, pipeline.Policy{Merge: merge, OnDelete: deletes})
			for _, ttl := range fates {
				all = append(all, pipeline.Policy{Merge: merge, OnDelete: deletes, TTLDeletes: pipeline.TTLDeletes{Set: true, Fate: ttl}})
			}
		}
	}
	slices.SortFunc(all, func(a, b pipeline.Policy) int { return cmp.Compare(fmt.Sprint(a.Normal()), fmt.Sprint(b.Normal())) })
	all = slices.CompactFunc(all, func(a, b pipeline.Policy) bool { return a.Normal() == b.Normal() })
	return slices.DeleteFunc(all, func(p pipeline.Policy) bool { return p.Normal() == pipeline.Policy{} })
}

// modelRow is a row of the model: the time of the change that it is of, and, when
// it stayed behind, what says so.
type modelRow struct {
	time    int64
	flagged bool
	deleted int64
}

// modelKey is what the model knows of a row key.
type modelKey struct {
	live map[int]int64 // by item: the time of the change whose row it has
	lost map[int]bool  // by item: the first row since its removal was left out
	rest *modelRow     // what is left when no item has it
}

// model plays changes in the order of their times, and of their items. It keeps no history: each row
// is there because of what has just happened.
func model(p pipeline.Policy, changes []told) map[int]modelRow {
	keys := map[int]*modelKey{}
	for k := range 3 {
		keys[k] = &modelKey{live: map[int]int64{}, lost: map[int]bool{}}
	}
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b told) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.item, b.item)) })
	for _, c := range changes {
		for k, of := range keys {
			of.take(p, c, slices.Contains(c.keys, k), c.dropped[k])
		}
	}
	rows := map[int]modelRow{}
	for k, of := range keys {
		switch {
		case len(of.live) > 0 && p.Merge == pipeline.First:
			rows[k] = modelRow{time: slices.Min(slices.Collect(maps.Values(of.live)))}
		case len(of.live) > 0:
			rows[k] = modelRow{time: slices.Max(slices.Collect(maps.Values(of.live)))}
		case of.rest != nil:
			rows[k] = *of.rest
		}
	}
	return rows
}

// take plays one change.
func (of *modelKey) take(p pipeline.Policy, c told, yields, dropped bool) {
	at, lives := of.live[c.item]
	first := p.Merge == pipeline.First
	switch {
	case c.removal == pipeline.NotRemoved && first:
		if yields && dropped && !lives {
			of.lost[c.item] = true
		}
		if yields && !dropped && !lives && !of.lost[c.item] {
			of.live[c.item], of.rest = c.time, nil
		}
		return
	case c.removal == pipeline.NotRemoved && yields && !dropped:
		of.live[c.item], of.rest = c.time, nil
		return
	}
	delete(of.lost, c.item)
	if !lives {
		return
	}
	delete(of.live, c.item)
	if len(of.live) > 0 {
		return
	}
	fate := p.OnDelete
	if c.removal == pipeline.Expired {
		fate = p.TTLFate()
	}
	switch fate {
	case pipeline.Keep:
		of.rest = &modelRow{time: at}
	case pipeline.Flag:
		of.rest = &modelRow{time: at, flagged: true, deleted: c.time}
	}
}

// drawTold draws changes of three items and keys. Steady ones are as DynamoDB
// makes them, which removes only what is there, of items whose keys do not change.
func drawTold(t *rapid.T, drops, steady bool) []told {
	var all []told
	var lives [3]bool
	for at := range rapid.IntRange(1, 14).Draw(t, "changes") {
		c := told{item: rapid.IntRange(0, 2).Draw(t, "item"), time: int64(at + 1), dropped: map[int]bool{}}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			c.removal = pipeline.Removed
		case 1:
			c.removal = pipeline.Expired
		}
		if steady && !lives[c.item] {
			c.removal = pipeline.NotRemoved
		}
		lives[c.item] = c.removal == pipeline.NotRemoved
		for k := range 3 {
			yields := steady && k != c.item || !steady && rapid.Bool().Draw(t, "yields")
			if c.removal != pipeline.NotRemoved || !yields {
				continue
			}
			c.keys = append(c.keys, k)
			c.dropped[k] = drops && (steady && (k-c.item+3)%3 == 1 || !steady && rapid.IntRange(0, 2).Draw(t, "dropped") == 0)
		}
		all = append(all, c)
	}
	return all
}

// policyTest is a policy of rows (k, n): a key, and the time of a change.
type policyTest struct {
	t      *rapid.T
	table  *pipeline.Table
	root   *pipeline.Table
	o      PolicyTable
	spaces *state.Keyspaces
	m      *policyAlone
	view   *pipelinetest.View
}

func keyedTable(name string) *pipeline.Table {
	return pipelinetest.Table(name, "k", "n int64", "k int64")
}

func newPolicyTest(t *rapid.T, spaces *state.Keyspaces, p pipeline.Policy, drops bool) *policyTest {
	pt := &policyTest{t: t, table: keyedTable("passed"), view: pipelinetest.NewView()}
	pt.o, pt.spaces = PolicyTable{Table: pt.table, Policy: p, State: State{spaces.All[0], spaces.All[1]}}, spaces
	if drops {
		pt.root = keyedTable("all")
		pt.o.Unfiltered = pt.root
	}
	pt.open()
	return pt
}

// open opens the policySettler as after a restart.
func (pt *policyTest) open() {
	if pt.m != nil {
		saved, err := pt.m.Save()
		if err != nil {
			pt.t.Fatal(err)
		}
		pt.o.Saved = saved
	}
	tables, err := newLogicalTables(nil)
	if err != nil {
		pt.t.Fatal(err)
	}
	if pt.m, err = newPolicyAlone(pt.o, tables); err != nil {
		pt.t.Fatal(err)
	}
	if rapid.Bool().Draw(pt.t, "small pages") {
		pt.m.small()
	}
}

// take takes changes as one epoch, and applies what the policySettler gives.
func (pt *policyTest) take(changes []told) {
	batch := &pipeline.Batch{}
	kept, all := newRowsOf(pt.table), newRowsOf(pt.root)
	for i, c := range changes {
		v := pipeline.Version{Time: c.time, New: uint64(c.time)}
		if c.removal != pipeline.NotRemoved {
			v.New = 0
		}
		if c.version != (pipeline.Version{}) {
			v = c.version
		}
		batch.Changes = append(batch.Changes, pipeline.Change{
			Item: pipeline.Hash{Lo: uint64(c.item + 1)}, Key: []byte{'a' + byte(c.item)}, Version: v, Removal: c.removal,
		})
		for _, k := range c.keys {
			all.add(i, k, c.time)
			if !c.dropped[k] {
				kept.add(i, k, c.time)
			}
		}
	}
	batch.Tables = append(batch.Tables, kept.done())
	if pt.root != nil {
		batch.Tables = append(batch.Tables, all.done())
	}
	defer batch.Release()
	if err := pt.m.Add(batch, 0); err != nil {
		pt.t.Fatal(err)
	}
	defer pt.m.Release()
	pt.m.tables.horizons[0] = 0
	merged, err := pt.m.Finish()
	if err != nil {
		pt.t.Fatal(err)
	}
	for _, k := range pt.spaces.All {
		k.Take()
	}
	pt.view.BeginEpoch()
	for _, rows := range merged {
		settled := rows.Columnar()
		defer settled.Record.Release()
		if err := pt.view.Apply(settled); err != nil {
			pt.t.Fatal(err)
		}
	}
}

// rows returns the rows as the model has them.
func (pt *policyTest) rows() map[int]modelRow {
	all := map[int]modelRow{}
	for key, cells := range pt.view.Tables[pt.table.Name] {
		k, err := strconv.Atoi(key)
		if err != nil {
			pt.t.Fatal(err)
		}
		row := modelRow{flagged: cells[pipeline.IsDeletedColumn] == "true"}
		if row.time, err = strconv.ParseInt(cells["n"], 10, 64); err != nil {
			pt.t.Fatal(err)
		}
		if row.flagged {
			deleted, err := time.Parse("2006-01-02 15:04:05.999999", cells[pipeline.DeletedAtColumn])
			if err != nil {
				pt.t.Fatalf("deleted_at: %v", err)
			}
			row.deleted = deleted.UnixMicro()
		}
		all[k] = row
	}
	return all
}

// policyAlone settles a table by a policy, and looks at nothing of the last-writer-wins beside it.
type policyAlone struct{ *Settler }

func newPolicyAlone(o PolicyTable, tables *LogicalTables) (*policyAlone, error) {
	s, err := New(Options{
		Node: "n", Tables: []Table{{o.Table, o.Table.Name}}, Policies: []PolicyTable{o},
		State: State{pipelinetest.NewKeyspace(), pipelinetest.NewKeyspace()},
	})
	if err == nil {
		s.tables, s.watermarks.tables = tables, tables
	}
	return &policyAlone{s}, err
}

// Save returns what the next one is given as Saved.
func (p *policyAlone) Save() (json.RawMessage, error) {
	saved, err := p.Settler.Save()
	return saved.Policies[0], err
}

func (p *policyAlone) Add(b *pipeline.Batch, ordinal int64) error {
	if b.Records == nil {
		b.Records = &pipeline.Records{Format: &pipeline.Format{}}
	}
	return p.add(b, ordinal)
}

// Finish returns the rows of the policy, nil where there are none.
func (p *policyAlone) Finish() ([]*SettledRows, error) {
	r, err := p.settle()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(r.Rows, func(s *SettledRows) bool { return s.Output == 0 }), nil
}

// rowsOf gathers rows of a table.
type rowsOf struct {
	pipeline.Rows
	b *array.RecordBuilder
}

func newRowsOf(t *pipeline.Table) *rowsOf {
	if t == nil {
		t = keyedTable("unused")
	}
	return &rowsOf{pipeline.Rows{Table: t}, array.NewRecordBuilder(memory.DefaultAllocator, t.Schema())}
}

func (r *rowsOf) add(change, k int, n int64) {
	r.b.Field(0).(*array.Int64Builder).Append(n)
	r.b.Field(1).(*array.Int64Builder).Append(int64(k))
	r.Ops, r.Change = append(r.Ops, pipeline.OpUpsert), append(r.Change, int32(change))
}

func (r *rowsOf) done() *pipeline.Rows {
	defer r.b.Release()
	r.Record = r.b.NewRecord()
	return &r.Rows
}

// TestPolicies: rows are those of a model that sees the changes in the order of
// their times, whatever order they come in, repeated, and cut into epochs, with
// restarts between. Of rows that are released from expired items that is said only
// where no late change says that they had gone before.
func TestPolicies(t *testing.T) {
	spaces := newStore(t)
	all := policies()
	checks(t, 40*len(all))
	rapid.Check(t, func(rt *rapid.T) {
		empty(rt, spaces)
		p := rapid.SampledFrom(all).Draw(rt, "policy")
		drops := rapid.Bool().Draw(rt, "drops")
		steady := rulesOf(p).releases
		changes := drawTold(rt, drops, steady)
		again := rapid.SliceOfN(rapid.SampledFrom(changes), 0, 3).Draw(rt, "delivered again")
		order := rapid.Permutation(slices.Concat(changes, again)).Draw(rt, "order of arrival")
		pt := newPolicyTest(rt, spaces, p, drops)
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(rt, "epoch")
			pt.take(order[:n])
			if order = order[n:]; rapid.IntRange(0, 4).Draw(rt, "restart") == 0 {
				pt.open()
			}
		}
		if want := model(p, changes); !maps.Equal(pt.rows(), want) {
			rt.Fatalf("%+v: the rows are\n%+v\nwant\n%+v\nof %+v", p, pt.rows(), want, changes)
		}
	})
}

// newStore opens a state with the keyspaces of a policy.
func newStore(t *testing.T) *state.Keyspaces {
	t.Helper()
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
	return spaces
}

// TestPoliciesAtOneInstant: an item is inserted, changed and removed many times in
// one instant, with images that recur. In order, rows are those of a model that
// takes the changes one by one, wherever epochs are cut.
func TestPoliciesAtOneInstant(t *testing.T) {
	spaces := newStore(t)
	all := policies()
	checks(t, 20*len(all))
	rapid.Check(t, func(rt *rapid.T) {
		empty(rt, spaces)
		p := rapid.SampledFrom(all).Draw(rt, "policy")
		images := rapid.Bool().Draw(rt, "images")
		changes := rapid.Custom(func(t *rapid.T) []told { return drawInstants(t, images) }).Draw(rt, "changes")
		pt := newPolicyTest(rt, spaces, p, false)
		for rest := changes; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "epoch")
			pt.take(rest[:n])
			rest = rest[n:]
		}
		want := model(p, changes)
		for k, row := range want {
			if row.flagged {
				row.deleted = changes[row.deleted-1].version.Time
				want[k] = row
			}
		}
		if !maps.Equal(pt.rows(), want) {
			rt.Fatalf("%+v: the rows are\n%+v\nwant\n%+v\nof %+v", p, pt.rows(), want, changes)
		}
	})
}

// drawInstants draws the changes of an item at two instants, as DynamoDB makes them:
// told.time, which rows have, numbers them.
func drawInstants(t *rapid.T, images bool) []told {
	var all []told
	now := uint64(0)
	for n := range int64(rapid.IntRange(1, 8).Draw(t, "changes")) {
		c := told{time: n + 1, dropped: map[int]bool{}}
		next := uint64(rapid.IntRange(0, 3).Draw(t, "image"))
		if next == now {
			next++
		}
		if now == 0 {
			next = max(next, 1)
		}
		c.version = pipeline.Version{Time: 1, New: next, Ordinal: n, Event: uint32(n + 1), Existed: now != 0}
		if n > 3 {
			c.version.Time = 2
		}
		if images || now == 0 {
			c.version.Old, c.version.HasOld, c.version.Existed = now, true, false
		}
		if next == 0 {
			c.removal = pipeline.Removal(rapid.IntRange(1, 2).Draw(t, "who"))
		}
		for k := range 3 {
			if next>>k&1 == 1 {
				c.keys = append(c.keys, k)
			}
		}
		all = append(all, c)
		now = next
	}
	return all
}

// checks sets the number of rapid's checks until the test ends.
func checks(t *testing.T, n int) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	set := func(n string) {
		if err := flag.Set("rapid.checks", n); err != nil {
			t.Error(err)
		}
	}
	set(fmt.Sprint(n))
	t.Cleanup(func() { set(before) })
}

// empty takes everything out of the keyspaces.
func empty(t *rapid.T, spaces *state.Keyspaces) {
	for _, space := range spaces.All {
		var keys []pipeline.Hash
		if err := space.Range(pipeline.Hash{}, pipeline.Hash{}, func(k pipeline.Hash, _ []byte) error {
			keys = append(keys, k)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			space.Put(k, nil)
		}
		space.Take()
	}
}
