package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// owners lists whose the tables are.
func (h *harness) owners() []string {
	h.T.Helper()
	all := h.db.Select(h.T, warehouse.TablesTable, "schema", "table", "pipeline", "state_id", "sink")
	for i := range all {
		all[i] = strings.Replace(all[i], h.db.Schema()+"|", "here|", 1)
	}
	return all
}

// sinkOf returns a sink that is not open.
func (h *harness) sinkOf(name string) pipeline.Sink {
	h.T.Helper()
	sink, err := h.db.New(name, h.faults)
	h.Must(err)
	return sink
}

// reset resets the sink, as a command would.
func (h *harness) reset(do bool) []pipeline.TargetObject {
	h.T.Helper()
	h.Close()
	all, err := h.sinkOf("warehouse").(pipeline.Resettable).Reset(context.Background(), pipeline.Reset{Pipeline: h.Pipeline, StateID: h.State, Sinks: []string{"warehouse", "beside"}, Tables: h.Tables, Do: do})
	h.Must(err)
	return all
}

// ownersCase is about tables that are another's, that are gone, and that are
// nobody's.
func ownersCase(t *testing.T, target Target) {
	for _, c := range ownerCases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, target) })
	}
	t.Run("nothing is made by a check", func(t *testing.T) { checkMakesNothing(t, target) })
	t.Run("another took a table since the check", func(t *testing.T) { takenSinceCheck(t, target) })
}

// ownerCase is what somebody does to a sink's tables, and what an opening says of it.
type ownerCase struct {
	name    string
	do      func(h *harness)
	want    string // a part of the message; empty = it is opened
	remains string // what reset leaves, of the message; empty = a run begins anew after it
}

func ownerCases() []ownerCase {
	gone := func(h *harness) { h.NewState("state-2") }
	record := func(column, value string) func(h *harness) {
		return func(h *harness) { h.db.Update(h.T, warehouse.TablesTable, column, value) }
	}
	forgotten := func(h *harness) {
		gone(h)
		h.db.DeleteAll(h.T, warehouse.TablesTable)
		h.deleteTokens()
	}
	return []ownerCase{
		{"nothing", func(*harness) {}, "", ""},
		{"another state folder", func(h *harness) {
			gone(h)
			h.deleteTokens()
		}, "it was written with another state folder (state-1), not with this one (state-2)", ""},
		{"another pipeline's", record("pipeline", "sales"), `it belongs to pipeline "sales" (its sink "warehouse", state folder state-1)`, `belongs to pipeline "sales"`},
		{"another sink's", record("sink", "house"), `it belongs to sink "house" of this pipeline`, ""},
		{"a dropped table", func(h *harness) { h.db.DropTable(h.T, "order") }, "it is no longer there: it was dropped or renamed", ""},
		{"a dropped table that is not even in the checkpoint", func(h *harness) {
			h.Taken = nil
			h.db.DropTable(h.T, "order")
		}, "it is no longer there: it was dropped or renamed", ""},
		{"a table in the place of the one that was dropped", func(h *harness) {
			h.db.DeleteAll(h.T, warehouse.TablesTable)
			h.db.DeleteAll(h.T, "order")
		}, "its row in starlift_tables is gone", ""},
		{"all records are gone", func(h *harness) { h.db.DropTable(h.T, warehouse.TablesTable) }, "its row in starlift_tables is gone", "has no row in starlift_tables"},
		{"rows of nobody", forgotten, "it has rows, and no row in starlift_tables", "has no row in starlift_tables"},
		{"an empty table of nobody", func(h *harness) {
			forgotten(h)
			h.db.DeleteAll(h.T, "order")
		}, "", ""},
	}
}

func (c ownerCase) run(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t), pipelinetest.TableOf(t, "line", []string{"id"}, pipelinetest.Column("id", pipeline.Int64)))
	h.put(Row{insert, 1, "a"})
	h.same(h.owners(), "here|line|shop|state-1|warehouse", "here|order|shop|state-1|warehouse")
	h.Close()
	c.do(h)
	h.Tables[0] = pipelinetest.TableOf(t, "order", []string{"id"}, append(slices.Clone(h.Tables[0].Columns), pipelinetest.Column("more", pipeline.String))...)
	h.Tables = append(h.Tables, pipelinetest.TableOf(t, "new", []string{"id"}, pipelinetest.Column("id", pipeline.Int64)))
	before := h.db.Catalogue(h.T)
	err := h.restart()
	if c.want == "" {
		h.Must(err)
		h.same(h.owners()[2:], "here|order|shop|"+h.State+"|warehouse")
		return
	}
	var owned *warehouse.OwnerError
	if !errors.As(err, &owned) || !strings.Contains(err.Error(), c.want) || pipeline.Retryable(err) {
		t.Errorf("got error %v, want %s", err, c.want)
	}
	if renamed := strings.Contains(err.Error(), "put the name back"); renamed != strings.Contains(err.Error(), "belongs to pipeline") {
		t.Errorf("error %v", err)
	}
	if c.remains == "" && !strings.Contains(err.Error(), "starlift reset FILE") {
		t.Errorf("error %v does not say how to go on", err)
	}
	h.Close()
	h.same(h.db.Catalogue(h.T), before...)
	h.beginAnew(c.remains)
}

func checkMakesNothing(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.Close()
	h.Tables = append(h.Tables, pipelinetest.TableOf(t, "new", []string{"id"}, pipelinetest.Column("id", pipeline.Int64)))
	before := h.db.Catalogue(h.T)
	for range 2 {
		names, err := h.sinkOf("warehouse").Check(context.Background(), h.Options())
		if err != nil || len(names) != 2 || names[0] == names[1] || !strings.Contains(names[0], `"order"`) {
			t.Errorf("names %q, error %v", names, err)
		}
	}
	h.same(h.db.Catalogue(h.T), before...)
	h.db.DropSchema(t)
	h.Must(h.Check(h.sinkOf("warehouse")))
	h.same(h.db.Catalogue(t))
}

func takenSinceCheck(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.Close()
	sink := h.sinkOf("late")
	var owned *warehouse.OwnerError
	if err := sink.Open(context.Background(), h.Options()); !errors.As(err, &owned) {
		t.Errorf("got error %v", err)
	}
	h.Must(sink.Close())
}

// beginAnew resets the sink, and runs with a new state where nothing is left.
func (h *harness) beginAnew(stays string) {
	h.T.Helper()
	before := h.db.Catalogue(h.T)
	would := h.reset(false)
	h.same(h.db.Catalogue(h.T), before...)
	did := h.reset(true)
	if diff := cmp.Diff(would, did); diff != "" {
		h.T.Errorf("what reset says it would do, and does\n%s", diff)
	}
	left := func(o pipeline.TargetObject) bool { return o.KeptBecause != "" }
	for _, o := range h.reset(true) {
		if !left(o) {
			h.T.Errorf("after a reset there is %v", o)
		}
	}
	if stays != "" {
		if i := slices.IndexFunc(did, left); i < 0 || !strings.Contains(did[i].KeptBecause, stays) {
			h.T.Errorf("reset tells %v, want left: %s", did, stays)
		}
		return
	}
	h.NewState("state-3")
	h.Must(h.restart())
	h.put(Row{insert, 7, "z"})
	h.want("7|z|null")
	h.same(h.audit(), "shop|1")
}

// resetCase is about what a reset leaves.
func resetCase(t *testing.T, target Target) {
	db := target.Open(t)
	h := another(t, target, db, "shop", Orders(t))
	sales := another(t, target, db, "sales", pipelinetest.TableOf(t, "sale", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("v", pipeline.String)))
	for _, e := range []*harness{h, sales} {
		h.Must(e.restart())
		e.put(Row{insert, 1, "a"})
		e.Close()
	}
	for sink, table := range map[string]string{"beside": "kept", "gone": "stale"} {
		s := h.sinkOf(sink)
		o := h.Options()
		o.Tables, o.Published, o.Taken = []*pipeline.Table{pipelinetest.TableOf(t, table, []string{"id"}, pipelinetest.Column("id", pipeline.Int64))}, 0, nil
		h.Must(s.Open(context.Background(), o))
		h.Must(s.Close())
	}
	h.State = "state-2" // as of a copy of the pipeline in another folder
	var texts []string
	for _, o := range h.reset(true) {
		texts = append(texts, strings.ReplaceAll(o.Name, h.in(""), `"s".""`)+": "+o.KeptBecause)
	}
	in := func(table string) string { return "table " + h.in(table) }
	const other = " (written with another state folder, state-1): "
	want := []string{in("order") + other, in("sale") + `: it belongs to pipeline "sales"`, in("stale") + other}
	if target.TokenTable != nil {
		want = append(want, in(h.tokenTable())+": ", in(target.TokenTable(h.Pipeline, "gone"))+": ")
	} else {
		want = append(want, "2 rows of "+in(warehouse.TokensTable)+": ")
	}
	want = append(want, "1 row of "+in(warehouse.EpochsTable)+": ", "2 rows of "+in(warehouse.TablesTable)+": ")
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	h.same(h.owners(), "here|kept|shop|state-1|beside", "here|sale|sales|state-1|warehouse")
	h.same(h.audit(), "sales|1")
	sales.want("1|a")
	h.same(h.db.Select(t, "kept", "id"))
	if empty := another(t, target, target.Open(t), "shop", Orders(t)).reset(true); empty != nil {
		t.Errorf("of an empty database reset tells %v", empty)
	}
}
