package engine

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// checkNewSources refuses sources that a stage has not read, or not from their start, if
// their records may be older than the deletions that the stage remembers: such records would
// become dead letters, or bring back what was deleted.
func (o *stateOpener) checkNewSources(s *stage) error {
	for _, n := range o.c.Sources {
		if k := s.saved.SourceTimes[n.Name]; !n.Source.Bounded() || !reads(s, &pipeline.Records{Source: n.Name}) || k != nil && !(k.Missed && o.again) {
			continue
		}
		table, horizon := latestHorizon(s.saved, formatOf(n.Source).Table)
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

// latestHorizon returns the retention horizon of a logical table, from before which its
// deletions are forgotten; without a table, the latest of all. NoTime = nothing is forgotten.
func latestHorizon(saved *state.OperatorState, table string) (name string, horizon int64) {
	horizon = pipeline.NoTime
	for _, t := range saved.LogicalTables {
		if t.Horizon != nil && *t.Horizon > horizon && (table == "" || table == t.Name) {
			name, horizon = t.Name, *t.Horizon
		}
	}
	return name, horizon
}

// partlyRead names the sources that others had read in part before a stage began to read
// them.
func (o *stateOpener) partlyRead(s *stage) (names []string, err error) {
	for _, name := range s.Sources {
		if s.saved.SourceTimes[name] != nil || o.again {
			continue
		}
		cursors, err := o.store.Cursors(name)
		if err != nil {
			return nil, fmt.Errorf("cursors of %s: %w", name, err)
		}
		if len(cursors) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}
