package partitions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// What becomes of a source when records of a partition are gone which were never read: the
// values of its key on_gap.
const (
	// GapFails ends the run, with status 3, when what was read before is committed.
	GapFails = "fail"
	// GapWaits keeps the source up: it reads the other partitions, but not the children of that
	// one, and the pipeline is not ready.
	GapWaits = "wait"
)

// Options say how partitions are read. Zero values are the defaults.
type Options struct {
	OnGap             string        // GapFails or GapWaits; GapFails
	GapAdvice         string        // a sentence on how to go on behind a gap; by an export, and --accept-gap
	MemoryBytes       int64         // of all records that were read and not freed, or are being read; 64 MiB
	Reads             int           // at the same time, without those that take long; 64
	PollInterval      time.Duration // after which one is read again that was caught up, where it says nothing else; one second
	DiscoveryInterval time.Duration // between two discoveries while none has ended; thirty seconds
	OpenTimeout       time.Duration // of an opening while the service can't be reached; two minutes
}

// Source reads a PartitionSource. It implements pipeline.Source, PartitionReporter,
// GapReporter and, for its opening, CallInspector.
type Source struct {
	name    string
	input   pipeline.PartitionSource
	options Options

	open bool
	out  chan *pipeline.Records
	err  error // why out was closed; read after that
	// stop ends what Open has started, and ended is closed then.
	stop  context.CancelFunc
	ended chan struct{}

	// noticed are the gaps that people were told of in this process, over all openings.
	noticed map[string]bool

	mu         sync.Mutex
	dispatcher *dispatcher // nil = not open
	opening    failures    // of an opening that goes on
}

var (
	_ pipeline.Source            = (*Source)(nil)
	_ pipeline.PartitionReporter = (*Source)(nil)
	_ pipeline.GapReporter       = (*Source)(nil)
	_ pipeline.CallInspector     = (*Source)(nil)
)

// New returns a source of this name, as the pipeline file has it.
func New(name string, input pipeline.PartitionSource, o Options) *Source {
	o.OnGap = cmp.Or(o.OnGap, GapFails)
	o.MemoryBytes = cmp.Or(o.MemoryBytes, 64<<20)
	o.Reads = cmp.Or(o.Reads, 64)
	o.PollInterval = cmp.Or(o.PollInterval, time.Second)
	o.DiscoveryInterval = cmp.Or(o.DiscoveryInterval, 30*time.Second)
	o.OpenTimeout = cmp.Or(o.OpenTimeout, 2*time.Minute)
	return &Source{name: name, input: input, options: o, noticed: map[string]bool{}}
}

// AdviseOnGaps sets Options.GapAdvice, for whoever is made of the source and knows better. It comes before Open.
func (s *Source) AdviseOnGaps(advice string) { s.options.GapAdvice = advice }

// Bounded implements pipeline.Source.
func (s *Source) Bounded() bool { return s.input.Bounded() }

// CursorText implements pipeline.Source.
func (s *Source) CursorText(partition string, raw []byte) string {
	c, err := parseCursor(partition, raw)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return c.text()
}

// Gaps implements pipeline.GapReporter.
func (s *Source) Gaps(cursors map[string][]byte) (all []pipeline.Gap, err error) {
	for name, raw := range cursors {
		c, err := parseCursor(name, raw)
		if err != nil {
			return nil, err
		}
		all = append(all, c.gaps()...)
	}
	sortGaps(all)
	return all, nil
}

// Report implements pipeline.PartitionReporter.
func (s *Source) Report() (r pipeline.PartitionReport) {
	s.mu.Lock()
	d := s.dispatcher
	if d == nil && s.opening.count > 0 {
		r.Problems = []pipeline.SourceProblem{s.opening.problem("")}
	}
	s.mu.Unlock()
	if d == nil {
		return r
	}
	answer := make(chan pipeline.PartitionReport, 1)
	select {
	case d.asked <- answer:
		return <-answer
	case <-d.done:
		return r
	}
}

// Open connects, discovers the partitions, and begins to read ahead. While the service can't be
// reached it tries again, for Options.OpenTimeout.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	if s.open {
		return fmt.Errorf("source %s: opened twice", s.name)
	}
	d := newDispatcher(s.name, s.input, s.options, o, s.noticed)
	if err := d.restore(o.Cursors); err != nil {
		return err
	}
	s.open = true // so that Close frees what Connect takes
	found, err := s.connect(ctx, d)
	if err != nil {
		return err
	}
	now := time.Now()
	d.open(found, now)
	working, stop := context.WithCancel(context.Background())
	s.stop, s.out, s.ended = stop, make(chan *pipeline.Records), make(chan struct{})
	s.setDispatcher(d)
	go func() {
		defer close(s.ended)
		s.err = d.run(working, s.out)
		stop()
		d.running.Wait()
		if err := d.closeReaders(); err != nil {
			s.err = errors.Join(s.err, err)
		}
		close(s.out)
	}()
	return nil
}

// connect connects and discovers, again and again while that may help.
func (s *Source) connect(ctx context.Context, d *dispatcher) (found []pipeline.Partition, err error) {
	began := time.Now()
	defer func() { s.opened(d, err == nil) }()
	for {
		if err = s.input.Connect(ctx, d.env); err == nil {
			if found, err = s.input.Discover(ctx, d.names()); err == nil {
				return found, nil
			}
			err = fmt.Errorf("discovery of partitions: %w", err)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !pipeline.Retryable(err), time.Since(began) >= s.options.OpenTimeout:
			return nil, err
		}
		if err := s.input.Close(); err != nil {
			return nil, err
		}
		s.mu.Lock()
		if s.opening.count == 0 {
			d.env.Log.Warn("the start waits for the service", "at_most", s.options.OpenTimeout, "error", err)
		}
		wait := d.failed(&s.opening, "", err, time.Now())
		s.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// InspectCall implements pipeline.CallInspector: an opening that tries again and again gets on.
func (s *Source) InspectCall(context.Context) pipeline.CallStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening.count > 0 {
		return pipeline.CallStatus{LastProgress: time.Now(), WaitsFor: s.opening.err.Error()}
	}
	return pipeline.CallStatus{WaitsFor: "the service to answer"}
}

// opened notes that no opening goes on any longer; ok = false says that it failed.
func (s *Source) opened(d *dispatcher, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		d.recovered(&s.opening, "")
	}
	s.opening = failures{}
}

func (s *Source) setDispatcher(d *dispatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatcher = d
}

// Read implements pipeline.Source.
func (s *Source) Read(ctx context.Context) (*pipeline.Records, error) {
	if s.out == nil {
		return nil, fmt.Errorf("source %s: not open", s.name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r, ok := <-s.out:
		if !ok {
			return nil, s.err
		}
		return r, nil
	}
}

// Committed goes on with what waited for that: see Records.SaveNow.
func (s *Source) Committed(ctx context.Context, cursors map[string][]byte) error {
	s.mu.Lock()
	d := s.dispatcher
	s.mu.Unlock()
	if d == nil || len(cursors) == 0 {
		return nil
	}
	select {
	case d.told <- cursors:
	case <-d.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Close implements pipeline.Source.
func (s *Source) Close() error {
	s.setDispatcher(nil)
	var errs []error
	if s.stop != nil {
		s.stop()
		<-s.ended
		s.stop, s.out = nil, nil
	}
	if s.open {
		s.open = false
		errs = append(errs, s.input.Close())
	}
	return errors.Join(errs...)
}
