package kinesis

import (
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// rigMaker makes a rig of a fake.
type rigMaker func(t *testing.T, o kinesistest.Options, shards int) *rig

// newConsumerRig returns a rig whose source has a consumer, of a fake whose subscriptions are short.
func newConsumerRig(t *testing.T, o kinesistest.Options, shards int) *rig {
	t.Helper()
	if o.SubscriptionTime == 0 {
		o.SubscriptionTime = 400 * time.Millisecond
	}
	if o.SubscribeInterval == 0 {
		o.SubscribeInterval = 50 * time.Millisecond
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 100 * time.Millisecond
	}
	r := newRig(t, o, shards)
	r.cfg.Consumer.Name = "starlift"
	return r
}

// bothWays runs a test of a source that polls, and of one with a consumer.
func bothWays(t *testing.T, test func(t *testing.T, newRig rigMaker)) {
	t.Parallel()
	for name, maker := range map[string]rigMaker{"polled": newRig, "consumer": newConsumerRig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, maker)
		})
	}
}

// TestRenewals: subscriptions that end every 400 ms, in the middle of data, lose nothing and give nothing twice.
func TestRenewals(t *testing.T) {
	t.Parallel()
	r := newConsumerRig(t, kinesistest.Options{}, 2)
	r.open()
	subscriptions := func() int { return len(r.fake.Requests("SubscribeToShard", streamOf, "")) }
	n, began := 0, time.Now()
	for subscriptions() < 10 { // each shard's has ended four times
		r.putKeyed(n, 20)
		n += 20
		r.take(n)
	}
	r.checkKeyed(n)
	if calls, took := subscriptions(), time.Since(began); took < 800*time.Millisecond || calls > 40 {
		t.Errorf("%d subscriptions of two shards in %v", calls, took)
	}
	if calls := r.fake.Requests("GetRecords", "", ""); len(calls) > 0 {
		t.Errorf("%d polls", len(calls))
	}
}

// placing is the operation that says where reading goes on, reading the one that reads.
func (r *rig) placing() string {
	if r.cfg.Consumer.given() {
		return "SubscribeToShard"
	}
	return "GetShardIterator"
}

func (r *rig) reading() string {
	if r.cfg.Consumer.given() {
		return "SubscribeToShard"
	}
	return "GetRecords"
}
