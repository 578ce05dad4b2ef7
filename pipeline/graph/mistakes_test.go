package graph

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// TestMistakes: each mistake is told with the node and key that it belongs to, and all
// of a pipeline at once.
func TestMistakes(t *testing.T) {
	base := func() *pipe {
		return (&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in")
	}
	keyless := func() *changes { return &changes{tables: []*pipeline.Table{pipelinetest.Table("lines", "", "text")}} }
	first := func(inserts bool) *pipe {
		c := &changes{tables: shop().tables, policies: map[string]pipeline.Policy{"order": {Merge: pipeline.First}}, inserts: inserts}
		return (&pipe{}).source("in", &source{format: cdc}).change("items", c, "in")
	}
	plain := func(table, version string) *source {
		return &source{format: pipeline.Format{Encoding: pipeline.JSON, Table: table, Version: pipeline.VersionColumn{From: version}}}
	}
	order, counts := named("order"), named("counts")
	const putUnnest = "put an unnest transform between them"
	const placesOfTheirOwn = ": give each a place of its own, or make one sink of them"
	cases := []struct {
		name string
		pipe *pipe
		want []string
	}{
		{"rows where changes are read", base().change("more", shop(), "items").sink("a", logs, "more.order"),
			[]string{"transform more, inputs.0: items is a transform and gives rows, but unnest reads undecoded changes: read a source"}},
		{"changes where rows are read", base().filter("some", "in").row("wide", &rows{}, "items", "in").stateful("star", counting(), "some").sink("a", logs, "wide", "star", "some"),
			[]string{
				"transform wide, inputs.1: in is a source and gives undecoded changes, but derive reads rows: " + putUnnest,
				"transform star, inputs.0: some gives undecoded changes, but star reads rows: " + putUnnest,
				"sink a, inputs.2: some gives undecoded changes: " + putUnnest,
			}},
		{"one source by two ways", base().filter("a", "in").filter("b", "a", "in").change("more", shop(), "a", "in").sink("s", logs, "items", "more"),
			[]string{
				"transform b, inputs.1: b reads in twice, here and through another input: a change can take effect once only",
				"transform more, inputs.1: more reads in twice, here and through another input: a change can take effect once only",
				"sink s: tables items.customer and more.customer have one name in this sink: rename one of them",
				"sink s: tables items.order and more.order have one name in this sink: rename one of them",
			}},
		{"a filter of changes and of rows", base().filter("mixed", "in", "items").sink("s", logs, "items"),
			[]string{"transform mixed, inputs.1: items gives rows, and in gives undecoded changes: one filter takes one or the other"}},
		{"no such table", base().row("wide", &rows{}, "items.orders").sink("s", logs, "items.customer", "items.lines"),
			[]string{`transform wide, inputs.0: items has no table "orders"; known are customer, order`, `sink s, inputs.1: items has no table "lines"; known are customer, order`}},
		{"names that differ in case only, in a sink", base().change("more", &changes{tables: []*pipeline.Table{pipelinetest.Table("Order", "id", "id")}}, "in").
			sink("s", logs, "items.order", "more").row("both", &rows{}, "items.order", "more").sink("t", logs, "both.order"),
			[]string{`sink s: tables items.order and more.Order have one name in this sink: rename one of them`}},
		{"two tables of one name in a transform", base().change("more", shop(), "in").row("both", &rows{}, "items.order", "more.order").sink("s", logs, "both"),
			[]string{`transform both: tables items.order and more.order have one name in this transform: rename one of them`}},
		{"no key", (&pipe{}).source("in", &source{format: cdc}).change("items", keyless(), "in").
			stateful("star", counting(pipeline.Input{Table: named("lines"), Log: true}, pipeline.Input{Table: named("lines")}), "items").sink("dwh", settled, "star", "items"),
			[]string{
				`transform star, inputs.0: table "lines" has no key, so its rows can only be appended, and this transform keeps rows by their keys: give the table a key`,
				`sink dwh, inputs.1: table "lines" has no key, so its rows can only be appended, and this sink takes settled rows: give the table a key, or use a parquet sink with mode append`,
			}},
		{"records without a key", (&pipe{}).source("in", &source{format: cdc, keyless: true}).change("items", shop(), "in").row("wide", &rows{}, "items.order").
			stateful("star", counting(pipeline.Input{Table: order}), "wide").sink("dwh", settled, "wide", "star").sink("lake", appends, "wide"),
			[]string{
				`source in: the records have no key, so they can only be appended, and transform "star" keeps rows by their keys: give the source a key`,
				`source in: the records have no key, so they can only be appended, and sink "dwh" takes settled rows: give the source a key`,
			}},
		{"first rows that are merged or shown by their log", first(false).
			stateful("star", counting(pipeline.Input{Table: order, Log: true}, pipeline.Input{Table: order, Policy: pipeline.Policy{Merge: pipeline.LatestNonNull}}), "items.order").sink("dwh", settled, "star"),
			[]string{
				`transform star, inputs.0: table "order" has keep: first, and a dimension of star would show the newest row of its log instead: ` +
					`make the dimension of a table without keep, or let where take inserts only ($meta.event_name: [INSERT])`,
				`transform star, inputs.0: table "order" has keep: first, so its row is that of one change, and merge: latest_non_null of star takes values of several: leave one of the two out`,
			}},
		{"first rows of a log that has no others", first(true).stateful("star", counting(pipeline.Input{Table: order, Log: true}), "items.order").sink("dwh", settled, "star"), nil},
		{"a log, a policy and fewer rows of an operator", base().stateful("star", counting(pipeline.Input{Table: order}), "items.order").
			stateful("log", counting(pipeline.Input{Table: counts, Log: true}), "star").stateful("policy", counting(pipeline.Input{Table: counts, Policy: pipeline.Policy{OnDelete: pipeline.Keep}}), "star.counts").
			filter("fewer", "star").row("computed", &rows{dead: true}, "star").row("fine", &rows{}, "star").
			sink("a", settled, "log").sink("b", settled, "policy").sink("c", settled, "fewer").sink("d", settled, "computed").sink("e", settled, "fine"),
			[]string{
				`transform fewer, inputs.0: table "counts" of star has settled rows only, and fewer may leave rows out, which takes the log: put it before star`,
				`transform computed, inputs.0: table "counts" of star has settled rows only, which have no record to make a dead letter of: give the columns of computed an on_error of null or fail`,
				`transform log, inputs.0: table "counts" of star has settled rows only, and log wants its log, or merges or keeps its rows: read the table of an unnest transform`,
				`transform policy, inputs.0: table "counts" of star has settled rows only, and policy wants its log, or merges or keeps its rows: read the table of an unnest transform`,
			}},
		{"too many keyspaces", base().stateful("star", func(tables map[string]*pipeline.Table) *stateful {
			return &stateful{tables: []*pipeline.Table{pipelinetest.Table("counts", "id", "id")}, keyspaces: pipeline.MaxKeyspaces + 1}
		}, "items").sink("dwh", settled, "star"),
			[]string{fmt.Sprintf("transform star: it wants %d keyspaces, and gets up to %d", pipeline.MaxKeyspaces+1, pipeline.MaxKeyspaces)}},
		{"a table that it was not made for", base().stateful("star", func(tables map[string]*pipeline.Table) *stateful {
			return &stateful{tables: []*pipeline.Table{pipelinetest.Table("counts", "id", "id")}, inputs: []pipeline.Input{{Table: order}}}
		}, "items").sink("dwh", settled, "star"),
			[]string{`transform star: it reads table "order", which is not among its inputs`}},
		{"two orders of reading of one table", (&pipe{}).source("a", plain("shop", "")).source("b", plain("shop", "at")).source("c", plain("other", "")).source("d", plain("", "")).
			source("d2", &source{format: pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "d"}}).source("e", &source{format: pipeline.Format{Encoding: pipeline.JSON}, keyless: true}).
			change("items", shop(), "a", "b", "c", "d", "d2", "e").sink("lake", logs, "items.order"),
			[]string{
				"source a, version: version is missing: items reads b and a, whose records are of one table, and nothing tells which of their changes is newer: " +
					"say where the version is, as `version: {from: updated_at, type: timestamp}`, or give the records of each source a table of their own (table)",
				"source d, version: version is missing: items reads d2 and d, whose records are of one table, and nothing tells which of their changes is newer: " +
					"say where the version is, as `version: {from: updated_at, type: timestamp}`, or give the records of each source a table of their own (table)",
			}},
		{"one place for two sinks", base().sink("a", &sink{mode: pipeline.Log, path: "lake/x"}, "items.order").sink("b", &sink{mode: pipeline.Log, path: "lake/x"}, "items.order").
			sink("c", &sink{mode: pipeline.Log, path: "lake/x/deep"}, "items.order").sink("d", &sink{mode: pipeline.Log, path: "lake"}, "items.customer").sink("e", &sink{mode: pipeline.Log, path: "elsewhere/*"}, "items"),
			[]string{
				`sink b, url: sinks a and b both write table "order" to one place` + placesOfTheirOwn,
				`sink c, url: the folder of table "order" lies in that of table "order" of sink a` + placesOfTheirOwn,
				`sink c, url: the folder of table "order" lies in that of table "order" of sink b` + placesOfTheirOwn,
				`sink d, url: the folder of table "order" of sink a lies in that of table "customer"` + placesOfTheirOwn,
				`sink d, url: the folder of table "order" of sink b lies in that of table "customer"` + placesOfTheirOwn,
				`sink d, url: the folder of table "order" of sink c lies in that of table "customer"` + placesOfTheirOwn,
			}},
		{"what the sink itself refuses", (&pipe{}).source("in", &source{format: cdc}).change("items", &changes{tables: []*pipeline.Table{pipelinetest.Table("refused", "id", "id")}}, "in").sink("lake", logs, "items"),
			[]string{"sink lake: " + errRefused.Error()}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plan, mistakes := Build(&c.pipe.Declaration)
			var got []string
			for _, m := range mistakes {
				text := m.Error()
				for i, known := range m.Known {
					text += []string{"; known are ", ", "}[min(i, 1)] + known
				}
				got = append(got, text)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if (plan == nil) != (len(c.want) > 0) {
				t.Errorf("plan %v with %d mistakes", plan, len(got))
			}
		})
	}
}

// TestUnmadeNodes: what could not be made has been told of already: there is no plan,
// and nothing is said of what hangs on it.
func TestUnmadeNodes(t *testing.T) {
	broken := TransformDeclaration{Name: "broken", Type: "derive", Unsound: true, Inputs: reads([]string{"in", "items"}),
		Row: func([]*pipeline.Table) (pipeline.RowTransform, bool) { panic("it is not sound") }}
	unmade := TransformDeclaration{Name: "items", Type: "filter", Inputs: reads([]string{"in"}),
		Filter: func() (pipeline.ChangeFilter, bool) { return nil, false }}
	circle := TransformDeclaration{Name: "circle", Type: "filter", Inputs: reads([]string{"circle2"}), Unsound: true, Filter: unmade.Filter, Row: broken.Row}
	circle2 := TransformDeclaration{Name: "circle2", Type: "filter", Inputs: reads([]string{"circle"}), Unsound: true, Filter: unmade.Filter, Row: broken.Row}
	for name, p := range map[string]*pipe{
		"a source":                   (&pipe{}).source("in", nil).change("items", shop(), "in").sink("lake", logs, "items"),
		"a transform of changes":     (&pipe{}).source("in", &source{format: cdc}).change("items", nil, "in").row("wide", &rows{}, "items").sink("lake", logs, "wide", "items.unknown"),
		"a filter of changes":        (&pipe{Declaration{Transforms: []TransformDeclaration{unmade}}}).source("in", &source{format: cdc}).change("all", shop(), "items").sink("lake", logs, "all"),
		"a row transform":            (&pipe{Declaration{Transforms: []TransformDeclaration{broken}}}).source("in", &source{format: cdc}).change("items", shop(), "in").sink("lake", logs, "broken", "items"),
		"a sink":                     (&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").sink("lake", nil, "items"),
		"nodes that feed each other": (&pipe{Declaration{Transforms: []TransformDeclaration{circle, circle2}}}).source("in", &source{format: cdc}).change("items", shop(), "in").sink("lake", logs, "items", "circle2"),
		"a transform of no type":     (&pipe{}).source("in", &source{format: cdc}).transform(TransformDeclaration{Name: "x"}, []string{"in"}).change("items", shop(), "in").sink("lake", logs, "items", "x"),
	} {
		if plan, mistakes := Build(&p.Declaration); plan != nil || len(mistakes) > 0 {
			t.Errorf("%s: plan %v, mistakes %v", name, plan, mistakes)
		}
	}
}

// TestIncompleteSink: a sink that reads what could not be made is not asked about its
// tables as a whole, but all else is checked.
func TestIncompleteSink(t *testing.T) {
	p := (&pipe{}).source("in", &source{format: cdc}).change("items", &changes{tables: []*pipeline.Table{pipelinetest.Table("refused", "", "text")}}, "in").change("more", nil, "in").
		sink("dwh", settled, "items", "more")
	_, mistakes := Build(&p.Declaration)
	if len(mistakes) != 1 || mistakes[0].Key[1] != "0" || errors.Is(mistakes[0].Err, errRefused) {
		t.Errorf("mistakes %v, want one about the key", mistakes)
	}
}

// TestChangesMade: all transforms of changes are there when they may be completed, and
// nothing is made of their tables yet.
func TestChangesMade(t *testing.T) {
	var made []string
	p := (&pipe{}).source("in", &source{format: cdc}).
		transform(TransformDeclaration{Name: "wide", Type: "derive", Row: func(tables []*pipeline.Table) (pipeline.RowTransform, bool) {
			made = append(made, "wide")
			return copyOf(&rows{}, tables), true
		}}, []string{"items"}).
		filter("some", "in").change("items", shop(), "in").change("more", shop(), "some").sink("lake", logs, "wide").sink("lake2", logs, "more")
	p.ChangesMade = func(all []ChangeNode) {
		for _, n := range all {
			made = append(made, fmt.Sprint(n.Name, n.Sources))
		}
	}
	if _, mistakes := Build(&p.Declaration); len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if want := []string{"items[in]", "more[in]", "wide"}; !slices.Equal(made, want) {
		t.Errorf("made %v, want %v", made, want)
	}
}

// TestCompileMisordered: nodes that read others come after them.
func TestCompileMisordered(t *testing.T) {
	p := (&pipe{}).source("in", &source{format: cdc}).change("items", shop(), "in").row("a", &rows{}, "items.order").stateful("star", counting(pipeline.Input{Table: named("order")}), "a").sink("dwh", settled, "star")
	plan, mistakes := Build(&p.Declaration)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	_, err := plan.With(func(n *Nodes) { n.Rows = nil })
	if want := "transform star: there is no node a before it"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = plan.With(func(n *Nodes) { n.Rows[0].Inputs = []Output{{"elsewhere", n.Rows[0].Inputs[0].Table}} })
	if want := "transform star: there is no node a before it\ntransform a: not all of its inputs are before it"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
