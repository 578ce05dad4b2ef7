package settle

import (
	"fmt"
	"math"

	"github.com/starlift-etl/starlift/pipeline/state"
)

// Tables numbers the logical tables whose items a transform settles, and holds the
// time of each from before which its deletions are forgotten. The Settler and the
// Mergers of a transform share it; the Settler moves it, when an epoch begins.
type Tables struct {
	names    []string // by number, which items in the state have
	horizons []int64  // by number; noTime = nothing is forgotten. They never fall
	byName   map[string]uint16
	last     uint16 // the one that was asked for last
}

// NewTables returns the tables of a checkpoint.
func NewTables(saved []state.Table) (*Tables, error) {
	t := &Tables{byName: map[string]uint16{}}
	for _, s := range saved {
		id, err := t.id(s.Name)
		if err != nil {
			return nil, err
		}
		if s.Horizon != nil {
			t.horizons[id] = *s.Horizon
		}
	}
	return t, nil
}

// id returns the number of a table, a new one the first time.
func (t *Tables) id(name string) (uint16, error) {
	if len(t.names) > 0 && t.names[t.last] == name {
		return t.last, nil
	}
	id, ok := t.byName[name]
	if !ok {
		if len(t.names) > math.MaxUint16 {
			return 0, fmt.Errorf("the records are of more than %d tables: set `table:` of the source if they are of one", math.MaxUint16)
		}
		id = uint16(len(t.names))
		t.names, t.horizons, t.byName[name] = append(t.names, name), append(t.horizons, noTime), id
	}
	t.last = id
	return id, nil
}

// before reports whether deletions of a time are forgotten.
func (t *Tables) before(table uint16, at int64) bool { return at < t.horizons[table] }

// forget reports whether deletions were ever forgotten.
func (t *Tables) forget() bool {
	for _, at := range t.horizons {
		if at != noTime {
			return true
		}
	}
	return false
}

// Save returns what NewTables is given after a restart.
func (t *Tables) Save() []state.Table {
	all := make([]state.Table, len(t.names))
	for i, name := range t.names {
		all[i] = state.Table{Name: name, Horizon: known(t.horizons[i])}
	}
	return all
}
