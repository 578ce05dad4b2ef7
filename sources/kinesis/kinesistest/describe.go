package kinesistest

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"
)

type sequenceRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

type shardDescription struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          hashKeyRange
	SequenceNumberRange   sequenceRange
}

func (h *fakeShard) describe() shardDescription {
	d := shardDescription{ShardId: h.id, HashKeyRange: h.hashKeys(), SequenceNumberRange: sequenceRange{h.first, h.last}}
	if len(h.parents) > 0 {
		d.ParentShardId = h.parents[0]
	}
	if len(h.parents) > 1 {
		d.AdjacentParentShardId = h.parents[1]
	}
	return d
}

// listed returns the shards that a list shows behind one.
func (st *fakeStream) listed(after string, want func(*fakeShard) bool) []shardDescription {
	list := []shardDescription{}
	for _, h := range st.shards {
		if !h.gone && !h.hidden && h.id > after && want(h) {
			list = append(list, h.describe())
		}
	}
	return list
}

type describeStreamInput struct {
	streamRef
	ExclusiveStartShardId string
	Limit                 int
}

func (s *Server) onDescribeStream(_ *call, in *describeStreamInput) (any, error) {
	st, err := s.find(in.streamRef)
	if err != nil {
		return nil, err
	}
	limit := 100
	if in.Limit > 0 {
		limit = min(in.Limit, 10_000)
	}
	shards := st.listed(in.ExclusiveStartShardId, func(*fakeShard) bool { return true })
	description := st.describe()
	description["HasMoreShards"] = len(shards) > limit
	description["Shards"] = shards[:min(limit, len(shards))]
	return map[string]any{"StreamDescription": description}, nil
}

func (s *Server) onDescribeStreamSummary(_ *call, in *streamRef) (any, error) {
	st, err := s.find(*in)
	if err != nil {
		return nil, err
	}
	summary := st.describe()
	summary["OpenShardCount"] = len(st.openShards())
	summary["ConsumerCount"] = 0
	summary["MaxRecordSizeInKiB"] = st.maxRecord >> 10
	return map[string]any{"StreamDescriptionSummary": summary}, nil
}

// describe returns what both descriptions of a stream have.
func (st *fakeStream) describe() map[string]any {
	return map[string]any{
		"StreamName": st.name, "StreamARN": st.arn, "StreamStatus": st.status,
		"StreamModeDetails":    streamMode{st.mode},
		"RetentionPeriodHours": int(st.retention / time.Hour), "StreamCreationTimestamp": secondsOf(st.created),
		"EnhancedMonitoring": []any{map[string]any{"ShardLevelMetrics": []string{}}}, "EncryptionType": "NONE",
	}
}

type shardFilter struct {
	Type, ShardId string
	Timestamp     *seconds
}

type listShardsInput struct {
	streamRef
	NextToken, ExclusiveStartShardId string
	MaxResults                       *int
	StreamCreationTimestamp          *seconds
	ShardFilter                      *shardFilter
}

func (in *listShardsInput) target() (string, string) {
	if in.NextToken != "" {
		t, _ := parseToken(in.NextToken)
		return t.Stream, ""
	}
	return in.name(), ""
}

// token is what a token of ListShards holds: a place in a list, and of which.
type token struct {
	Stream string
	After  string
	Filter *shardFilter
	Max    int
	At     int64 // ms since 1970
}

// tokenTTL is how long a token of ListShards lives.
const tokenTTL = 300 * time.Second

func (t token) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // of texts and numbers
	}
	return base64.StdEncoding.EncodeToString(b)
}

func parseToken(text string) (t token, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	return t, err == nil && json.Unmarshal(b, &t) == nil
}

func (s *Server) onListShards(c *call, in *listShardsInput) (any, error) {
	t, err := s.listToken(c, in)
	if err != nil {
		return nil, err
	}
	st, err := s.find(streamRef{StreamName: t.Stream})
	if err != nil {
		return nil, err
	}
	if st.status == "CREATING" || st.status == "DELETING" {
		return nil, fail("ResourceInUseException", "Stream %s under account %s not ACTIVE, instead in state %s", st.name, s.o.Account, st.status)
	}
	want, err := filter(t.Filter, st, c.now)
	if err != nil {
		return nil, err
	}
	shards := st.listed(t.After, want)
	answer := map[string]any{"Shards": shards}
	if len(shards) > t.Max {
		t.After, t.At = shards[t.Max-1].ShardId, c.now.UnixMilli()
		answer["Shards"], answer["NextToken"] = shards[:t.Max], t.String()
	}
	return answer, nil
}

// listToken returns the list that is asked for, by a token or by a stream.
func (s *Server) listToken(c *call, in *listShardsInput) (token, error) {
	most := s.o.ShardPage
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > 10_000 {
			return token{}, fail("ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10000 and greater than or equal to 1", *in.MaxResults)
		}
		most = min(most, *in.MaxResults)
	}
	if in.NextToken == "" {
		st, err := s.find(in.streamRef)
		if err != nil {
			return token{}, err
		}
		if in.StreamCreationTimestamp != nil && !in.StreamCreationTimestamp.time().Equal(st.created) {
			return token{}, fail("ResourceNotFoundException", "Stream %s under account %s not found.", st.name, s.o.Account)
		}
		return token{Stream: st.name, After: in.ExclusiveStartShardId, Filter: in.ShardFilter, Max: most}, nil
	}
	switch {
	case in.StreamName != "":
		return token{}, fail("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")
	case in.ExclusiveStartShardId != "" || in.StreamCreationTimestamp != nil || in.ShardFilter != nil:
		return token{}, fail("InvalidArgumentException", "NextToken cannot be provided together with ExclusiveStartShardId, StreamCreationTimestamp or ShardFilter.")
	}
	t, ok := parseToken(in.NextToken)
	if !ok {
		return token{}, fail("InvalidArgumentException", "The provided NextToken is malformed.")
	}
	if made := time.UnixMilli(t.At); c.now.Sub(made) > tokenTTL {
		return token{}, fail("ExpiredNextTokenException", "The provided NextToken is expired. It was created at time %s while right now it is %s.", javaDate(made), javaDate(c.now))
	}
	if in.MaxResults != nil {
		t.Max = most
	}
	return t, nil
}

// filter returns which shards a filter lets through.
func filter(f *shardFilter, st *fakeStream, now time.Time) (func(*fakeShard) bool, error) {
	if f == nil {
		return func(*fakeShard) bool { return true }, nil
	}
	horizon := now.Add(-st.retention)
	if st.created.After(horizon) {
		// The first shards are as old as the stream, or as the end of its creation.
		horizon = st.created
		if len(st.shards) > 0 {
			horizon = st.shards[0].created
		}
	}
	from := func(at time.Time) func(*fakeShard) bool {
		return func(h *fakeShard) bool { return h.open() || !h.closed.Before(at) }
	}
	at := func(at time.Time) func(*fakeShard) bool {
		return func(h *fakeShard) bool { return !h.created.After(at) && (h.open() || h.closed.After(at)) }
	}
	switch f.Type {
	case "AT_LATEST":
		return (*fakeShard).open, nil
	case "AT_TRIM_HORIZON":
		return at(horizon), nil
	case "FROM_TRIM_HORIZON":
		return from(horizon), nil
	case "AT_TIMESTAMP", "FROM_TIMESTAMP":
		if f.Timestamp == nil {
			return nil, fail("InvalidArgumentException", "ShardFilter of type %s needs a Timestamp.", f.Type)
		}
		if f.Type == "AT_TIMESTAMP" {
			return at(f.Timestamp.time()), nil
		}
		return from(f.Timestamp.time()), nil
	case "AFTER_SHARD_ID":
		if f.ShardId == "" {
			return nil, fail("InvalidArgumentException", "ShardFilter of type %s needs a ShardId.", f.Type)
		}
		return func(h *fakeShard) bool { return h.id > f.ShardId }, nil
	}
	types := []string{"AFTER_SHARD_ID", "AT_LATEST", "AT_TIMESTAMP", "AT_TRIM_HORIZON", "FROM_TIMESTAMP", "FROM_TRIM_HORIZON"}
	slices.Sort(types)
	return nil, fail("ValidationException", "1 validation error detected: Value '%s' at 'shardFilter.type' failed to satisfy constraint: Member must satisfy enum value set: %v", f.Type, types)
}
