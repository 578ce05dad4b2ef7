package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// service is a target in memory that refuses what it likes. A line is "key number".
type service struct {
	mu      sync.Mutex
	random  *rand.Rand
	refuse  float64 // the share of entries
	limit   requestLimits
	hold    int // lines that pack keeps
	held    []*entry
	taken   []string
	at      []time.Time // when lines were packed
	batches []int       // sizes of requests
	now     func() time.Time
	err     error
}

func (s *service) open(context.Context, bool) error { return nil }

func (s *service) pack(line []byte) ([]*entry, error) {
	s.at = append(s.at, s.now())
	text := strings.TrimSuffix(string(line), "\n")
	key, _, _ := strings.Cut(text, " ")
	s.held = append(s.held, &entry{order: key, size: len(text), records: 1, value: text})
	if len(s.held) <= s.hold {
		return nil, nil
	}
	return s.rest(), nil
}

func (s *service) rest() []*entry {
	all := s.held
	s.held = nil
	return all
}

func (s *service) limits() requestLimits { return s.limit }

func (s *service) write(_ context.Context, batch []*entry) (refused []*entry, reason string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, "", s.err
	}
	s.batches = append(s.batches, len(batch))
	for _, i := range s.random.Perm(len(batch)) { // a service writes them in any order
		if s.random.Float64() < s.refuse {
			refused, reason = append(refused, batch[i]), "busy"
			continue
		}
		s.taken = append(s.taken, batch[i].value.(string))
	}
	return refused, reason, nil
}

// testSender is a sender with a clock of its own, which only pauses move.
func testSender(t *testing.T, to *service, rate int) (*sender, *time.Time) {
	t.Helper()
	now := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	s := newSender(t.Context(), t.Context(), to, rate)
	s.now = func() time.Time { return now }
	to.now = s.now
	s.pause = func(ctx context.Context, d time.Duration) error {
		now = now.Add(d)
		return ctx.Err()
	}
	return s, &now
}

// TestOrderIsKept: whatever is refused, in whatever order a request is done, each key's lines come in
// their order, once each.
func TestOrderIsKept(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		to := &service{random: r, refuse: float64(r.IntN(3)) * 0.4, hold: r.IntN(4), limit: requestLimits{entries: 1 + r.IntN(8), bytes: 10 + r.IntN(60), parallel: 1 + r.IntN(4)}}
		s, _ := testSender(t, to, r.IntN(2)*1000)
		want := map[string][]string{}
		keys := 1 + r.IntN(12)
		n := r.IntN(120)
		for i := range n {
			line := fmt.Sprintf("k%d %d", r.IntN(keys), i)
			key, _, _ := strings.Cut(line, " ")
			want[key] = append(want[key], line)
			if _, err := s.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, line := range to.taken {
			key, _, _ := strings.Cut(line, " ")
			got[key] = append(got[key], line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if s.sent != int64(n) || s.requests != int64(len(to.batches)) || n > 0 && slices.Max(to.batches) > to.limit.entries {
			t.Fatalf("%d of %d sent, in %d requests of %v", s.sent, n, s.requests, to.batches)
		}
	}
}

// TestRate: lines are taken at the rate, sent soon where it is low, and what a slow target holds up is
// made up for a second at most.
func TestRate(t *testing.T) {
	to := &service{random: rand.New(rand.NewPCG(1, 1)), limit: requestLimits{entries: 500, bytes: 1 << 20, parallel: 2}}
	s, now := testSender(t, to, 20)
	write := func(n int) {
		t.Helper()
		for i := range n {
			if _, err := fmt.Fprintf(s, "k%d 0\n", i); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(21)
	if took := to.at[20].Sub(to.at[0]); took != time.Second {
		t.Errorf("20 lines more took %s at 20 a second", took)
	}
	if len(to.batches) < 9 || s.sent < 18 {
		t.Errorf("%d of 21 lines were sent, in %d requests: they wait too long", s.sent, len(to.batches))
	}
	*now = now.Add(time.Minute)
	write(41)
	late := to.at[len(to.at)-41:]
	if at := late[20].Sub(late[0]); at != 0 {
		t.Errorf("a second's lines took %s to be made up for", at)
	}
	if took := late[40].Sub(late[20]); took != time.Second {
		t.Errorf("20 lines more took %s", took)
	}
	s, _ = testSender(t, to, 0)
	to.at = nil
	write(5000)
	if took := to.at[4999].Sub(to.at[0]); took != 0 {
		t.Errorf("without a rate, lines waited %s", took)
	}
}

// TestSenderGivesUp: a target that takes nothing ends the sending, and one that fails at once; a stop
// ends the taking, and what was taken is sent.
func TestSenderGivesUp(t *testing.T) {
	full := func() *service {
		return &service{random: rand.New(rand.NewPCG(1, 1)), limit: requestLimits{entries: 2, bytes: 1000, parallel: 1}}
	}
	to := full()
	to.refuse = 2
	s, now := testSender(t, to, 0)
	began := *now
	_, err := s.Write([]byte("a 1\nb 1\n"))
	if err == nil || !strings.Contains(err.Error(), "nothing was taken in 60 tries: busy") || now.Sub(began) < 20*time.Second {
		t.Errorf("after %s: %v", now.Sub(began), err)
	}
	to = full()
	to.err = errors.New("no right")
	s, _ = testSender(t, to, 0)
	if _, err := s.Write([]byte("a 1\nb 1\n")); !errors.Is(err, to.err) || s.sent != 0 {
		t.Errorf("%d sent: %v", s.sent, err)
	}
	to = full()
	s, _ = testSender(t, to, 0)
	stop, cancel := context.WithCancel(t.Context())
	s.stop = stop
	if _, err := s.Write([]byte("a 1\n")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Write([]byte("b 1\n")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Finish(); err != nil || s.sent != 1 || !slices.Equal(to.taken, []string{"a 1"}) {
		t.Errorf("%v was sent: %v", to.taken, err)
	}
}

// TestLinesOneByOne: a lineWriter gets each line as soon as it is made, and its end once; the bytes are
// those that a file gets.
func TestLinesOneByOne(t *testing.T) {
	var file bytes.Buffer
	want, err := EcommerceCDC(t.Context(), &file, nil, Options{Seed: 3, Records: 200, Late: 0.1, Duplicates: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	w := &oneByOne{}
	got, err := EcommerceCDC(t.Context(), w, nil, Options{Seed: 3, Records: 200, Late: 0.1, Duplicates: 0.1})
	if err != nil || !cmp.Equal(got, want) || w.all.String() != file.String() || w.writes != 200 || w.ends != 1 {
		t.Errorf("%d writes, %d ends: %v", w.writes, w.ends, err)
	}
}

type oneByOne struct {
	all          bytes.Buffer
	writes, ends int
}

func (w *oneByOne) Write(p []byte) (int, error) {
	w.writes++
	return w.all.Write(p)
}

func (w *oneByOne) Finish() error {
	w.ends++
	return nil
}

// TestHashRanges: ranges divide all hash keys evenly, and a key's is the one that holds its hash key.
func TestHashRanges(t *testing.T) {
	for shards, want := range map[int]int{0: 16, 1: 16, 16: 16, 17: 32, 500: 512} {
		ranges := hashRanges(shards)
		if len(ranges) != want || ranges[0].first != "0" {
			t.Errorf("%d shards: %d ranges", shards, len(ranges))
		}
	}
	s := &kinesisStream{ranges: hashRanges(0)}
	if first := s.ranges[15].first; first != "319014718988379809496913694467282698240" { // 2^128 - 2^124
		t.Error(first)
	}
	for i := range 1000 {
		key := fmt.Sprint(i)
		r := s.rangeOf(key)
		if !inRange(t, key, r.first) {
			t.Errorf("key %s is not in the range from %s", key, r.first)
		}
	}
}

// TestProgressLine: a terminal shows what was sent, how fast, and what was refused.
func TestProgressLine(t *testing.T) {
	to := &service{random: rand.New(rand.NewPCG(1, 1)), limit: requestLimits{entries: 1, bytes: 1000, parallel: 1}}
	s, now := testSender(t, to, 2)
	var shown []string
	s.show = func(s *sender) { shown = append(shown, s.line()) }
	for range 5 {
		if _, err := s.Write([]byte("a 1\n")); err != nil {
			t.Fatal(err)
		}
	}
	if len(shown) < 4 || shown[len(shown)-1] != "5 records sent, 2 a second" && shown[len(shown)-1] != "5 records sent, 3 a second" {
		t.Errorf("shown is %q", shown)
	}
	s.refused, s.reason = 3, "busy"
	*now = now.Add(3 * time.Second)
	if got := s.line(); got != "5 records sent, 1 a second; 3 sent again (busy)" {
		t.Error(got)
	}
}
