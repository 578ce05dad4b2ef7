package sourcetest

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

	"github.com/starlift-etl/starlift/pipeline"
)

// Stream is a stream in memory whose shards split, merge and lose their oldest
// records. Tests wrap what Reader returns into a source, and so make an Input of it.
type Stream struct {
	mu      sync.Mutex
	shards  []*Shard // parents before their children
	bounded bool
	records int
	readers int // that are open
}

// Shard is a shard of a Stream. The place of a record among all that it ever had is the
// record's sequence number.
type Shard struct {
	pipeline.Partition
	records []string
	trimmed int  // of records, from the first on
	closed  bool // nothing is added
	gone    bool // it is not listed any longer
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
	s.mu.Unlock()
	s.Put(p, records)
	return p
}

// Put adds records to a shard: JSON objects of an item, and a time and n that rise.
func (s *Stream) Put(p *Shard, records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range records {
		s.records++
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

// Reader returns what reads the stream: all that a source of shards has to know. With
// latest it begins at the newest records.
func (s *Stream) Reader(latest bool) pipeline.PartitionSource { return &streamReader{s, latest} }

type streamReader struct {
	*Stream
	latest bool
}

func (s *streamReader) Bounded() bool                               { return s.bounded }
func (s *streamReader) Connect(context.Context, pipeline.Env) error { return nil }
func (s *streamReader) Close() error                                { return nil }

func (s *streamReader) Discover(_ context.Context, known map[string]bool) (found []pipeline.Partition, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.shards {
		f := p.Partition
		if s.latest && len(known) == 0 {
			if p.closed {
				continue
			}
			f.Start = strconv.AppendInt(nil, int64(len(p.records)), 10)
		}
		if !p.gone {
			found = append(found, f)
		}
	}
	return found, nil
}

func (s *streamReader) OpenPartition(_ context.Context, p pipeline.Partition, from pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.shards, func(other *Shard) bool { return other.Name == p.Name })
	if at < 0 || s.shards[at].gone {
		return nil, &pipeline.GapError{Partition: p.Name, Err: errors.New("the shard is gone")}
	}
	r := &shardReader{stream: s.Stream, shard: s.shards[at]}
	if cursor := from.Cursor; cursor != nil {
		var err error
		if r.next, err = strconv.Atoi(string(cursor)); err != nil {
			return nil, err
		}
	}
	s.readers++
	return r, nil
}

// shardReader reads a shard, two records at a time.
type shardReader struct {
	stream *Stream
	shard  *Shard
	next   int
}

func (r *shardReader) Close() error {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	r.stream.readers--
	return nil
}

func (r *shardReader) Read(context.Context, int) (read pipeline.PartitionRecords, err error) {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	all := r.shard.records
	if r.next < r.shard.trimmed {
		return read, &pipeline.GapError{Partition: r.shard.Name, Err: fmt.Errorf("%d records are gone", r.shard.trimmed-r.next),
			Resume: strconv.AppendInt(nil, int64(r.shard.trimmed), 10)}
	}
	first, texts := r.next, all[r.next:min(r.next+2, len(all))]
	if r.next += len(texts); len(texts) > 0 {
		read.Records = &pipeline.Records{Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC},
			CursorAfter:  func(n int) []byte { return strconv.AppendInt(nil, int64(first+n), 10) },
			PositionText: func(i int) string { return strconv.Itoa(first + i) }}
		for _, text := range texts {
			from := len(read.Records.Data)
			read.Records.Data = append(read.Records.Data, text...)
			read.Records.Spans = append(read.Records.Spans, pipeline.Span{Start: uint32(from), End: uint32(from + len(text))})
		}
	}
	read.CaughtUp = r.next == len(all)
	if read.CaughtUp && r.shard.closed {
		err = io.EOF
	}
	return read, err
}
