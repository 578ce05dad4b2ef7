package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/state"
)

// Kept is what a state keeps that a pipeline is compared with at its start.
type Kept struct {
	Definition json.RawMessage   `json:"definition"` // as Config.Compare returned it; nil = none yet
	Checkpoint *state.Checkpoint `json:"checkpoint"`
	Committed  int64             `json:"committed"` // the last epoch that every sink has committed, as far as is known
	Read       []string          `json:"read"`      // the sources of which something was read
}

// KeptBy reads what a state keeps.
func KeptBy(store *state.Store) (*Kept, error) {
	k := &Kept{}
	definition, err := store.Definition()
	if err != nil {
		return nil, err
	}
	k.Definition = definition
	if k.Checkpoint, err = store.Checkpoint(); err != nil {
		return nil, err
	}
	if k.Committed, err = store.Committed(); err != nil {
		return nil, err
	}
	k.Read, err = store.Sources()
	return k, err
}

// compare asks whether the pipeline may go on with the state, before anything goes
// by it.
func (r *run) compare() error {
	if r.c.Compare == nil {
		return nil
	}
	kept, err := KeptBy(r.store)
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
	kept, err := KeptBy(r.store)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept.Definition, r.definition) {
		if err := r.store.KeepDefinition(r.definition); err != nil {
			return err
		}
		kept.Definition = r.definition
	}
	r.c.Metrics.health.keeps(kept)
	return nil
}

// Kept returns what the state keeps of a pipeline that runs; nil = it is not open
// yet. It may be called at any time, from any goroutine; the caller must not change
// what it holds.
func (m *Metrics) Kept() *Kept {
	h := m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == nil {
		return nil
	}
	k := *h.kept
	k.Committed, k.Read = h.is.Epoch, slices.Clone(k.Read)
	for source, known := range h.partitions {
		if len(known) > 0 && !slices.Contains(k.Read, source) {
			k.Read = append(k.Read, source)
		}
	}
	return &k
}

// keeps notes what the state keeps.
func (h *health) keeps(k *Kept) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = k
}

// CheckState says whether the steps and sinks of a pipeline can go on with what a
// state keeps of them, and opens nothing.
func CheckState(c *Config, kept *Kept) error {
	r := &run{c: c, checkpoint: kept.Checkpoint, committed: kept.Committed == kept.Checkpoint.Epoch, formats: formatsOf(c.Sources)}
	if err := r.wire(); err != nil {
		return err
	}
	if _, err := r.numberHoldings(); err != nil {
		return err
	}
	for _, h := range r.holdings() {
		h.keyspaces = make([]*state.Keyspace, h.n)
	}
	errs := append(r.checkState(), r.checkGathered())
	for sink, rc := range kept.Checkpoint.Committables {
		if rc.Payload != nil && !r.committed && len(rc.RetainEpochs) == 0 {
			errs = append(errs, r.checkCommitter(sink, kept.Checkpoint.Epoch))
		}
	}
	return errors.Join(errs...)
}
