package pipeline

import (
	"context"
	"fmt"
)

// Resettable is a Sink that can give back what it has taken, so that the pipeline
// begins anew.
type Resettable interface {
	// Reset lists what the target holds of a pipeline, and removes it if r.Do. It
	// goes by what the target says of itself, whatever has become of the state, and
	// is repeated after a crash. The sink is not open.
	Reset(ctx context.Context, r Reset) ([]TargetObject, error)
}

// Reset says whose holdings are meant.
type Reset struct {
	Pipeline string
	StateID  string // of the state folder; empty = there is none that can be read
	// Sinks names all sinks of the pipeline file: each gives back what is its own,
	// and what belongs to a sink that is no longer among them.
	Sinks []string
	// Tables are those that the sink would write.
	Tables []*Table
	Do     bool
}

// Owns reports whether a record of a pipeline and sink is to be given back by the
// sink that is asked.
func (r *Reset) Owns(asked, pipeline, sink string) bool {
	if pipeline != r.Pipeline {
		return false
	}
	for _, s := range r.Sinks {
		if s == sink {
			return s == asked
		}
	}
	return true
}

// OfState says of what was written with a state folder, by its id, that it was not
// this one: it may be of a pipeline of the same name that still runs.
func (r *Reset) OfState(id string) string {
	if id == r.StateID {
		return ""
	}
	return fmt.Sprintf(" (written with another state folder, %s)", id)
}

// TargetObject is something in a sink's target.
type TargetObject struct {
	Name string // for people
	// KeptBecause says why it is left where it is; empty = it goes.
	KeptBecause string
}
