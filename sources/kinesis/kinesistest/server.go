package kinesistest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
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

	o      Options
	closed chan struct{} // ends calls that hang
	once   sync.Once

	mu      sync.Mutex
	ahead   time.Duration // of the clock
	streams map[string]*fakeStream
	deleted map[string]time.Time // when streams were made which are no more
	faults  []*activeFault
	chance  *rand.Rand
	log     requestLog
	woken   chan struct{} // closed when something has changed
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
	return &Server{
		o: o, woken: make(chan struct{}), closed: make(chan struct{}), streams: map[string]*fakeStream{}, deleted: map[string]time.Time{},
		chance: rand.New(rand.NewPCG(o.Seed, 1)),
	}
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
func (s *Server) Close() { s.once.Do(func() { close(s.closed) }) }

// now is the fake's time. The lock is held.
func (s *Server) now() time.Time { return s.o.Now().Add(s.ahead) }

// apiError is an error that the service answers with.
type apiError struct {
	code, message string
	status        int // 0 = 400
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// call is one request while it is answered.
type call struct {
	now time.Time
	Request
}

// operation answers one kind of request; the lock is held. What it returns is written as
// JSON: bytes as they are, nil as an empty body.
type operation func(s *Server, c *call, body []byte) (func() (any, error), error)

// target is an input that says which stream and shard it is about, for the log and faults.
type target interface {
	target(s *Server) (stream, shard string)
}

// answer makes an operation of a function with a typed input: first the input is read, so
// that the request is known, and then, unless a fault prevents it, done.
func answer[I any, P interface {
	*I
	target
}](do func(*Server, *call, *I) (any, error)) operation {
	return func(s *Server, c *call, body []byte) (func() (any, error), error) {
		in := P(new(I))
		if err := json.Unmarshal(body, in); err != nil {
			return nil, fail("SerializationException", "%v", err)
		}
		c.Stream, c.Shard = in.target(s)
		return func() (any, error) { return do(s, c, (*I)(in)) }, nil
	}
}

var operations = map[string]operation{
	"CreateStream":                  answer((*Server).onCreateStream),
	"DecreaseStreamRetentionPeriod": answer((*Server).onDecreaseRetention),
	"DeleteStream":                  answer((*Server).onDeleteStream),
	"DeregisterStreamConsumer":      answer((*Server).onDeregisterStreamConsumer),
	"DescribeStreamConsumer":        answer((*Server).onDescribeStreamConsumer),
	"ListStreamConsumers":           answer((*Server).onListStreamConsumers),
	"RegisterStreamConsumer":        answer((*Server).onRegisterStreamConsumer),
	"SubscribeToShard":              answer((*Server).onSubscribeToShard),
	"DescribeStream":                answer((*Server).onDescribeStream),
	"DescribeStreamSummary":         answer((*Server).onDescribeStreamSummary),
	"GetRecords":                    answer((*Server).onGetRecords),
	"GetShardIterator":              answer((*Server).onGetShardIterator),
	"IncreaseStreamRetentionPeriod": answer((*Server).onIncreaseRetention),
	"ListShards":                    answer((*Server).onListShards),
	"ListStreams":                   answer((*Server).onListStreams),
	"MergeShards":                   answer((*Server).onMergeShards),
	"PutRecord":                     answer((*Server).onPutRecord),
	"PutRecords":                    answer((*Server).onPutRecords),
	"SplitShard":                    answer((*Server).onSplitShard),
	"UpdateShardCount":              answer((*Server).onUpdateShardCount),
	"UpdateStreamMode":              answer((*Server).onUpdateStreamMode),
}

// maxRequest bounds what is read of a request: PutRecords takes 10 MiB, in base64.
const maxRequest = 16 << 20

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	result, at, fault, err := s.perform(name, media, body)
	running, _ := result.(*fakeSubscription)
	if running != nil {
		result = nil
	}
	status, encoded := encode(result, err)
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.1")
	h.Set("Date", at.UTC().Format(http.TimeFormat))
	h.Set("X-Amzn-Requestid", fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()&(1<<48-1)))
	h.Set("Content-Length", strconv.Itoa(len(encoded)))
	if running != nil {
		if running.fault = fault; fault == nil || fault.Effect.ofEvents() || !s.disturb(w, r, fault, status, encoded) {
			running.serve(w, r)
		}
		return
	}
	if fault == nil || !s.disturb(w, r, fault, status, encoded) {
		w.WriteHeader(status)
		_, _ = w.Write(encoded) // a client that has gone needs no answer
	}
}

// perform does what a request asks for, and keeps the log. A fault that it returns is
// one of how the answer travels.
func (s *Server) perform(name, media string, body []byte) (any, time.Time, *Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{now: s.now(), Request: Request{At: time.Now(), Operation: name}}
	for _, st := range s.streams {
		st.advance(c.now)
		if st.status == "DELETING" && !c.now.Before(st.busyUntil) {
			s.remove(st)
		}
	}
	result, fault, err := s.answer(c, media, body)
	s.wake()
	if e := (*apiError)(nil); errors.As(err, &e) {
		c.Code = e.code
	}
	if fault != nil {
		c.Effect = fault.Effect
	}
	s.log.add(c.Request)
	return result, c.now, fault, err
}

// wake has subscriptions look for what has changed.
func (s *Server) wake() {
	close(s.woken)
	s.woken = make(chan struct{})
}

func (s *Server) answer(c *call, media string, body []byte) (any, *Fault, error) {
	do, known := operations[c.Operation]
	switch {
	case media != "application/x-amz-json-1.1":
		return nil, nil, fail("SerializationException", "content type %q: this fake speaks application/x-amz-json-1.1 (Java clients: -Daws.cborEnabled=false)", media)
	case !known:
		return nil, nil, fail("UnknownOperationException", "%q", c.Operation)
	}
	run, err := do(s, c, body)
	if err != nil {
		return nil, nil, err
	}
	fault := s.fault(c)
	if fault != nil && fault.Effect == Refuse {
		return nil, fault, &apiError{code: fault.Code, message: fault.Message, status: fault.Status}
	}
	if fault != nil && !fault.Effect.done() {
		return nil, fault, nil
	}
	c.fail = fault != nil && fault.Effect == FailEntries
	result, err := run()
	return result, fault, err
}

// encode returns the HTTP status and body of a result or an error.
func encode(result any, err error) (int, []byte) {
	if err != nil {
		var e *apiError
		if !errors.As(err, &e) {
			e = &apiError{code: "InternalFailure", message: err.Error(), status: http.StatusInternalServerError}
		}
		status := e.status
		if status == 0 {
			status = http.StatusBadRequest
		}
		b, err := json.Marshal(map[string]string{"__type": e.code, "message": e.message})
		if err != nil {
			panic(err) // of two texts
		}
		return status, b
	}
	switch r := result.(type) {
	case nil:
		return http.StatusOK, nil
	case []byte:
		return http.StatusOK, r
	default:
		b, err := json.Marshal(r)
		if err != nil {
			panic(err) // of types of this package
		}
		return http.StatusOK, b
	}
}
