package kinesistest

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// find returns the stream that a request names, by name or ARN.
func (s *Server) find(r streamRef) (*fakeStream, error) {
	name := r.name()
	if name == "" {
		return nil, fail("InvalidArgumentException", "Either StreamName or StreamARN must be provided")
	}
	st := s.streams[name]
	if st == nil || r.StreamARN != "" && r.StreamARN != st.arn {
		return nil, fail("ResourceNotFoundException", "Stream %s under account %s not found.", name, s.o.Account)
	}
	return st, nil
}

// findActive returns a stream that can be written to.
func (s *Server) findActive(r streamRef) (*fakeStream, error) {
	st, err := s.find(r)
	if err == nil && (st.status == "CREATING" || st.status == "DELETING") {
		return nil, fail("ResourceNotFoundException", "Stream %s under account %s not found.", st.name, s.o.Account)
	}
	return st, err
}

// findIdle returns a stream that can be changed.
func (s *Server) findIdle(r streamRef) (*fakeStream, error) {
	st, err := s.find(r)
	if err == nil && st.status != "ACTIVE" {
		return nil, fail("ResourceInUseException", "Stream %s under account %s not ACTIVE, instead in state %s", st.name, s.o.Account, st.status)
	}
	return st, err
}

func nameOf(arn string) string {
	_, name, _ := strings.Cut(arn, ":stream/")
	return name
}

// begin changes a stream, at once or after the time that changes take.
func (s *Server) begin(st *fakeStream, now time.Time, status string, change func(now time.Time)) {
	st.status, st.busyUntil, st.change = status, now.Add(s.o.ChangeTime), change
	if s.o.ChangeTime == 0 {
		st.advance(now)
	}
}

type streamMode struct{ StreamMode string }

type createStreamInput struct {
	streamRef
	ShardCount, MaxRecordSizeInKiB int
	StreamModeDetails              streamMode
}

func (s *Server) onCreateStream(c *call, in *createStreamInput) (any, error) {
	if s.streams[in.StreamName] != nil {
		return nil, fail("ResourceInUseException", "Stream %s under account %s already exists.", in.StreamName, s.o.Account)
	}
	mode := in.StreamModeDetails.StreamMode
	switch {
	case mode == "":
		mode = "PROVISIONED"
	case mode == "ON_DEMAND" && in.ShardCount == 0:
		in.ShardCount = 4
	}
	if in.StreamName == "" || in.ShardCount < 1 || in.ShardCount > 1<<20 {
		return nil, fail("ValidationException", "1 validation error detected: a stream needs a name, and shards from 1 on: %q, %d", in.StreamName, in.ShardCount)
	}
	st := &fakeStream{
		name: in.StreamName, created: c.now.Truncate(time.Second), retention: 24 * time.Hour, mode: mode, maxRecord: maxRecord, consumers: map[string]*fakeConsumer{},
		arn: fmt.Sprintf("arn:aws:kinesis:%s:%s:stream/%s", s.o.Region, s.o.Account, in.StreamName),
	}
	if last, again := s.deleted[st.name]; again && !st.created.After(last) {
		// At the service, deleting takes longer than a second.
		st.created = last.Add(time.Second)
	}
	if in.MaxRecordSizeInKiB > 0 {
		st.maxRecord = in.MaxRecordSizeInKiB << 10
	}
	s.streams[st.name] = st
	s.begin(st, c.now, "CREATING", func(now time.Time) {
		for i := range in.ShardCount {
			st.addShard(now, rangeStart(i, in.ShardCount), rangeEnd(i, in.ShardCount))
		}
	})
	return nil, nil
}

func (s *Server) onDeleteStream(c *call, in *streamRef) (any, error) {
	st, err := s.find(*in)
	if err != nil {
		return nil, err
	}
	st.status, st.change, st.busyUntil = "DELETING", nil, c.now.Add(s.o.ChangeTime)
	if s.o.ChangeTime == 0 {
		s.remove(st)
	}
	return nil, nil
}

func (s *Server) remove(st *fakeStream) {
	delete(s.streams, st.name)
	s.deleted[st.name] = st.created
}

type listStreamsInput struct {
	streamRef
	ExclusiveStartStreamName, NextToken string
	Limit                               int
}

func (s *Server) onListStreams(_ *call, in *listStreamsInput) (any, error) {
	after := in.ExclusiveStartStreamName
	if in.NextToken != "" {
		after = in.NextToken
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.streams)), func(name string) bool { return name <= after })
	limit := 100
	if in.Limit > 0 {
		limit = in.Limit
	}
	answer := map[string]any{"HasMoreStreams": len(names) > limit, "StreamNames": names}
	if len(names) > limit {
		answer["StreamNames"], answer["NextToken"] = names[:limit], names[limit-1]
	}
	return answer, nil
}

type retentionInput struct {
	streamRef
	RetentionPeriodHours int
}

func (s *Server) onIncreaseRetention(_ *call, in *retentionInput) (any, error) {
	return s.retain(in, func(now int) bool { return in.RetentionPeriodHours >= now }, "decrease")
}

func (s *Server) onDecreaseRetention(_ *call, in *retentionInput) (any, error) {
	return s.retain(in, func(now int) bool { return in.RetentionPeriodHours <= now }, "increase")
}

func (s *Server) retain(in *retentionInput, right func(now int) bool, wrong string) (any, error) {
	st, err := s.findIdle(in.streamRef)
	if err != nil {
		return nil, err
	}
	if hours := in.RetentionPeriodHours; hours < 24 || hours > 8760 || !right(int(st.retention/time.Hour)) {
		return nil, fail("InvalidArgumentException", "Requested retention period %d hours is not from 24 to 8760, or would %s it from %d.", hours, wrong, int(st.retention/time.Hour))
	}
	st.retention, st.swept = time.Duration(in.RetentionPeriodHours)*time.Hour, time.Time{}
	return nil, nil
}

type updateStreamModeInput struct {
	streamRef
	StreamModeDetails streamMode
}

func (s *Server) onUpdateStreamMode(c *call, in *updateStreamModeInput) (any, error) {
	st, err := s.findIdle(in.streamRef)
	if err != nil {
		return nil, err
	}
	s.begin(st, c.now, "UPDATING", func(time.Time) { st.mode = in.StreamModeDetails.StreamMode })
	return nil, nil
}

type splitShardInput struct {
	streamRef
	ShardToSplit, NewStartingHashKey string
}

func (in *splitShardInput) target() (string, string) { return in.name(), in.ShardToSplit }

func (s *Server) onSplitShard(c *call, in *splitShardInput) (any, error) {
	st, err := s.findIdle(in.streamRef)
	if err != nil {
		return nil, err
	}
	h, err := s.openShard(st, in.ShardToSplit)
	if err != nil {
		return nil, err
	}
	key, ok := parseHashKey(in.NewStartingHashKey)
	if !ok || key.Cmp(new(big.Int).Add(h.start, big.NewInt(1))) <= 0 || key.Cmp(h.end) >= 0 {
		return nil, fail("InvalidArgumentException", "NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.", in.NewStartingHashKey, h.id, st.name, s.o.Account, h.start, h.end)
	}
	s.begin(st, c.now, "UPDATING", func(now time.Time) { st.splitShard(now, h, key) })
	return nil, nil
}

// openShard finds a shard that can be split or merged.
func (s *Server) openShard(st *fakeStream, id string) (*fakeShard, error) {
	h := st.shard(id)
	if h == nil {
		return nil, fail("ResourceNotFoundException", "Could not find shard %s in stream %s under account %s.", id, st.name, s.o.Account)
	}
	if !h.open() {
		return nil, fail("InvalidArgumentException", "Shard %s in stream %s under account %s is not open: it was split or merged before.", id, st.name, s.o.Account)
	}
	return h, nil
}

type mergeShardsInput struct {
	streamRef
	ShardToMerge, AdjacentShardToMerge string
}

func (in *mergeShardsInput) target() (string, string) { return in.name(), in.ShardToMerge }

func (s *Server) onMergeShards(c *call, in *mergeShardsInput) (any, error) {
	st, err := s.findIdle(in.streamRef)
	if err != nil {
		return nil, err
	}
	low, err := s.openShard(st, in.ShardToMerge)
	if err != nil {
		return nil, err
	}
	high, err := s.openShard(st, in.AdjacentShardToMerge)
	if err != nil {
		return nil, err
	}
	if new(big.Int).Add(low.end, big.NewInt(1)).Cmp(high.start) != 0 {
		return nil, fail("InvalidArgumentException", "Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging", low.id, high.id, st.name, s.o.Account)
	}
	s.begin(st, c.now, "UPDATING", func(now time.Time) { st.mergeShards(now, low, high) })
	return nil, nil
}

type updateShardCountInput struct {
	streamRef
	TargetShardCount int
	ScalingType      string
}

func (s *Server) onUpdateShardCount(c *call, in *updateShardCountInput) (any, error) {
	st, err := s.findIdle(in.streamRef)
	if err != nil {
		return nil, err
	}
	open := len(st.openShards())
	if in.TargetShardCount < (open+1)/2 || in.TargetShardCount > 2*open {
		return nil, fail("LimitExceededException", "UpdateShardCount cannot scale up over double your current open shard count, or down below half of it: %d to %d", open, in.TargetShardCount)
	}
	s.begin(st, c.now, "UPDATING", func(now time.Time) { st.resize(now, in.TargetShardCount) })
	return map[string]any{"StreamName": st.name, "StreamARN": st.arn, "CurrentShardCount": open, "TargetShardCount": in.TargetShardCount}, nil
}
