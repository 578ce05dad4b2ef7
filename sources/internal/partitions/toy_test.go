package partitions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/conformance"
)

// toyStream is a stream in memory whose shards split, merge and lose their oldest
// records. It is the input of toySources.
type toyStream struct {
	mu      sync.Mutex
	shards  []*toyShard // in the order in which they came
	bounded bool
	records int
	opened  int // readers that are open
}

// toyShard is a shard: a record's sequence number is its place in records.
type toyShard struct {
	pipeline.Partition
	records []string
	trimmed int  // of records, from the first on
	closed  bool // nothing is added
	gone    bool // it is not listed any longer
}

// newToyStream returns a stream of two shards that were split and merged, with some records each.
func newToyStream(bounded bool) *toyStream {
	s := &toyStream{bounded: bounded}
	a, b := s.add(), s.add()
	s.put(a, 5)
	s.put(b, 3)
	c, d := s.split(a)
	s.put(c, 4)
	s.put(d, 2)
	e := s.merge(c, b)
	s.put(e, 3)
	s.merge(s.split(d)) // two that end empty
	if bounded {
		for _, shard := range s.shards {
			shard.closed = true
		}
	}
	return s
}

func (s *toyStream) add(parents ...*toyShard) *toyShard {
	shard := &toyShard{Partition: pipeline.Partition{Name: fmt.Sprintf("shard-%02d", len(s.shards))}}
	for _, p := range parents {
		p.closed = true
		shard.Parents = append(shard.Parents, p.Name)
	}
	s.shards = append(s.shards, shard)
	return shard
}

func (s *toyStream) split(p *toyShard) (x, y *toyShard) { return s.add(p), s.add(p) }
func (s *toyStream) merge(x, y *toyShard) *toyShard     { return s.add(x, y) }

// put adds records, which are JSON objects of an item and a number that rises.
func (s *toyStream) put(shard *toyShard, n int) {
	for range n {
		s.records++
		shard.records = append(shard.records, fmt.Sprintf(`{"item":"i%d","n":%d}`, s.records%7, s.records))
	}
}

// shard returns one by its name.
func (s *toyStream) shard(name string) *toyShard {
	i := slices.IndexFunc(s.shards, func(p *toyShard) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return s.shards[i]
}

// Source implements conformance.Input.
func (s *toyStream) Source(testing.TB) pipeline.Source {
	return New("toy", &toySource{stream: s}, Options{Workers: 3, PollInterval: time.Millisecond, DiscoveryInterval: 5 * time.Millisecond})
}

// Want implements conformance.Input.
func (s *toyStream) Want() (all []conformance.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.shards {
		all = append(all, conformance.Partition{Name: p.Name, Parents: p.Parents, Records: slices.Clone(p.records)})
	}
	return all
}

// Trim implements conformance.Trimmer: some records are gone of each shard that has any that
// were not read.
func (s *toyStream) Trim(_ testing.TB, read map[string]int) (lost []string) {
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

// growing is a toyStream without end.
type growing struct{ *toyStream }

// Grow implements conformance.Grower.
func (s growing) Grow(r *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []*toyShard
	for _, p := range s.shards {
		if !p.closed {
			open = append(open, p)
		}
	}
	switch at := r.IntN(len(open)); {
	case r.IntN(2) == 0:
		s.put(open[at], 1+r.IntN(3))
	case len(open) > 1:
		other := open[(at+1)%len(open)]
		s.put(s.merge(open[at], other), r.IntN(3))
	default:
		x, y := s.split(open[at])
		s.put(x, r.IntN(3))
		s.put(y, r.IntN(3))
	}
}

// toySource reads a toyStream: all that a source of shards has to know.
type toySource struct {
	stream *toyStream
	latest bool // it begins at the newest record
}

func (s *toySource) Bounded() bool                               { return s.stream.bounded }
func (s *toySource) Connect(context.Context, pipeline.Env) error { return nil }
func (s *toySource) Close() error                                { return nil }
func (s *toySource) position(p *toyShard, n int) []byte          { return fmt.Appendf(nil, "%s/%d", p.Name, n) }
func (s *toySource) Format() *pipeline.Format {
	return &pipeline.Format{Encoding: pipeline.DynamoDBCDC}
}

func (s *toySource) Discover(_ context.Context, known map[string]bool) (found []pipeline.Partition, err error) {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	for _, p := range s.stream.shards {
		f := p.Partition
		if s.latest && len(known) == 0 {
			if p.closed {
				continue
			}
			f.Start = s.position(p, len(p.records))
		}
		if !p.gone {
			found = append(found, f)
		}
	}
	return found, nil
}

func (s *toySource) OpenPartition(_ context.Context, p pipeline.Partition, cursor []byte) (pipeline.PartitionReader, error) {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	r := &toyReader{source: s, shard: s.stream.shard(p.Name)}
	if r.shard == nil || r.shard.gone {
		return nil, &pipeline.GapError{Partition: p.Name, Err: errors.New("the shard is gone")}
	}
	if cursor != nil {
		at, err := strconv.Atoi(string(cursor[len(p.Name)+1:]))
		if err != nil {
			return nil, err
		}
		r.at = at
	}
	s.stream.opened++
	return r, nil
}

// toyReader reads a shard, two records at a time.
type toyReader struct {
	source *toySource
	shard  *toyShard
	at     int
}

func (r *toyReader) Close() error {
	r.source.stream.mu.Lock()
	defer r.source.stream.mu.Unlock()
	r.source.stream.opened--
	return nil
}

func (r *toyReader) Read(context.Context) (read pipeline.PartitionRecords, err error) {
	r.source.stream.mu.Lock()
	defer r.source.stream.mu.Unlock()
	if r.at < r.shard.trimmed {
		return read, &pipeline.GapError{Partition: r.shard.Name, Err: fmt.Errorf("%d records are gone", r.shard.trimmed-r.at),
			Resume: r.source.position(r.shard, r.shard.trimmed)}
	}
	first, texts := r.at, r.shard.records[r.at:min(r.at+2, len(r.shard.records))]
	r.at += len(texts)
	if len(texts) > 0 {
		read.Records = &pipeline.Records{Format: r.source.Format(),
			CursorAfter:  func(n int) []byte { return r.source.position(r.shard, first+n) },
			PositionText: func(i int) string { return strconv.Itoa(first + i) }}
		for _, text := range texts {
			from := len(read.Records.Data)
			read.Records.Data = append(read.Records.Data, text...)
			read.Records.Spans = append(read.Records.Spans, pipeline.Span{Start: uint32(from), End: uint32(from + len(text))})
		}
	}
	read.CaughtUp = r.at == len(r.shard.records)
	if read.CaughtUp && r.shard.closed {
		err = io.EOF
	}
	return read, err
}
