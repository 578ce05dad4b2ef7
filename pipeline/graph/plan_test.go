package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

var (
	cdc  = pipeline.Format{Encoding: pipeline.DynamoDBCDC}
	shop = func() *changes {
		return &changes{tables: []*pipeline.Table{pipelinetest.Table("customer", "id", "id", "name"), pipelinetest.Table("order", "id", "id", "customer")}}
	}
	settled = &sink{mode: pipeline.Settled}
	logs    = &sink{mode: pipeline.Log}
	appends = &sink{mode: pipeline.Appends}
)

// counting reads some tables as a log or by a policy, and gives counts.
func counting(inputs ...pipeline.Input) func(map[string]*pipeline.Table) *stateful {
	return func(tables map[string]*pipeline.Table) *stateful {
		s := &stateful{tables: []*pipeline.Table{pipelinetest.Table("counts", "id", "id", "n")}, keyspaces: 1}
		for _, in := range inputs {
			in.Table = tables[in.Table.Name]
			s.inputs = append(s.inputs, in)
		}
		return s
	}
}

func named(name string) *pipeline.Table { return &pipeline.Table{Name: name} }

func TestPlans(t *testing.T) {
	keepFirst := map[string]pipeline.Policy{"order": {Merge: pipeline.First}}
	cases := []struct {
		name string
		pipe *pipe
		want string
	}{
		{"a log alone keeps no state",
			(&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").sink("lake", logs, "items.order"), `
stage items reads in
  needs order; deletes order; full old images none; settles false
  log of items.order: lake
  limit of lake on order
edge in → items: changes
edge items.order → lake: log
`},
		{"a log without deletes, and settled rows of one table",
			(&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").sink("lake", appends, "items").sink("dwh", settled, "items.order"), `
stage items reads in
  needs customer, order; deletes none; full old images none; settles true
  log of items.customer: lake
  log of items.order: lake
  settled items.order: dwh
  settles order as order, had by "dwh"
  limit of lake on customer
  limit of lake on order
  limit of dwh on order
state items of 2 keyspaces
edge in → items: changes
edge items.customer → lake: log
edge items.order → lake: log
edge items.order → dwh: settled, settled for it, keeps state
`},
		{"filters of changes are a part of the stage behind them",
			(&pipe{}).source("one", &source{format: cdc}).source("two", &source{format: cdc}).
				filter("a", "one", "two").filter("b", "a").change("items", shop(), "b").sink("lake", logs, "items.order"), `
stage items reads one, two
  2 filters before it for one
  2 filters before it for two
  needs order; deletes order; full old images none; settles false
  log of items.order: lake
  limit of lake on order
edge one → a: changes
edge two → a: changes
edge a → b: changes
edge b → items: changes
edge items.order → lake: log
`},
		{"row transforms are a part of the stage, and settled behind it",
			(&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").
				filter("some", "items.order").row("more", &rows{}, "some", "items.customer").
				sink("lake", logs, "more.order").sink("raw", settled, "items.order").sink("dwh", settled, "more.order"), `
stage items reads in
  needs order; deletes order; full old images order; settles true
  order through some, wanted true
  order through more, wanted true
  customer through more, wanted false
  log of more.order: lake
  settled items.order: raw
  settled more.order: dwh
  settles order as order, had by "raw"
  settles order as more.order, had by "dwh"
  limit of lake on order
  limit of raw on order
  limit of dwh on order
state items of 2 keyspaces
edge in → items: changes
edge items.order → some: log
edge some.order → more: log
edge items.customer → more: log
edge more.order → lake: log
edge items.order → raw: settled, settled for it, keeps state
edge more.order → dwh: settled, settled for it, keeps state
`},
		{"consumers that ask for one policy share it, and a policy of a table holds for all",
			(&pipe{}).source("in", &source{format: cdc}).change("items", &changes{tables: shop().tables, policies: keepFirst}, "in").
				filter("some", "items.order").
				stateful("one", counting(pipeline.Input{Table: named("customer"), Log: true}, pipeline.Input{Table: named("customer"), Policy: pipeline.Policy{OnDelete: pipeline.Keep}}), "items").
				stateful("two", counting(pipeline.Input{Table: named("customer"), Policy: pipeline.Policy{OnDelete: pipeline.Keep}}, pipeline.Input{Table: named("order"), ExtraKey: pipeline.JoinExtraKey([]string{"customer"})}), "items.customer", "some").
				row("double", &rows{}, "two").
				sink("dwh", settled, "items", "one").sink("more", &sink{mode: pipeline.Log}, "double"), `
stage items reads in
  needs customer, order; deletes none; full old images none; settles true
  order through some, wanted true
  log of items.customer: one[0]
  settled items.customer: dwh, keep
  settled items.order: first
  settled some.order: first by customer
  policy items.customer:keep: one[1], two[0]; had by "one" "two"
  policy some.order:first by customer: two[1], rows left out; had by "two"
  policy items.order:first: dwh; had by "dwh"
  settles customer as customer, had by "dwh" ":keep" "one:log"
  settles order as order, had by ":first"
  settles order as some.order, had by ":first by customer"
  limit of dwh on customer
  limit of dwh on order
operator one
  counts: dwh; had by "dwh"
operator two
  counts: double; had by "more"
  counts through double: more
state items of 2 keyspaces
state items.customer:keep of 2 keyspaces
state some.order:first by customer of 2 keyspaces
state items.order:first of 2 keyspaces
state one of 1 keyspaces
state two of 1 keyspaces
edge in → items: changes
edge items.order → some: log
edge two.counts → double: settled
edge items.customer → one: log, keeps state
edge items.customer → one: settled, settled for it by keep, keeps state
edge items.customer → two: settled, settled for it by keep, keeps state
edge some.order → two: settled, settled for it by first, keeps state
edge items.customer → dwh: settled, settled for it, keeps state
edge items.order → dwh: settled, settled for it by first, keeps state
edge one.counts → dwh: settled
edge double.counts → more: settled
`},
		{"an operator takes rows of another one as they are",
			(&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").
				stateful("inner", counting(pipeline.Input{Table: named("order")}), "items.order").
				stateful("outer", counting(pipeline.Input{Table: named("counts")}), "inner").
				sink("dwh", settled, "outer"), `
stage items reads in
  needs order; deletes none; full old images none; settles true
  settled items.order: inner[0]
  settles order as order, had by "inner"
operator inner
  counts: outer[0]; had by "outer"
operator outer
  counts: dwh; had by "dwh"
state items of 2 keyspaces
state inner of 1 keyspaces
state outer of 1 keyspaces
edge in → items: changes
edge items.order → inner: settled, settled for it, keeps state
edge inner.counts → outer: settled, keeps state
edge outer.counts → dwh: settled
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plan, mistakes := Build(&c.pipe.Declaration)
			if len(mistakes) > 0 {
				t.Fatal(mistakes)
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), describe(plan)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOrderOfDeclaration: in whatever order transforms are declared, the plan is the
// same but for the order of those that do not read each other.
func TestOrderOfDeclaration(t *testing.T) {
	declare := func() *pipe {
		return (&pipe{}).source("in", &source{format: cdc}).filter("a", "in").change("items", shop(), "a").filter("some", "items").
			row("more", &rows{}, "some").stateful("star", counting(pipeline.Input{Table: named("order")}), "more").row("last", &rows{}, "star").
			sink("dwh", settled, "last", "more.customer")
	}
	first, mistakes := Build(&declare().Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	backwards := declare()
	slices.Reverse(backwards.Transforms)
	second, mistakes := Build(&backwards.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if diff := cmp.Diff(describe(first), describe(second)); diff != "" {
		t.Error(diff)
	}
}

// TestPolicyOfReader: what a reader says of deleted rows does not take away what its
// table says of expired items, even where the table alone says the same of both.
func TestPolicyOfReader(t *testing.T) {
	own := map[string]pipeline.Policy{"order": {TTLDeletes: pipeline.TTLDeletes{Set: true, Fate: pipeline.Delete}}}
	p := (&pipe{}).source("in", &source{format: cdc}).change("items", &changes{tables: shop().tables, policies: own}, "in").
		stateful("star", counting(pipeline.Input{Table: named("order"), Policy: pipeline.Policy{OnDelete: pipeline.Keep}}), "items.order").
		sink("dwh", settled, "star", "items.order")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	want := pipeline.Policy{OnDelete: pipeline.Keep, TTLDeletes: pipeline.TTLDeletes{Set: true, Fate: pipeline.Delete}}
	if got := plan.Stages[0].Policies; len(got) != 1 || got[0].Policy != want {
		t.Errorf("the stage settles by %+v, want %+v", got, want)
	}
	for _, e := range plan.Edges {
		switch {
		case e.To == "star" && e.Policy != want:
			t.Errorf("the edge says %+v, want %+v", e.Policy, want)
		case e.To == "dwh" && e.Policy != (pipeline.Policy{}):
			t.Errorf("the sink's edge says %+v, want none", e.Policy)
		}
	}
}

// TestLimitsReachTheLog: what a sink can't store of rows of an operator is looked for
// in what they are made of, once for each sink, and nulls are made behind it too.
func TestLimitsReachTheLog(t *testing.T) {
	counts := pipelinetest.Table("counts", "id", "id", "n")
	counts.Columns[1].OnError = pipeline.UnfitNull
	make := func(tables map[string]*pipeline.Table) *stateful {
		order := tables["order"]
		return &stateful{tables: []*pipeline.Table{counts, pipelinetest.Table("more", "id", "id")}, keyspaces: 1, inputs: []pipeline.Input{{Table: order}},
			stored: []pipeline.StoredColumns{{Table: order, Columns: []int{1}}, {Table: pipelinetest.Table("elsewhere", "id", "id")}}}
	}
	p := (&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").stateful("star", make, "items.order").sink("dwh", settled, "star")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	stage, op := plan.Stages[0], plan.Operators[0]
	if l := stage.Limits; len(l) != 1 || l[0].Sink != "dwh" || l[0].Stored.Table.Name != "order" || !slices.Equal(l[0].Stored.Columns, []int{1}) {
		t.Errorf("limits of the stage: %+v", l)
	}
	if l := op.Outputs[counts].Limits; len(l) != 1 || l[0].Stored.Table != counts {
		t.Errorf("limits of the operator's rows: %+v", l)
	}
	if o := op.Outputs[op.Transform.Tables()[1]]; len(o.Limits) != 0 {
		t.Errorf("limits of rows without such columns: %+v", o.Limits)
	}
}

// TestWith: another plan is made of nodes that differ, and the first stays as it is.
func TestWith(t *testing.T) {
	p := (&pipe{}).source("one", &source{format: cdc}).source("two", &source{format: cdc}).change("items", shop(), "one", "two").sink("lake", logs, "items.order")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	before := describe(plan)
	other, err := plan.With(func(n *Nodes) {
		n.Sources = n.Sources[1:]
		n.Sinks[0].Sink = settled
		n.Sinks = append(n.Sinks, SinkNode{"view", appends, n.Outputs()[:1]})
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, describe(plan)); diff != "" {
		t.Errorf("the plan has changed: %s", diff)
	}
	if s := other.Stages[0]; len(other.Sources) != 1 || !s.Settles() || other.Nodes.Sinks[1].Name != "view" || plan.Stages[0].Settles() {
		t.Errorf("the other plan:\n%s", describe(other))
	}
	_, err = plan.With(func(n *Nodes) { n.Changes = nil })
	if err == nil || !strings.Contains(err.Error(), `sink lake: there is no node items with table "order"`) {
		t.Errorf("error %v for a sink of a node that is not there", err)
	}
}

// TestFormerly: a consumer that had the rows of a table from another node of the stage
// is told from one that is new.
func TestFormerly(t *testing.T) {
	p := (&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").filter("some", "items.order").sink("dwh", settled, "some").sink("raw", settled, "items.order")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	stage, outputs := plan.Stages[0], plan.Outputs()
	raw, some := outputs[1].Table, outputs[2].Table
	for _, c := range []struct {
		table *pipeline.Table
		sink  string
		had   map[string][]string
		want  string
	}{
		{some, "dwh", map[string][]string{"order": {"dwh"}}, "items"},
		{some, "dwh", map[string][]string{"some.order": {"dwh"}}, ""},
		{some, "dwh", map[string][]string{"order": {"raw"}}, ""},
		{raw, "raw", map[string][]string{"some.order": {"raw"}}, "some"},
		{raw, "raw", map[string][]string{"some.customer": {"raw"}, "border": {"raw"}}, ""},
	} {
		if got := stage.Formerly(c.table, Consumer{ID: c.sink}, c.had); got != c.want {
			t.Errorf("%s of %s, where the state had %v: from %q, want %q", c.sink, stage.StateName(c.table), c.had, got, c.want)
		}
	}
}

// TestPolicyNames: a policy has the same name in every state folder.
func TestPolicyNames(t *testing.T) {
	expired := func(fate pipeline.OnDelete) pipeline.TTLDeletes { return pipeline.TTLDeletes{Set: true, Fate: fate} }
	for want, o := range map[string]PolicyOutput{
		"latest_non_null":             {Policy: pipeline.Policy{Merge: pipeline.LatestNonNull}},
		"first":                       {Policy: pipeline.Policy{Merge: pipeline.First}},
		"flag":                        {Policy: pipeline.Policy{OnDelete: pipeline.Flag}},
		"keep":                        {Policy: pipeline.Policy{OnDelete: pipeline.Keep}},
		"ttl_keep":                    {Policy: pipeline.Policy{TTLDeletes: expired(pipeline.Keep)}},
		"latest_non_null,flag":        {Policy: pipeline.Policy{Merge: pipeline.LatestNonNull, OnDelete: pipeline.Flag}},
		"first,keep,ttl_delete":       {Policy: pipeline.Policy{Merge: pipeline.First, OnDelete: pipeline.Keep, TTLDeletes: expired(pipeline.Delete)}},
		"flag,ttl_keep by name, city": {Policy: pipeline.Policy{OnDelete: pipeline.Flag, TTLDeletes: expired(pipeline.Keep)}, ExtraKey: pipeline.JoinExtraKey([]string{"name", "city"})},
	} {
		if got := o.Name(); got != want {
			t.Errorf("%+v is called %q, want %q", o.Policy, got, want)
		}
	}
}

// TestQuestions: what of a plan is asked by name or output.
func TestQuestions(t *testing.T) {
	p := (&pipe{}).source("in", &source{format: cdc}).source("bare", &source{format: cdc, keyless: true}).
		change("items", &changes{tables: []*pipeline.Table{pipelinetest.Table("order", "id", "id"), pipelinetest.Table("lines", "", "text")}}, "in").change("rest", &changes{tables: []*pipeline.Table{pipelinetest.Table("row", "id", "id")}}, "bare").
		row("wide", &rows{}, "items.order", "rest").sink("lake", logs, "wide.order", "items.lines")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if got, want := plan.Transforms(), []string{"items", "rest", "wide"}; !slices.Equal(got, want) {
		t.Errorf("transforms %v, want %v", got, want)
	}
	for i, want := range []struct {
		output        string
		settle, taken bool
	}{{"items.order", true, false}, {"items.lines", false, true}, {"rest.row", false, false}, {"wide.order", true, true}, {"wide.row", false, false}} {
		o := plan.Outputs()[i]
		if o.Node+"."+o.Table.Name != want.output || plan.CanSettle(o) != want.settle || plan.Taken(o) != want.taken {
			t.Errorf("output %s.%s can be settled: %v, is taken: %v; want %+v", o.Node, o.Table.Name, plan.CanSettle(o), plan.Taken(o), want)
		}
	}
	if s := plan.Stages[0]; !s.Reads("in") || s.Reads("bare") {
		t.Error("a stage does not know what it reads")
	}
}
