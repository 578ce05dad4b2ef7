package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
)

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

// fault waits for Fault.
func (s *Stream) fault(ctx context.Context, shard string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(ctx, shard)
}

func (s *streamReader) Discover(ctx context.Context, known map[string]bool) (found []pipeline.Partition, err error) {
	if err := s.fault(ctx, ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.shards {
		f := p.Partition
		if s.latest && len(known) == 0 {
			f.Start = strconv.AppendInt(nil, int64(len(p.records)), 10)
		}
		if !p.gone && !p.unlisted {
			found = append(found, f)
		}
	}
	return found, nil
}

func (s *streamReader) OpenPartition(ctx context.Context, p pipeline.Partition, at pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	if err := s.fault(ctx, p.Name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shard := s.byName[p.Name]
	if shard == nil || shard.gone {
		return nil, &pipeline.GapError{Partition: p.Name, Err: errors.New("the shard is gone")}
	}
	r := &shardReader{stream: s.Stream, shard: shard, empty: s.EmptyPages}
	if at.Cursor != nil {
		var err error
		if r.next, err = strconv.Atoi(string(at.Cursor)); err != nil {
			return nil, err
		}
	}
	// A place that was trimmed without a word: what was read to a time before the last record
	// that is gone has missed it.
	if n := shard.trimmed; s.SilentTrims && r.next < n {
		if !at.ReadUntil.IsZero() && at.ReadUntil.Before(shard.times[n-1]) {
			return nil, r.gap()
		}
		r.next = n
	}
	s.readers++
	return r, nil
}

// shardReader reads a shard, two records at a time.
type shardReader struct {
	stream *Stream
	shard  *Shard
	next   int
	empty  int // pages to come without records
}

func (r *shardReader) Close() error {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	r.stream.readers--
	return nil
}

func (r *shardReader) gap() error {
	n := r.shard.trimmed
	return &pipeline.GapError{Partition: r.shard.Name, To: r.shard.times[n-1], Err: fmt.Errorf("%d records are gone", n-r.next), Resume: strconv.AppendInt(nil, int64(n), 10)}
}

func (r *shardReader) Read(ctx context.Context, allowance int) (read pipeline.PartitionRecords, err error) {
	if err := r.stream.fault(ctx, r.shard.Name); err != nil {
		return read, err
	}
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	r.stream.reads++
	if r.next < r.shard.trimmed {
		return read, r.gap()
	}
	all := r.shard.records
	read.LagKnown = true
	if r.empty > 0 && r.next < len(all) {
		r.empty--
		read.Lag = r.shard.times[len(all)-1].Sub(r.shard.times[r.next])
		return read, nil
	}
	r.empty = r.stream.EmptyPages
	read.Records = r.take(all, allowance)
	if read.CaughtUp = r.next == len(all); !read.CaughtUp {
		read.Lag = r.shard.times[len(all)-1].Sub(r.shard.times[r.next-1])
	} else if r.shard.closed {
		err = io.EOF
		if r.stream.NamesChildren {
			read.Children = r.children()
		}
	}
	return read, err
}

// take takes the next records; nil = there are none.
func (r *shardReader) take(all []string, allowance int) *pipeline.Records {
	first := r.next
	records := &pipeline.Records{Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC},
		CursorAfter:  func(n int) []byte { return strconv.AppendInt(nil, int64(first+n), 10) },
		PositionText: func(i int) string { return strconv.Itoa(first + i) }}
	for len(records.Spans) < 2 && r.next < len(all) && (r.next == first || len(records.Data)+len(all[r.next]) <= allowance) {
		from := len(records.Data)
		records.Data = append(records.Data, all[r.next]...)
		records.Spans = append(records.Spans, pipeline.Span{Start: uint32(from), End: uint32(len(records.Data))})
		records.Arrived = append(records.Arrived, r.shard.times[r.next].UnixMicro())
		r.next++
	}
	if r.next == first {
		return nil
	}
	size := int64(len(records.Data))
	r.stream.held += size
	r.stream.heldMax = max(r.stream.heldMax, r.stream.held)
	records.Free = func() {
		r.stream.mu.Lock()
		defer r.stream.mu.Unlock()
		r.stream.held -= size
	}
	return records
}

func (r *shardReader) children() (all []pipeline.Partition) {
	for _, p := range r.stream.shards {
		for _, parent := range p.Parents {
			if parent == r.shard.Name {
				all = append(all, p.Partition)
				break
			}
		}
	}
	return all
}
