package kinesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

const (
	// eventStall is how long nothing may come of a subscription: three of the events that the
	// service sends every few seconds though there are no records.
	eventStall = 15 * time.Second
	// subscribeInterval is the least time between two successful calls for a shard: the service
	// refuses another one within five seconds (API reference, SubscribeToShard).
	subscribeInterval = 5 * time.Second
	// subscribeRate is the time between two calls of any success: one a second is allowed.
	subscribeRate = time.Second
	// drained is how long nothing has come when what comes next cannot have waited on the way.
	drained = time.Second
	// excessMax bounds what frames bring beyond their allowances, of all shards together.
	excessMax = 32 << 20
)

// Reasons of errors after which the same call may succeed, beside those of awsapi.
const (
	reasonInUse   = "in_use"  // of a subscription, by an older one, or by another process
	reasonDamaged = "damaged" // frames
)

const codeInUse = "ResourceInUseException"

// subscriber is a pager that is sent pages. Its subscription stays open between two reads, and costs
// next to nothing meanwhile: what the service sends waits in the connection, whose windows are small,
// and stops the service when they are full. Only the read that takes a frame has memory for it.
type subscriber struct {
	stream *stream
	shard  string

	current *subscription // nil = there is none
	pending *answer       // what was not taken of the last page
	// continuation is the sequence number to subscribe behind, as the last event had it. It is ahead of the
	// last record where nothing but other shards' time has passed; empty = there was no event.
	continuation string
	subscribed   time.Time // when the last successful call was made, by our clock
	records      time.Time // when records came last, by our clock
}

func newSubscriber(s *stream, shard string) *subscriber { return &subscriber{stream: s, shard: shard} }

// subscription is a running call of SubscribeToShard, with a goroutine that waits for the
// beginning of each event.
type subscription struct {
	events  *page.Subscription
	cancel  context.CancelFunc
	turn    chan struct{} // has room for one: the next event may be waited for
	arrived chan arrival  // has room for one: that something of it has come
	ended   chan struct{}
	made    time.Time // when it was asked for, by the service's clock: no event is older
	here    *arrival  // of an event that is not read yet
}

// arrival is the beginning of an event.
type arrival struct {
	made time.Time // see answer
	err  error
}

// wait waits for events, each when it is its turn.
func (s *subscription) wait(c *awscall.Clock) {
	defer close(s.ended)
	made := s.made
	for range s.turn {
		began, local := c.Now(), c.Local()
		err := s.events.Wait()
		if c.Local().Sub(local) >= drained {
			made = began // nothing was under way then
		}
		s.arrived <- arrival{made, err}
		if err != nil {
			return
		}
	}
}

func (s *subscription) close() {
	s.cancel()
	close(s.turn)
	<-s.ended
	_ = s.events.Close() // it is over
}

// seek subscribes: where the last event said, as long as the reader goes on behind it.
func (s *subscriber) seek(ctx context.Context, at startingPosition) error {
	from := &types.StartingPosition{Type: at.kind, SequenceNumber: at.sequence, Timestamp: at.time}
	continued := s.continuation != "" && at.kind != types.ShardIteratorTypeTrimHorizon
	if continued {
		from = &types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &s.continuation}
	}
	err := s.subscribe(ctx, from)
	var invalid *types.InvalidArgumentException
	switch {
	case isCode(err, codeInUse):
		return pipeline.TransientFor(reasonInUse, err)
	case continued && errors.As(err, &invalid):
		s.continuation = ""
		return pipeline.TransientFor(awsapi.Unavailable, err)
	}
	return err
}

func (s *subscriber) subscribe(ctx context.Context, from *types.StartingPosition) error {
	in := &sdk.SubscribeToShardInput{ConsumerARN: aws.String(s.stream.consumerARN()), ShardId: &s.shard, StartingPosition: from}
	local, made := s.stream.clock.Local(), s.stream.clock.Now()
	// It outlives the read that makes it.
	running, cancel := context.WithCancel(awscall.WithStall(context.WithoutCancel(ctx), s.stream.eventStall))
	unlink := context.AfterFunc(ctx, cancel)
	events, err := page.Subscribe(running, s.stream.api, in)
	if !unlink() && err == nil {
		err = errors.Join(ctx.Err(), events.Close())
	}
	if err != nil {
		cancel()
		return awsapi.Error(ctx, err)
	}
	s.subscribed = local
	s.current = &subscription{
		events: events, cancel: cancel, made: made,
		turn: make(chan struct{}, 1), arrived: make(chan arrival, 1), ended: make(chan struct{}),
	}
	s.current.turn <- struct{}{}
	go s.current.wait(&s.stream.clock)
	return nil
}

// next returns the next event, if its beginning has come.
func (s *subscriber) next(ctx context.Context, allowance int) (answer, error) {
	if a := s.pending; a != nil {
		s.pending = nil
		return *a, nil
	}
	c := s.current
	if c == nil {
		return answer{}, &lostPosition{}
	}
	if c.here == nil {
		select {
		case a := <-c.arrived:
			c.here = &a
		default:
			return answer{}, nil
		}
	}
	a, err := s.event(ctx, c, allowance)
	if err != nil {
		s.drop()
		return answer{}, s.explain(ctx, err)
	}
	return a, nil
}

// event reads the event that has begun to come.
func (s *subscriber) event(ctx context.Context, c *subscription, allowance int) (a answer, err error) {
	if c.here.err != nil {
		return a, c.here.err
	}
	defer context.AfterFunc(ctx, c.cancel)()
	size, err := c.events.Size()
	if err != nil {
		return a, err
	}
	excess := int64(size*3/4 - allowance)
	if !s.stream.excess.reserve(excess) {
		return a, nil // until some is given back
	}
	got, err := c.events.Next()
	if err != nil || got == nil {
		s.stream.excess.release(excess)
	} else {
		got.OnFree(func() { s.stream.excess.release(excess) })
	}
	if err != nil {
		return a, err
	}
	made := c.here.made
	c.here = nil
	c.turn <- struct{}{}
	if got == nil {
		return a, nil
	}
	a = answer{page: got, made: made, ended: len(got.Children) > 0}
	if s.continuation = got.Continuation; s.continuation == "" && !a.ended {
		// At the service one or the other is there.
		got.Free()
		return answer{}, &page.FrameError{Err: errors.New("an event says neither where to subscribe again nor which shards come next")}
	}
	return a, nil
}

// explain says what the end of a subscription means. A place that is lost is subscribed to again at
// once; whatever is in doubt, after a pause.
func (s *subscriber) explain(ctx context.Context, err error) error {
	var frame *page.FrameError
	var api smithy.APIError
	switch {
	case err == io.EOF: //nolint:errorlint // one that wraps it is a broken connection
		return &lostPosition{pipeline.TransientFor(awsapi.Unavailable, errors.New("the service ended the subscription before it gave anything"))}
	case errors.As(err, &frame):
		return pipeline.TransientFor(reasonDamaged, err)
	case isCode(err, codeInUse):
		return pipeline.TransientFor(reasonInUse, fmt.Errorf("another process has taken the subscription over: does one read with the same consumer? %w", err))
	case errors.As(err, &api) && api.ErrorFault() == smithy.FaultUnknown && internal[api.ErrorCode()]:
		return pipeline.TransientFor(awsapi.Unavailable, err)
	}
	return awsapi.Error(ctx, err)
}

// internal are the codes of failures of the service which, in a stream of events, have no HTTP status.
var internal = map[string]bool{"InternalFailure": true, "InternalFailureException": true, "InternalServerException": true, "ServiceUnavailable": true, "ServiceUnavailableException": true}

func (s *subscriber) drop() {
	if s.current != nil {
		s.current.close()
		s.current = nil
	}
}

// How long to wait for the next event: there is nothing to ask for, so this costs nobody but us. Many
// quiet shards are looked at together.
const (
	eventInterval = 20 * time.Millisecond
	quietTick     = 200 * time.Millisecond
	quietEvents   = 5 * time.Second // since the last records, or a new subscription
)

func (s *subscriber) took(a answer, o outcome) time.Duration {
	now := s.stream.clock.Local()
	if o.rest != nil {
		s.pending = &answer{page: o.rest, made: a.made, ended: a.ended}
	}
	switch {
	case o.records > 0:
		s.records = now
		return time.Nanosecond // more may have come
	case now.Sub(s.records) < quietEvents, now.Sub(s.subscribed) < quietEvents:
		return eventInterval
	}
	return now.Truncate(quietTick).Add(quietTick).Sub(now)
}

// failed keeps to what the service takes of one shard and consumer.
func (s *subscriber) failed(err error) time.Duration {
	switch pipeline.RetryReason(err) {
	case reasonInUse:
		if rest := s.subscribed.Add(subscribeInterval).Sub(s.stream.clock.Local()); rest > 0 {
			return rest
		}
		return subscribeRate
	case awsapi.Throttled:
		return subscribeRate + rand.N(subscribeRate)
	}
	return 0
}

func (s *subscriber) close() error {
	s.drop()
	if s.pending != nil {
		s.pending.page.Free()
		s.pending = nil
	}
	return nil
}

// excess bounds what frames bring beyond what their reads may: nobody can ask for smaller ones. One
// that is alone gets all that it wants.
type excess struct{ used atomic.Int64 }

// reserve takes n bytes, if they are there; less than one is nothing.
func (e *excess) reserve(n int64) bool {
	if n <= 0 {
		return true
	}
	if used := e.used.Add(n); used > n && used > excessMax {
		e.used.Add(-n)
		return false
	}
	return true
}

func (e *excess) release(n int64) { e.used.Add(-max(n, 0)) }
