package star

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// history is what happens to a shop, epoch by epoch.
type history struct {
	epochs   [][]event
	restarts []bool // before each epoch
}

// drawShop draws what the dimensions of a shop are like.
func drawShop(t *rapid.T) *shop {
	s := newShop(t)
	for i := range s.cfg.Dimensions[:3] {
		d := &s.cfg.Dimensions[i].Value
		d.Keys = rapid.SampledFrom([]string{"sequence", "hash"}).Draw(t, "keys")
		d.OnDelete = rapid.SampledFrom([]string{"keep", "flag", "delete"}).Draw(t, "on_delete")
	}
	return s
}

// drawHistory draws changes whose times are not in the order of their epochs.
func drawHistory(t *rapid.T, s *shop) history {
	var h history
	n := rapid.IntRange(1, 5).Draw(t, "epochs")
	times := rapid.Permutation(slices.Collect(func(yield func(int64) bool) {
		for i := range int64(n * 12) {
			if !yield(1000 + i) {
				return
			}
		}
	})).Draw(t, "times")
	for range n {
		var events []event
		seen := map[string]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "changes") {
			e := drawEvent(t, s, times[0])
			if id := e.table.Name + e.key; !seen[id] {
				seen[id], events, times = true, append(events, e), times[1:]
			}
		}
		h.epochs, h.restarts = append(h.epochs, events), append(h.restarts, rapid.Bool().Draw(t, "restart"))
	}
	return h
}

func drawEvent(t *rapid.T, s *shop, at int64) (e event) {
	pick := func(of string, values ...string) string { return rapid.SampledFrom(values).Draw(t, of) }
	user, order, product := pick("user", "ann", "bo", "cy"), pick("order", "o1", "o2", "o3"), pick("product", "p1", "p2")
	switch rapid.IntRange(0, 3).Draw(t, "table") {
	case 0:
		country := pick("country", "NL", "BE", strings.Repeat("N", 300), strings.Repeat("N", 1000)) // longer than marks, and pages, have rows
		e = s.addCustomer(at, user, pick("name", "A", "B"), country, pick("postcode", "1", "2"))
		if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			e.row = strings.ReplaceAll(e.row, `"NL"`, "null")
		}
		e.deleted = fmt.Sprintf(`{"username":%q}`, user)
	case 1:
		e = s.addOrder(at, order, user, pick("date", "2023-01-01", "2023-01-02", "2024-01-01"))
		e.deleted = fmt.Sprintf(`{"orderid":%q}`, order)
	default:
		e = s.addLine(at, order, product, pick("name", "Pen", "Ink", strings.Repeat("I", 1000)), rapid.Int64Range(1, 2).Draw(t, "price"))
		e.deleted = fmt.Sprintf(`{"orderid":%q,"productid":%q}`, order, product)
	}
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		e.row = ""
	}
	return e
}

// shuffler shuffles messages; several goroutines may call it.
type shuffler struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (s *shuffler) messages(m []pipeline.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
}

// TestPhases: neither the number of parts and of goroutines, nor the order of messages and of
// what an epoch brings, shows in the tables, keys included, or in the state.
func TestPhases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShop(t)
		all := drawHistory(t, s)
		bounded := rapid.Bool().Draw(t, "bounded")
		facts := rapid.SampledFrom([]int{1, 3, factsPerEpochMax}).Draw(t, "facts per epoch")
		shuffle := &shuffler{r: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
		plain := newHarnessOn(t, s.compile(t), bounded, &exchange.Runner{Workers: 1, ForceParts: 1})
		other := newHarnessOn(t, s.compile(t), bounded, &exchange.Runner{
			Workers:         rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "workers"),
			ForceParts:      rapid.SampledFrom([]int{1, 2, 5, 16, pipeline.KeyGroups}).Draw(t, "parts"),
			ShuffleMessages: shuffle.messages,
		})
		for i, events := range all.epochs {
			for _, h := range []*harness{plain, other} {
				h.factsPerEpoch = facts
				if all.restarts[i] {
					h.restart()
				}
			}
			last := i == len(all.epochs)-1
			plain.epoch(last, events...)
			for n := len(events); n > 0; {
				some := events[:rapid.IntRange(1, n).Draw(t, "batch")]
				other.feed(some)
				events, n = events[len(some):], n-len(some)
			}
			other.epoch(last)
			compareHarnesses(t, plain, other)
		}
		if n := plain.operator.(*operator).backlog.size(); n > 0 {
			t.Fatalf("%d rows are left in the backlog", n)
		}
	})
}

func compareHarnesses(t *rapid.T, a, b *harness) {
	for _, table := range a.star.Tables() {
		if x, y := a.view.Lines(table.Name), b.view.Lines(table.Name); !slices.Equal(x, y) {
			t.Fatalf("%s has\n  %s\nand\n  %s", table.Name, strings.Join(x, "\n  "), strings.Join(y, "\n  "))
		}
	}
	if !maps.Equal(a.view.Counts, b.view.Counts) {
		t.Fatalf("rows that were written: %v and %v", a.view.Counts, b.view.Counts)
	}
	if !bytes.Equal(a.saved, b.saved) {
		t.Fatalf("the checkpoints have\n%s and\n%s", a.saved, b.saved)
	}
	for i := range a.state {
		x, y := a.state[i].(*pipelinetest.Keyspace).Entries, b.state[i].(*pipelinetest.Keyspace).Entries
		if !maps.EqualFunc(x, y, bytes.Equal) {
			t.Fatalf("keyspace %d has\n%x and\n%x", i, x, y)
		}
	}
}

// TestSequenceKeys: the new members of an epoch are numbered by the hashes of their natural keys,
// and no number is left out; epochs follow each other.
func TestSequenceKeys(t *testing.T) {
	for _, parts := range []int{1, 3, 128} {
		s := newShop(t)
		h := newHarnessOn(t, s.compile(t), false, &exchange.Runner{Workers: 2, ForceParts: parts})
		var want []string
		for epoch := range 3 {
			var events []event
			var names []string
			for i := range 40 {
				name := fmt.Sprintf("p%d", epoch*20+i) // half of them are there already
				events = append(events, s.addLine(int64(100*epoch+i), "o1", name, "Pen", 1))
				if !slices.Contains(want, name) {
					names = append(names, name)
				}
			}
			h.epoch(false, events...)
			d := h.star.dimensions[2]
			hash := func(name string) pipeline.Hash {
				h, _ := d.hashNaturalKey(nil, [][]byte{append([]byte{byte(len(name))}, name...)})
				return h
			}
			slices.SortFunc(names, func(a, b string) int { return hash(a).Compare(hash(b)) })
			want = append(want, names...)
		}
		keys := h.keys("dim_product", 1)
		for i, name := range want {
			if keys[name] != fmt.Sprint(i+1) {
				t.Errorf("%d parts: %s has key %s, want %d", parts, name, keys[name], i+1)
			}
		}
		if len(keys) != len(want)+1 {
			t.Errorf("%d parts: %d members, want %d and the unknown one", parts, len(keys), len(want))
		}
	}
}

// TestBacklogCutShort: facts that are made over several epochs come out the same when the
// process ends between them, whatever the number of parts was.
func TestBacklogCutShort(t *testing.T) {
	s := newShop(t)
	runners := []pipeline.Runner{&exchange.Runner{Workers: 2, ForceParts: 5}, &exchange.Runner{Workers: 1, ForceParts: 1}, &exchange.Runner{Workers: 2, ForceParts: 128}}
	h := newHarnessOn(t, s.compile(t), false, runners[0])
	const orders, lines = 20, 5
	var events []event
	for o := range orders {
		for l := range lines {
			events = append(events, s.addLine(1, fmt.Sprint("o", o), fmt.Sprint("p", l), "Pen", 1))
		}
		events = append(events, s.addOrder(2, fmt.Sprint("o", o), "ann", "2023-01-01"))
	}
	h.epoch(false, events...)
	h.factsPerEpoch = 7
	h.restart()
	events = nil
	for o := range orders {
		events = append(events, s.addOrder(3, fmt.Sprint("o", o), "ann", "2023-01-02"))
	}
	h.feed(events)
	h.finish(false)
	epochs := 1
	for ; h.operator.Pending(false); epochs++ {
		h.open.Runner = runners[epochs%len(runners)]
		h.restart()
		before := h.view.Counts["fact update"]
		h.finish(false)
		if made := h.view.Counts["fact update"] - before; made == 0 || made > 7+lines {
			t.Fatalf("an epoch made %d facts", made)
		}
	}
	if h.view.Counts["fact update"] != orders*lines || epochs < orders*lines/(7+lines) {
		t.Errorf("%d facts were made again in %d epochs", h.view.Counts["fact update"], epochs)
	}
	for _, line := range h.view.Lines("fact") {
		if !strings.Contains(line, "|20230102|") {
			t.Errorf("a fact was not made again: %s", line)
		}
	}
}
