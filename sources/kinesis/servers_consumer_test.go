package kinesis

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

// TestServersConsumer: enhanced fan-out of servers that others wrote, while shards split, with new processes.
func TestServersConsumer(t *testing.T) {
	t.Parallel()
	r := rigOn(t, awstest.Kinesis(t), 2)
	r.cfg.Consumer.Name = "starlift"
	r.open()
	n := 0
	put := func() {
		t.Helper()
		r.putKeyed(n, 500)
		n += 500
	}
	put()
	r.split(r.openShards()[0])
	put()
	r.take(n - 50)
	r.open()
	put()
	open := r.openShards()
	r.merge(open[len(open)-2], open[len(open)-1])
	put()
	r.open()
	r.take(n)
	r.checkKeyed(n)
}

// TestServerInUse: a server that keeps another process's subscription refuses ours, which waits until that ends.
func TestServerInUse(t *testing.T) {
	t.Parallel()
	r := rigOn(t, awstest.MiniStack(t), 1)
	r.cfg.Consumer.Name = "starlift"
	r.putKeyed(0, 20)
	r.open()
	r.take(20)
	arn := r.source.stream.consumerARN()
	r.close()
	var other *sdk.SubscribeToShardOutput
	for deadline := time.Now().Add(readTimeout); other == nil; { // until the server has noticed that ours is gone
		var err error
		other, err = r.client.SubscribeToShard(t.Context(), &sdk.SubscribeToShardInput{
			ConsumerARN: &arn, ShardId: r.openShards()[0].ShardId, StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
		})
		if err != nil && (!isCode(err, codeInUse) || time.Now().After(deadline)) {
			t.Fatal(err)
		}
	}
	proxy := awstest.NewHTTPProxy(t, r.service.Endpoint)
	r.cfg.Endpoint = proxy.Endpoint
	r.open()
	r.putKeyed(20, 20)
	r.nothing(2500 * time.Millisecond)
	if problems := r.source.Report().Problems; len(problems) > 0 {
		t.Errorf("it counts as a problem: %+v", problems)
	}
	calls := 0
	for _, c := range proxy.Calls() {
		if strings.HasSuffix(c.Operation, ":SubscribeToShard") {
			calls++
		}
	}
	if calls == 0 || calls > 4 {
		t.Errorf("%d calls in two and a half seconds", calls)
	}
	r.must(other.GetStream().Close())
	r.take(40)
	r.checkKeyed(40)
}

// TestSubscriptionOutage: connections that are cut or half open on the way to a server, and a server that stops.
func TestSubscriptionOutage(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t)
	r := rigOn(t, service, 2)
	proxy := awstest.Proxy(t, service.Endpoint)
	r.cfg.Endpoint, r.cfg.Consumer.Name = proxy.Endpoint, "starlift"
	r.open(impatientForEvents, func(_ *partitions.Options, s *stream) { s.eventStall = 3 * time.Second })
	n := 0
	put := func() {
		t.Helper()
		r.putKeyed(n, 40)
		n += 40
	}
	put()
	r.take(n)
	for _, fail := range []func(){service.Pause, proxy.HalfOpen, proxy.Cut} {
		fail()
		r.nothing(time.Second)
		service.Resume()
		proxy.Restore()
		put()
		began := time.Now()
		r.take(n)
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("it took %v to come back", took)
		}
	}
	r.checkKeyed(n)
}

// TestServerTrimsUnderConsumer: what a server has trimmed while nobody read is a gap with a consumer too.
func TestServerTrimsUnderConsumer(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t, awstest.FakeClock())
	r := rigOn(t, service, 1)
	r.cfg.Consumer.Name = "starlift"
	r.putKeyed(0, 10)
	r.open()
	r.take(10)
	r.close()
	r.putKeyed(10, 10)
	service.Clock(25 * time.Hour)
	r.putKeyed(20, 10)
	if gap := r.gapOf(); gap.From.IsZero() || gap.To.Sub(gap.From) < 30*time.Minute {
		t.Errorf("the gap is %+v", gap)
	}
}
