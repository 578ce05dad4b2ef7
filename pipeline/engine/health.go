package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Health says how a pipeline is, while it runs. What it counts is of this
// process; rows and dead letters are of epochs that are saved.
type Health struct {
	StateID    string // empty = the state is not open yet
	Working    bool   // everything is open, and epochs are taken
	Started    time.Time
	Epoch      int64     // the last one committed to every sink
	Saved      int64     // the epoch that is saved, and not committed to every sink; 0 = none
	LastCommit time.Time // zero = none yet
	Pending    int64     // records that are read and not committed to every sink
	StateBytes int64
	// Problem is why the pipeline went back to its checkpoint or ended, until an
	// epoch is committed; nil = it did not.
	Problem *Problem
	// Stalls are the calls that get no further, the one that has waited longest first.
	Stalls  []Stall
	Sources map[string]SourceHealth
	Sinks   map[string]SinkHealth
	Rows    map[RowKind]int64
	Dead    map[LetterKind]int64
	// Reread counts, by transform, the changes that a backfill has read again and that
	// had their effect before.
	Reread map[string]int64
	// Unmatched are the paths that lead to nothing. The caller must not change them.
	Unmatched []UnmatchedPath
}

// Problem is what keeps failing.
type Problem struct {
	Err   error
	Since time.Time

	opening bool // it came before everything was open
}

// Stall is a call of a sink, a source or the state that gets no further.
type Stall struct {
	Node  string // for people: sink warehouse
	Name  string // the node's
	What  string // commit of epoch 3
	Since time.Time
	Waits string // what it waits for, without secrets
}

// SourceHealth says how a source is.
type SourceHealth struct {
	Finished       bool
	Partitions     int // started or read
	Records, Bytes int64
	// Lag is how old the newest change was when it was read; 0 while there is
	// nothing more to read. It is valid when LagKnown.
	Lag      time.Duration
	LagKnown bool
	// Lost counts the bytes that are known to have gone before they were read, in
	// this process, and Gap says what happened last; empty = nothing is lost.
	Lost int64
	Gap  string
	// Waits says what it waits for before it reads on.
	Waits []string
}

// SinkHealth says how a sink is.
type SinkHealth struct {
	Published int64 // the last epoch that it has published
	Saved     int64 // the epoch that is saved, and that it has yet to publish; 0 = none
	Gathering bool  // rows wait to be published with a later epoch
	Rows      int64 // of epochs that are saved
	Retries   int64 // of commits
	// Problem is why its commit is tried again; nil = it is not.
	Problem *Problem
}

// RowKind is what rows are counted by.
type RowKind struct{ Node, Table, Op string }

// LetterKind is what dead letters are counted by.
type LetterKind struct{ Node, Reason string }

// health gathers a Health.
type health struct {
	mu         sync.Mutex
	is         Health
	partitions map[string]map[string]bool  // by source
	since      time.Time                   // of Working
	isOpen     bool                        // in this attempt
	kept       *Kept                       // nil = not known yet
	waiting    map[string]pipeline.Waiting // by source
	stalled    map[*callWatcher]*Stall
}

// calmAfter is how long a pipeline that went back to its checkpoint has to have
// nothing to do before that is no problem any longer.
const calmAfter = 10 * time.Second

func newHealth() *health {
	return &health{
		is: Health{
			Started: now(), Sources: map[string]SourceHealth{}, Sinks: map[string]SinkHealth{},
			Rows: map[RowKind]int64{}, Dead: map[LetterKind]int64{}, Reread: map[string]int64{},
		},
		partitions: map[string]map[string]bool{}, waiting: map[string]pipeline.Waiting{}, stalled: map[*callWatcher]*Stall{},
	}
}

// Health returns how the pipeline is. It may be called at any time, from any
// goroutine.
func (m *Metrics) Health() Health {
	h := m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	is := h.is
	is.Unmatched = m.unmatched.all()
	is.Sources, is.Sinks = maps.Clone(is.Sources), maps.Clone(is.Sinks)
	is.Stalls = nil
	for _, s := range h.stalled {
		is.Stalls = append(is.Stalls, *s)
	}
	slices.SortFunc(is.Stalls, func(a, b Stall) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Node, b.Node), cmp.Compare(a.What, b.What))
	})
	is.Rows, is.Dead, is.Reread = maps.Clone(is.Rows), maps.Clone(is.Dead), maps.Clone(is.Reread)
	if is.Working && is.Pending == 0 && since(h.since) > calmAfter {
		is.Problem = nil // it went back, and has nothing left to do
	}
	for source, s := range is.Sources {
		s.Partitions = len(h.partitions[source])
		s.Lag, s.LagKnown = m.lags.of(source)
		if w := h.waiting[source]; w != nil {
			s.Waits = w.Waits()
		}
		is.Sources[source] = s
	}
	return is
}

// waitsOf notes who tells what a source waits for.
func (h *health) waitsOf(source string, w pipeline.Waiting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting[source] = w
}

func (h *health) pending() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(h.is.Pending)
}

// opened notes what the state says, before the sinks are opened.
func (h *health) opened(c *Config, store *state.Store, cp *state.Checkpoint, committed int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.StateID, h.is.Epoch, h.is.StateBytes, h.is.Pending = store.ID(), committed, store.Size(), 0
	for _, s := range c.Sources {
		cursors, err := store.Cursors(s.Name)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for p := range cursors {
			known[p] = true
		}
		h.partitions[s.Name] = known
	}
	h.checkpoint(c, cp, cp.Epoch == committed)
	return nil
}

// Published returns the last epoch that a sink has published, and the one that a
// checkpoint has for it to publish, 0 = none, where committed says whether every
// sink has committed the checkpoint's epoch.
func Published(cp *state.Checkpoint, sink string, committed bool) (published, saved int64) {
	if rc := cp.Committables[sink]; !committed && rc != nil && rc.Payload != nil {
		return rc.PreviousEpoch, rc.Epoch
	}
	return cp.Published[sink], 0
}

// checkpoint notes what a checkpoint says of sources and sinks.
func (h *health) checkpoint(c *Config, cp *state.Checkpoint, committed bool) {
	h.is.Saved = cp.Epoch
	if committed {
		h.is.Saved = 0
	}
	for _, n := range c.Sources {
		s := h.is.Sources[n.Name]
		s.Finished = cp.Finished[n.Name]
		h.is.Sources[n.Name] = s
	}
	for _, n := range c.Sinks {
		s, rc := h.is.Sinks[n.Name], cp.Committables[n.Name]
		s.Published, s.Saved = Published(cp, n.Name, committed)
		s.Gathering = rc != nil && rc.SinkState != nil
		h.is.Sinks[n.Name] = s
	}
}

// working notes that everything is open, or is no longer, and returns for how long
// opening had failed.
func (h *health) working(is bool) (failed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Working, h.since, h.isOpen = is, now(), h.isOpen || is
	if p := h.is.Problem; is && p != nil && p.opening {
		failed = since(p.Since)
	}
	return failed
}

// took notes records that were read.
func (h *health) took(source string, records, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Pending += records
	if s, ok := h.is.Sources[source]; ok { // and is not the inbox
		s.Records, s.Bytes = s.Records+records, s.Bytes+bytes
		h.is.Sources[source] = s
	}
}

// noticed notes what happened to a source, where something of it is lost.
func (h *health) noticed(source string, n pipeline.Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Lost == 0 && !n.Gap {
		return
	}
	s := h.is.Sources[source]
	s.Lost, s.Gap = s.Lost+n.Lost, n.Message
	h.is.Sources[source] = s
}

// saved notes an epoch's checkpoint.
func (h *health) saved(c *Config, cp *state.Checkpoint, cut *barrier) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checkpoint(c, cp, false)
	if h.kept != nil {
		h.kept.Checkpoint = cp
	}
	for source, parts := range cut.cursors {
		known := h.partitions[source]
		for p, at := range parts {
			if known == nil {
				break // the inbox
			}
			if known[p] = true; at == nil {
				delete(known, p)
			}
		}
	}
}

// committed notes that every sink has the epoch.
func (h *health) committed(epoch, stateBytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Epoch, h.is.Saved, h.is.StateBytes, h.is.LastCommit = epoch, 0, stateBytes, now()
}

// landed notes that an epoch of so many records went all its way.
func (h *health) landed(records int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Pending -= records
	h.is.Problem = nil
}

// count counts what a saved epoch brings.
func (h *health) count(p *preparedEpoch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, n := range p.tally.rows {
		h.is.Rows[k] += n
	}
	for k, n := range p.tally.dead {
		h.is.Dead[k] += n
	}
	for node, n := range p.tally.reread {
		h.is.Reread[node] += n
	}
	for sink, rc := range p.committables {
		s, ok := h.is.Sinks[sink]
		if !ok {
			continue // the dead letters
		}
		for _, ops := range rc.Rows {
			for _, n := range ops {
				s.Rows += n
			}
		}
		h.is.Sinks[sink] = s
	}
}

// failed notes why the pipeline goes back to its checkpoint, or ends.
func (h *health) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Problem = again(h.is.Problem, err)
	h.is.Problem.opening, h.isOpen = !h.isOpen, false
}

// retry notes that a sink's commit failed and is tried again.
func (h *health) retry(sink string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.is.Sinks[sink]
	if !ok {
		return // the dead letters
	}
	s.Retries++
	s.Problem = again(s.Problem, err)
	h.is.Sinks[sink] = s
}

// stalls notes that a call gets no further, or, without a stall, that it does again
// or is over.
func (h *health) stalls(w *callWatcher, s *Stall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s == nil {
		delete(h.stalled, w)
		return
	}
	h.stalled[w] = s
}

// published notes that a sink's commit is done, and returns for how long it had
// failed.
func (h *health) published(sink string, epoch int64) (failed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.is.Sinks[sink]
	if !ok {
		return 0 // the dead letters
	}
	if s.Problem != nil {
		failed = since(s.Problem.Since)
	}
	s.Problem, s.Published, s.Saved = nil, epoch, 0
	h.is.Sinks[sink] = s
	return failed
}

// again keeps the time since when something fails.
func again(before *Problem, err error) *Problem {
	p := &Problem{Err: err, Since: now()}
	if before != nil {
		p.Since = before.Since
	}
	return p
}
