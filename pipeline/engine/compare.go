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
	checkpoint := contents.Checkpoint
	flow := newDataflow(c.Plan)
	if _, err := flow.numberStates(checkpoint.Operators); err != nil {
		return err
	}
	for _, s := range flow.states {
		s.keyspaces = make([]*state.Keyspace, s.entry.Keyspaces)
	}
	opener := stateOpener{c: c, flow: flow, checkpoint: checkpoint}
	errs := append(opener.check(), c.checkGathered(checkpoint))
	for sink, rc := range checkpoint.Committables {
		if rc.Payload != nil && contents.Committed != checkpoint.Epoch && len(rc.RetainEpochs) == 0 {
			errs = append(errs, c.checkSink(sink, checkpoint.Epoch))
		}
	}
	return errors.Join(errs...)
}
