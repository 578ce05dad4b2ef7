package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// snapshots is where a table's snapshots come from.
type snapshots interface {
	// find completes a pass that begins, as far as nothing has to be asked for: with the key of the
	// table, and with an export that is there and new enough, or a request for one.
	find(ctx context.Context, env pipeline.Env, p *pass) error
	// check holds a pass that goes on to what it was begun with.
	check(ctx context.Context, env pipeline.Env, p *pass) error
	// make makes the snapshot of a pass, if there is something to make.
	make(ctx context.Context, env pipeline.Env, w worksheet) error
	// source returns a bounded source of the pass's snapshot, to be opened.
	source(p *pass) (pipeline.Source, error)
}

// worksheet is what a snapshot is made by.
type worksheet interface {
	// pass returns the pass as it was decided so far. The caller does not change it.
	pass() *pass
	// change changes it, and returns when that is saved.
	change(ctx context.Context, change func(p *pass)) error
	// waitsFor says for people what is being waited for.
	waitsFor(what string)
	// time returns the wall time, and sleep waits until one.
	time() time.Time
	sleep(ctx context.Context, until time.Time) error
}

// mode says what a source does when its stream is open.
type mode uint8

const (
	follows  mode = iota // it bootstraps, repairs what a repair has left, and reads the stream for ever
	requests             // it bootstraps, by an export that it asks for, and ends
	repairs              // it bootstraps, repairs, and ends
)

// Source reads a table. It implements what its two sources do, as far as they do it.
type Source struct {
	name       string
	kind       string // of the bootstrap
	mode       mode
	format     pipeline.Format
	table      string // the logical table
	region     string // that the file says; empty = that of the environment
	ttlDeletes string
	stream     pipeline.Source
	snapshots  snapshots
	regions    func(ctx context.Context) error                  // refuses a stream that is of another Region than the table
	pause      func(ctx context.Context, d time.Duration) error // waits
	// another returns the same source in another mode, which has nothing in common with this one.
	another func(m mode) (*Source, error)

	rewound bool // a backfill begins it anew

	mu      sync.Mutex
	opening *handoff // nil = it is closed
}

var (
	_ pipeline.Source             = (*Source)(nil)
	_ pipeline.FormatReporter     = (*Source)(nil)
	_ pipeline.PartitionReporter  = (*Source)(nil)
	_ pipeline.RegionReporter     = (*Source)(nil)
	_ pipeline.GapReporter        = (*Source)(nil)
	_ pipeline.WaitReporter       = (*Source)(nil)
	_ pipeline.SizeReporter       = (*Source)(nil)
	_ pipeline.CallInspector      = (*Source)(nil)
	_ pipeline.SavedPhaseReporter = (*Source)(nil)
	_ pipeline.PhaseReporter      = (*Source)(nil)
	_ pipeline.Rewinder           = (*Source)(nil)
	_ pipeline.ExportRequester    = (*Source)(nil)
	_ pipeline.Repairer           = (*Source)(nil)
)

// Bounded implements pipeline.Source.
func (s *Source) Bounded() bool { return s.mode != follows }

// Format implements pipeline.FormatReporter: of the stream's records. Dead letters of the snapshot have its
// time, and so are read as what they are; they need the key, which is known once the source is open.
func (s *Source) Format() pipeline.Format {
	f := s.format
	if o := s.current(); o != nil {
		f.Key = o.phase().Bootstrap.Key
		if r := o.phase().Repair; r != nil && len(f.Key) == 0 {
			f.Key = r.Key
		}
	}
	return f
}

// Region implements pipeline.RegionReporter.
func (s *Source) Region() (table, region string) { return s.table, s.region }

// WithRequestedExport implements pipeline.ExportRequester: it bootstraps, and ends.
func (s *Source) WithRequestedExport() (pipeline.Source, error) { return s.inMode(requests) }

// WithRepair implements pipeline.Repairer.
func (s *Source) WithRepair() (pipeline.Source, error) { return s.inMode(repairs) }

func (s *Source) inMode(m mode) (pipeline.Source, error) {
	other, err := s.another(m)
	if err != nil {
		return nil, err
	}
	return other, nil
}

// Rewind implements pipeline.Rewinder: the cursors stay, since the stream is never read again. A
// repair that has ended begins anew.
func (s *Source) Rewind(cursors map[string][]byte) (map[string][]byte, error) {
	s.rewound = true
	return cursors, nil
}

// CursorText implements pipeline.Source.
func (s *Source) CursorText(partition string, raw []byte) string {
	if name, ok := strings.CutPrefix(partition, streamPrefix); ok {
		return s.stream.CursorText(name, raw)
	}
	if partition == phasePartition {
		p, err := parsePhase(raw)
		if err != nil {
			return "unreadable: " + err.Error()
		}
		return p.text()
	}
	name, ok := strings.CutPrefix(partition, snapshotPrefix)
	if o := s.current(); ok && o != nil {
		if inner := o.snapshotNow(); inner != nil {
			return inner.CursorText(name, raw)
		}
	}
	return strings.ToValidUTF8(fmt.Sprintf("a place in the snapshot: %q", raw), "?")
}

func (s *Source) current() *handoff {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opening
}

// Open opens the stream, and, when its start is fixed, decides what is read before it.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	if s.current() != nil {
		return fmt.Errorf("source %s: opened twice", s.name)
	}
	at, err := s.restore(o.Cursors)
	if err != nil {
		return err
	}
	if err := s.regions(ctx); err != nil {
		return fmt.Errorf("source %s: %w", s.name, err)
	}
	accept := o.AcceptGap || s.mode == repairs
	if err := s.stream.Open(ctx, pipeline.SourceOptions{Env: o.Env, Cursors: within(streamPrefix, o.Cursors), AcceptGap: accept}); err != nil {
		return errors.Join(err, s.stream.Close())
	}
	next, err := s.decide(ctx, o, at)
	if err != nil {
		return errors.Join(err, s.stream.Close())
	}
	s.rewound = false
	started := newHandoff(s, o, at, next)
	s.mu.Lock()
	s.opening = started
	s.mu.Unlock()
	started.start()
	return nil
}

// restore returns the phase that is saved; nil = nothing is.
func (s *Source) restore(cursors map[string][]byte) (*phase, error) {
	raw, ok := cursors[phasePartition]
	if !ok {
		if len(cursors) > 0 {
			return nil, fmt.Errorf("%d partitions have cursors, and the %s has none: the state folder is damaged", len(cursors), phasePartition)
		}
		return nil, nil
	}
	at, err := parsePhase(raw)
	if err != nil {
		return nil, err
	}
	if !at.Bootstrap.done() && at.Bootstrap.Kind != s.kind {
		return nil, fmt.Errorf("bootstrap.type is %s, and the bootstrap by %s that began at %s is not done (%s): finish it with bootstrap.type: %s, or begin anew with another state folder",
			s.kind, at.Bootstrap.Kind, clock(at.Bootstrap.Began), at.Bootstrap.text(), at.Bootstrap.Kind)
	}
	return at, nil
}

// decide returns the phase that the opening begins with: as it was saved, or with what is new.
func (s *Source) decide(ctx context.Context, o pipeline.SourceOptions, at *phase) (*phase, error) {
	if at == nil {
		next := &phase{Bootstrap: pass{Kind: s.kind, Since: s.streamStart(o.Env), Began: wallTime(o.Env)}}
		if s.kind == kindNone {
			next.Bootstrap.Ended = next.Bootstrap.Began
		} else if err := s.snapshots.find(ctx, o.Env, &next.Bootstrap); err != nil {
			return nil, err
		}
		return s.withRepair(o, next), nil
	}
	if s.mode == requests && at.Bootstrap.done() {
		return nil, fmt.Errorf("its bootstrap is done, since %s: run goes on reading the stream, and backfill --repair reads an export again", clock(at.Bootstrap.Ended))
	}
	next := at.clone()
	if r := next.Repair; r != nil && r.done() && (s.mode != repairs || s.rewound) {
		next.Repaired, next.Repair = r, nil
	}
	for _, p := range []*pass{&next.Bootstrap, next.Repair} {
		if p != nil && !p.done() {
			if err := s.snapshots.check(ctx, o.Env, p); err != nil {
				return nil, err
			}
		}
	}
	return s.withRepair(o, next), nil
}

// withRepair adds the pass of a repair, where one is wanted. Since when the stream has all changes is not
// known yet: gaps may be found when its partitions are read for the first time.
func (s *Source) withRepair(o pipeline.SourceOptions, next *phase) *phase {
	if s.mode == repairs && next.Repair == nil {
		next.Repair = &pass{Kind: kindExport, Began: wallTime(o.Env)}
	}
	return next
}

// wallTime returns the time that people see, and that waits are told by.
func wallTime(env pipeline.Env) time.Time { return env.Now().UTC().Truncate(time.Millisecond) }

// streamStart returns since when the stream that was just opened for the first time has all changes.
// One that does not know has those from now on.
func (s *Source) streamStart(env pipeline.Env) time.Time {
	if r, ok := s.stream.(pipeline.StartReporter); ok {
		if at, known := r.StartTime(); known {
			return at.UTC()
		}
	}
	return wallTime(env)
}

// Read implements pipeline.Source.
func (s *Source) Read(ctx context.Context) (*pipeline.Records, error) {
	o := s.current()
	if o == nil {
		return nil, fmt.Errorf("source %s: not open", s.name)
	}
	return o.read(ctx)
}

// Committed tells each of the two sources of its own partitions.
func (s *Source) Committed(ctx context.Context, cursors map[string][]byte) error {
	o := s.current()
	if o == nil || len(cursors) == 0 {
		return nil
	}
	if raw := cursors[phasePartition]; raw != nil {
		at, err := parsePhase(raw)
		if err != nil {
			return err
		}
		o.saved(at.Saves)
	}
	if own := within(streamPrefix, cursors); len(own) > 0 {
		if err := s.stream.Committed(ctx, own); err != nil {
			return err
		}
	}
	if inner := o.snapshotNow(); inner != nil {
		if own := within(snapshotPrefix, cursors); len(own) > 0 {
			return inner.Committed(ctx, own)
		}
	}
	return nil
}

// Close implements pipeline.Source.
func (s *Source) Close() error {
	s.mu.Lock()
	o := s.opening
	s.opening = nil
	s.mu.Unlock()
	if o == nil {
		return nil
	}
	return errors.Join(o.stop(), s.stream.Close())
}

// Gaps implements pipeline.GapReporter: those of the stream.
func (s *Source) Gaps(cursors map[string][]byte) ([]pipeline.Gap, error) {
	if r, ok := s.stream.(pipeline.GapReporter); ok {
		return r.Gaps(within(streamPrefix, cursors))
	}
	return nil, nil
}

// inner returns the sources that are read: the stream, and the snapshot, if it is being read.
func (s *Source) inner() []pipeline.Source {
	all := []pipeline.Source{s.stream}
	if o := s.current(); o != nil {
		if snapshot := o.snapshotNow(); snapshot != nil {
			all = append(all, snapshot)
		}
	}
	return all
}

// Report implements pipeline.PartitionReporter.
func (s *Source) Report() (all pipeline.PartitionReport) {
	for i, inner := range s.inner() {
		r, ok := inner.(pipeline.PartitionReporter)
		if !ok {
			continue
		}
		own := r.Report()
		all.Problems = append(all.Problems, own.Problems...)
		if i == 0 { // what ends is not behind anything
			all.Lags, all.Gaps = own.Lags, own.Gaps
		}
	}
	slices.SortStableFunc(all.Problems, func(a, b pipeline.SourceProblem) int { return a.Since.Compare(b.Since) })
	return all
}

// Waits implements pipeline.WaitReporter.
func (s *Source) Waits() (all []string) {
	for _, inner := range s.inner() {
		if w, ok := inner.(pipeline.WaitReporter); ok {
			all = append(all, w.Waits()...)
		}
	}
	if o := s.current(); o != nil {
		if what := o.waitText(); what != "" {
			all = append(all, what)
		}
	}
	return all
}

// Size implements pipeline.SizeReporter: of the snapshot that is read.
func (s *Source) Size() (read, total int64) {
	if o := s.current(); o != nil {
		if sized, ok := o.snapshotNow().(pipeline.SizeReporter); ok {
			return sized.Size()
		}
	}
	return 0, 0
}

// InspectCall implements pipeline.CallInspector: an opening opens the stream.
func (s *Source) InspectCall(ctx context.Context) pipeline.CallStatus {
	if i, ok := s.stream.(pipeline.CallInspector); ok {
		return i.InspectCall(ctx)
	}
	return pipeline.CallStatus{Unknown: true}
}
