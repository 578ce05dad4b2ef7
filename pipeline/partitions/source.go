package partitions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	MemoryBytes       int64         // of all records that were read and not freed, or are being read; 64 MiB
	Reads             int           // at the same time, without those that take long; 64
	PollInterval      time.Duration // after which one is read again that was caught up, where it says nothing else; one second
	DiscoveryInterval time.Duration // between two discoveries while none has ended; thirty seconds
}

// Source reads a PartitionSource. It implements pipeline.Source.
type Source struct {
	name    string
	input   pipeline.PartitionSource
	options Options

	open       bool
	out        chan *pipeline.Records
	err        error // why out was closed; read after that
	cancel     context.CancelFunc
	running    sync.WaitGroup
	dispatcher *dispatcher
}

var _ pipeline.Source = (*Source)(nil)

// New returns a source of this name, as the pipeline file has it.
func New(name string, input pipeline.PartitionSource, o Options) *Source {
	o.Reads = cmp.Or(o.Reads, 8)
	o.PollInterval = cmp.Or(o.PollInterval, time.Second)
	o.DiscoveryInterval = cmp.Or(o.DiscoveryInterval, 30*time.Second)
	return &Source{name: name, input: input, options: o}
}

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

// Open connects, discovers the partitions, and begins to read ahead.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	if s.open {
		return fmt.Errorf("source %s: opened twice", s.name)
	}
	d := newDispatcher(s.name, s.input, s.options, o.Env)
	if err := d.restore(o.Cursors); err != nil {
		return err
	}
	s.open = true // so that Close frees what Connect takes
	if err := s.input.Connect(ctx, o.Env); err != nil {
		return err
	}
	found, err := s.input.Discover(ctx, d.known())
	if err != nil {
		return fmt.Errorf("discovery of partitions: %w", err)
	}
	d.discovered(found)
	working, cancel := context.WithCancel(context.Background())
	s.cancel, s.dispatcher, s.out = cancel, d, make(chan *pipeline.Records)
	for range s.options.Reads {
		s.running.Go(func() { d.work(working) })
	}
	s.running.Go(func() {
		s.err = d.run(working, s.out)
		close(s.out)
	})
	return nil
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

// Committed does nothing: see pipeline.PartitionSource.
func (s *Source) Committed(context.Context, map[string][]byte) error { return nil }

// Close implements pipeline.Source.
func (s *Source) Close() error {
	var errs []error
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
		errs = append(errs, s.dispatcher.closeReaders())
		s.cancel, s.out, s.dispatcher = nil, nil, nil
	}
	if s.open {
		s.open = false
		errs = append(errs, s.input.Close())
	}
	return errors.Join(errs...)
}

// ended reports whether an error is only the end of a partition.
func ended(err error) bool { return errors.Is(err, io.EOF) }
