package kinesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// suiteInput is a stream of a fake, as the suite of sources sees it.
type suiteInput struct {
	*rig
	stream *stream
	n      int // records that were put
}

func newSuiteInput(t *testing.T, newRig rigMaker, o kinesistest.Options) *suiteInput {
	in := &suiteInput{rig: newRig(t, o, 2)}
	var err error
	in.stream, err = newStream(in.cfg)
	in.must(err)
	for err = in.stream.Connect(t.Context(), pipeline.NewEnv()); pipeline.Retryable(err); { // until a consumer is registered
		err = in.stream.Connect(t.Context(), pipeline.NewEnv())
	}
	in.must(err)
	in.add(6)
	_, _, err = in.fake.SplitShard(streamOf, in.shards()[0])
	in.must(err)
	in.add(6)
	return in
}

// add puts records, no two of which are the same.
func (in *suiteInput) add(n int) {
	for range n {
		in.n++
		_, err := in.fake.Put(streamOf, kinesistest.Entry{PartitionKey: fmt.Sprint(in.n), Data: fmt.Appendf(nil, `{"n":%d}`, in.n)})
		in.must(err)
	}
}

func (in *suiteInput) Source(testing.TB) pipeline.Source {
	s, err := newStream(in.cfg)
	in.must(err)
	return partitions.New("kinesis", s, partitions.Options{})
}

func (in *suiteInput) Want() (all []sourcetest.Partition) {
	shards, err := in.stream.list(in.t.Context())
	in.must(err)
	for i := range shards {
		p := partitionOf(&shards[i], time.Time{})
		all = append(all, sourcetest.Partition{Name: p.Name, Parents: p.Parents})
	}
	records, err := in.fake.Records(streamOf)
	in.must(err)
	for _, r := range records {
		at := slices.IndexFunc(all, func(p sourcetest.Partition) bool { return p.Name == r.Shard })
		all[at].Records = append(all[at].Records, string(r.Data))
	}
	return all
}

func (in *suiteInput) Grow(r *rand.Rand) {
	if ids := in.shards(); r.IntN(2) == 0 {
		_, _, err := in.fake.SplitShard(streamOf, ids[len(ids)-1])
		in.must(err)
	}
	in.add(1 + r.IntN(3))
}

// TestConformance: what holds for every source.
func TestConformance(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		for _, o := range []kinesistest.Options{{}, {EmptyLastPage: true}} {
			sourcetest.Run(t, func(tb testing.TB) sourcetest.Input { return newSuiteInput(tb.(*testing.T), newRig, o) })
		}
	})
}
