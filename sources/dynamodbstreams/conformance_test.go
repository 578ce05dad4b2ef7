package dynamodbstreams

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// suiteInput is a table of a fake, as the suite of sources sees it.
type suiteInput struct {
	*rig
	input  *table
	n      int // records that were put
	toggle bool
}

func newSuiteInput(t *testing.T, o dynamodbtest.Options, toggle bool) *suiteInput {
	in := &suiteInput{rig: newRig(t, o, 2), toggle: toggle}
	var err error
	in.input, err = newTable(in.cfg)
	in.must(err)
	in.must(in.input.Connect(t.Context(), pipeline.NewEnv()))
	in.add(6)
	in.must(in.fake.SplitPartition(tableOf, 0))
	in.add(6)
	return in
}

// add puts records, no two of which are the same.
func (in *suiteInput) add(n int) {
	in.put(in.n, n)
	in.n += n
}

func (in *suiteInput) Source(testing.TB) pipeline.Source {
	s, err := newTable(in.cfg)
	in.must(err)
	s.pause = time.Millisecond
	return partitions.New("stream", s, partitions.Options{DiscoveryInterval: 300 * time.Millisecond})
}

// Want returns what the shards of all streams hold, as the SDK's own client reads it.
func (in *suiteInput) Want() (all []sourcetest.Partition) {
	var last []string
	streams := map[string]bool{}
	for _, h := range in.shards() {
		_, label, _ := strings.Cut(h.Stream, streamsOf)
		if b := partitionName(label, boundary); !streams[label] {
			if streams[label] = true; len(streams) > 1 {
				all = append(all, sourcetest.Partition{Name: b, Parents: last})
			}
			last = nil
		}
		p := sourcetest.Partition{Name: partitionName(label, h.ID)}
		if h.Parent != "" {
			p.Parents = []string{partitionName(label, h.Parent)}
		} else if len(streams) > 1 {
			p.Parents = []string{partitionName(label, boundary)}
		}
		p.Records = append(p.Records, in.read(h)...)
		last = append(last, p.Name)
		all = append(all, p)
	}
	return all
}

// read returns the records of a shard, by the raw calls.
func (in *suiteInput) read(h dynamodbtest.Shard) (records []string) {
	in.t.Helper()
	_, label, _ := strings.Cut(h.Stream, streamsOf)
	r := &reader{table: in.input, stream: in.input.stream(label), shard: h.ID}
	ctx := context.Background()
	in.must(r.seek(ctx))
	for {
		p, err := r.nextPage(ctx, 1<<30)
		in.must(err)
		for i := range p.records {
			records = append(records, string(p.body[p.records[i].Start:p.records[i].End]))
		}
		next, empty := p.next, len(p.records) == 0
		p.free()
		if r.iterator = next; next == "" || empty {
			return records
		}
	}
}

func (in *suiteInput) Grow(r *rand.Rand) {
	switch r.IntN(4) {
	case 0:
		in.must(in.fake.SplitPartition(tableOf, 0))
	case 1:
		in.must(in.fake.Roll(tableOf))
	case 2:
		if in.toggle {
			in.must(in.fake.DisableStream(tableOf))
			_, err := in.fake.EnableStream(tableOf, "NEW_AND_OLD_IMAGES")
			in.must(err)
		}
	}
	in.add(1 + r.IntN(3))
}

// TestConformance: what holds for every source.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, o := range []dynamodbtest.Options{{}, {EmptyLastPage: true, NoShardFilter: true, ShardPage: 2}} {
		sourcetest.Run(t, func(tb testing.TB) sourcetest.Input { return newSuiteInput(tb.(*testing.T), o, false) })
	}
}

// TestRandom: rolls, splits, streams that are disabled and enabled again, kills and lost answers, at random; each change
// has come once, and those of an item in their order.
func TestRandom(t *testing.T) {
	t.Parallel()
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			o := dynamodbtest.Options{NoShardFilter: rng.IntN(2) == 0, EmptyLastPage: rng.IntN(2) == 0, ShardPage: 1 + rng.IntN(4)}
			in := newSuiteInput(t, o, true)
			in.open(hasty)
			in.take(1) // a first start reads the stream that there is, and none before
			for range 12 {
				in.open(hasty)
				for range 1 + rng.IntN(3) {
					in.Grow(rng)
					in.take(len(in.got) + rng.IntN(1+in.n-len(in.got)))
				}
				if rng.IntN(2) == 0 {
					in.kill(rng)
				}
			}
			in.open(hasty)
			in.take(in.n)
			in.caughtUp()
			in.wantLog()
		})
	}
}

// hasty lists shards without a pause.
func hasty(_ *partitions.Options, t *table) { t.pause = time.Millisecond }

// kill ends the source without that something of what it read last was saved.
func (in *suiteInput) kill(rng *rand.Rand) {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), readTimeout)
	defer cancel()
	if in.n == len(in.got) {
		in.add(5)
	}
	batch, err := in.source.Read(ctx)
	in.must(err)
	if n := batch.Len(); n > 0 && rng.IntN(2) == 0 { // a part of it was; else nothing is saved of it
		n = rng.IntN(n) + 1
		part := batch.Slice(0, n)
		for i := range n {
			in.got = append(in.got, in.parse(part, i))
		}
		for _, p := range batch.Dropped {
			delete(in.cursors, p)
		}
		for name, c := range batch.Positions {
			in.cursors[name] = slices.Clone(c)
		}
		in.cursors[batch.Partition] = part.CursorAfter(n)
	}
	if batch.Free != nil {
		batch.Free()
	}
	in.close()
}
