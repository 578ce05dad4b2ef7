package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// epochHeader is what an epoch begins with, as the splitter sees it: before the first of its
// records.
type epochHeader struct {
	at time.Time // wall time; zero = none
	// followed says how far the sources without end are read; of those that are not
	// there, nothing is known.
	followed map[string]pipeline.SourceProgress
	snapshot *sourceSnapshotEnd // nil = none ends
}

// micros returns the wall time in µs since 1970; 0 = none.
func (h *epochHeader) micros() int64 {
	if h.at.IsZero() {
		return 0
	}
	return h.at.UnixMicro()
}

// readProgress says how far a source without end is read. The splitter owns it.
type readProgress struct {
	known  bool // the source has said something in this run
	behind map[string]bool
	unread int
}

// newReadProgress returns those of the sources without end, by their names.
func newReadProgress(sources []graph.SourceNode) map[string]*readProgress {
	all := map[string]*readProgress{}
	for _, s := range sources {
		if !s.Source.Bounded() {
			all[s.Name] = &readProgress{behind: map[string]bool{}}
		}
	}
	return all
}

// take notes records before they are split: until all of them are in epochs, their partition
// counts as holding more, and so do those that the source names with them.
func (r *readProgress) take(recs *pipeline.Records) {
	if r == nil {
		return
	}
	r.known = true
	if recs.Len() > 0 {
		r.behind[recs.Partition] = true
	}
	if p := recs.Progress; p != nil {
		r.unread = max(r.unread, p.Unread)
		for _, name := range p.Behind {
			r.behind[name] = true
		}
	}
}

// done notes what a source knows once the records are done.
func (r *readProgress) done(recs *pipeline.Records) {
	if r == nil {
		return
	}
	for _, p := range recs.Dropped {
		delete(r.behind, p)
	}
	if p := recs.Progress; p != nil {
		for _, name := range p.CaughtUp {
			delete(r.behind, name)
		}
		r.unread = p.Unread
	}
}

// header returns the header of the open epoch, which does not change once it was made.
func (s *splitter) header() *epochHeader {
	if s.open.header != nil {
		return s.open.header
	}
	h := &epochHeader{followed: map[string]pipeline.SourceProgress{}}
	if s.beginTime != nil {
		h.at = s.beginTime(s.epoch())
	}
	for name, r := range s.progress {
		if r.known {
			h.followed[name] = pipeline.SourceProgress{State: pipeline.SourceFollowing, Behind: slices.Sorted(maps.Keys(r.behind)), Unread: r.unread > 0}
		}
	}
	h.snapshot = s.open.snapshot
	s.open.header = h
	return h
}

// splitLastBarrier returns two barriers for the one that ends the last epoch: the first is
// no longer the last, and rest ends one more epoch, without records.
func (b *epochBuilder) splitLastBarrier(c *barrier) (first, rest *barrier) {
	before := *c
	before.last = false
	h := &epochHeader{followed: c.header.followed}
	if !b.c.Timeless {
		h.at = b.references.beginTime(b.epoch + 1)
	}
	return &before, &barrier{last: true, finished: c.finished, header: h}
}

// header returns the header of the open epoch as operators get it. A bounded source counts as
// ended only once this run has seen its end: it may have grown since the last run.
func (b *epochBuilder) header(h *epochHeader) pipeline.EpochHeader {
	e := pipeline.EpochHeader{
		Epoch: b.epoch, Time: h.micros(), Sources: make(map[string]pipeline.SourceProgress, len(b.c.Sources)), Snapshots: b.references.snapshotsOf(b.epoch),
	}
	for _, s := range b.c.Sources {
		p := h.followed[s.Name]
		if b.ended[s.Name] {
			p.State = pipeline.SourceEnded
		}
		p.Table = b.formats[s.Name].Table
		if h.snapshot != nil && h.snapshot.source == s.Name {
			p.SnapshotEnd = h.snapshot.end
		}
		e.Sources[s.Name] = p
	}
	return e
}

// formatsOf returns the formats of sources as far as the pipeline file says them.
func formatsOf(sources []graph.SourceNode) map[string]pipeline.Format {
	all := map[string]pipeline.Format{}
	for _, s := range sources {
		all[s.Name] = formatOf(s.Source)
	}
	return all
}

// formatOf returns the format of a source as far as the pipeline file says it.
func formatOf(s pipeline.Source) (f pipeline.Format) {
	if r, ok := s.(pipeline.FormatReporter); ok {
		f = r.Format()
	}
	return f
}
