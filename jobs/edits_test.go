package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// keyEdit is a change of one key of the pipeline file, as --set writes it.
type keyEdit struct {
	key    string // of the schema, names left out
	path   []string
	change string
	set    []string
}

// values are what texts without a fixed set of values are changed to, by the end of
// the key; several settings where one would not be valid.
var values = map[string][]string{
	"name": {"edited"}, "state.dir": nil, "dead_letters.url": {"DIR/dead2"}, "http.listen": {"127.0.0.1:1"},
	"file.path": {"DIR/in/**/*.ndjson"}, "file.format": nil, "file.table": {"others"}, "file.key": {"[[id, old.id], kind]"}, "file.before": {"was", "key=[[id, was.id]]"},
	"version.from": {"at2"}, "version.type": {"^{from: at, type: int64}"}, "version.format": {"2006-01-02 15:04:05"}, "version.zone": {"Asia/Tokyo"}, "operation.from": {"action"},
	"operation.delete": {"[D, X]"}, "file.as_of": nil, "file.poll": nil, "file.follow": nil, "file.ttl_deletes": nil,
	"unnest.tables.where": {"{kind: [thing, other]}"}, "explode.from": {"[parts, pieces]"}, "explode.as": {"q", "tables.part.columns.p={from: q}"},
	"explode.ordinal": {"place", "tables.part.columns.position={from: place}"}, "part.key": {"[position, id]"}, "thing.key": nil, "day.type": nil, "yes.type": nil, "thing.keep": nil, "joined.columns.weight": nil,
	"columns.from": {"label"}, "day.from": {"later"}, "yes.from": {"other"}, "columns.after": {"N"}, "columns.split": {"0"}, "columns.part": {"1"}, "columns.extract": {"([0-9])"}, "columns.expr": {"n + 2"}, "columns.type": {"double"},
	"columns.format": {"2006-01-02 15:04:05"}, "columns.zone": {"Asia/Tokyo"}, "columns.true_values": {"[Y, N2]"}, "columns.false_values": {"[N, M]"},
	"derive.columns.expr": {"n * 3"}, "derive.columns.type": {"string"}, "unnest.tables.keep": {"first"},
	"filter.where": {"{kind: [{anything-but: [noise, silence]}]}"}, "filter.expr": {"n < 50"},
	"source.type": nil, "dimensions.history": nil, "duckdb.memory_limit": {"200MiB"}, "source.path": {"DIR/ref2.csv"}, "source.delimiter": {";"}, "reference.types": {"string"}, "reference_join.on": {"title"}, "reference_join.columns": {"code"},
	"reference_join.drop": {"[found, part]"}, "reference_join.normalize": {"[trim, case]"}, "reference_join.version_column": {"version"},
	"dimensions.from": {"part", "dimensions.dim_thing.attributes=[p]"}, "dimensions.natural_key": {"[id, part]", "facts.fact_part.dimensions.thing_key.on={id: id, part: t.part}"}, "dimensions.surrogate_key": {"key2"},
	"dimensions.attributes": {"[name, title, part]"}, "calendar.from": {"2024-01-02"}, "calendar.to": {"2024-02-27"},
	"facts.from": {"thing", "facts.fact_part.grain=[id]"}, "facts.grain": {"[position, id]"}, "lookups.table": nil,
	"lookups.on": {"p"}, "dimensions.dimension": nil, "dimensions.on": nil, "facts.measures": {"position"}, "measures.expr": {"t.n * 3"}, "measures.type": {"string"},
	"duckdb.dsn": {"DIR/w2.duckdb"}, "schema": {"other"}, "postgres.dsn": {"postgres://u:sesame@127.0.0.1:2/d"}, "parquet.url": {"DIR/lake2"}, "parquet.partition_by": {"[{month: day}]"},
}

// edits draws a change of every key from the JSON schema, where the pipeline file
// has it.
func edits(t *testing.T, text []byte) (all []keyEdit) {
	t.Helper()
	b, err := spec.Schema(assembly.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var schema, file map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	w := &editWalk{t: t}
	w.object(schema, file, "", nil)
	return w.all
}

type editWalk struct {
	t   *testing.T
	all []keyEdit
}

// object walks the keys of a mapping; key names where it is in the schema.
func (w *editWalk) object(schema, file map[string]any, key string, path []string) {
	if ways, ok := schema["oneOf"].([]any); ok { // the types of a node
		for _, way := range ways {
			if m := way.(map[string]any); m["title"] == file["type"] {
				w.object(m, file, fmt.Sprint(file["type"]), path)
			}
		}
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if name != "tests" && name != "inputs" && !(name == "type" && len(path) == 2) {
			w.value(properties[name].(map[string]any), file[name], strings.TrimPrefix(key+"."+name, "."), append(slices.Clone(path), name))
		}
	}
	if inner, ok := schema["additionalProperties"].(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(file)) {
			w.value(inner, file[name], key, append(slices.Clone(path), name))
		}
	}
}

func (w *editWalk) value(schema map[string]any, value any, key string, path []string) {
	ways := []any{schema}
	if any, ok := schema["anyOf"].([]any); ok {
		ways = any
	}
	if m, ok := value.(map[string]any); ok {
		for _, way := range ways {
			way := way.(map[string]any)
			if way["properties"] != nil || way["additionalProperties"] != nil && way["additionalProperties"] != false || way["oneOf"] != nil {
				if change, ok := schema["x-change"]; ok && way["x-change"] == nil && way["properties"] == nil {
					w.leaves(way, m, key, path, change.(string))
					return
				}
				w.object(way, m, key, path)
				return
			}
			if inner, ok := way["anyOf"].([]any); ok { // may be null
				w.value(map[string]any{"anyOf": inner, "x-change": schema["x-change"]}, value, key, path)
				return
			}
		}
	}
	change, ok := schema["x-change"].(string)
	if !ok || value == nil {
		return
	}
	w.leaf(ways, value, key, path, change)
}

// leaves walks a mapping of names to plain values, which have the change of it.
func (w *editWalk) leaves(schema, file map[string]any, key string, path []string, change string) {
	inner, _ := schema["additionalProperties"].(map[string]any)
	if inner == nil {
		w.object(schema, file, key, path)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		at := append(slices.Clone(path), name)
		if _, ok := file[name].(map[string]any); ok {
			w.value(inner, file[name], key, at)
		} else {
			w.leaf([]any{inner}, file[name], key, at, change)
		}
	}
}

// leaf makes the edit of one value.
func (w *editWalk) leaf(ways []any, value any, key string, path []string, change string) {
	to := w.other(ways, value, key, strings.Join(path, "."))
	if to == nil {
		return
	}
	e := keyEdit{key: key, path: path, change: change}
	for i, v := range to {
		at := strings.Join(path, ".")
		if whole, ok := strings.CutPrefix(v, "^"); ok { // of what holds it
			at, v = strings.Join(path[:len(path)-1], "."), whole
		}
		if i > 0 { // what has to go with it
			rest, to, _ := strings.Cut(v, "=")
			at, v = strings.Join(path[:2], ".")+"."+rest, to
		}
		e.set = append(e.set, at+"="+v)
	}
	w.all = append(w.all, e)
}

// other returns another value that a key may have; nil = the pipeline has no use
// for one.
func (w *editWalk) other(ways []any, value any, key, path string) []string {
	longest := ""
	for end := range values {
		if strings.HasSuffix("."+path, "."+end) && strings.Contains(end, ".") {
			return values[end]
		}
		if strings.HasSuffix("."+key, "."+end) && len(end) > len(longest) {
			longest = end
		}
	}
	if i := slices.IndexFunc(ways, func(way any) bool { return way.(map[string]any)["pattern"] != nil }); i > 0 {
		ways = []any{ways[i], ways[0]} // a size is a number, or a text with a unit
	}
	for _, way := range ways {
		m := way.(map[string]any)
		words, _ := m["enum"].([]any)
		for _, word := range words {
			if longest == "" && word != value {
				return []string{fmt.Sprintf("%q", word)}
			}
		}
		switch pattern, _ := m["pattern"].(string); {
		case longest != "":
		case m["type"] == "boolean":
			return []string{fmt.Sprint(value != true)}
		case m["type"] == "integer":
			return []string{"7"}
		case m["type"] == "number":
			return []string{"0.5"}
		case strings.Contains(pattern, "|ms|us|ns"):
			return []string{"17m"}
		case strings.Contains(pattern, "[KMGT]iB"):
			return []string{"80MiB"}
		}
	}
	if longest == "" {
		w.t.Errorf("%s: no other value of this key is known: add one to values", key)
		return nil
	}
	return values[longest]
}

// editedPipeline is a pipeline whose sinks are in memory, and its folder.
type editedPipeline struct {
	t     *testing.T
	dir   string
	sinks map[string]*memoryWarehouse
}

const editsFirst = `{"kind": "thing", "id": "a", "at": "2024-01-01 11:00:01", "name": "N-1", "label": "l", "n": 1, "when": "2024-01-05 10:00:00", "flag": "Y", "parts": ["x", "y"], "ref": "A"}
{"kind": "thing", "id": "b", "at": "2024-01-01 11:00:02", "name": "N-2", "n": 2, "when": "2024-01-06 10:00:00", "flag": "N", "parts": [], "ref": "B"}
{"kind": "thing", "id": "c", "at": "2024-01-01 11:00:03", "name": "N-3", "n": 3, "when": "2024-01-07 10:00:00", "flag": "Y", "parts": ["z"], "ref": "none"}
{"kind": "noise", "id": "d", "at": "2024-01-01 11:00:04"}
{"kind": "thing", "id": "e", "at": "2024-01-01 11:00:05", "name": "N-5", "n": 5, "when": "2024-01-08 10:00:00", "flag": "Y", "parts": ["u"], "ref": "A"}
`

// The items of editsSecond are b, c and f; all else stays as it is.
const editsSecond = `{"kind": "thing", "id": "b", "at": "2024-01-02 11:00:02", "name": "N-22", "label": "L-22", "n": 22, "when": "2024-01-16 10:00:00.25", "flag": "Y", "parts": ["x", "w"], "ref": "a"}
{"kind": "thing", "id": "c", "at": "2024-01-02 11:00:03", "op": "D"}
{"kind": "thing", "id": "f", "at": "2024-01-02 11:00:06", "name": "N-66", "label": "N-L", "n": 66, "when": "2024-01-17 10:00:00", "flag": "N", "parts": ["v"], "pieces": ["q"], "ref": "B"}
`

func newEditedPipeline(t *testing.T, dir string, inputs ...string) *editedPipeline {
	t.Helper()
	p := &editedPipeline{t: t, dir: dir, sinks: map[string]*memoryWarehouse{}}
	if err := os.MkdirAll(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ref.csv"), []byte("code,title,weight\nA,Alpha,1\nB,Beta,2\n"))
	write(t, filepath.Join(dir, "ref2.csv"), []byte("code,title,weight\nA,Aleph,1\nB,Beth,2\na,Little,3\n"))
	for _, name := range []string{"ref.csv", "ref2.csv"} { // it is the version that rows have
		if err := os.Chtimes(filepath.Join(dir, name), time.Unix(1704000000, 0), time.Unix(1704000000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range inputs {
		p.input(i, text)
	}
	for _, sink := range []string{"w", "pg", "lake"} {
		p.sinks[sink] = newMemoryWarehouse(func(map[string][]oracle.Row) error { return nil })
	}
	return p
}

func (p *editedPipeline) input(n int, text string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.dir, "in", fmt.Sprintf("%d.ndjson", n)), []byte(text))
}

// load reads the pipeline with settings, and puts the sinks in memory in.
func (p *editedPipeline) load(set []string, fromNow ...string) *assembly.Pipeline {
	p.t.Helper()
	pipelineFile(p.t, p.dir, "edits.yaml")
	file := filepath.Join(p.dir, "edits.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	write(p.t, file, []byte(strings.ReplaceAll(string(text), "DIR", p.dir)))
	a, err := assembly.Load(file, set)
	if err != nil {
		p.t.Errorf("%v: %v", set, err)
		return nil
	}
	editPlan(a, func(n *graph.Nodes) {
		for i := range n.Sinks {
			n.Sinks[i].Sink = p.sinks[n.Sinks[i].Name]
		}
	})
	a.Config.Compare, a.FromNow = a.Compare, fromNow
	return a
}

func (p *editedPipeline) run(set []string, fromNow ...string) error {
	p.t.Helper()
	in := make([]string, len(set))
	for i, v := range set {
		in[i] = strings.ReplaceAll(v, "DIR", p.dir)
	}
	err := engine.Run(context.Background(), context.Background(), p.load(in, fromNow...).Config)
	return err
}

var everyNode = []string{"c", "some", "items", "more", "few", "joined", "star", "w", "pg", "lake"}

// TestEditsOfEveryKey changes each key of the pipeline file, drawn from the JSON
// schema, of a pipeline that has rows: what says that it is free is taken, what says
// that it is content is refused and taken from now on where that is asked for, and
// identity is refused even so.
func TestEditsOfEveryKey(t *testing.T) {
	t.Parallel()
	base := newEditedPipeline(t, t.TempDir(), editsFirst)
	if err := base.run(nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(base.dir, "edits.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := edits(t, text)
	if len(all) < 90 {
		t.Errorf("%d edits: the schema was not read whole", len(all))
	}
	for _, e := range all {
		for _, fromNow := range [][]string{nil, everyNode} {
			want := definition.Taken
			switch {
			case e.key == "name":
				continue // the state says it itself
			case e.change == "identity", e.change == "content" && fromNow == nil:
				want = definition.Refused
			case e.change == "content":
				want = definition.FromNow
			}
			a := base.load(strings.Split(strings.ReplaceAll(strings.Join(e.set, "\n"), "DIR", base.dir), "\n"))
			if a == nil {
				break
			}
			c, err := a.CompareState(context.Background(), filepath.Join(base.dir, "state"), fromNow)
			if err != nil {
				t.Fatalf("%v: %v", e.set, err)
			}
			i := slices.IndexFunc(c.Changes, func(d definition.Change) bool {
				return d.Key == definition.Key(e.path) || strings.HasPrefix(d.Key, definition.Key(e.path)+".")
			})
			switch {
			case i < 0:
				t.Errorf("%v: nothing is said of it: %+v", e.set, c.Changes)
			case c.Changes[i].Verdict != want:
				t.Errorf("%v, which is %s, from now on %v: %s, want %s", e.set, e.change, fromNow, c.Changes[i].Verdict, want)
			case c.Refused != (want == definition.Refused):
				t.Errorf("%v: refused %t: %v", e.set, c.Refused, c.Err())
			}
		}
	}
}

// items returns the rows of the tables as texts, by the sink, the table and the item
// that they are of; those of none are of "".
func (p *editedPipeline) items() map[[2]string][]string {
	all := map[[2]string][]string{}
	for sink, w := range p.sinks {
		for table, rows := range w.all() {
			for _, r := range rows {
				at := [2]string{sink + "." + table, r["id"]}
				all[at] = append(all[at], fmt.Sprint(r))
				slices.Sort(all[at])
			}
		}
	}
	return all
}

// TestEditsTakeEffect runs a pipeline, changes a key and runs it again over more
// changes. What is refused changes nothing; what is free ends as a pipeline that had
// it from the beginning; and what is content as a model that switches then: items
// that were not changed since have the rows that they had, and others those that the
// new definition gives of the later changes alone.
func TestEditsTakeEffect(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/pipelines/edits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := edits(t, text)
	random := seed(t)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	most := map[string]int{"identity": 3, "free": 3, "content": 8}
	if os.Getenv("STARLIFT_TEST_EDITS") == "all" {
		most = map[string]int{"identity": len(all), "free": len(all), "content": len(all)}
	}
	for _, e := range all {
		if e.key == "reference_join.reference.source.format" || e.key == "reference_join.reference.source.delimiter" {
			continue // the file would have to be another one
		}
		if most[e.change]--; most[e.change] < 0 {
			continue
		}
		p := newEditedPipeline(t, t.TempDir(), editsFirst)
		if err := p.run(nil); err != nil {
			t.Fatal(err)
		}
		before, state := p.items(), pipelinetest.Files(t, filepath.Join(p.dir, "state"))
		p.input(1, editsSecond)
		if e.change != "free" {
			if err := p.run(e.set); err == nil {
				t.Errorf("%v is taken", e.set)
			}
			if !reflect.DeepEqual(before, p.items()) || !maps.Equal(state, pipelinetest.Files(t, filepath.Join(p.dir, "state"))) {
				t.Errorf("%v is refused, and changed something", e.set)
			}
		}
		switch e.change {
		case "free":
			anew := newEditedPipeline(t, t.TempDir(), editsFirst, editsSecond)
			if err := errors.Join(p.run(e.set), anew.run(e.set)); err != nil {
				t.Errorf("%v: %v", e.set, err)
			} else if !reflect.DeepEqual(p.items(), anew.items()) {
				t.Errorf("%v: %v, and from anew %v", e.set, p.items(), anew.items())
			}
		case "content":
			later := newEditedPipeline(t, t.TempDir(), editsSecond)
			if err := errors.Join(p.run(e.set, e.path[1]), later.run(e.set)); err != nil {
				t.Errorf("%v: %v", e.set, err)
				continue
			}
			want := later.items()
			for at, rows := range before {
				member := at[0] == "pg.dim_thing" && !strings.Contains(fmt.Sprint(want[at]), "is_inferred:false") // it stays
				if at[1] != "b" && at[1] != "c" && at[1] != "f" || member {
					want[at] = rows
				}
			}
			got := p.items()
			for _, at := range slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got))) {
				if !slices.Equal(got[at], want[at]) {
					t.Errorf("%v: %v: got %v, want %v", e.set, at, got[at], want[at])
					delete(got, at)
					delete(want, at)
				}
			}
		}
	}
}
