package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// unitSampleRecordsMax bounds the records that are looked at for the unit of their times.
const unitSampleRecordsMax = 1000

// lookAhead reads the first records of the sources that end and may have coarse
// times, where there are several: how coarse the times of a table are is known
// before the first version is compared, then, whatever comes first. It returns, by
// source, what it has read.
func (r *run) lookAhead(ctx context.Context) []*readResult {
	firsts := make([]*readResult, len(r.sources))
	if len(r.c.Sources) < 2 {
		return firsts
	}
	for i, s := range r.sources {
		reporter, ok := s.Source.(pipeline.FormatReporter)
		if !ok || !s.Source.Bounded() || r.builder.finished[s.Name] || reporter.Format().Encoding != pipeline.DynamoDBCDC {
			continue
		}
		records, err := s.Source.Read(ctx)
		if err == nil && records.Len() > 0 {
			err = r.flow.expectUnits(s.Name, records)
		}
		firsts[i] = &readResult{i, records, err}
	}
	return firsts
}

// expectUnits notes how coarse the times of some records are, where they are settled.
func (d *dataflow) expectUnits(source string, records *pipeline.Records) error {
	decoder := decode.NewDecoder(records.Format, decode.Options{Identity: true})
	type seen struct {
		table    string
		unit     int64
		byDigits bool
	}
	units := map[seen]bool{}
	var record decode.Record
	for i := range min(records.Len(), unitSampleRecordsMax) {
		if decoder.Decode(records.Bytes(i), &record) == nil { // what can't be read is for the mappers to refuse
			units[seen{record.Logical, record.Unit, record.ByDigits}] = true
		}
	}
	for _, s := range d.stages {
		if s.settler == nil || !slices.Contains(s.Sources, source) {
			continue
		}
		// Tables are numbered in this order (I6); of units, the order plays no part.
		for _, u := range slices.SortedFunc(maps.Keys(units), func(a, b seen) int { return strings.Compare(a.table, b.table) }) {
			if err := s.settler.LogicalTables().Expect(source, u.table, int32(u.unit), u.byDigits); err != nil {
				return err
			}
		}
	}
	return nil
}

// coarsen makes the times of a batch's changes as coarse as the coarsest of their table:
// inputs of one table tell them in different units, and what is finer in one must not
// win by that. It comes before whoever compares versions or shows them. That times are
// coarser or finer from now on is said: those that are in the state stay as they are.
// Keys that records name are learned on the way. It returns whether any time has changed.
func coarsen(s *stage, b *pipeline.Batch, log *slog.Logger) (changed bool, err error) {
	named := b.Records.Format.Encoding == pipeline.DynamoDBCDC
	tables := s.settler.LogicalTables()
	for i := range b.Changes {
		c := &b.Changes[i]
		read := c.Version.Time
		before, now, err := tables.Cut(b.Records.Source, c)
		if err != nil {
			return false, err
		}
		changed = changed || c.Version.Time != read
		if named {
			if err := tables.Learn(c); err != nil {
				return false, err
			}
		}
		if before != 0 && before != now {
			logUnit(log, s, b, c, before, now)
		}
	}
	return changed, nil
}

// retime gives what was packed of a log the times that its changes have now.
func retime(log *pipeline.PackedLog, changes []pipeline.Change) {
	log.Times = make([]int64, len(log.Changes))
	for i, c := range log.Changes {
		log.Times[i] = changes[c].Version.Time
	}
}

// logUnit logs that the times of a change's table are cut to another unit from now on.
func logUnit(log *slog.Logger, s *stage, b *pipeline.Batch, c *pipeline.Change, before, now int32) {
	about := []any{"node", s.Name, "table", c.Table, "source", b.Records.Source, "from", unitName(before), "to", unitName(now), "position", b.Records.Position(int(c.Record)).String()}
	if now < before {
		log.Info("creation times are finer from now on: the first times of the source had no such fractions", about...)
		return
	}
	log.Warn("creation times are coarser from now on: changes of one such time are put in order by their sequence numbers and images", about...)
}

// unitName returns the name of a unit of µs.
func unitName(unit int32) string {
	switch unit {
	case 1:
		return "microseconds"
	case 1000:
		return "milliseconds"
	case 1_000_000:
		return "seconds"
	}
	return fmt.Sprintf("%d microseconds", unit)
}
