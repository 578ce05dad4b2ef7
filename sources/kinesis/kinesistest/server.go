package kinesistest

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Options are what a fake is made with. The zero value plays a service without limits,
// whose streams are changed at once.
type Options struct {
	// Now tells the time; nil = time.Now. Server.Advance adds to it.
	Now func() time.Time
	// Account and Region are those of its ARNs; empty = 123456789012 in us-east-1.
	Account, Region string
	// ReadLimits lets five reads and 2 MB a second of each shard pass, as the service does.
	ReadLimits bool
	// WriteLimits lets 1,000 records and 1 MB a second into each shard.
	WriteLimits bool
	// ChangeTime is how long a stream is CREATING, UPDATING or DELETING.
	ChangeTime time.Duration
	// IteratorTTL is how long an iterator lives; 0 = 5 min, as at the service.
	IteratorTTL time.Duration
	// ShardPage is how many shards ListShards gives at most; 0 = 1,000, as at the service.
	ShardPage int
	// RefuseTrimmed makes GetShardIterator refuse sequence numbers before the oldest record there is
	// (InvalidArgumentException). Otherwise it accepts them, and reading begins at that record.
	RefuseTrimmed bool
	// ConsumerTime is how long a consumer is CREATING.
	ConsumerTime time.Duration
	// SubscriptionTime is how long a subscription lasts; 0 = 5 min, as at the service.
	SubscriptionTime time.Duration
	// SubscribeInterval is how long after a successful call another one of the same consumer and shard is
	// refused; 0 = 5 s, as at the service. Later it takes over.
	SubscribeInterval time.Duration
	// Heartbeat is the time between events of a subscription without records; 0 = 5 s.
	Heartbeat time.Duration
	// EmptyLastPage lets a closed shard end in a page of its own, without records; otherwise
	// its last records and the missing iterator come together.
	EmptyLastPage bool
	// Seed is that of what is left to chance: faults with a ratio.
	Seed uint64
}

// Server is a fake of the service: a handler of its requests. It may be called, and its
// knobs be turned, from any goroutine.
type Server struct {
	// Endpoint is the URL that Start serves it at; empty = Start has not been called.
	Endpoint string

	o   Options
	api *awsfake.Handler

	mu      sync.Mutex
	ahead   time.Duration // of the clock
	streams map[string]*fakeStream
	deleted map[string]time.Time // when streams were made which are no more
	woken   chan struct{}        // closed when something has changed
}

// New returns a fake without streams.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.IteratorTTL == 0 {
		o.IteratorTTL = 5 * time.Minute
	}
	if o.ShardPage == 0 {
		o.ShardPage = 1000
	}
	o.SubscriptionTime = cmp.Or(o.SubscriptionTime, 5*time.Minute)
	o.SubscribeInterval = cmp.Or(o.SubscribeInterval, 5*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, 5*time.Second)
	s := &Server{o: o, woken: make(chan struct{}), streams: map[string]*fakeStream{}, deleted: map[string]time.Time{}}
	s.api = awsfake.NewHandler("application/x-amz-json-1.1", s.operations(), s.Now, o.Seed)
	return s
}

// Start serves a new fake on loopback until the test ends.
func Start(t testing.TB, o Options) *Server {
	s := New(o)
	web := httptest.NewServer(s)
	s.Endpoint = web.URL
	t.Cleanup(func() {
		s.Close()
		web.Close()
	})
	return s
}

// Close ends the calls that hang. It may be called twice.
func (s *Server) Close() { s.api.Close() }

// now is the fake's time. The lock is held.
func (s *Server) now() time.Time { return s.o.Now().Add(s.ahead) }

func fail(code, format string, args ...any) *awsfake.Error {
	return awsfake.Errorf(code, format, args...)
}

// call is one request while it is answered.
type call struct {
	now time.Time
	*awsfake.Call
}

// target is an input that says which stream and shard it is about, for the log and faults.
type target interface {
	target() (stream, shard string)
}

// answer makes an operation of a function with a typed input, which holds the lock.
func answer[I any, P interface {
	*I
	target
}](s *Server, do func(*call, *I) (any, error)) awsfake.Operation {
	return awsfake.Typed(func(in *I) (string, string) { return P(in).target() }, func(c *awsfake.Call, in *I) (result any, err error) {
		err = s.do(c, func(c *call) error {
			result, err = do(c, in)
			return err
		})
		return result, err
	})
}

// do runs what a request asks for, and what time has done until then.
func (s *Server) do(c *awsfake.Call, what func(c *call) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, st := range s.streams {
		st.advance(now)
		if st.status == "DELETING" && !now.Before(st.busyUntil) {
			s.remove(st)
		}
	}
	defer s.wake()
	return what(&call{now: now, Call: c})
}

// wake has subscriptions look for what has changed.
func (s *Server) wake() {
	close(s.woken)
	s.woken = make(chan struct{})
}

func (s *Server) operations() map[string]awsfake.Operation {
	return map[string]awsfake.Operation{
		"Kinesis_20131202.CreateStream":                  answer(s, s.onCreateStream),
		"Kinesis_20131202.DecreaseStreamRetentionPeriod": answer(s, s.onDecreaseRetention),
		"Kinesis_20131202.DeleteStream":                  answer(s, s.onDeleteStream),
		"Kinesis_20131202.DeregisterStreamConsumer":      answer(s, s.onDeregisterStreamConsumer),
		"Kinesis_20131202.DescribeStreamConsumer":        answer(s, s.onDescribeStreamConsumer),
		"Kinesis_20131202.ListStreamConsumers":           answer(s, s.onListStreamConsumers),
		"Kinesis_20131202.RegisterStreamConsumer":        answer(s, s.onRegisterStreamConsumer),
		"Kinesis_20131202.SubscribeToShard":              answer(s, s.onSubscribeToShard),
		"Kinesis_20131202.DescribeStream":                answer(s, s.onDescribeStream),
		"Kinesis_20131202.DescribeStreamSummary":         answer(s, s.onDescribeStreamSummary),
		"Kinesis_20131202.GetRecords":                    answer(s, s.onGetRecords),
		"Kinesis_20131202.GetShardIterator":              answer(s, s.onGetShardIterator),
		"Kinesis_20131202.IncreaseStreamRetentionPeriod": answer(s, s.onIncreaseRetention),
		"Kinesis_20131202.ListShards":                    answer(s, s.onListShards),
		"Kinesis_20131202.ListStreams":                   answer(s, s.onListStreams),
		"Kinesis_20131202.MergeShards":                   answer(s, s.onMergeShards),
		"Kinesis_20131202.PutRecord":                     answer(s, s.onPutRecord),
		"Kinesis_20131202.PutRecords":                    answer(s, s.onPutRecords),
		"Kinesis_20131202.SplitShard":                    answer(s, s.onSplitShard),
		"Kinesis_20131202.UpdateShardCount":              answer(s, s.onUpdateShardCount),
		"Kinesis_20131202.UpdateStreamMode":              answer(s, s.onUpdateStreamMode),
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.api.ServeHTTP(w, r) }
