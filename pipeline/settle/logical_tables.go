package settle

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// LogicalTables numbers the logical tables whose items a transform settles, and holds
// the retention horizon of each: the time from before which its deletions are forgotten.
// A horizon moves when an epoch begins, and stays during it.
type LogicalTables struct {
	names    []string   // by number, which items in the state have
	horizons []int64    // by number; noTime = nothing is forgotten. They never fall
	units    []units    // by number
	keys     [][]string // by number: the attributes that identify an item; nil = not known
	byName   map[string]uint16
	last     uint16 // the one that was asked for last
}

// newLogicalTables returns the tables of a checkpoint.
func newLogicalTables(saved []state.LogicalTable) (*LogicalTables, error) {
	t := &LogicalTables{byName: map[string]uint16{}}
	for _, s := range saved {
		id, err := t.id(s.Name)
		if err != nil {
			return nil, err
		}
		t.keys[id], t.units[id] = s.Key, units{known: s.Unit, digits: maps.Clone(s.Digits)}
		t.units[id].sum()
		if s.Horizon != nil {
			t.horizons[id] = *s.Horizon
		}
	}
	return t, nil
}

// id returns the number of a table, a new one the first time.
func (t *LogicalTables) id(name string) (uint16, error) {
	if len(t.names) > 0 && t.names[t.last] == name {
		return t.last, nil
	}
	id, ok := t.byName[name]
	if !ok {
		if len(t.names) > math.MaxUint16 {
			return 0, fmt.Errorf("the records are of more than %d tables: set `table:` of the source if they are of one", math.MaxUint16)
		}
		id = uint16(len(t.names))
		t.names, t.horizons, t.units, t.byName[name] = append(t.names, name), append(t.horizons, noTime), append(t.units, units{}), id
		t.keys = append(t.keys, nil)
	}
	t.last = id
	return id, nil
}

// Cut makes the time of a change of a source as coarse as the coarsest of its table so
// far, its own among them, and returns how fine the table's times were before and are
// now. 0 = nothing was known of them, or the time is none of a clock.
func (t *LogicalTables) Cut(source string, c *pipeline.Change) (before, unit int32, err error) {
	if c.Unit == 0 {
		return 0, 0, nil
	}
	id, err := t.id(c.Table)
	if err != nil {
		return 0, 0, err
	}
	u := &t.units[id]
	before = u.coarsest
	u.note(source, c.Unit, c.ByDigits)
	unit = u.coarsest
	c.Version.Time = cutTo(c.Version.Time, unit)
	return before, unit, nil
}

// cutTo returns a time as coarse as a unit; of 0 and 1 as it is.
func cutTo(at int64, unit int32) int64 {
	if unit <= 1 {
		return at
	}
	part := at % int64(unit)
	if part < 0 {
		part += int64(unit)
	}
	return at - part
}

// Expect notes that changes of a table will come of a source that have times of a
// unit, in µs.
func (t *LogicalTables) Expect(source, table string, unit int32, byDigits bool) error {
	id, err := t.id(table)
	if err == nil {
		t.units[id].note(source, unit, byDigits)
	}
	return err
}

// Learn notes the attributes that identify an item of a table, of a change whose
// record names them; the first one tells.
func (t *LogicalTables) Learn(c *pipeline.Change) error {
	id, err := t.id(c.Table)
	if err != nil || t.keys[id] != nil {
		return err
	}
	var key map[string]json.RawMessage
	if err := json.Unmarshal(c.Key, &key); err != nil {
		return fmt.Errorf("key of an item: %w", err)
	}
	t.keys[id] = slices.Sorted(maps.Keys(key))
	return nil
}

// forgotten reports whether deletions of a time are forgotten.
func (t *LogicalTables) forgotten(table uint16, at int64) bool { return at < t.horizons[table] }

// anyForgotten reports whether deletions were ever forgotten.
func (t *LogicalTables) anyForgotten() bool {
	for _, at := range t.horizons {
		if at != noTime {
			return true
		}
	}
	return false
}

// save returns what newLogicalTables is given after a restart.
func (t *LogicalTables) save() []state.LogicalTable {
	all := make([]state.LogicalTable, len(t.names))
	for i, name := range t.names {
		all[i] = state.LogicalTable{Name: name, Horizon: known(t.horizons[i]), Unit: t.units[i].known, Digits: maps.Clone(t.units[i].digits), Key: t.keys[i]}
	}
	return all
}
