package kinesis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// impatientForEvents gives up a subscription of which nothing comes, soon.
func impatientForEvents(o *partitions.Options, s *stream) {
	impatient(o, s)
	s.eventStall = time.Second
}

// TestSubscriptionFaults: whatever becomes of a subscription, each record comes once.
func TestSubscriptionFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]kinesistest.Fault{
		"in use":            {Effect: kinesistest.Refuse, Code: "ResourceInUseException", Times: 2},
		"throttled":         {Effect: kinesistest.Refuse, Code: "LimitExceededException", Times: 2},
		"failed":            {Effect: kinesistest.Refuse, Code: "InternalFailure", Status: 500, Times: 2},
		"place refused":     {Effect: kinesistest.Refuse, Code: "InvalidArgumentException", After: 4, Times: 1},
		"hung":              {Effect: kinesistest.Hang, Times: 2},
		"reset":             {Effect: kinesistest.Reset, Times: 2},
		"answer lost":       {Effect: kinesistest.LoseAnswer, Times: 2},
		"cut":               {Effect: kinesistest.CutBody, Times: 2},
		"cut later":         {Effect: kinesistest.CutBody, Times: 4, Events: 1},
		"half-open":         {Effect: kinesistest.StallBody, Times: 2},
		"half-open later":   {Effect: kinesistest.StallBody, Times: 4, Events: 1},
		"damaged":           {Effect: kinesistest.DamageEvent, Times: 2},
		"damaged later":     {Effect: kinesistest.DamageEvent, Times: 4, Events: 1},
		"taken over":        {Effect: kinesistest.FailEvent, Code: "ResourceInUseException", Times: 2},
		"failed event":      {Effect: kinesistest.FailEvent, Code: "InternalFailureException", Times: 4, Events: 1},
		"key throttled":     {Effect: kinesistest.FailEvent, Code: "KMSThrottlingException", Times: 2},
		"not found, though": {Effect: kinesistest.FailEvent, Code: "ResourceNotFoundException", Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newConsumerRig(t, kinesistest.Options{}, 2)
			f.Operation = "SubscribeToShard"
			r.putKeyed(0, 20)
			r.fake.Inject(f)
			r.open(impatientForEvents)
			r.take(20)
			for n := 20; n < 60; n += 20 {
				r.putKeyed(n, 20)
				r.take(n + 20)
			}
			r.checkKeyed(60)
			if problems := r.source.Report().Problems; len(problems) > 0 {
				t.Errorf("it counts as a problem: %+v", problems)
			}
		})
	}
}

// TestSubscribedAtOnce: a new process finds the subscription of the one before it, which the service keeps for
// five seconds after it was made: that is waited for, and is no problem.
func TestSubscribedAtOnce(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{SubscribeInterval: 2 * time.Second, SubscriptionTime: time.Minute}, 2)
	r.putKeyed(0, 20)
	r.open()
	r.take(20)
	r.open()
	r.putKeyed(20, 20)
	r.take(40)
	r.checkKeyed(40)
	refused := 0
	for _, q := range r.fake.Requests("SubscribeToShard", "", "") {
		if q.Code == codeInUse {
			refused++
		}
	}
	if problems := r.source.Report().Problems; refused == 0 || refused > 8 || len(problems) > 0 {
		t.Errorf("%d calls were refused, and the problems are %+v", refused, problems)
	}
}

// TestSilentSubscription: while nothing comes of a connection that is half open the lag grows, and what was
// caught up is not any longer.
func TestSilentSubscription(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{SubscriptionTime: time.Minute}, 1)
	now := time.Now()
	s, err := newStream(r.cfg)
	r.must(err)
	s.clock.Local = func() time.Time { return now }
	reader := &reader{stream: s, pager: newSubscriber(s, "x"), last: heard{at: now, behind: time.Second, known: true, caughtUp: true}}
	if p := reader.nothing(); p.Lag != time.Second || !p.LagKnown || !p.CaughtUp {
		t.Errorf("just after an event: %+v", p)
	}
	now = now.Add(time.Minute)
	if p := reader.nothing(); p.Lag != 61*time.Second || p.CaughtUp {
		t.Errorf("a minute after it: %+v", p)
	}
}

// TestConsumerNotReady: one that is CREATING is waited for; one that was registered before is taken, and that
// of an ARN is not registered.
func TestConsumerNotReady(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{ConsumerTime: time.Second}, 1)
	r.put("a", "x")
	r.open()
	r.take(1)
	r.open()
	if n := len(r.fake.Requests("RegisterStreamConsumer", "", "")); n != 1 {
		t.Errorf("it was registered %d times", n)
	}
	r.close()
	r.cfg.Consumer = ConsumerConfig{ARN: "arn:aws:kinesis:us-east-1:123456789012:stream/shop/consumer/none:1"}
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "is not there: check its ARN") {
		t.Errorf("an ARN of none: %v", err)
	}
	if calls := r.fake.Requests("DeregisterStreamConsumer", "", ""); len(calls) > 0 {
		t.Error("it was deregistered")
	}
}

// TestNoRoomForConsumers: a start that finds twenty others ends with what to do.
func TestNoRoomForConsumers(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{}, 1)
	r.must(r.fake.Register(streamOf, numbered("other", 20)...))
	began := time.Now()
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "the stream has 20, and may have no more") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	// The limit of calls is none of consumers.
	r.must(r.fake.Deregister(streamOf, "other0"))
	r.fake.Inject(kinesistest.Fault{Operation: "RegisterStreamConsumer", Effect: kinesistest.Refuse, Code: "LimitExceededException", Times: 2})
	r.open()
}

// TestConsumerDeregistered: under way it is a problem that says so, and goes when somebody registers one of the name.
func TestConsumerDeregistered(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{}, 1)
	r.put("a", "x")
	r.open()
	r.take(1)
	r.must(r.fake.Deregister(streamOf, "starlift"))
	r.await("the problem", func() bool { return len(r.source.Report().Problems) > 0 })
	if p := r.source.Report().Problems[0]; !strings.Contains(p.Err.Error(), "was deregistered") {
		t.Errorf("the problem is %+v", p)
	}
	r.must(r.fake.Register(streamOf, "starlift"))
	r.put("a", "y")
	r.take(2)
	r.wantTexts("x", "y")
	r.await("the end of the problem", func() bool { return len(r.source.Report().Problems) == 0 })
}

// TestBackPressure: while nobody takes what was read, a subscription is not read either, stays the only one, and
// ends in time; then all of it comes.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{SubscriptionTime: 3 * time.Second}, 1)
	shard := r.shards()[0]
	text := strings.Repeat("x", 100_000)
	const n = 300
	for range n {
		_, err := r.fake.PutTo(streamOf, shard, "a", []byte(text))
		r.must(err)
	}
	var inner *stream
	r.open(func(o *partitions.Options, s *stream) { o.MemoryBytes, inner = 2<<20, s })
	r.take(1)
	stopped := len(r.fake.Requests("SubscribeToShard", "", ""))
	end := time.After(4 * time.Second) // nobody reads, for longer than a subscription lasts
	<-end
	if made := len(r.fake.Requests("SubscribeToShard", "", "")) - stopped; made > 0 {
		t.Errorf("%d subscriptions were made meanwhile", made)
	}
	if used := inner.excess.used.Load(); used > excessMax {
		t.Errorf("frames hold %d bytes", used)
	}
	r.take(n)
	if len(r.got) != n {
		t.Errorf("%d records came, want %d", len(r.got), n)
	}
	if used := inner.excess.used.Load(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
}

// TestExcess: frames that are larger than their allowance share a bound, and one that is alone passes.
func TestExcess(t *testing.T) {
	var e excess
	if !e.reserve(2*excessMax) || e.reserve(1) || !e.reserve(0) || !e.reserve(-5) {
		t.Error("one that is too large keeps others out, and passes alone")
	}
	e.release(2 * excessMax)
	for range 2 {
		if !e.reserve(excessMax / 2) {
			t.Error("two halves are not too much")
		}
	}
	if e.reserve(1) {
		t.Error("two halves are not all")
	}
	e.release(excessMax / 2)
	e.release(excessMax / 2)
	e.release(-5)
	if used := e.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use", used)
	}
}

// TestOpenEndsSubscriptions: a read whose context ends leaves nothing behind; see TestMain for goroutines.
func TestOpenEndsSubscriptions(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{}, 4)
	r.fake.Inject(kinesistest.Fault{Operation: "SubscribeToShard", Effect: kinesistest.Hang})
	r.open()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for r.step(ctx) == nil {
	}
	began := time.Now()
	r.close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
}
