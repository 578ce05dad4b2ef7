package telemetry

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
	// Records and Bytes count what was read of all sources, dead letters that are read
	// again among them.
	Records, Bytes int64
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

// SourceHealth says how a source is.
type SourceHealth struct {
	Finished       bool
	Partitions     int // begun or read
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
	// Report says how its partitions are, if it knows.
	Report pipeline.PartitionReport
	// Phases are those of a source that does one thing after the other, in their order.
	Phases []pipeline.SourcePhase
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

// health gathers a Health and a Progress.
type health struct {
	clock clock

	mu         sync.Mutex
	is         Health
	progress   Progress
	sources    []string
	sinks      []string
	partitions map[string]map[string]bool // by source
	since      time.Time                  // of Working
	isOpen     bool                       // in this attempt
	contents   *state.Contents            // nil = not known yet
	waiting    map[string]pipeline.WaitReporter
	reporters  map[string]pipeline.PartitionReporter
	phases     map[string]pipeline.PhaseReporter
	stalls     map[int64]Stall // by the call's id
}

// calmDuration is how long a pipeline that went back to its checkpoint has to have
// nothing to do before that is no problem any longer.
const calmDuration = 10 * time.Second

func newHealth(c clock) *health {
	return &health{
		clock: c,
		is: Health{
			Started: c(), Sources: map[string]SourceHealth{}, Sinks: map[string]SinkHealth{},
			Rows: map[RowKind]int64{}, Dead: map[LetterKind]int64{}, Reread: map[string]int64{},
		},
		partitions: map[string]map[string]bool{}, waiting: map[string]pipeline.WaitReporter{}, reporters: map[string]pipeline.PartitionReporter{}, phases: map[string]pipeline.PhaseReporter{},
		stalls: map[int64]Stall{},
	}
}

// Health returns how the pipeline is. It may be called at any time.
func (r *Recorder) Health() Health {
	h := r.health
	reports, phases := h.reports()
	h.mu.Lock()
	defer h.mu.Unlock()
	is := h.is
	is.Unmatched = r.unmatched.all()
	is.Sources, is.Sinks = maps.Clone(is.Sources), maps.Clone(is.Sinks)
	is.Stalls = slices.SortedFunc(maps.Values(h.stalls), func(a, b Stall) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Node, b.Node), cmp.Compare(a.What, b.What))
	})
	is.Rows, is.Dead, is.Reread = maps.Clone(is.Rows), maps.Clone(is.Dead), maps.Clone(is.Reread)
	if is.Working && is.Pending == 0 && h.clock.since(h.since) > calmDuration {
		is.Problem = nil // it went back, and has nothing left to do
	}
	for source, s := range is.Sources {
		s.Partitions = len(h.partitions[source])
		s.Report, s.Phases = reports[source], phases[source]
		s.Lag, s.LagKnown = r.lags.of(source, &s.Report)
		if w := h.waiting[source]; w != nil {
			s.Waits = w.Waits()
		}
		is.Sources[source] = s
	}
	return is
}

// reports asks the sources how their partitions are, and in which phase they are. It is called
// without the lock: to answer, a source may have to be done first with what it tells of.
func (h *health) reports() (reports map[string]pipeline.PartitionReport, phases map[string][]pipeline.SourcePhase) {
	h.mu.Lock()
	reporters, phased := maps.Clone(h.reporters), maps.Clone(h.phases)
	h.mu.Unlock()
	reports, phases = map[string]pipeline.PartitionReport{}, map[string][]pipeline.SourcePhase{}
	for source, r := range reporters {
		reports[source] = r.Report()
	}
	for source, p := range phased {
		phases[source] = p.Phases()
	}
	return reports, phases
}

// Contents returns what the state holds of a pipeline that runs; nil = it is not open
// yet. It may be called at any time; the caller must not change what it points to.
func (r *Recorder) Contents() *state.Contents {
	h := r.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.contents == nil {
		return nil
	}
	c := *h.contents
	c.Committed, c.Read = h.is.Epoch, slices.Clone(c.Read)
	for source, known := range h.partitions {
		if len(known) > 0 && !slices.Contains(c.Read, source) {
			c.Read = append(c.Read, source)
		}
	}
	return &c
}

func (h *health) progressNow() Progress {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.progress
}

func (h *health) pending() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(h.is.Pending)
}

func (h *health) runStarted(n *Nodes) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.progress, h.sources, h.sinks = Progress{}, nil, n.Sinks
	for _, s := range n.Sources {
		h.sources = append(h.sources, s.Name)
		if w, ok := s.Source.(pipeline.WaitReporter); ok {
			h.waiting[s.Name] = w
		}
		if r, ok := s.Source.(pipeline.PartitionReporter); ok {
			h.reporters[s.Name] = r
		}
		if p, ok := s.Source.(pipeline.PhaseReporter); ok {
			h.phases[s.Name] = p
		}
	}
}

func (h *health) runEnded(complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.progress.Ended = complete
}

func (h *health) stateOpened(s *StateInfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.StateID, h.is.Epoch, h.is.StateBytes, h.is.Pending = s.ID, s.Committed, s.Bytes, 0
	for source, partitions := range s.Partitions {
		known := map[string]bool{}
		for _, p := range partitions {
			known[p] = true
		}
		h.partitions[source] = known
	}
	h.checkpoint(s.Checkpoint, s.Checkpoint.Epoch == s.Committed)
}

func (h *health) contentsKnown(c *state.Contents) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.contents = c
}

// checkpoint notes what a checkpoint says of sources and sinks.
func (h *health) checkpoint(cp *state.Checkpoint, committed bool) {
	h.is.Saved = cp.Epoch
	if committed {
		h.is.Saved = 0
	}
	for _, name := range h.sources {
		s := h.is.Sources[name]
		s.Finished = cp.Finished[name]
		h.is.Sources[name] = s
	}
	for _, name := range h.sinks {
		s, rc := h.is.Sinks[name], cp.Committables[name]
		s.Published, s.Saved = cp.SinkEpochs(name, committed)
		s.Gathering = rc != nil && rc.SinkState != nil
		h.is.Sinks[name] = s
	}
}

// opened returns for how long opening had failed.
func (h *health) opened() (failed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Working, h.since, h.isOpen = true, h.clock(), true
	if p := h.is.Problem; p != nil && p.opening {
		failed = h.clock.since(p.Since)
	}
	return failed
}

func (h *health) closed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Working, h.since = false, h.clock()
}

func (h *health) attemptFailed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Problem = h.again(h.is.Problem, err)
	h.is.Problem.opening, h.isOpen = !h.isOpen, false
}

func (h *health) recordsRead(r *Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Pending += r.Records
	h.is.Records, h.is.Bytes = h.is.Records+r.Records, h.is.Bytes+r.Bytes
	if s, ok := h.is.Sources[r.Source]; ok { // and is not the inbox
		s.Records, s.Bytes = s.Records+r.Records, s.Bytes+r.Bytes
		h.is.Sources[r.Source] = s
	}
}

// sourceNoticed notes what happened to a source, where something of it is lost.
func (h *health) sourceNoticed(source string, n pipeline.Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Lost == 0 && !n.Gap {
		return
	}
	s := h.is.Sources[source]
	s.Lost, s.Gap = s.Lost+n.Lost, n.Message
	h.is.Sources[source] = s
}

func (h *health) epochSaved(e *SavedEpoch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checkpoint(e.Checkpoint, false)
	if h.contents != nil {
		h.contents.Checkpoint = e.Checkpoint
	}
	for source, parts := range e.Cursors {
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
	h.progress.Records += e.Records
	h.progress.Bytes += e.Bytes
	h.add(e.Tally)
	for sink, rc := range e.Checkpoint.Committables {
		s, ok := h.is.Sinks[sink]
		if !ok {
			continue // the dead letters
		}
		for _, ops := range rc.Rows {
			s.Rows += sum(ops)
		}
		h.is.Sinks[sink] = s
	}
}

// count counts what a tally says.
func (h *health) count(t *Tally) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(t)
}

// add is count under the lock.
func (h *health) add(t *Tally) {
	for k, n := range t.Rows {
		h.is.Rows[k] += n
	}
	for k, n := range t.DeadLetters {
		h.is.Dead[k] += n
	}
	for node, n := range t.Reread {
		h.is.Reread[node] += n
	}
	h.progress.DeadLetters += sum(t.DeadLetters)
	h.progress.Reread += sum(t.Reread)
}

func (h *health) epochCommitted(epoch, stateBytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Epoch, h.is.Saved, h.is.StateBytes, h.is.LastCommit = epoch, 0, stateBytes, h.clock()
}

func (h *health) epochDone(e *CommittedEpoch) Progress {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.is.Pending -= e.Records
	h.is.Problem = nil
	h.progress.Epoch, h.progress.StateMemory, h.progress.Rows = e.Epoch, e.StateMemory, e.Rows
	return h.progress
}

func (h *health) commitFailed(sink string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.is.Sinks[sink]
	if !ok {
		return // the dead letters
	}
	s.Retries++
	s.Problem = h.again(s.Problem, err)
	h.is.Sinks[sink] = s
}

// sinkCommitted returns for how long the sink's commit had failed.
func (h *health) sinkCommitted(sink string, epoch int64) (failed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.is.Sinks[sink]
	if !ok {
		return 0 // the dead letters
	}
	if s.Problem != nil {
		failed = h.clock.since(s.Problem.Since)
	}
	s.Problem, s.Published, s.Saved = nil, epoch, 0
	h.is.Sinks[sink] = s
	return failed
}

// callStalled reports whether the call was not known to stall.
func (h *health) callStalled(s Stall) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.stalls[s.ID]
	h.stalls[s.ID] = s
	return !known
}

func (h *health) callMoved(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.stalls, id)
}

// again keeps the time since when something fails.
func (h *health) again(before *Problem, err error) *Problem {
	p := &Problem{Err: err, Since: h.clock()}
	if before != nil {
		p.Since = before.Since
	}
	return p
}
