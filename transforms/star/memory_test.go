package star

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// TestDeparturesOfADimension: only a member that says when it was deleted needs to know
// which rows had it, and of many only the last. One that is taken out knows none.
func TestDeparturesOfADimension(t *testing.T) {
	const rows = 100
	for onDelete, want := range map[string]int{"flag": departuresMax, "delete": 0} {
		t.Run(onDelete, func(t *testing.T) {
			s := newShop(t)
			s.cfg = Config{Dimensions: spec.Map[DimensionConfig]{{Name: "dim_country", Value: DimensionConfig{
				From: "customer", NaturalKey: []string{"country"}, SurrogateKey: "country_key", OnDelete: onDelete,
			}}}}
			h := newHarness(t, s.compile(t), false)
			size := 0
			for round := range 3 {
				customersOf(h, "NL", rows, false)
				if got := countryOf(h, "NL"); got.liveRows != rows || len(got.departures) != 0 {
					t.Fatalf("round %d: %d live rows and %d dead ones", round, got.liveRows, len(got.departures))
				}
				customersOf(h, "NL", rows, true)
				got := countryOf(h, "NL")
				if got.liveRows != 0 || len(got.departures) != want {
					t.Fatalf("round %d: of the deleted rows %d are live, and %d are kept, want %d", round, got.liveRows, len(got.departures), want)
				}
				if n := len(got.append(nil, true)); round == 0 {
					size = n
				} else if n != size {
					t.Fatalf("round %d: the member takes %d bytes, and took %d", round, n, size)
				}
			}
			if onDelete == "flag" {
				h.want("dim_country", "0|null|false|false|null", "1|NL|false|true|2023-01-02 00:00:00")
			} else {
				h.want("dim_country", "0|null|false")
			}
		})
	}
}

// customersOf runs an epoch in which customers of a country are there, or deleted.
func customersOf(h *harness, country string, n int, deleted bool) {
	h.t.Helper()
	h.epochs++
	at := "null"
	if deleted {
		at = `"2023-01-02T00:00:00Z"`
	}
	for i, r := range h.star.inputs {
		out := r.Table
		if !r.Log {
			var err error
			if _, out, err = pipeline.Flagged(r.Table); err != nil {
				h.t.Fatal(err)
			}
		} else if deleted {
			continue
		}
		var changes []pipeline.Change
		rows := &pipeline.Rows{Table: out}
		b := array.NewRecordBuilder(memory.DefaultAllocator, out.Schema())
		for k := range n {
			text := fmt.Sprintf(`{"username": "u%d", "country": %q, "is_deleted": %v, "deleted_at": %s}`, k, country, deleted, at)
			if err := b.UnmarshalJSON([]byte(text)); err != nil {
				h.t.Fatal(err)
			}
			rows.Ops = append(rows.Ops, pipeline.OpUpsert)
			rows.Change = append(rows.Change, int32(k))
			rows.Versions = append(rows.Versions, pipeline.Version{Time: int64(h.epochs), New: 1})
			changes = append(changes, pipeline.Change{Version: rows.Versions[k], Key: []byte(fmt.Sprint(k))})
		}
		rows.Record = b.NewRecord()
		if r.Log {
			log, err := h.operator.NewLogPacker().Pack(i, changes, rows)
			if err != nil {
				h.t.Fatal(err)
			}
			h.operator.Log(0, log)
		} else {
			h.operator.Settled(i, packed.Pack(rows, h.open.KeySeeds[i]))
		}
		rows.Record.Release()
		b.Release()
	}
	h.emit(pipeline.EpochInfo{})
}

// countryOf reads a member of the first dimension from the state.
func countryOf(h *harness, country string) memberState {
	h.t.Helper()
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(country)
	column := b.NewArray()
	defer column.Release()
	d := h.star.dimensions[0]
	naturalKey := packed.SplitRow(nil, packed.AppendRow(nil, []arrow.Array{column}, 0), d.trackedColumns.widths[:1])
	found := make([][]byte, 1)
	key, _ := d.hashNaturalKey(nil, naturalKey)
	if err := h.state[membersSpace].Lookup([]pipeline.Hash{key}, found); err != nil || found[0] == nil {
		h.t.Fatalf("%s is not in the state: %v", country, err)
	}
	return decodeMember(found[0], &slab[attributeVersion]{})
}

// TestLargeRefreshReleasesMemory: what a large refresh took is not kept for those that
// come after it, and what a usual one took is.
func TestLargeRefreshReleasesMemory(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	op := h.operator.(*operator)
	epoch := func(at int64) {
		h.epoch(false, s.addCustomer(at, "ann", "Ann", "NL", "1011"), s.addOrder(at, "o1", "ann", "2023-01-02"), s.addLine(at, "o1", "p1", "Pen", at))
	}
	epoch(1)
	p := op.parts[0]
	took := func() [5]int {
		return [5]int{cap(p.facts.entries), cap(p.facts.lookups), cap(p.facts.members), cap(p.members.changes), cap(p.lookups.entries)}
	}
	usual := took()
	p.facts.entries = make([]factEntry, 0, 4*usualElements+1)
	p.facts.lookups = make([]int32, 0, 4*usualElements+1)
	p.facts.members = make([]memberRef, 0, 4*usualElements+1)
	p.members.changes = make([]memberChange, 0, 4*usualElements+1)
	p.lookups.entries = make([]lookupRow, 0, 4*usualElements+1)
	epoch(2)
	if got := took(); got != [5]int{} {
		t.Errorf("the memory that is kept has room for %v elements", got)
	}
	epoch(3)
	epoch(3)
	if got := took(); got != usual || usual[0] == 0 {
		t.Errorf("usual refreshes take room for %v, then %v elements", usual, got)
	}
	h.want("fact", "o1|p1|1|1|1|20230102|3")
}

// TestLastDepartures: of many deleted rows those that were deleted last are
// remembered, in whatever order they come.
func TestLastDepartures(t *testing.T) {
	var m memberState
	for i := range 3 * departuresMax {
		at := int64(i * 7 % (3 * departuresMax))
		m.addDeparture(pipeline.Hash{Lo: uint64(at)}, at)
	}
	if len(m.departures) != departuresMax {
		t.Fatalf("%d are remembered, want %d", len(m.departures), departuresMax)
	}
	for _, d := range m.departures {
		if d.at < 2*departuresMax {
			t.Errorf("the row deleted at %d is remembered, and later ones are not", d.at)
		}
	}
}
