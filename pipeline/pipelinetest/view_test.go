package pipelinetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

const insert, update, remove = pipeline.OpInsert, pipeline.OpUpdate, pipeline.OpDelete

var prices = Table("price", "shop,id", "shop", "id int64", "price decimal(10,2)")

// TestView: what breaks the contract is refused, and all else makes a table.
func TestView(t *testing.T) {
	const one, other = `{"shop": "a", "id": 1, "price": "1.50"}`, `{"shop": "a", "id": 2}`
	for _, c := range []struct {
		name  string
		ops   []pipeline.Op // of an epoch after one that has inserted one
		rows  []string
		edit  func(*pipeline.Rows)
		full  bool
		wrong string   // a part of the message
		want  []string // empty = the epoch is refused
	}{
		{name: "an insert", ops: []pipeline.Op{insert}, rows: []string{other}, want: []string{"a|1|1.50", "a|2|null"}},
		{name: "an insert of what is there", ops: []pipeline.Op{insert}, rows: []string{one}, wrong: "which is there"},
		{name: "an update", ops: []pipeline.Op{update}, rows: []string{`{"shop": "a", "id": 1}`}, want: []string{"a|1|null"}},
		{name: "an update of nothing", ops: []pipeline.Op{update}, rows: []string{other}, wrong: "which is not there"},
		{name: "an update that changes nothing", ops: []pipeline.Op{update}, rows: []string{one}, wrong: "changes nothing"},
		{name: "a delete by key", ops: []pipeline.Op{remove}, rows: []string{`{"shop": "a", "id": 1}`}},
		{name: "a delete by key where more is known", ops: []pipeline.Op{remove}, rows: []string{`{"shop": "a", "id": 1}`}, full: true, wrong: "delete of"},
		{name: "a delete with old values", ops: []pipeline.Op{remove}, rows: []string{one}, full: true},
		{name: "a delete with other values", ops: []pipeline.Op{remove}, rows: []string{`{"shop": "a", "id": 1, "price": "2.00"}`}, wrong: "delete of"},
		{name: "a delete of nothing", ops: []pipeline.Op{remove}, rows: []string{other}, wrong: "which is not there"},
		{name: "a key twice", ops: []pipeline.Op{remove, insert}, rows: []string{one, one}, wrong: "two rows of"},
		{name: "an upsert", ops: []pipeline.Op{pipeline.OpUpsert}, rows: []string{other}, wrong: "an upsert of"},
		{name: "a null in the key", ops: []pipeline.Op{insert}, rows: []string{`{"shop": "a"}`}, wrong: "a null in the key"},
		{name: "no versions", ops: []pipeline.Op{insert}, rows: []string{other}, edit: func(r *pipeline.Rows) { r.Versions = nil }, wrong: "1 operations, 0 versions"},
		{name: "no operations", ops: []pipeline.Op{insert}, rows: []string{other}, edit: func(r *pipeline.Rows) { r.Ops = nil }, wrong: "1 rows with 0 operations"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := NewView()
			v.FullDeletes = c.full
			if err := v.Apply(JSONRows(t, prices, []pipeline.Op{insert}, one)); err != nil {
				t.Fatal(err)
			}
			v.BeginEpoch()
			rows := JSONRows(t, prices, c.ops, c.rows...)
			if c.edit != nil {
				c.edit(rows)
			}
			err := v.Apply(rows)
			if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Fatalf("error %v, want %q", err, c.wrong)
			}
			if got := v.Lines("price"); err == nil && !slices.Equal(got, c.want) {
				t.Errorf("rows %q, want %q", got, c.want)
			}
		})
	}
}

// TestKeyspaceLookup: keys that are not sorted, or repeat, are refused.
func TestKeyspaceLookup(t *testing.T) {
	k := NewKeyspace()
	a, b := pipeline.Hash{Hi: 1}, pipeline.Hash{Hi: 2}
	k.Put(a, []byte("a"))
	values := make([][]byte, 2)
	if err := k.Lookup([]pipeline.Hash{a, b}, values); err != nil || string(values[0]) != "a" || values[1] != nil {
		t.Errorf("values %q, error %v", values, err)
	}
	for _, keys := range [][]pipeline.Hash{{b, a}, {a, a}} {
		if err := k.Lookup(keys, values); err == nil {
			t.Errorf("%v are taken", keys)
		}
	}
}

// TestSink: the sink in memory is a sink to the driver, whether it gathers or not; a commit
// that is repeated does nothing, rows that are refused are left out, and another state is
// refused.
func TestSink(t *testing.T) {
	for _, gather := range []bool{false, true} {
		s := NewSink(pipeline.Settled)
		s.Gather = gather
		d := NewSinkDriver(t, "p", prices)
		d.Must(d.Open(s))
		c := d.Prepare(JSONRows(t, prices, []pipeline.Op{insert}, `{"shop": "a", "id": 1}`))
		if waits := c.Payload == nil; waits != gather || len(s.Published()) > 0 {
			t.Errorf("gather %v: payload %s, and %v is published before the commit", gather, c.Payload, s.Published())
		}
		d.Commit()
		d.Must(d.Open(s)) // as after a kill
		d.PrepareEpoch(true, JSONRows(t, prices, []pipeline.Op{update, insert}, `{"shop": "a", "id": 1, "price": "2.00"}`, `{"shop": "b", "id": 2}`))
		d.Must(s.Commit(t.Context(), d.Pending))
		d.Must(d.Open(s))
		d.Commit()
		if got := s.View.Lines("price"); !slices.Equal(got, []string{"a|1|2.00", "b|2|null"}) {
			t.Errorf("gather %v: rows %q", gather, got)
		}
		if left := slices.Collect(maps.Keys(Files(t, d.Dir))); slices.ContainsFunc(left, func(path string) bool { return strings.HasSuffix(path, "rows") }) {
			t.Errorf("spools are left: %q", left)
		}
		d.State = "state-2"
		if err := d.Check(s); err == nil || !strings.Contains(err.Error(), "token of state state-1") {
			t.Errorf("another state: %v", err)
		}
	}
}

// TestSinkThatRefuses: what is refused is told until all of it is left out.
func TestSinkThatRefuses(t *testing.T) {
	s := NewSink(pipeline.Settled)
	s.RefusalsMax, s.Refuse = 1, func(c RowChange) bool { return c.Row["price"] == "" }
	d := NewSinkDriver(t, "p", prices)
	d.Must(d.Open(s))
	d.Prepare(JSONRows(t, prices, []pipeline.Op{insert, insert, insert}, `{"shop": "a", "id": 1}`, `{"shop": "a", "id": 2, "price": "1.00"}`, `{"shop": "a", "id": 3}`))
	for _, id := range []string{"1", "3"} {
		refused, ok := s.Commit(t.Context(), d.Pending).(*pipeline.RefusedError)
		if !ok || len(refused.Rows) != 1 || !strings.Contains(string(refused.Rows[0].Row), `"id":"`+id+`"`) || len(s.Published()) > 0 {
			t.Fatalf("refused %+v, published %v", refused, s.Published())
		}
		d.Pending.Exclude = refused.Exclude
	}
	d.Commit()
	if got := s.View.Lines("price"); !slices.Equal(got, []string{"a|2|1.00"}) {
		t.Errorf("rows %q", got)
	}
}
