package engine

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// checkAdded refuses sources that a step has not read, or not from their start, and whose
// records may be from before the time that its deletions are remembered for: they would
// be dead letters, or bring back what was deleted.
func (r *run) checkAdded(s *stage) error {
	for _, n := range r.c.Sources {
		if k := s.saved.SourceTimes[n.Name]; !n.Source.Bounded() || !reads(s, &pipeline.Records{Source: n.Name}) || k != nil && !(k.Missed && r.again) {
			continue
		}
		table, horizon := forgotten(s.saved, formatOf(n.Source).Table)
		if horizon == pipeline.NoTime {
			continue
		}
		oldest := pipeline.NoTime
		if d, ok := n.Source.(pipeline.OldestReporter); ok {
			var err error
			if oldest, err = d.Oldest(); err != nil {
				return fmt.Errorf("source %s: %w", n.Name, err)
			}
		}
		if oldest >= horizon {
			continue
		}
		return fmt.Errorf("source %s has not been read by %s, whose deletions in table %q are forgotten from before %s (state.tombstones): its records may be older, "+
			"and could bring back what was deleted since. Backfill all sources into a new state folder (state.dir) and new tables, or take the source out; "+
			"a full export that was made later can be added, and so can a source of another table (set its `table:`)",
			n.Name, s.Name, table, time.UnixMicro(horizon).UTC().Format(time.RFC3339))
	}
	return nil
}

// forgotten returns the time from before which deletions are forgotten, NoTime = none
// are: in a table, or, where that is not known, in the one where it is the latest.
func forgotten(kept *state.OperatorState, table string) (name string, horizon int64) {
	horizon = pipeline.NoTime
	for _, t := range kept.LogicalTables {
		if t.Horizon != nil && *t.Horizon > horizon && (table == "" || table == t.Name) {
			name, horizon = t.Name, *t.Horizon
		}
	}
	return name, horizon
}

// missed names the sources that were read in part before a step began to read them.
func (r *run) missed(s *stage) (names []string, err error) {
	for _, name := range s.Sources {
		if s.saved.SourceTimes[name] != nil || r.again {
			continue
		}
		cursors, err := r.store.Cursors(name)
		if err != nil {
			return nil, fmt.Errorf("cursors of %s: %w", name, err)
		}
		if len(cursors) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}
