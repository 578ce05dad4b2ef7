package engine

import (
	"bytes"
	"errors"

	"github.com/starlift-etl/starlift/pipeline/state"
)

// compare asks whether the pipeline may go on with the state, before anything goes
// by it.
func (r *run) compare() error {
	if r.c.Compare == nil {
		return nil
	}
	kept, err := r.store.Contents()
	if err != nil {
		return err
	}
	r.definition, err = r.c.Compare(kept)
	return err
}

// keepDefinition keeps what the state is built by from now on, once nothing can
// refuse the start and before an epoch is saved.
func (r *run) keepDefinition() error {
	if r.definition == nil {
		return nil
	}
	kept, err := r.store.Contents()
	if err != nil {
		return err
	}
	if !bytes.Equal(kept.Definition, r.definition) {
		if err := r.store.SetDefinition(r.definition); err != nil {
			return err
		}
		kept.Definition = r.definition
	}
	r.c.Observer.ContentsKnown(kept)
	return nil
}

// CheckState says whether the steps and sinks of a pipeline can go on with what a
// state keeps of them, and opens nothing.
func CheckState(c *Config, kept *state.Contents) error {
	r := &run{c: c, checkpoint: kept.Checkpoint, committed: kept.Committed == kept.Checkpoint.Epoch, flow: newDataflow(c.Plan)}
	if _, err := r.flow.numberStates(r.checkpoint.Operators); err != nil {
		return err
	}
	for _, o := range r.flow.states {
		o.keyspaces = make([]*state.Keyspace, o.entry.Keyspaces)
	}
	errs := append(r.checkState(), r.checkGathered())
	for sink, rc := range kept.Checkpoint.Committables {
		if rc.Payload != nil && !r.committed && len(rc.RetainEpochs) == 0 {
			errs = append(errs, c.checkSink(sink, kept.Checkpoint.Epoch))
		}
	}
	return errors.Join(errs...)
}
