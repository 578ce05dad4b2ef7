package kinesis

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// TestRandomSubscriptions: records, splits, merges, new processes, the other way of reading, faults of calls and of
// events, in any order: each record comes once, in the order of its key.
func TestRandomSubscriptions(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			randomSubscriptions(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// randomFaults are those of which one at a time is in force.
var randomFaults = []kinesistest.Fault{
	{Effect: kinesistest.CutBody, Ratio: 0.5, Events: 1},
	{Effect: kinesistest.DamageEvent, Ratio: 0.5},
	{Effect: kinesistest.StallBody, Ratio: 0.3},
	{Effect: kinesistest.FailEvent, Code: "ResourceInUseException", Ratio: 0.5, Events: 2},
	{Effect: kinesistest.FailEvent, Code: "InternalFailureException", Ratio: 0.5},
	{Effect: kinesistest.Refuse, Code: "ResourceInUseException", Ratio: 0.5},
	{Effect: kinesistest.Refuse, Code: "LimitExceededException", Ratio: 0.5},
	{Effect: kinesistest.Reset, Ratio: 0.5},
}

func randomSubscriptions(t *testing.T, random *rand.Rand) {
	r := newConsumerRig(t, kinesistest.Options{EmptyLastPage: random.IntN(2) == 0}, 2)
	r.open(impatientForEvents)
	remove := func() {}
	defer func() { remove() }()
	n := 0
	for range 12 {
		r.putKeyed(n, 1+random.IntN(20))
		n = len(r.recordsPut())
		switch random.IntN(6) {
		case 0, 1:
			r.must(r.fake.Resize(streamOf, 1+random.IntN(4)))
		case 2:
			if r.cfg.Consumer.Name == "" {
				r.cfg.Consumer.Name = "starlift"
			} else {
				r.cfg.Consumer = ConsumerConfig{}
			}
			r.open(impatientForEvents)
		case 3:
			r.open(impatientForEvents)
		case 4:
			remove()
			f := randomFaults[random.IntN(len(randomFaults))]
			f.Operation = "SubscribeToShard"
			remove = r.fake.Inject(f)
		default:
			r.take(random.IntN(n + 1))
		}
	}
	remove()
	r.take(n)
	r.nothing(500 * time.Millisecond)
	r.checkKeyed(n)
}

// recordsPut returns all records of the stream.
func (r *rig) recordsPut() []kinesistest.Record {
	r.t.Helper()
	records, err := r.fake.Records(streamOf)
	r.must(err)
	return records
}
