package star

import (
	"bytes"
	"errors"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// factsPerEpochMax is the number of facts that an epoch makes besides those of its base
// rows: as many as it has base rows, at most. Very many facts may refer to one row, or be
// deferred; the others follow in further epochs.
const factsPerEpochMax = 1 << 18

// dirtyLookupRow is a row of a lookup table that has changed, and whose facts are still to
// be made again.
type dirtyLookupRow struct {
	row     pipeline.Hash
	version pipeline.Version // of the change of the row
	// nextShard is the shard of the row's facts to go on with, when it had so many shards.
	nextShard, shards int32
}

// refreshFacts makes the facts of the epoch's base rows and of the backlog and, when nothing
// may be deferred any longer, those that are.
func (s *operator) refreshFacts(mayDefer bool) error {
	s.markBaseFacts()
	if err := s.applyLookupChanges(); err != nil {
		return err
	}
	if err := s.markBacklogFacts(); err != nil {
		return err
	}
	if err := s.refresh.run(mayDefer); err != nil {
		return err
	}
	if mayDefer || len(s.backlog) > 0 {
		return nil
	}
	return s.releaseDeferred()
}

// markBaseFacts marks the facts of the epoch's base rows.
func (s *operator) markBaseFacts() {
	s.refresh.entries = slices.Grow(s.refresh.entries, len(s.baseRows))
	for from, to := range batches(len(s.baseRows)) {
		batch := s.baseRows[from:to]
		s.refresh.keys = keysOf(s.refresh.keys[:0], batch, func(b *baseRow) (pipeline.Hash, bool) { return b.hash, true })
		s.refresh.index.Prefetch(s.refresh.keys)
		for i := range batch {
			b := &batch[i]
			e := s.refresh.mark(b.hash)
			e.fact, e.cause, e.base, e.fromEpoch = b.fact, &b.version, b.row, true
		}
	}
}

// applyLookupChanges brings the rows of lookup tables to what the epoch made of them. Those
// that differ and that facts refer to join the backlog.
func (s *operator) applyLookupChanges() error {
	at := make([]int32, len(s.lookupChanges))
	for from, to := range batches(len(s.lookupChanges)) {
		batch := s.lookupChanges[from:to]
		s.lookups.keys = keysOf(s.lookups.keys[:0], batch, func(c *lookupChange) (pipeline.Hash, bool) { return c.hash, true })
		s.lookups.index.Prefetch(s.lookups.keys)
		for i := range batch {
			at[from+i] = s.lookups.entryOf(batch[i].hash)
		}
	}
	if err := s.lookups.load(); err != nil {
		return err
	}
	inBacklog := map[pipeline.Hash]int{}
	for i := range s.backlog {
		inBacklog[s.backlog[i].row] = i
	}
	for i := range s.lookupChanges {
		c := &s.lookupChanges[i]
		r := &s.lookups.entries[at[i]]
		if (c.row == nil) == (r.row == nil) && bytes.Equal(c.row, r.row) {
			continue
		}
		r.row, r.changed = c.row, true
		if r.shards == 0 && len(r.facts) == 0 {
			continue
		}
		dirty := dirtyLookupRow{row: c.hash, version: c.version}
		if n, ok := inBacklog[c.hash]; ok {
			s.backlog[n] = dirty // all of its facts are made again, those that were made already too
		} else {
			s.backlog = append(s.backlog, dirty)
		}
	}
	return nil
}

// markBacklogFacts marks facts of the rows in the backlog, as many as an epoch makes.
func (s *operator) markBacklogFacts() error {
	// A copy, since marked facts point to the versions until they are made.
	rows := slices.Clone(s.backlog[:min(len(s.backlog), s.factsPerEpoch)])
	at := make([]int32, len(rows))
	for i := range rows {
		at[i] = s.lookups.entryOf(rows[i].row)
	}
	if err := s.lookups.load(); err != nil {
		return err
	}
	var shards []postingShard
	var causes []*pipeline.Version // of the shards
	facts, done := 0, 0
	for ; done < len(rows) && facts < s.factsPerEpoch; done++ {
		d, r := &rows[done], &s.lookups.entries[at[done]]
		for f := 0; f < len(r.facts); f += hashBytes {
			s.markFact(hashAt(r.facts, f), &d.version)
		}
		facts += len(r.facts) / hashBytes
		if d.shards != r.shards {
			d.nextShard, d.shards = 0, r.shards
		}
		for ; d.nextShard < d.shards && facts < s.factsPerEpoch; d.nextShard++ {
			shards = append(shards, postingShard{key: s.lookups.shardKey(r.hash, r.shards, d.nextShard), row: at[done]})
			causes = append(causes, &d.version)
			facts += max(1, r.postings/int(r.shards))
		}
		if d.nextShard < d.shards {
			break
		}
	}
	if err := s.lookups.loadShards(shards); err != nil {
		return err
	}
	for i := range shards {
		for f := 0; f < len(shards[i].facts); f += hashBytes {
			s.markFact(hashAt(shards[i].facts, f), causes[i])
		}
	}
	copy(s.backlog, rows) // with the shards to go on with
	s.backlog = slices.Delete(s.backlog, 0, done)
	return nil
}

// markFact marks a fact because a row of a lookup table has changed.
func (s *operator) markFact(fact pipeline.Hash, cause *pipeline.Version) {
	e := s.refresh.mark(fact)
	if !e.fromEpoch && !e.forced {
		e.cause = cause
	}
	e.forced = true
}

var errLimitReached = errors.New("limit reached")

// releaseDeferred makes facts that are deferred, as many as an epoch makes.
func (s *operator) releaseDeferred() error {
	if s.saved.Deferred == 0 {
		return nil
	}
	deferred, err := s.findDeferred()
	if err == nil && len(deferred) == 0 && s.deferredFrom != (pipeline.Hash{}) {
		s.deferredFrom = pipeline.Hash{} // facts that were deferred since then may be before
		deferred, err = s.findDeferred()
	}
	if err != nil {
		return err
	}
	if len(deferred) == 0 {
		return errors.New("state: it counts deferred facts, and has none")
	}
	s.deferredFrom = deferred[len(deferred)-1]
	if err := s.members.flush(s.out, false); err != nil {
		return err
	}
	for _, h := range deferred {
		s.refresh.mark(h).forced = true
	}
	return s.refresh.run(false)
}

func (s *operator) findDeferred() (deferred []pipeline.Hash, err error) {
	err = s.refresh.state.Each(s.deferredFrom, func(h pipeline.Hash, v []byte) error {
		if isDeferred(v) {
			deferred = append(deferred, h)
		}
		if len(deferred) == s.factsPerEpoch {
			return errLimitReached
		}
		return nil
	})
	if errors.Is(err, errLimitReached) {
		err = nil
	}
	return deferred, err
}
