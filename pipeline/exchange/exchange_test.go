package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

func compareMessages(a, b pipeline.Message) int {
	if n := a.To.Compare(b.To); n != 0 {
		return n
	}
	return bytes.Compare(a.Body, b.Body)
}

// TestReceive: what a part receives is what was sent to its key groups, sorted, equal
// messages as often as they were sent: whoever sent them, in whatever order, to however
// many parts.
func TestReceive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		few := rapid.Bool().Draw(t, "few hashes")
		want := make([]pipeline.Message, rapid.SampledFrom([]int{0, 1, 30, 3000}).Draw(t, "messages"))
		for i := range want {
			want[i] = pipeline.Message{To: pipeline.Hash{Hi: r.Uint64(), Lo: r.Uint64()}, Body: randomBody(r)}
			if few {
				want[i].To = pipeline.Hash{Hi: want[i].To.Hi >> 62 << 62, Lo: 1}
			}
		}
		sent := slices.Clone(want)
		slices.SortFunc(want, compareMessages)
		var in Inbox
		for range 3 {
			runner := &Runner{Workers: rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "workers"), ForceParts: rapid.IntRange(0, pipeline.KeyGroups).Draw(t, "parts")}
			if rapid.Bool().Draw(t, "shuffled") {
				runner.ShuffleMessages = ShuffleBy(r.Uint64())
			}
			senders := rapid.IntRange(1, 9).Draw(t, "senders")
			r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			if got := exchanged(t, runner, sent, senders, &in); !slices.EqualFunc(got, want, func(a, b pipeline.Message) bool { return compareMessages(a, b) == 0 }) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

// randomBody returns one that is often equal to others, or as long as a page takes.
func randomBody(r *rand.Rand) []byte {
	switch r.IntN(20) {
	case 0:
		return nil
	case 1:
		return bytes.Repeat([]byte{byte(r.Uint32())}, bodyBytesMax+r.IntN(3)-1)
	case 2:
		return bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(2*pageBytes))
	}
	return fmt.Append(nil, strings.Repeat("equal", r.IntN(3)), r.IntN(50))
}

// exchanged sends messages from some senders, and returns what all parts receive: each sends that
// on in the memory of what it has received.
func exchanged(t *rapid.T, r pipeline.Runner, sent []pipeline.Message, senders int, in *Inbox) (all []pipeline.Message) {
	parts := PartsFor(r, len(sent))
	x := New(r, senders, parts)
	err := r.Run("send", senders, func(sender int) error {
		var memory Memory
		var body []byte
		for i := sender; i < len(sent); i += senders {
			body = append(body[:0], sent[i].Body...)
			x.Sender(sender, &memory).Send(sent[i].To, body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	next := New(r, 1, parts)
	var memory Memory
	for part := range int(parts) {
		got := x.Receive(part, in)
		unsorted := slices.SortedFunc(slices.Values(x.ReceiveUnsorted(part, new(Inbox))), compareMessages)
		if !slices.EqualFunc(got, unsorted, func(a, b pipeline.Message) bool { return compareMessages(a, b) == 0 }) {
			t.Fatalf("part %d got %v, and unsorted %v", part, got, unsorted)
		}
		for i, m := range got {
			_ = append(m.Body, 1) // it has no room that is not its own
			if (m.Body == nil) != (len(m.Body) == 0) {
				t.Fatalf("message %d: an empty body that is not nil", i)
			}
			if !parts.Range(part).Has(m.To) {
				t.Fatalf("part %d of %d got a message to key group %d, want those of %v", part, parts, m.To.KeyGroup(), parts.Range(part))
			}
		}
		from := len(all)
		for _, m := range got {
			m.Body = bytes.Clone(m.Body)
			all = append(all, m)
		}
		x.Free(part, &memory)
		for _, m := range all[from:] {
			next.Sender(0, &memory).Send(m.To, m.Body)
		}
	}
	rest := all
	for part := range int(parts) {
		got := next.Receive(part, in)
		if !slices.EqualFunc(got, rest[:len(got)], func(a, b pipeline.Message) bool { return compareMessages(a, b) == 0 }) {
			t.Fatalf("part %d got %v in the second exchange", part, got)
		}
		rest = rest[len(got):]
	}
	return all
}

// TestOrder: no two bodies are in another order by Order than by their bytes.
func TestOrder(t *testing.T) {
	bodies := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 10)
	rapid.Check(t, func(t *rapid.T) {
		a, b := bodies.Draw(t, "a"), bodies.Draw(t, "b")
		got := compare(&pipeline.Message{Order: order(a), Body: a}, &pipeline.Message{Order: order(b), Body: b})
		if want := bytes.Compare(a, b); got != want {
			t.Errorf("%x and %x compare as %d, want %d", a, b, got, want)
		}
	})
}

// TestParts: each key group is in one part, the one that Of names, and no part is empty.
func TestParts(t *testing.T) {
	for n := Parts(1); n <= pipeline.KeyGroups; n++ {
		end := 0
		for part := range int(n) {
			r := n.Range(part)
			if r.First != end || r.End <= r.First {
				t.Fatalf("part %d of %d is %v, want it to begin at %d", part, n, r, end)
			}
			for g := r.First; g < r.End; g++ {
				if h := (pipeline.Hash{Hi: uint64(g)<<57 | 1<<56}); h.KeyGroup() != g || n.Of(h) != part {
					t.Fatalf("of %d parts, key group %d is in %d, want %d", n, g, n.Of(h), part)
				}
			}
			end = r.End
		}
		if end != pipeline.KeyGroups {
			t.Fatalf("%d parts end at %d", n, end)
		}
	}
}

func TestPartsBySize(t *testing.T) {
	r := &Runner{Workers: 2}
	for messages, want := range map[int]Parts{
		0: 1, 1: 1, 2*messagesPerPart - 1: 1, 2 * messagesPerPart: 2, 4*messagesPerPart - 1: 2,
		4 * messagesPerPart: 4, 128 * messagesPerPart: 128, 1 << 40: 128,
	} {
		if got := PartsFor(r, messages); got != want {
			t.Errorf("%d parts for %d messages, want %d", got, messages, want)
		}
	}
	if got := PartsFor(&Runner{Workers: 2, ForceParts: 5}, 1<<20); got != 5 {
		t.Errorf("%d parts, want the 5 that were asked for", got)
	}
}

// TestRun: every part is run once, whatever fails, and the error is that of the lowest part.
func TestRun(t *testing.T) {
	for _, workers := range []int{1, 2, 7, 40} {
		for _, parts := range []int{0, 1, 2, 33} {
			r := &Runner{Workers: workers}
			ran := make([]atomic.Int32, parts)
			err := r.Run("test", parts, func(part int) error {
				ran[part].Add(1)
				if part == 1 || part == 20 {
					return fmt.Errorf("part %d", part)
				}
				return nil
			})
			if (err != nil) != (parts > 1) || err != nil && err.Error() != "part 1" {
				t.Errorf("%d workers, %d parts: error %v", workers, parts, err)
			}
			for part := range ran {
				if n := ran[part].Load(); n != 1 {
					t.Errorf("%d workers, %d parts: part %d ran %d times", workers, parts, part, n)
				}
			}
		}
	}
}

// TestRunAtATime: parts run at the same time, on as many goroutines as there are workers.
func TestRunAtATime(t *testing.T) {
	var together sync.WaitGroup
	together.Add(3)
	err := (&Runner{Workers: 3}).Run("test", 3, func(int) error {
		together.Done()
		together.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPanic: a part that panics ends the process: what it left behind is not to be saved.
func TestPanic(t *testing.T) {
	const workers = "STARLIFT_TEST_PANIC"
	if n := os.Getenv(workers); n != "" {
		_ = (&Runner{Workers: len(n)}).Run("test", 5, func(part int) error {
			if part == 3 {
				panic("part 3 is broken")
			}
			return nil
		})
		os.Exit(0)
	}
	for _, n := range []string{"1", "22"} {
		run := exec.Command(os.Args[0], "-test.run", "^TestPanic$")
		run.Env = append(os.Environ(), workers+"="+n)
		out, err := run.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(string(out), "part 3 is broken") {
			t.Errorf("with %d workers it ended with %v: %s", len(n), err, out)
		}
	}
}

// TestShuffleBy: a seed always gives one order, which has all messages.
func TestShuffleBy(t *testing.T) {
	messages := func() (all []pipeline.Message) {
		for i := range 100 {
			all = append(all, pipeline.Message{To: pipeline.Hash{Lo: uint64(i)}})
		}
		return all
	}
	a, b, c := messages(), messages(), messages()
	ShuffleBy(1)(a)
	ShuffleBy(1)(b)
	ShuffleBy(2)(c)
	same := func(a, b []pipeline.Message) bool {
		return slices.EqualFunc(a, b, func(a, b pipeline.Message) bool { return a.To == b.To })
	}
	if !same(a, b) || same(a, c) || same(a, messages()) {
		t.Error("an order does not follow from its seed")
	}
	slices.SortFunc(a, compareMessages)
	if !same(a, messages()) {
		t.Error("a message is missing")
	}
}

// TestSmallExchange: once its memory is there, an exchange of one part allocates next to nothing.
func TestSmallExchange(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	r := &Runner{Workers: 2}
	var in Inbox
	var memory Memory
	body := []byte("body")
	got := testing.AllocsPerRun(100, func() {
		x := New(r, 1, 1)
		s := x.Sender(0, &memory)
		for i := range uint64(100) {
			s.Send(pipeline.Hash{Hi: i << 50}, body)
		}
		if n := len(x.Receive(0, &in)); n != 100 {
			t.Errorf("%d messages", n)
		}
		memory.Release()
	})
	if got > 5 {
		t.Errorf("%.0f allocations, want 5 at most", got)
	}
}

// BenchmarkExchange sends messages through an exchange of 1 and of as many parts as there
// can be, by two senders: what a message costs, and what a part costs that gets none.
func BenchmarkExchange(b *testing.B) {
	for _, of := range []struct{ messages, parts int }{{100, 1}, {2 * messagesPerPart, 1}, {2 * messagesPerPart, 2}, {0, 1}, {0, 128}, {200_000, 1}, {200_000, 128}} {
		const senders = 2
		b.Run(fmt.Sprintf("messages=%d/parts=%d", of.messages, of.parts), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			sent := make([]pipeline.Message, of.messages)
			for i := range sent {
				sent[i] = pipeline.Message{To: pipeline.Hash{Hi: random.Uint64(), Lo: random.Uint64()}, Body: bytes.Repeat([]byte{byte(i)}, 40)}
			}
			r := &Runner{Workers: senders, ForceParts: of.parts}
			var memories [senders]Memory
			inboxes := sync.Pool{New: func() any { return new(Inbox) }}
			b.ReportAllocs()
			for b.Loop() {
				x := New(r, senders, Parts(of.parts))
				_ = r.Run("send", senders, func(i int) error {
					s := x.Sender(i, &memories[i])
					for ; i < len(sent); i += senders {
						s.Send(sent[i].To, sent[i].Body)
					}
					return nil
				})
				_ = r.Run("receive", of.parts, func(part int) error {
					in := inboxes.Get().(*Inbox)
					x.Receive(part, in)
					inboxes.Put(in)
					return nil
				})
				for i := range memories {
					memories[i].Release()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*max(1, of.messages)), "ns/message")
		})
	}
}
