package jobs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/state"
)

const comparedPipeline = `name: shop
sources:
  c: {type: file, path: in, format: json, key: [id], version: {from: at, type: int64}}
transforms:
  items:
    type: unnest
    inputs: [c]
    tables:
      row: {where: {k: [{exists: true}]}, key: [id], columns: {id: {}, k: {on_error: "null"}, n: {type: "decimal(10,2)"}}}
sinks:
  w: {type: postgres, inputs: [items], dsn: "postgres://me:sesame-open@db:5432/shop"}
  d: {type: duckdb, inputs: [items.row], dsn: ./data/shop.duckdb}
`

// comparing loads a pipeline file of this text.
func comparing(t *testing.T, text string, set ...string) *assembly.Pipeline {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.yaml")
	write(t, file, []byte(text))
	a, err := assembly.Load(file, set)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return a
}

// keptOf is what a state that a pipeline has built keeps.
func keptOf(t *testing.T, a *assembly.Pipeline, read ...string) *state.Contents {
	t.Helper()
	d, err := definition.Of(a.File, a.DefinitionInputs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return &state.Contents{Definition: raw, Checkpoint: &state.Checkpoint{Epoch: 3}, Committed: 3, Read: read}
}

// TestSameDefinition: what means the same is no change, however it is written, and
// no secret is kept.
func TestSameDefinition(t *testing.T) {
	t.Setenv("SHOP_FIELD", "at")
	t.Setenv("SHOP_KEY", "at") // a secret, by its name
	kept := keptOf(t, comparing(t, comparedPipeline), "c")
	if strings.Contains(string(kept.Definition), "sesame") {
		t.Errorf("a password is kept: %s", kept.Definition)
	}
	here, err := filepath.Abs("data/shop.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"name: shop", "# a comment\nname: 'shop'"},
		{"format: json, key: [id]", `key: ["id"], format: json`},
		{"key: [id], version", "key: [[id]], version"},
		{"path: in,", "path: in, follow: false, max_record: 16MiB,"},
		{"{id: {}, k: {on_error: \"null\"}, n", "{k: {type: string, from: k, on_error: \"null\"}, id: {from: [id]}, n"},
		{"decimal(10,2)", "decimal(10, 2)"},
		{"from: at", `from: "${SHOP_FIELD}"`},
		{"from: at", `from: "${SHOP_KEY}"`},
		{"inputs: [items.row]", "inputs: [items]"},
		{"./data/shop.duckdb", "data//shop.duckdb"},
		{"./data/shop.duckdb", here},
		{"me:sesame-open@db:5432", "other:sesame-shut@DB"},
		{"@db:5432/shop", "@db/shop?sslmode=disable&connect_timeout=3"},
		{`"postgres://me:sesame-open@db:5432/shop"`, `"host=db dbname=shop user=me password=x"`},
		{"name: shop", "name: shop\nepoch: {interval: auto}\nstate: {dir: elsewhere}"},
	} {
		text := strings.Replace(comparedPipeline, c[0], c[1], 1)
		if text == comparedPipeline {
			t.Fatalf("%q is not there", c[0])
		}
		got, err := comparing(t, text).CompareWith(kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range got.Changes {
			t.Errorf("%s: %s", c[1], d.Message)
		}
	}
}

// TestChangedNames: what becomes of names that come, go and are changed.
func TestChangedNames(t *testing.T) {
	t.Parallel()
	const second = `  d: {type: duckdb, inputs: [items.row], dsn: ./data/shop.duckdb}
`
	for _, c := range []struct {
		name, old, with string
		fromNow         []string
		read            string
		says            string // of what is refused; "" = all is taken
		at              string // where
	}{
		{name: "a source", old: "  c:", with: "  events:", says: "sources.c was renamed: it is gone, and events is new", at: ":3:3"},
		{name: "a source that was never read", old: "  c:", with: "  events:", read: "none"},
		{name: "a source's version", old: "from: at", with: "from: seq", says: "sources.c.version.from was at, and is seq", at: ":3:64"},
		{name: "the version of a source that was never read", old: "from: at", with: "from: seq", read: "none"},
		{name: "a version that is left out", old: ", version: {from: at, type: int64}", with: "", says: "sources.c.version.from was at, and is left out", at: ":3:3"},
		{name: "a transform", old: "  items:\n", with: "  rows:\n", says: "transforms.items was renamed: it is gone, and rows is new", at: ":5:3"},
		{name: "a table", old: "row: {where", with: "line: {where", says: "transforms.items.tables.row was renamed: it is gone, and line is new", at: ":9:7"},
		{name: "a table, and from now on", old: "row: {where", with: "line: {where", fromNow: []string{"items", "d"}, says: "transforms.items.tables.row was renamed"},
		{name: "a sink", old: "  w: {", with: "  pg: {", says: "sinks.w was renamed: it is gone, and pg is new", at: ":11:3"},
		{name: "a sink's target", old: "db:5432", with: "other:5432", says: "sinks.w.dsn was \"db:5432/shop\", and is \"other:5432/shop\""},
		{name: "a sink that is gone", old: second, with: "", says: "sinks.d was there, and is gone: put it back, or take it"},
		{name: "a sink that is gone from now on", old: second, with: "", fromNow: []string{"d"}},
		{name: "a new source", old: "  c:", with: "  more: {type: file, path: more, format: json, key: [id], version: {from: at, type: int64}}\n  c:"},
		{name: "a column", old: "k: {on_error", with: "kk: {from: k, on_error", says: "columns.kk is new"},
		{name: "a column from now on", old: "k: {on_error", with: "kk: {from: k, on_error", fromNow: []string{"items"}},
		{name: "a column's type", old: "decimal(10,2)", with: "double", fromNow: []string{"items"}, says: `columns.n.type was "decimal(10,2)", and is double`},
		{name: "an input", old: "inputs: [c]", with: "inputs: [f]", says: "transforms.f is new"},
		{name: "an input from now on", old: "inputs: [c]", with: "inputs: [f]", fromNow: []string{"f"}, says: "transforms.items no longer reads c"},
		{name: "inputs from now on", old: "inputs: [c]", with: "inputs: [f]", fromNow: []string{"f", "items"}},
	} {
		text := strings.Replace(comparedPipeline, c.old, c.with, 1)
		switch {
		case strings.Contains(c.name, "a transform"):
			text = strings.ReplaceAll(strings.ReplaceAll(text, "[items]", "[rows]"), "[items.row]", "[rows]")
		case strings.Contains(c.name, "a table"):
			text = strings.ReplaceAll(text, "[items.row]", "[items.line]")
		case strings.HasPrefix(c.name, "a source") && strings.Contains(c.with, "events"), c.name == "a source that was never read":
			text = strings.ReplaceAll(text, "[c]", "[events]")
		case c.name == "a new source":
			text = strings.ReplaceAll(text, "[c]", "[c, more]")
		case strings.Contains(c.with, "[f]"):
			text = strings.Replace(text, "transforms:\n", "transforms:\n  f: {type: filter, inputs: [c], where: {k: [{exists: true}]}}\n", 1)
		}
		read := c.read
		if read == "" {
			read = "c"
		}
		a := comparing(t, text)
		a.FromNow = c.fromNow
		got, err := a.CompareWith(keptOf(t, comparing(t, comparedPipeline), read))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		said := fmt.Sprint(got.Err())
		switch {
		case c.says == "" && got.Refused:
			t.Errorf("%s: %s", c.name, said)
		case c.says != "" && !strings.Contains(said, c.at+": ") || !strings.Contains(said, c.says) && c.says != "":
			t.Errorf("%s: want %s: %s, got %s", c.name, c.at, c.says, said)
		}
		switched := got.Next.Switches
		if c.says == "" && len(c.fromNow) > 0 && (len(switched) != len(c.fromNow) || slices.ContainsFunc(switched, func(s definition.Switch) bool { return s.Epoch != 4 })) {
			t.Errorf("%s: switches %+v", c.name, switched)
		}
	}
}
