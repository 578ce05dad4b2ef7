package engine

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// references pins each epoch to one version of each reference, and to the wall time at
// which it began. It outlives the openings of a run: an epoch that is tried again gets
// what it had.
type references struct {
	nodes     []graph.RowNode
	now       func() time.Time
	mu        sync.Mutex
	snapshots map[int64][]any // by epoch; by the index of the node
	times     map[int64]time.Time
}

// startReferences loads the references; the caller closes them, after a failure
// too.
func startReferences(ctx context.Context, c *Config, calls *calls) (*references, error) {
	r := &references{nodes: c.Rows, now: c.now, snapshots: map[int64][]any{}, times: map[int64]time.Time{}}
	for _, n := range c.Rows {
		ref, ok := n.Transform.(pipeline.SideInput)
		if !ok {
			continue
		}
		to := callee{label: "node " + n.Name, name: n.Name}
		to.inspector, _ = ref.(pipeline.CallInspector)
		err := calls.wait(ctx, to, "open", "loading of the reference", func(ctx context.Context) error { return ref.Start(ctx, c.env("node", n.Name)) })
		if err != nil {
			return r, withLabel(to.label, err)
		}
		c.Observer.ReferenceLoaded(n.Name, ref)
	}
	return r, nil
}

func (r *references) close() error {
	var errs []error
	for _, n := range r.nodes {
		if ref, ok := n.Transform.(pipeline.SideInput); ok {
			errs = append(errs, ref.Close())
		}
	}
	return errors.Join(errs...)
}

// snapshotsOf returns the versions that an epoch is pinned to: those of now, the first
// time that it is asked for it (I6).
func (r *references) snapshotsOf(epoch int64) []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pins := r.snapshots[epoch]; pins != nil {
		return pins
	}
	pins := make([]any, len(r.nodes))
	for i, n := range r.nodes {
		if ref, ok := n.Transform.(pipeline.SideInput); ok {
			pins[i] = ref.Snapshot()
		}
	}
	r.snapshots[epoch] = pins
	return pins
}

// beginTime returns the wall time at which an epoch begins: now, the first time that it is
// asked for.
func (r *references) beginTime(epoch int64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.times[epoch]
	if !known {
		at = r.now()
		r.times[epoch] = at
	}
	return at
}

// forgetUpTo forgets the versions and times of epochs up to this one: they are never tried again.
func (r *references) forgetUpTo(epoch int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := range r.snapshots {
		if e <= epoch {
			delete(r.snapshots, e)
		}
	}
	maps.DeleteFunc(r.times, func(e int64, _ time.Time) bool { return e <= epoch })
}
