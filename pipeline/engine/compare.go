package engine

import (
	"bytes"
	"errors"

	"github.com/starlift-etl/starlift/pipeline/state"
)

// checkDefinition asks Config.Compare whether the pipeline may go on with the state, before
// anything of it is used.
func (r *run) checkDefinition() error {
	if r.c.Compare == nil {
		return nil
	}
	contents, err := r.store.Contents()
	if err != nil {
		return err
	}
	r.definition, err = r.c.Compare(contents)
	return err
}

// writeDefinition saves what the state is built by from now on. It comes when nothing can
// refuse the start any more, and before an epoch is saved.
func (r *run) writeDefinition() error {
	if r.definition == nil {
		return nil
	}
	contents, err := r.store.Contents()
	if err != nil {
		return err
	}
	if !bytes.Equal(contents.Definition, r.definition) {
		if err := r.store.SetDefinition(r.definition); err != nil {
			return err
		}
		contents.Definition = r.definition
	}
	r.c.Observer.ContentsKnown(contents)
	return nil
}

// CheckState says whether the stages, operators and sinks of a pipeline can go on with what a
// state holds of them. It opens nothing.
func CheckState(c *Config, contents *state.Contents) error {
	r := &run{c: c, checkpoint: contents.Checkpoint, committed: contents.Committed == contents.Checkpoint.Epoch, flow: newDataflow(c.Plan)}
	if _, err := r.flow.numberStates(r.checkpoint.Operators); err != nil {
		return err
	}
	for _, o := range r.flow.states {
		o.keyspaces = make([]*state.Keyspace, o.entry.Keyspaces)
	}
	errs := append(r.checkState(), r.checkGathered())
	for sink, rc := range contents.Checkpoint.Committables {
		if rc.Payload != nil && !r.committed && len(rc.RetainEpochs) == 0 {
			errs = append(errs, c.checkSink(sink, contents.Checkpoint.Epoch))
		}
	}
	return errors.Join(errs...)
}
