package kinesistest

import (
	"math/big"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// maxRecord is how many bytes a record may have, where its stream does not allow more:
// of its data and its partition key.
const maxRecord = 1 << 20

// The bounds of PutRecords.
const (
	maxPutRecords = 500
	maxPutBytes   = 10 << 20
)

type entry struct {
	Data                          []byte
	PartitionKey, ExplicitHashKey string
}

type putRecordInput struct {
	streamRef
	entry
}

func (s *Server) onPutRecord(c *call, in *putRecordInput) (any, error) {
	st, err := s.findActive(in.streamRef)
	if err != nil {
		return nil, err
	}
	key, err := st.check(&in.entry)
	if err != nil {
		return nil, err
	}
	h := st.forShard(key)
	c.Part = h.id
	r, err := s.write(c, st, h, &in.entry)
	if err != nil {
		return nil, err
	}
	return map[string]string{"ShardId": r.Shard, "SequenceNumber": r.Sequence}, nil
}

type putRecordsInput struct {
	streamRef
	Records []entry
}

// putResult is that of one entry: where it is, or why it is not.
type putResult struct {
	ShardId        string `json:",omitempty"`
	SequenceNumber string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

func (s *Server) onPutRecords(c *call, in *putRecordsInput) (any, error) {
	st, err := s.findActive(in.streamRef)
	if err != nil {
		return nil, err
	}
	if n := len(in.Records); n == 0 || n > maxPutRecords {
		return nil, fail("ValidationException", "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to %d and greater than or equal to 1", maxPutRecords)
	}
	keys, size := make([]*big.Int, len(in.Records)), 0
	for i := range in.Records {
		if keys[i], err = st.check(&in.Records[i]); err != nil {
			return nil, err
		}
		size += len(in.Records[i].Data) + len(in.Records[i].PartitionKey)
	}
	if size > maxPutBytes {
		return nil, fail("InvalidArgumentException", "Records size exceeds %d MB limit", maxPutBytes>>20)
	}
	results, failed := make([]putResult, len(in.Records)), 0
	for i := range in.Records {
		h := st.forShard(keys[i])
		r, err := Record{}, error(nil)
		if c.FailEntries && i%2 == 0 {
			err = s.throttled(st, h)
		} else {
			r, err = s.write(c, st, h, &in.Records[i])
		}
		if e, ok := err.(*awsfake.Error); ok {
			results[i] = putResult{ErrorCode: e.Code, ErrorMessage: e.Message}
			failed++
			continue
		}
		results[i] = putResult{ShardId: r.Shard, SequenceNumber: r.Sequence}
	}
	return map[string]any{"FailedRecordCount": failed, "Records": results}, nil
}

// check says where an entry belongs, or why it can't be taken.
func (st *fakeStream) check(e *entry) (*big.Int, error) {
	if n := len([]rune(e.PartitionKey)); n == 0 || n > 256 {
		return nil, fail("ValidationException", "1 validation error detected: Value '%s' at 'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256 and greater than or equal to 1", e.PartitionKey)
	}
	if len(e.Data)+len(e.PartitionKey) > st.maxRecord {
		return nil, fail("ValidationException", "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to %d", st.maxRecord)
	}
	if e.ExplicitHashKey == "" {
		return hashKey(e.PartitionKey), nil
	}
	key, ok := parseHashKey(e.ExplicitHashKey)
	if !ok {
		return nil, fail("InvalidArgumentException", "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", e.ExplicitHashKey)
	}
	return key, nil
}

func (s *Server) throttled(st *fakeStream, h *fakeShard) *awsfake.Error {
	return fail("ProvisionedThroughputExceededException", "Rate exceeded for shard %s in stream %s under account %s.", h.id, st.name, s.o.Account)
}

// write puts a record into a shard, if its limits allow.
func (s *Server) write(c *call, st *fakeStream, h *fakeShard, e *entry) (Record, error) {
	size := len(e.Data) + len(e.PartitionKey)
	if s.o.WriteLimits {
		if !h.writes.allow(c.now, 1, 1000, time.Second) {
			return Record{}, s.throttled(st, h)
		}
		h.writes.charge(c.now, size, 1_000_000)
	}
	c.Records++
	c.Bytes += size
	return st.put(h, c.now, e.PartitionKey, e.Data), nil
}
