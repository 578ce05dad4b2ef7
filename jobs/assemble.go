package jobs

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// hook is called at each step of an epoch. Tests stop the process there; nothing
// else sets it.
var hook func(step engine.Step, epoch int64) error

// assembly is a pipeline file that was found to be right, built but not opened.
type assembly struct {
	file   *spec.File
	config engine.Config
}

// load reads, checks and builds a pipeline file. The error holds every mistake.
func load(path string, set []string) (*assembly, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(fmt.Errorf("pipeline file: %w", err))
	}
	f, err := spec.Load(path, data, kinds(), spec.Options{Set: set, Env: os.LookupEnv})
	if f == nil {
		return nil, usage(err)
	}
	a := &assembly{file: f}
	a.build()
	if err := f.Err(); err != nil {
		return nil, usage(err)
	}
	return a, nil
}

// build makes the nodes; mistakes go to the file. Nodes that are not sound are
// left out, and whatever hangs on them is not judged.
func (a *assembly) build() {
	f := a.file
	a.config = engine.Config{
		Name: f.Name, StateDir: f.State.Dir, StateMemory: int64(f.State.Memory),
		Tombstones: time.Duration(f.State.Tombstones), MaxRatio: f.DeadLetters.MaxRatio,
		Limits: engine.Limits{
			Interval: time.Duration(f.Epoch.Interval), Records: f.Epoch.MaxRecords,
			Bytes: int64(f.Epoch.MaxBytes), CommitTimeout: time.Duration(f.Epoch.CommitTimeout),
		},
		Metrics: engine.NewMetrics(),
		Log:     slog.New(redactingHandler{slog.Default().Handler(), f.Redact}),
		Hook:    hook,
	}
	for _, e := range f.Sources {
		if s, ok := buildNode(f, "sources", e.Value, sourceKinds); ok {
			a.config.Sources = append(a.config.Sources, engine.SourceNode{Name: e.Name, Source: s})
		}
	}
	for _, e := range f.Transforms {
		if t, ok := buildNode(f, "transforms", e.Value, transformKinds); ok {
			n := engine.TransformNode{Name: e.Name, Transform: t}
			for i, in := range e.Value.Inputs {
				if in.Table != "" {
					report(f, "transforms", e.Name, i, fmt.Sprintf("%s is a source: it gives changes, which have no tables", in.Node))
				}
				n.Inputs = append(n.Inputs, in.Node)
			}
			a.config.Transforms = append(a.config.Transforms, n)
		}
	}
	for _, e := range f.Sinks {
		a.buildSink(e.Value)
	}
	dead, err := deadletters.New(f.DeadLetters.URL)
	if err != nil {
		f.Report("dead_letters", "url", err)
		return
	}
	a.config.DeadLetters = dead
}

func buildNode[T any](f *spec.File, section string, c *spec.NodeConfig, kinds map[string]kind[T]) (node T, ok bool) {
	if !c.Sound || c.Config == nil {
		return node, false
	}
	node, err := kinds[c.Type].build(c.Name, c.Config)
	if err != nil {
		f.Report(section, c.Name, err)
		return node, false
	}
	return node, true
}

// report adds a mistake at an input.
func report(f *spec.File, section, node string, input int, message string) {
	f.Report(section, node, &spec.FieldError{Path: []string{"inputs", fmt.Sprint(input)}, Message: message})
}

func (a *assembly) buildSink(c *spec.NodeConfig) {
	sink, ok := buildNode(a.file, "sinks", c, sinkKinds)
	if !ok {
		return
	}
	n := engine.SinkNode{Name: c.Name, Sink: sink}
	complete := true
	for i, in := range c.Inputs {
		t := a.transform(in.Node)
		if t == nil {
			complete = false // reported with the graph, or not sound itself
			continue
		}
		n.Inputs = append(n.Inputs, a.edges(c.Name, i, in, t, sink.Mode())...)
	}
	a.checkNames(c.Name, n.Inputs)
	if checker, ok := sink.(tableChecker); ok && complete {
		if err := checker.Check(tablesOf(n.Inputs)); err != nil {
			a.file.Report("sinks", c.Name, err)
		}
	}
	a.config.Sinks = append(a.config.Sinks, n)
}

// edges resolves one input of a sink.
func (a *assembly) edges(sink string, at int, in spec.Input, t *engine.TransformNode, mode pipeline.Mode) []engine.Edge {
	var edges []engine.Edge
	var known []string
	for _, table := range t.Transform.Tables() {
		known = append(known, table.Name)
		if in.Table == "" || in.Table == table.Name {
			edges = append(edges, engine.Edge{Node: t.Name, Table: table})
		}
	}
	if len(edges) == 0 {
		a.file.Report("sinks", sink, &spec.FieldError{Path: []string{"inputs", fmt.Sprint(at)},
			Message: fmt.Sprintf("%s has no table %q", t.Name, in.Table), Name: in.Table, Known: known})
	}
	if mode == pipeline.Settled {
		a.checkSettled(sink, at, t, edges)
	}
	return edges
}

// checkSettled refuses what can not be settled: rows without a key, and
// records of which nobody knows which item they are of.
func (a *assembly) checkSettled(sink string, at int, t *engine.TransformNode, edges []engine.Edge) {
	for _, e := range edges {
		if len(e.Table.Key) == 0 {
			report(a.file, "sinks", sink, at, fmt.Sprintf("table %q has no key, so its rows can only be appended, and this sink takes settled rows: give the table a key, "+
				"or use a parquet sink with mode append", e.Table.Name))
		}
	}
	for _, s := range a.config.Sources {
		if k, ok := s.Source.(keyless); ok && k.Keyless() && slices.Contains(t.Inputs, s.Name) {
			a.file.Report("sources", s.Name, fmt.Errorf("the records have no key, so they can only be appended, and sink %q takes settled rows: give the source a key", sink))
		}
	}
}

// checkNames refuses two tables of one name in a sink: also when they differ in
// case only, which warehouses and file systems may not tell apart.
func (a *assembly) checkNames(sink string, edges []engine.Edge) {
	seen := map[string]engine.Edge{}
	for _, e := range edges {
		folded := fold(e.Table.Name)
		if other, twice := seen[folded]; twice {
			a.file.Report("sinks", sink, fmt.Errorf("tables %s.%s and %s.%s have one name in this sink: rename one of them",
				other.Node, other.Table.Name, e.Node, e.Table.Name))
		}
		seen[folded] = e
	}
}

func (a *assembly) transform(name string) *engine.TransformNode {
	for i := range a.config.Transforms {
		if a.config.Transforms[i].Name == name {
			return &a.config.Transforms[i]
		}
	}
	return nil
}

func tablesOf(edges []engine.Edge) []*pipeline.Table {
	tables := make([]*pipeline.Table, len(edges))
	for i, e := range edges {
		tables[i] = e.Table
	}
	return tables
}
