package preview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/fixture"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

const (
	// epochRecords is the greatest number of records of an epoch: after each it is seen whether
	// there are rows enough.
	epochRecords = 1000
	epochBytes   = 32 << 20
	// stateMemory is what the state may take of memory.
	stateMemory = 64 << 20
	// tombstones are kept for longer than anything in the input is old, in a pipeline that
	// settles nothing of its own: only the views do, and to them nothing may come too late.
	tombstones = 100 * 365 * 24 * time.Hour
)

// Options says how much is shown.
type Options struct {
	// Tables are those to show, as table or node.table; none = those of transforms of changes and
	// those that sinks take, without what is only between them.
	Tables []string
	// Rows is the number of rows that are shown of a table. Reading ends when each table has them.
	Rows int
	// Records is the number of records after which reading ends anyway.
	Records int64
}

// Result is what a preview shows.
type Result struct {
	Pipeline string `json:"pipeline"`
	// Records is the number of records that were read.
	Records int64 `json:"records"`
	// Complete says that the sources were read to their end.
	Complete bool          `json:"complete"`
	LeftOut  []LeftOut     `json:"left_out,omitempty"`
	Tables   []Table       `json:"tables"`
	Letters  []LetterCount `json:"dead_letters"`
}

// LeftOut is a source that is not read.
type LeftOut struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// Table is the rows of one table.
type Table struct {
	Node string `json:"node"`
	Name string `json:"table"`
	// Settled says that its rows are those that stand, one a key; otherwise they are those of each
	// change, with its operation in _op.
	Settled bool          `json:"settled"`
	Columns []Column      `json:"columns"`
	Count   int64         `json:"count"` // of all rows that the records make
	Rows    []fixture.Row `json:"rows"`  // the first of them
}

// Column is a column of a table.
type Column struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Masked bool   `json:"masked,omitempty"`
}

// LetterCount counts the dead letters of a node for one reason.
type LetterCount struct {
	Node    string          `json:"node"`
	Reason  pipeline.Reason `json:"reason"`
	Count   int             `json:"count"`
	Example string          `json:"example"` // the first: where it stands, and what is wrong
}

// shownTable is a table with the view of its rows.
type shownTable struct {
	graph.Output
	mode pipeline.Mode
	view *fixture.View
}

// preview is a preview at work.
type preview struct {
	pipeline *assembly.Pipeline
	options  Options
	tables   []shownTable
	letters  fixture.Letters
	result   *Result // nil = reading has not ended
	enough   context.CancelFunc
}

// Run reads the beginning of a pipeline's input. The pipeline can't be run afterwards.
func Run(ctx context.Context, a *assembly.Pipeline, o Options) (result *Result, err error) {
	p := &preview{pipeline: a, options: o}
	outputs, err := p.chosen()
	if err != nil {
		return nil, err
	}
	leftOut, err := sample(a)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "starlift-preview-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := p.replace(filepath.Join(dir, "state"), outputs); err != nil {
		return nil, err
	}
	stop, enough := context.WithCancel(ctx)
	defer enough()
	p.enough = enough
	if err := engine.Run(stop, ctx, a.Config); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.result == nil {
		p.result = p.snapshot()
	}
	end := a.Recorder.Progress()
	p.result.Complete = end.Ended && end.Records == p.result.Records
	p.result.LeftOut = leftOut
	return p.result, nil
}

// chosen returns the tables to show.
func (p *preview) chosen() (chosen []graph.Output, err error) {
	all := p.pipeline.Config.Outputs()
	if len(p.options.Tables) == 0 {
		return slices.DeleteFunc(all, p.between), nil
	}
	for _, name := range p.options.Tables {
		found := false
		for _, o := range all {
			if name != o.Table.Name && name != o.Node+"."+o.Table.Name {
				continue
			}
			found = true
			if !slices.Contains(chosen, o) {
				chosen = append(chosen, o)
			}
		}
		if !found {
			return nil, usage.Wrap(usage.NotKnown("--table", name, Names(p.pipeline)))
		}
	}
	return chosen, nil
}

// between reports whether a table is made of another one, and no sink takes it.
func (p *preview) between(o graph.Output) bool {
	plan := p.pipeline.Config.Plan
	return !plan.Taken(o) && !slices.ContainsFunc(plan.Changes, func(n graph.ChangeNode) bool { return n.Name == o.Node }) &&
		!slices.ContainsFunc(plan.Stateful, func(n graph.StatefulNode) bool { return n.Name == o.Node })
}

// Names returns the names of a pipeline's tables, with the node where several have one name.
func Names(a *assembly.Pipeline) (names []string) {
	all := a.Config.Outputs()
	for i, o := range all {
		name := o.Table.Name
		if slices.ContainsFunc(all, func(other graph.Output) bool { return other != all[i] && other.Table.Name == name }) {
			name = o.Node + "." + name
		}
		names = append(names, name)
	}
	return names
}

// sample puts sources that end in the place of those that don't, and leaves out those that can't.
func sample(a *assembly.Pipeline) (leftOut []LeftOut, err error) {
	var sources []graph.SourceNode
	for _, n := range a.Config.Sources {
		if !n.Source.Bounded() {
			s, ok := n.Source.(pipeline.Sampler)
			if !ok {
				leftOut = append(leftOut, LeftOut{n.Name, "it is followed and has no end, and reading a little of it is not possible: save some of its records in a file, and preview that"})
				continue
			}
			if n.Source, err = s.WithSample(); err != nil {
				return nil, fmt.Errorf("source %q: %w", n.Name, err)
			}
		}
		sources = append(sources, n)
	}
	if len(sources) == 0 {
		return nil, usage.Wrap(fmt.Errorf("no source can be previewed: source %q: %s", leftOut[0].Source, leftOut[0].Reason))
	}
	a.Config.Plan, err = a.Config.With(func(n *graph.Nodes) { n.Sources = sources })
	a.Config.Bounded = true
	return leftOut, err
}

// replace replaces everything that is written by views in memory.
func (p *preview) replace(stateDir string, outputs []graph.Output) (err error) {
	c := &p.pipeline.Config
	c.StateDir, c.StateMemory = stateDir, stateMemory
	c.Limits = engine.Limits{Interval: time.Hour, Records: min(epochRecords, p.options.Records), Bytes: epochBytes, CommitTimeout: time.Minute}
	c.MaxRatio, c.DeadLetters, c.Inbox = 1, &p.letters, nil
	c.Compare, c.Opened, c.Hook = nil, nil, p.afterStep
	c.Log = slog.New(slog.DiscardHandler)
	var sinks []graph.SinkNode
	settles := len(c.Stateful) > 0
	for _, o := range outputs {
		t := shownTable{Output: o, mode: modeOf(c.Plan, o)}
		t.view = fixture.NewView(o.Table, t.mode, p.options.Rows)
		settles = settles || t.mode == pipeline.Settled
		p.tables = append(p.tables, t)
		// No node of a file has such a name.
		sinks = append(sinks, graph.SinkNode{Name: fmt.Sprintf("preview of %s.%s", o.Node, o.Table.Name), Sink: t.view.Sink(), Inputs: []graph.Output{o}})
	}
	if c.Tombstones == 0 && settles {
		c.Tombstones = tombstones
	}
	c.Plan, err = c.With(func(n *graph.Nodes) { n.Sinks = sinks })
	return err
}

// modeOf returns how a table is shown: as its sinks take it, settled if some do, or if nobody
// takes it and it can be.
func modeOf(plan *graph.Plan, o graph.Output) pipeline.Mode {
	settled := !plan.Taken(o) && plan.CanSettle(o)
	for _, s := range plan.Sinks {
		settled = settled || s.Sink.Mode() == pipeline.Settled && slices.Contains(s.Inputs, o)
	}
	if settled {
		return pipeline.Settled
	}
	return pipeline.Log
}

// afterStep ends the reading when there is enough to show.
func (p *preview) afterStep(step engine.Step, _ int64) error {
	if step != engine.StepDone || p.result != nil {
		return nil
	}
	short := slices.ContainsFunc(p.tables, func(t shownTable) bool { return t.view.Count() < int64(p.options.Rows) })
	if short && p.pipeline.Recorder.Progress().Records < p.options.Records {
		return nil
	}
	p.result = p.snapshot()
	p.enough()
	return nil
}

// snapshot returns what there is to show.
func (p *preview) snapshot() *Result {
	r := &Result{Pipeline: p.pipeline.File.Name, Records: p.pipeline.Recorder.Progress().Records, Tables: []Table{}, Letters: p.countLetters()}
	for _, t := range p.tables {
		shown := Table{Node: t.Node, Name: t.Table.Name, Settled: t.mode == pipeline.Settled, Count: t.view.Count(), Rows: append([]fixture.Row{}, t.view.Rows(p.options.Rows)...)}
		for _, c := range t.Table.Columns {
			shown.Columns = append(shown.Columns, Column{c.Name, c.Type.String(), c.Masked})
		}
		r.Tables = append(r.Tables, shown)
	}
	return r
}

// countLetters counts dead letters, in the order of the first of each kind.
func (p *preview) countLetters() []LetterCount {
	counts := []LetterCount{}
	for _, d := range p.letters.Committed() {
		i := slices.IndexFunc(counts, func(c LetterCount) bool { return c.Node == d.Node && c.Reason == d.Reason })
		if i < 0 {
			i = len(counts)
			counts = append(counts, LetterCount{Node: d.Node, Reason: d.Reason, Example: p.pipeline.File.Redact(d.Pos.String() + ": " + d.Message)})
		}
		counts[i].Count++
	}
	return counts
}
