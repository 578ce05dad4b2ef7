package kinesistest

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Entry is a record to be put.
type Entry struct {
	PartitionKey string
	Data         []byte
	// HashKey is the explicit hash key; empty = that of PartitionKey.
	HashKey string
}

// with runs what has a stream as its object.
func (s *Server) with(stream string, what func(c *call, st *fakeStream) error) error {
	return s.do(&awsfake.Call{}, func(c *call) error {
		st, err := s.find(streamRef{StreamName: stream})
		if err != nil {
			return err
		}
		return what(c, st)
	})
}

func (s *Server) withShard(stream, shard string, what func(c *call, st *fakeStream, h *fakeShard) error) error {
	return s.with(stream, func(c *call, st *fakeStream) error {
		h := st.shard(shard)
		if h == nil {
			return fmt.Errorf("shard %s of stream %s: not found", shard, stream)
		}
		return what(c, st, h)
	})
}

// Create makes a stream of as many shards, in one step, whatever the limits of the service.
func (s *Server) Create(stream string, shards int) error {
	return s.do(&awsfake.Call{}, func(c *call) error {
		_, err := s.onCreateStream(c, &createStreamInput{streamRef: streamRef{StreamName: stream}, ShardCount: shards})
		return err
	})
}

// Delete deletes a stream.
func (s *Server) Delete(stream string) error {
	return s.do(&awsfake.Call{}, func(c *call) error {
		_, err := s.onDeleteStream(c, &streamRef{StreamName: stream})
		return err
	})
}

// Register registers consumers of a stream, which are ACTIVE after Options.ConsumerTime.
func (s *Server) Register(stream string, consumers ...string) error {
	return s.with(stream, func(c *call, st *fakeStream) error {
		for _, name := range consumers {
			if _, err := s.onRegisterStreamConsumer(c, &consumerRef{StreamARN: st.arn, ConsumerName: name}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Deregister deregisters a consumer of a stream.
func (s *Server) Deregister(stream, consumer string) error {
	return s.with(stream, func(c *call, st *fakeStream) error {
		_, err := s.onDeregisterStreamConsumer(c, &consumerRef{StreamARN: st.arn, ConsumerName: consumer})
		return err
	})
}

// Put puts records, whatever the limits, and says where they are.
func (s *Server) Put(stream string, entries ...Entry) (records []Record, err error) {
	err = s.with(stream, func(c *call, st *fakeStream) error {
		for i := range entries {
			e := entry{PartitionKey: entries[i].PartitionKey, Data: entries[i].Data, ExplicitHashKey: entries[i].HashKey}
			key, err := st.check(&e)
			if err != nil {
				return err
			}
			records = append(records, st.put(st.forShard(key), c.now, e.PartitionKey, e.Data))
		}
		return nil
	})
	return records, err
}

// PutTo puts a record into a shard, open or not, whatever its key.
func (s *Server) PutTo(stream, shard, key string, data []byte) (r Record, err error) {
	err = s.withShard(stream, shard, func(c *call, st *fakeStream, h *fakeShard) error {
		r = st.put(h, c.now, key, data)
		return nil
	})
	return r, err
}

// SplitShard splits a shard in the middle, at once, and returns the children's ids.
func (s *Server) SplitShard(stream, shard string) (low, high string, err error) {
	err = s.withShard(stream, shard, func(c *call, st *fakeStream, h *fakeShard) error {
		if !h.open() {
			return fmt.Errorf("shard %s of stream %s: closed", shard, stream)
		}
		children := st.splitShard(c.now, h, h.middle())
		low, high = children[0].id, children[1].id
		return nil
	})
	return low, high, err
}

// MergeShards merges two shards, the one with the lower hash keys first, at once, and returns the
// child's id.
func (s *Server) MergeShards(stream, low, high string) (child string, err error) {
	err = s.withShard(stream, low, func(c *call, st *fakeStream, a *fakeShard) error {
		b := st.shard(high)
		if b == nil || !a.open() || !b.open() {
			return fmt.Errorf("shards %s and %s of stream %s: not both open", low, high, stream)
		}
		child = st.mergeShards(c.now, a, b).id
		return nil
	})
	return child, err
}

// Resize splits and merges until a stream has n equal open shards, at once.
func (s *Server) Resize(stream string, n int) error {
	return s.with(stream, func(c *call, st *fakeStream) error {
		st.resize(c.now, n)
		return nil
	})
}

// Shards returns the ids of all shards of a stream that are still there, open or closed, hidden ones too.
func (s *Server) Shards(stream string) (ids []string, err error) {
	err = s.with(stream, func(_ *call, st *fakeStream) error {
		for _, h := range st.shards {
			if !h.gone {
				ids = append(ids, h.id)
			}
		}
		return nil
	})
	return ids, err
}

// Records returns all records that were ever put into a stream, those too that can no
// longer be read: shard by shard, each in its order.
func (s *Server) Records(stream string) (records []Record, err error) {
	err = s.with(stream, func(_ *call, st *fakeStream) error {
		for _, h := range st.shards {
			records = append(records, h.records...)
		}
		return nil
	})
	return records, err
}

// Advance moves the clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
	s.wake()
}

// Now returns the fake's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Trim makes the first n records of a shard unreadable, as retention does.
func (s *Server) Trim(stream, shard string, n int) error {
	return s.withShard(stream, shard, func(_ *call, _ *fakeStream, h *fakeShard) error {
		if n > len(h.records) {
			return fmt.Errorf("shard %s of stream %s: %d records, of which %d are to be trimmed", shard, stream, len(h.records), n)
		}
		h.trimmed = max(h.trimmed, n)
		return nil
	})
}

// Forget takes a shard out of its stream, as retention does with closed ones: it is neither listed
// nor read any more. Its children still name it.
func (s *Server) Forget(stream, shard string) error {
	return s.withShard(stream, shard, func(_ *call, _ *fakeStream, h *fakeShard) error {
		h.gone = true
		return nil
	})
}

// Hide takes a shard out of lists, or brings it back. It can be read, and is named at the end of its
// parents, meanwhile: lists may lag behind.
func (s *Server) Hide(stream, shard string, hidden bool) error {
	return s.withShard(stream, shard, func(_ *call, _ *fakeStream, h *fakeShard) error {
		h.hidden = hidden
		return nil
	})
}

// EmptyPages lets the next n reads of a shard come without records, whatever there is.
func (s *Server) EmptyPages(stream, shard string, n int) error {
	return s.withShard(stream, shard, func(_ *call, _ *fakeStream, h *fakeShard) error {
		h.emptyPages = n
		return nil
	})
}
