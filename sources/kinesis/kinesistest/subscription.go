package kinesistest

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// fakeSubscription is a subscription that runs: the answer to a SubscribeToShard.
type fakeSubscription struct {
	server   *Server
	stream   *fakeStream
	consumer *fakeConsumer
	shard    *fakeShard
	next     iterator
	began    time.Time
	fault    *awsfake.Fault // of its events; nil = there is none
	sent     int            // events with records
	over     bool           // the shard's end was sent
	// taken is closed when another subscription of the same consumer takes the shard.
	taken chan struct{}
}

type subscribeToShardInput struct {
	ConsumerARN, ShardId string
	StartingPosition     struct {
		Type, SequenceNumber string
		Timestamp            *seconds
	}
}

func (in *subscribeToShardInput) target() (string, string) {
	name, _ := (&consumerRef{ConsumerARN: in.ConsumerARN}).target()
	return name, in.ShardId
}

func (s *Server) onSubscribeToShard(c *call, in *subscribeToShardInput) (any, error) {
	st, k, err := s.consumer(&consumerRef{ConsumerARN: in.ConsumerARN})
	if err != nil {
		return nil, err
	}
	h := st.shard(in.ShardId)
	if h == nil {
		return nil, fail("ResourceNotFoundException", "Shard %s in stream %s under account %s does not exist", in.ShardId, st.name, s.o.Account)
	}
	if k.status(c.now) != "ACTIVE" {
		return nil, fail("ResourceInUseException", "Consumer %s is not ACTIVE, instead in state %s", k.arn, k.status(c.now))
	}
	if k.calls[h.id] == nil {
		k.calls[h.id] = &paceLimit{}
	}
	if s.o.ReadLimits && !k.calls[h.id].allow(c.now, 1, 1, 0) {
		return nil, fail("LimitExceededException", "Rate exceeded for consumer %s and shard %s.", k.arn, h.id)
	}
	before := k.subscriptions[h.id]
	if before != nil && c.now.Sub(before.began) < s.o.SubscribeInterval {
		return nil, fail("ResourceInUseException", "Another active subscription exists for consumer %s and shard %s.", k.arn, h.id)
	}
	i := iterator{Stream: st.name, Created: st.created.UnixMilli(), Shard: h.id, At: c.now.UnixMilli()}
	at := getShardIteratorInput{ShardIteratorType: in.StartingPosition.Type, StartingSequenceNumber: in.StartingPosition.SequenceNumber, Timestamp: in.StartingPosition.Timestamp}
	if err := s.locate(c, st, h, &at, &i); err != nil {
		return nil, err
	}
	if before != nil {
		close(before.taken)
	}
	f := &fakeSubscription{server: s, stream: st, consumer: k, shard: h, next: i, began: c.now, taken: make(chan struct{})}
	k.subscriptions[h.id] = f
	return f, nil
}

// event is one that is to be sent next.
type event struct {
	kind    string // SubscribeToShardEvent, or the code of an exception
	payload []byte
	records int
	last    bool
}

// maxEventBytes is how much data an event has at most, but for a single record.
const maxEventBytes = 1 << 20

// take returns what there is to be sent, and otherwise when to look again.
func (f *fakeSubscription) take(heartbeat bool) (e event, woken chan struct{}) {
	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	f.stream.advance(now)
	switch {
	case f.over, now.Sub(f.began) >= s.o.SubscriptionTime:
		return event{last: true}, nil
	case s.streams[f.stream.name] != f.stream, f.stream.consumers[f.consumer.name] != f.consumer, f.shard.gone:
		return event{kind: "ResourceNotFoundException", payload: []byte(`{"message":"What was subscribed to is gone."}`), last: true}, nil
	}
	h := f.shard
	first := h.from(f.next.Sequence, f.next.Included)
	end, size := first, 0
	for end < len(h.records) && (end == first || size+len(h.records[end].Data) <= maxEventBytes) {
		size += len(h.records[end].Data)
		end++
	}
	f.over = !h.open() && end == len(h.records) && (end == first || !s.o.EmptyLastPage)
	if end == first && !f.over && !heartbeat {
		return event{}, s.woken
	}
	f.next.Sequence, f.next.Included = sequence{created: h.made, shard: h.number, counter: f.stream.counter, second: now.Unix()}.String(), false
	if end < len(h.records) {
		f.next.Sequence = h.records[end-1].Sequence
	}
	payload := appendPage(nil, f.stream, h, first, end, "ContinuationSequenceNumber", f.next.Sequence, f.over, now)
	return event{kind: "SubscribeToShardEvent", payload: payload, records: end - first}, nil
}

// Send sends events until the subscription ends.
func (f *fakeSubscription) Send(w http.ResponseWriter, r *http.Request, fault *awsfake.Fault) {
	f.fault = fault
	h := w.Header()
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	h.Del("Content-Length")
	w.WriteHeader(http.StatusOK)
	if !f.send(w, message(eventstreamapi.EventMessageType, "initial-response", []byte("{}"))) {
		return
	}
	beat := time.NewTicker(f.server.o.Heartbeat)
	defer beat.Stop()
	end := time.NewTimer(f.server.o.SubscriptionTime)
	defer end.Stop()
	heartbeat := true // the first event comes at once
	for {
		e, woken := f.take(heartbeat)
		if woken == nil {
			if e.kind != "" && !f.sendEvent(w, r, e) || e.last {
				return
			}
			heartbeat = false
			beat.Reset(f.server.o.Heartbeat)
			continue
		}
		select {
		case <-woken:
		case <-beat.C:
			heartbeat = true
		case <-end.C:
		case <-f.taken:
			f.send(w, message(eventstreamapi.ExceptionMessageType, "ResourceInUseException", []byte(`{"message":"Another subscription of the consumer has taken the shard."}`)))
			return
		case <-r.Context().Done():
			return
		case <-f.server.api.Closed():
			return
		}
	}
}

// sendEvent sends an event, unless a fault is for it; false = that was the last.
func (f *fakeSubscription) sendEvent(w http.ResponseWriter, r *http.Request, e event) bool {
	kind := eventstreamapi.EventMessageType
	if e.kind != "SubscribeToShardEvent" {
		kind = eventstreamapi.ExceptionMessageType
	}
	b := message(kind, e.kind, e.payload)
	if e.records > 0 {
		f.sent++
	}
	if f.fault == nil || e.records == 0 || f.sent <= f.fault.Events {
		return f.send(w, b)
	}
	switch f.fault.Effect {
	case FailEvent:
		f.send(w, message(eventstreamapi.ExceptionMessageType, f.fault.Code, []byte(`{"message":"injected"}`)))
	case DamageEvent:
		b[len(b)/2] ^= 0x20
		f.send(w, b)
		f.server.api.Wait(r, nil) // what comes behind it is of no use
	case CutBody:
		f.send(w, b[:len(b)/2])
		panic(http.ErrAbortHandler)
	case StallBody:
		f.send(w, b[:len(b)/2])
		f.server.api.Wait(r, nil)
		panic(http.ErrAbortHandler)
	default:
		return f.send(w, b)
	}
	return false
}

func (f *fakeSubscription) send(w http.ResponseWriter, b []byte) bool {
	if _, err := w.Write(b); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// message encodes one of the event stream.
func message(kind, name string, payload []byte) []byte {
	header := eventstreamapi.EventTypeHeader
	if kind == eventstreamapi.ExceptionMessageType {
		header = eventstreamapi.ExceptionTypeHeader
	}
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(eventstreamapi.MessageTypeHeader, eventstream.StringValue(kind))
	m.Headers.Set(header, eventstream.StringValue(name))
	m.Headers.Set(eventstreamapi.ContentTypeHeader, eventstream.StringValue("application/x-amz-json-1.1"))
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		panic(err) // into memory
	}
	return slices.Clip(b.Bytes())
}
