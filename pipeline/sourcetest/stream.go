package sourcetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Stream is a stream in memory whose shards split, merge and lose their oldest
// records. Tests wrap what Reader returns into a source, and so make an Input of it. Record n
// arrives n seconds after Epoch. Set the exported fields before it is read.
type Stream struct {
	// SilentTrims makes a place that was trimmed be taken for the oldest record that is left, as some
	// services do: only the time up to which a shard was read tells then. Otherwise it is refused.
	SilentTrims bool
	// NamesChildren makes the end of a shard name its children.
	NamesChildren bool
	// EmptyPages is the number of pages without records, though more is to come, before each
	// that has some.
	EmptyPages int
	// Fault, when set, is called before each answer: an error is the answer, and it may wait.
	// shard is empty for a discovery.
	Fault func(ctx context.Context, shard string) error

	mu      sync.Mutex
	shards  []*Shard // parents before their children
	byName  map[string]*Shard
	bounded bool
	records int
	readers int   // that are open
	reads   int   // answers of shards so far
	held    int64 // bytes of records that were given and not freed
	heldMax int64
}

// Epoch is when a Stream began.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Shard is a shard of a Stream. The place of a record among all that it ever had is the
// record's sequence number.
type Shard struct {
	pipeline.Partition
	records  []string
	times    []time.Time // when they arrived
	trimmed  int         // of records, from the first on
	closed   bool        // nothing is added
	gone     bool        // it is not listed any longer
	unlisted bool        // it is not listed yet
}

// NewStream returns a stream of shards that were split and merged, with some records; a
// bounded one has no open shards.
func NewStream(bounded bool) *Stream {
	s := &Stream{bounded: bounded}
	a, b := s.Add(5), s.Add(3)
	c, d := s.Add(4, a), s.Add(2, a)
	s.Add(3, c, b)
	s.Add(1, s.Add(0, d), s.Add(0, d)) // of two that end empty
	for _, p := range s.shards {
		p.closed = p.closed || bounded
	}
	return s
}

// Add adds a shard with some records. Its parents are closed.
func (s *Stream) Add(records int, parents ...*Shard) *Shard {
	s.mu.Lock()
	p := &Shard{Partition: pipeline.Partition{Name: fmt.Sprintf("shard-%03d", len(s.shards))}}
	for _, parent := range parents {
		parent.closed = true
		p.Parents = append(p.Parents, parent.Name)
	}
	s.shards = append(s.shards, p)
	if s.byName == nil {
		s.byName = map[string]*Shard{}
	}
	s.byName[p.Name] = p
	s.mu.Unlock()
	s.Put(p, records)
	return p
}

// Hide keeps a shard from being listed, or lists it.
func (s *Stream) Hide(p *Shard, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.unlisted = hidden
}

// TrimTo takes the oldest records out of a shard, so that n are gone in all.
func (s *Stream) TrimTo(p *Shard, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.trimmed = n
}

// Reads returns how many answers shards have given.
func (s *Stream) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Held returns the bytes of records that were given and not freed, and the most there were.
func (s *Stream) Held() (now, most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.heldMax
}

// PutBytes adds a record of a size to a shard.
func (s *Stream) PutBytes(p *Shard, size int) {
	s.Put(p, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	last := &p.records[len(p.records)-1]
	*last = strings.TrimSuffix(*last, "}") + `,"pad":"` + strings.Repeat("x", max(size-len(*last), 0)) + `"}`
}

// Put adds records to a shard: JSON objects of an item, and a time and n that rise.
func (s *Stream) Put(p *Shard, records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range records {
		s.records++
		p.times = append(p.times, Epoch.Add(time.Duration(s.records)*time.Second))
		p.records = append(p.records, fmt.Sprintf(`{"item":"i%d","time":%d,"n":%d}`, s.records%7, s.records, s.records))
	}
}

// Remove takes a shard out of what is listed, with what was not read of it.
func (s *Stream) Remove(p *Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.gone = true
}

// Readers returns how many readers are open.
func (s *Stream) Readers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readers
}

// Want lists the shards, as Input has it.
func (s *Stream) Want() (all []Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.shards {
		all = append(all, Partition{Name: p.Name, Parents: p.Parents, Records: slices.Clone(p.records)})
	}
	return all
}

// Trim implements Trimmer: of each shard that was read in part some records are gone.
func (s *Stream) Trim(_ testing.TB, read map[string]int) (lost []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.shards {
		if n := read[p.Name]; n > 0 && n < len(p.records) {
			p.trimmed = n + (len(p.records)-n+1)/2
			lost = append(lost, p.records[n:p.trimmed]...)
		}
	}
	return lost
}

// Resize is the Grow of a Grower: an open shard gets records, is split, or is merged.
func (s *Stream) Resize(r *rand.Rand) {
	var open []*Shard
	for _, p := range s.shards {
		if !p.closed {
			open = append(open, p)
		}
	}
	switch at := r.IntN(len(open)); {
	case r.IntN(2) == 0:
		s.Put(open[at], 1+r.IntN(3))
	case len(open) > 1:
		s.Add(r.IntN(3), open[at], open[(at+1)%len(open)])
	default:
		s.Add(r.IntN(3), open[at])
		s.Add(r.IntN(3), open[at])
	}
}

// Shards returns the shards, parents before their children.
func (s *Stream) Shards() []*Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shards)
}
