package dynamodbtest

import (
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Options are what a fake is made with. The zero value plays a service without limits,
// whose tables are changed at once.
type Options struct {
	// Now tells the time; nil = time.Now. Server.Advance adds to it.
	Now func() time.Time
	// Account and Region are those of its ARNs; empty = 000000000000 in us-east-1. A request that is signed for
	// another Region is about the tables of that one.
	Account, Region string
	// IteratorTTL is how long an iterator lives; 0 = 15 min, as at the service.
	IteratorTTL time.Duration
	// ShardPage is how many shards DescribeStream gives at most; 0 = 100, as at the service.
	ShardPage int
	// NoShardFilter lets DescribeStream ignore ShardFilter, as the service did before it had that.
	NoShardFilter bool
	// Readers is how many readers of a shard may read it within a second; 0 = any number. The service allows two.
	Readers int
	// EmptyLastPage lets a closed shard end in a page of its own, without records; otherwise
	// its last records and the missing iterator come together.
	EmptyLastPage bool
	// ReadUnits is how many read capacity units a second each table gives, whatever it is made with; 0 = any number.
	ReadUnits int
	// Expire is at most how long after their time items with a time to live are deleted, when the clock
	// says so; 0 = by Server.ExpireItems alone.
	Expire time.Duration
	// ChangeTime is how long a stream is ENABLING, without shards that are listed, or DISABLING. What is written
	// meanwhile is in it, or is not.
	ChangeTime time.Duration
	// RollEvery is after how long an open shard is closed and goes on in a child; 0 = by Server.Roll alone. At the
	// service that is about four hours.
	RollEvery time.Duration
	// Seed is that of what is left to chance: faults with a ratio, disorder, the edges of exports.
	Seed uint64
	// Destination says how changes are sent to Kinesis, and Exports how exports are written to S3.
	Destination DestinationOptions
	Exports     ExportOptions
}

// Server is a fake of the service: a handler of its requests. It may be called, and its
// knobs be turned, from any goroutine.
type Server struct {
	// Endpoint is the URL that it is served at.
	Endpoint string

	o   Options
	api *awsfake.Handler
	web *httptest.Server

	mu         sync.Mutex
	ahead      time.Duration // of the clock
	tables     map[string]*tableState
	dropped    []*tableState // deleted ones, whose streams can be read for a day
	changes    []*Change     // of all tables, for ever
	changed    chan struct{} // closed at the next change; nil = nobody waits
	sequence   sequence
	shardCount uint64
	readers    uint64 // iterators that GetShardIterator gave
	swept      time.Time
	expired    time.Time
	senders    senders
}

// Start serves a new fake on loopback until Close.
func Start(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.IteratorTTL == 0 {
		o.IteratorTTL = 15 * time.Minute
	}
	if o.ShardPage == 0 {
		o.ShardPage = 100
	}
	s := &Server{o: o, tables: map[string]*tableState{}}
	s.api = awsfake.NewHandler("application/x-amz-json-1.0", s.operations(), s.Now, o.Seed)
	s.web = httptest.NewServer(s)
	s.Endpoint = s.web.URL
	return s
}

// New serves a new fake on loopback until the test ends.
func New(t testing.TB, o Options) *Server {
	s := Start(o)
	t.Cleanup(s.Close)
	return s
}

// Close ends it, and the calls that hang.
func (s *Server) Close() {
	s.api.Close()
	s.web.Close()
	s.endSenders()
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.api.ServeHTTP(w, r) }

// Inject lets requests fail from now on, until remove is called. Their resource is the name of a table,
// and the part of it a shard.
func (s *Server) Inject(f awsfake.Fault) (remove func()) { return s.api.Inject(f) }

// Requests returns those of an operation, table and shard that were answered, in their order; empty =
// of any.
func (s *Server) Requests(operation, table, shard string) []awsfake.Request {
	return s.api.Requests(operation, table, shard)
}

// now is the fake's time. The lock is held.
func (s *Server) now() time.Time { return s.o.Now().Add(s.ahead) }

// Now returns the fake's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// sweepInterval is how exact trimming is: hundreds of shards aren't looked at in each request.
const sweepInterval = 10 * time.Millisecond

// lock takes the lock, and does what time does meanwhile.
func (s *Server) lock() (unlock func()) {
	s.mu.Lock()
	now := s.now()
	if since := now.Sub(s.swept); since < 0 || since >= sweepInterval {
		s.swept = now
		for t := range s.withDropped() {
			t.advance(now)
			s.rollOld(t, now)
		}
		s.dropped = slices.DeleteFunc(s.dropped, func(t *tableState) bool { return len(t.streams) == 0 })
	}
	s.startDueExports(now)
	if s.o.Expire > 0 && now.Sub(s.expired) >= s.o.Expire/2 {
		s.expired = now
		for _, t := range s.tables {
			s.expire(t, now.Add(-s.o.Expire/2))
		}
	}
	return s.mu.Unlock
}

// advance does what time does to a table: streams trim their records, and leave a day after they were disabled.
func (t *tableState) advance(now time.Time) {
	left := t.streams[:0]
	for _, st := range t.streams {
		st.advance(now)
		if st.open() || now.Sub(st.disabled) < retention {
			left = append(left, st)
		}
	}
	clear(t.streams[len(left):])
	t.streams = left
}

// withDropped returns all tables, and deleted ones that still have a stream.
func (s *Server) withDropped() iter.Seq[*tableState] {
	return func(yield func(*tableState) bool) {
		for _, t := range s.tables {
			if !yield(t) {
				return
			}
		}
		for _, t := range s.dropped {
			if !yield(t) {
				return
			}
		}
	}
}

// rollOld rolls the shards that have been open for long.
func (s *Server) rollOld(t *tableState, now time.Time) {
	st := t.enabled()
	if st == nil || s.o.RollEvery == 0 {
		return
	}
	for _, p := range t.partitions {
		if now.Sub(p.shard.created) >= s.o.RollEvery {
			s.roll(st, p)
		}
	}
}

// operation makes one whose input names its table.
func operation[I any](s *Server, table func(*I) (name, part string), do func(*awsfake.Call, *I) (any, error)) awsfake.Operation {
	return awsfake.Typed(
		func(in *I) (string, string) {
			name, part := table(in)
			return tableName(name), part
		},
		func(c *awsfake.Call, in *I) (any, error) {
			defer s.lock()()
			if c.Region == "" {
				c.Region = s.o.Region
			}
			return do(c, in)
		},
	)
}

// tableName is the name of a table in its ARN or that of one of its streams; a name is itself.
func tableName(text string) string {
	_, path, isARN := strings.Cut(text, ":table/")
	if !isARN {
		return text
	}
	name, _, _ := strings.Cut(path, "/")
	return name
}

// lookup returns a table by its name or its ARN, which has a Region of its own; nil = there is none.
func (s *Server) lookup(region, name string) *tableState {
	if parts := strings.Split(name, ":"); len(parts) > 5 {
		region, name = parts[3], tableName(name)
	}
	return s.tables[region+"/"+name]
}

func (s *Server) operations() map[string]awsfake.Operation {
	operations := map[string]awsfake.Operation{}
	for target, of := range map[string]map[string]awsfake.Operation{
		"DynamoDB_20120810.":        s.tableOperations(),
		"DynamoDBStreams_20120810.": s.streamOperations(),
	} {
		for name, do := range of {
			operations[target+name] = do
		}
	}
	for _, of := range []map[string]awsfake.Operation{s.itemOperations(), s.destinationOperations(), s.exportOperations()} {
		for name, do := range of {
			operations["DynamoDB_20120810."+name] = do
		}
	}
	return operations
}
