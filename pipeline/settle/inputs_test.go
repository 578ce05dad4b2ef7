package settle

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// twoInputs draws writes of an item, fifty a second, with few images, so that they recur, and returns them as Kinesis and
// as DynamoDB Streams bring them: without sequence numbers in finer times, and in seconds. last is the
// image in the end.
func twoInputs(r *rand.Rand, item string, n int, oldImages bool) (kinesis, streams []event, last image) {
	var now image
	for i := range n {
		next := image{}
		if now.hash == 0 || r.IntN(4) > 0 {
			v := r.Int64N(4)
			for now.hash != 0 && now.rows[item] == v {
				v = r.Int64N(4) // what changes nothing is in no stream
			}
			next = image{hash: xxh3.HashString(fmt.Sprint(item, v)), rows: map[string]int64{item: v}}
		}
		e := event{item: item, time: 1_700_000_000_000_000 + int64(i)*20_000, new: next, ordinal: int64(i)}
		switch {
		case oldImages || now.hash == 0:
			e.old, e.hasOld = now, true
		default:
			e.existed = true
		}
		k, s := e, e
		k.id, k.partition = uint32(r.Uint64())|1, 1
		s.seq, s.partition, s.time = fmt.Sprint(100_000_000_000+n*1000+i*7), 2, e.time-e.time%1_000_000
		kinesis, streams = append(kinesis, k), append(streams, s)
		now = next
	}
	return kinesis, streams, now
}

// cutBatch returns events as the engine brings them of a table t: their times are cut to its unit.
func cutBatch(t *testing.T, s *Settler, events []event) *pipeline.Batch {
	b := batchOf(events)
	for i := range b.Changes {
		c := &b.Changes[i]
		c.Table, c.Unit = "t", 1
		source := "kinesis"
		if c.Version.Seq != "" {
			source, c.Unit, c.ByDigits = "streams", 1_000_000, true
		}
		if _, _, err := s.tables.Cut(source, c); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestTwoInputsOfATable: writes that come through Kinesis and through DynamoDB Streams, each input in its order or both
// shuffled, repeated and cut, end as they did, with old images, and without them by the sequence numbers; and by each
// policy.
func TestTwoInputsOfATable(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 24 {
		oldImages := round%3 > 0
		var all []event
		want := map[string]int64{}
		for i := range 3 {
			item := string(rune('a' + i))
			kinesis, streams, last := twoInputs(r, item, 1+r.IntN(120), oldImages)
			all = slices.Concat(all, kinesis, streams)
			for id, n := range last.rows {
				want[id] = n
			}
		}
		switch round % 4 {
		case 0: // each input in its order, one behind the other
			slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.partition, b.partition) })
		case 1:
			slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(b.partition, a.partition) })
		default:
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		for range r.IntN(4) {
			all = append(all, all[r.IntN(len(all))])
		}
		for _, p := range []pipeline.Policy{{}, {Merge: pipeline.LatestNonNull}, {OnDelete: pipeline.Flag}} {
			cut := func(left int) int { return 1 + r.IntN(min(left, 60)) }
			if got := settleInputs(t, p, all, true, cut); gocmp.Diff(want, got) != "" {
				t.Fatalf("seed %d, round %d, policy %+v: the table is %v, want %v", seed, round, p, got, want)
			}
		}
	}
}

// TestMissingPast: what an epoch brings of earlier seconds is not all of them. The changes that are missing come later,
// and tell where a circle of changes of the last second begins. Both where one of them does not follow from what is
// known, and where it does by chance, which only two inputs are prepared for.
func TestMissingPast(t *testing.T) {
	const second = 1_000_000
	write := func(at, ordinal int64, before, after int64) event {
		state := func(v int64) image {
			if v == 0 {
				return image{}
			}
			return image{hash: xxh3.HashString(fmt.Sprint("a", v)), rows: map[string]int64{"a": v}}
		}
		return event{item: "a", time: 1_700_000_000_000_000 + at*second, new: state(after), old: state(before), hasOld: true, ordinal: ordinal, partition: 1, id: uint32(10*ordinal) | 1}
	}
	for name, first := range map[string]struct {
		writes []event // of the first second
		inputs bool
	}{
		"a gap":               {[]event{write(0, 5, 0, 1), write(0, 6, 1, 2)}, false},
		"a gap of two inputs": {[]event{write(0, 5, 0, 1), write(0, 6, 1, 2)}, true},
		"none by chance":      {[]event{write(0, 5, 0, 3), write(0, 6, 3, 2)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			early := []event{first.writes[0], write(1, 8, 3, 2), write(2, 10, 3, 2)}
			late := []event{first.writes[1], write(1, 17, 2, 3), write(2, 19, 2, 3)}
			for _, steps := range [][]int{{3, 3}, {1, 1, 1, 1, 1, 1}, {6}} {
				events := slices.Concat(early, late)
				if first.inputs {
					other := events[len(events)-1]
					other.id, other.partition, other.seq = 0, 2, "100000000019"
					events = append(events, other)
					steps = append(slices.Clone(steps), 1)
				}
				cut := func(int) int { n := steps[0]; steps = steps[1:]; return n }
				if got := settleInputs(t, pipeline.Policy{}, events, first.inputs, cut); gocmp.Diff(map[string]int64{"a": 2}, got) != "" {
					t.Errorf("the table is %v, want a: 2", got)
				}
			}
		})
	}
}

// settleInputs settles events of one input, or two, in epochs by a policy, of which cut says how many of those that are left
// the next one has, and returns the rows that are not deleted: n by id.
func settleInputs(t *testing.T, p pipeline.Policy, events []event, two bool, cut func(left int) int) map[string]int64 {
	t.Helper()
	space := pipelinetest.NewKeyspace
	o := optionsOf(things, 1<<50, space(), space())
	o.Sources = []string{"s", "another"}
	if p != (pipeline.Policy{}) {
		o.Policies = []PolicyTable{{Table: things, Policy: p, State: State{space(), space()}}}
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if two {
		if err := s.LogicalTables().Expect("streams", "t", 1_000_000, true); err != nil {
			t.Fatal(err)
		}
	}
	h := &harness{t: t, view: pipelinetest.NewView()}
	for len(events) > 0 {
		n := cut(len(events))
		s.Begin(readSoFar("s"))
		b := cutBatch(t, s, events[:n])
		h.check(s.add(b, 0))
		b.Release()
		result, err := s.settle()
		h.check(err)
		h.view.BeginEpoch()
		for _, rows := range result.Rows {
			columnar := rows.Columnar()
			if rows.Output == len(o.Policies) {
				h.check(h.view.Apply(columnar))
			}
			columnar.Record.Release()
		}
		s.Release()
		events = events[n:]
	}
	for id, row := range h.view.Tables[things.Name] {
		if row[pipeline.IsDeletedColumn] == "true" {
			delete(h.view.Tables[things.Name], id)
		}
	}
	return h.table()
}
