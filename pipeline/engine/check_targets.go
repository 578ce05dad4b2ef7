package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// startPoint is where a start would go on.
type startPoint struct {
	c          *Config
	stateID    string
	spool      spool
	checkpoint *state.Checkpoint
	committed  bool // every sink has committed the checkpoint's epoch, as far as is known
}

// options are what a sink is told there.
func (p *startPoint) options(sink string, tables []*pipeline.Table) pipeline.SinkOptions {
	o := pipeline.SinkOptions{
		Env: p.c.env("sink", sink), Pipeline: p.c.Name, StateID: p.stateID, Tables: tables,
		Spool:     func(epoch int64) string { return p.spool.dir(epoch, sink) },
		Published: p.checkpoint.Published[sink],
		Taken:     p.checkpoint.Tables[sink],
		Spooled:   p.checkpoint.Spooled[sink],
	}
	if rc := p.checkpoint.Committables[sink]; rc != nil {
		o.SinkState = rc.SinkState
		if rc.Payload != nil && !p.committed {
			o.Pending, o.Published = rc, rc.PreviousEpoch
		}
	}
	return o
}

func inputTables(s graph.SinkNode) []*pipeline.Table {
	tables := make([]*pipeline.Table, len(s.Inputs))
	for i, in := range s.Inputs {
		tables[i] = in.Table
	}
	return tables
}

// takenNames has the sink that writes what has a name.
type takenNames map[string]string

// add adds what a sink writes, and refuses what another does.
func (t takenNames) add(sink string, names []string) error {
	for _, name := range names {
		if other, ok := t[name]; ok {
			return fmt.Errorf("sinks %s and %s both write %s: give each tables of its own", other, sink, name)
		}
		t[name] = sink
	}
	return nil
}

// TargetCheck is what a target says of a start.
type TargetCheck struct {
	Sink    string // empty = the dead letters
	Remarks []pipeline.Remark
}

// CheckTargets asks the sinks of a pipeline, and its dead letters, whether a start would take their
// targets as they are, all of them, though one refuses. Nothing is opened or changed. Nobody has the
// state open meanwhile.
func CheckTargets(ctx context.Context, c *Config) (all []TargetCheck, err error) {
	store, err := state.Inspect(c.StateDir, state.Options{Pipeline: c.Name, Memory: c.StateMemory})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	kept, err := store.Contents()
	if err != nil {
		return nil, err
	}
	p := startPoint{c: c, stateID: store.ID(), spool: newSpool(c.StateDir), checkpoint: kept.Checkpoint, committed: kept.Committed == kept.Checkpoint.Epoch}
	taken := takenNames{}
	for _, s := range c.Sinks {
		names, remarks := checkTarget(ctx, s.Sink, p.options(s.Name, inputTables(s)))
		if err := taken.add(s.Name, names); err != nil {
			remarks = append(remarks, pipeline.Remark{Level: pipeline.RemarkError, Message: err.Error()})
		}
		all = append(all, TargetCheck{Sink: s.Name, Remarks: remarks})
	}
	_, remarks := checkTarget(ctx, c.DeadLetters, p.options(deadLetterSink, nil))
	return append(all, TargetCheck{Remarks: remarks}), ctx.Err()
}

// checkTarget asks one target.
func checkTarget(ctx context.Context, t pipeline.Target, o pipeline.SinkOptions) (names []string, remarks []pipeline.Remark) {
	if checker, ok := t.(pipeline.ConnectionChecker); ok {
		return checker.CheckConnection(ctx, o)
	}
	names, err := t.Check(ctx, o)
	if err != nil {
		return nil, []pipeline.Remark{{Level: pipeline.RemarkError, Message: err.Error()}}
	}
	return names, []pipeline.Remark{{Level: pipeline.RemarkFine, Message: "a start takes it"}}
}
