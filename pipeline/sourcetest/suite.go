package sourcetest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// Run runs the suite; input makes an Input anew, with the same content each time.
func Run(t *testing.T, input func(t testing.TB) Input) {
	t.Run("whole", func(t *testing.T) { testWhole(t, input(t)) })
	t.Run("every cursor", func(t *testing.T) { testEveryCursor(t, input(t)) })
	t.Run("kills", func(t *testing.T) {
		for range 5 {
			testKills(t, input(t), rand.Uint64())
		}
	})
	t.Run("life", func(t *testing.T) { testLife(t, input(t)) })
	t.Run("texts", func(t *testing.T) { testTexts(t, input(t)) })
	if _, ok := input(t).(Trimmer); ok {
		t.Run("trim", func(t *testing.T) { testTrim(t, input(t)) })
	}
}

func count(want []Partition) (n int) {
	for _, p := range want {
		n += len(p.Records)
	}
	return n
}

// testWhole: everything is given once, in order; then a bounded source ends, and another
// one waits until its context ends.
func testWhole(t *testing.T, in Input) {
	s := in.Source(t)
	bounded := s.Bounded()
	if _, grows := in.(Grower); grows == bounded {
		t.Fatalf("Bounded is %v", bounded)
	}
	r := mustOpen(t, s, nil)
	defer r.close()
	a := newAccount()
	for _, one := range r.take(count(in.Want())) {
		a.add(t, one)
	}
	a.check(t, in.Want())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if bounded {
		for range 2 { // and so it stays
			if one, err := r.next(ctx); !errors.Is(err, io.EOF) {
				t.Errorf("behind the last record: %q, %v", one.text, err)
			}
		}
	} else {
		cancel()
		if one, err := r.next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("reading when the context has ended: %q, %v", one.text, err)
		}
	}
	if s.Bounded() != bounded {
		t.Error("Bounded changes")
	}
}

// testEveryCursor: opened behind each of its records, by a new process or by the same
// value, a source gives exactly the rest.
func testEveryCursor(t *testing.T, in Input) {
	want := in.Want()
	s := in.Source(t)
	r := mustOpen(t, s, nil)
	all := r.take(count(want))
	r.close()
	for n := range len(all) + 1 {
		var cursors map[string][]byte
		a := newAccount()
		for _, one := range all[:n] {
			a.add(t, one)
			cursors = one.cursors
		}
		if n%2 == 0 {
			s = in.Source(t)
		}
		r := mustOpen(t, s, cursors)
		for _, one := range r.take(len(all) - n) {
			a.add(t, one)
		}
		if s.Bounded() {
			if one, err := r.next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("behind the last record: %q, %v", one.text, err)
			}
		}
		r.close()
		a.check(t, want)
		if t.Failed() {
			t.Fatalf("opened behind %d records", n)
		}
	}
}

// testKills: whatever was read and not saved is read again, as often as it is, and what
// is saved is told and never comes again; meanwhile the input grows.
func testKills(t *testing.T, in Input, seed uint64) {
	if RunRandom(t, rand.New(rand.NewPCG(seed, 1)), in); t.Failed() {
		t.Fatalf("seed %d", seed)
	}
}

// RunRandom kills and opens sources of the input at random, keeping a random part of what
// each has given, while the input grows, until all was read; then it compares with what the input has.
func RunRandom(t *testing.T, rng *rand.Rand, in Input) {
	a := newAccount()
	var saved map[string][]byte
	s := in.Source(t)
	grown := 0
	for round := 0; ; round++ {
		if g, ok := in.(Grower); ok && grown < 6 {
			g.Grow(rng)
			grown++
		}
		left := count(in.Want()) - len(a.order)
		if left == 0 {
			break
		}
		if rng.IntN(2) == 0 {
			s = in.Source(t)
		}
		r := mustOpen(t, s, saved)
		batch := r.take(1 + rng.IntN(left))
		keep := rng.IntN(len(batch) + 1)
		for i, one := range batch {
			if i < keep {
				a.add(t, one)
				saved = one.cursors
			} else {
				a.see(t, one)
			}
		}
		if keep > 0 && rng.IntN(2) == 0 {
			if err := s.Committed(t.Context(), saved); err != nil {
				t.Fatalf("telling: %v", err)
			}
		}
		r.close()
		if t.Failed() || round > 1000 {
			t.Fatalf("round %d", round)
		}
	}
	a.check(t, in.Want())
}

// testLife: a source can be told before it is read, while it waits, and of nothing; it can
// be closed when it was never opened, and its positions behind the end are that end.
func testLife(t *testing.T, in Input) {
	s := in.Source(t)
	if err := s.Close(); err != nil {
		t.Errorf("closing what was not opened: %v", err)
	}
	r := mustOpen(t, s, nil)
	if err := s.Committed(t.Context(), nil); err != nil {
		t.Errorf("telling of nothing: %v", err)
	}
	told := make(chan error, 1)
	all := r.take(count(in.Want()))
	go func() { told <- s.Committed(context.WithoutCancel(t.Context()), r.cursors) }()
	if err := <-told; err != nil {
		t.Errorf("telling from another goroutine: %v", err)
	}
	if s.Bounded() {
		for {
			if err := r.read(t.Context()); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	r.close()
	again := mustOpen(t, s, r.cursors)
	defer again.close()
	if !s.Bounded() {
		return
	}
	if one, err := again.next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("a source that was read to its end, all %d records, goes on: %q, %v", len(all), one.text, err)
	}
}

// testTexts: each cursor has a text, which differs from that of the one before, and each
// record a position.
func testTexts(t *testing.T, in Input) {
	s := in.Source(t)
	r := mustOpen(t, s, nil)
	defer r.close()
	last, positions := map[string]string{}, map[string]bool{}
	for _, one := range r.take(count(in.Want())) {
		moved := 0
		for partition, cursor := range one.cursors {
			text := checkText(t, s, partition, cursor)
			if text != last[partition] {
				moved++
			}
			last[partition] = text
		}
		if moved == 0 {
			t.Errorf("behind %s no text of a cursor has changed", one.text)
		}
		if positions[one.position] {
			t.Errorf("two records are at %s", one.position)
		}
		positions[one.position] = true
	}
	for _, cursor := range []string{"", "{", `"no cursor"`, "\xff\n"} {
		checkText(t, s, "p", []byte(cursor))
	}
}

// testTrim: records that are gone before they were read are a gap: the end of a bounded
// source, and of one that saves its gaps; a notice of another one, which goes on.
func testTrim(t *testing.T, in Input) {
	want := in.Want()
	r := mustOpen(t, in.Source(t), nil)
	a := newAccount()
	read := map[string]int{}
	inPart := func(p Partition) bool { return read[p.Name] > 0 && read[p.Name] < len(p.Records) }
	for len(a.order) < count(want)/3 || !slices.ContainsFunc(want, inPart) {
		one := r.take(1)[0]
		a.add(t, one)
		read[one.partition]++
	}
	saved := a.order[len(a.order)-1].cursors
	r.close()
	lost := in.(Trimmer).Trim(t, read)
	if len(lost) == 0 {
		t.Fatal("nothing was lost")
	}
	s := in.Source(t)
	if saves, ok := s.(pipeline.GapReporter); ok {
		saved = takeToGap(t, a, in, s, saved)
		if !s.Bounded() {
			checkSavedGap(t, in, saves, saved)
		}
		r, err := openWith(t, in.Source(t), pipeline.SourceOptions{Cursors: saved, AcceptGap: true})
		if err != nil {
			t.Fatalf("opened with the gap accepted: %v", err)
		}
		defer r.close()
		for _, one := range r.take(count(want) - len(a.order) - len(lost)) {
			a.add(t, one)
		}
		a.check(t, want, lost...)
		return
	}
	if s.Bounded() {
		takeToGap(t, a, in, s, saved)
		return
	}
	r = mustOpen(t, s, saved)
	defer r.close()
	for _, one := range r.take(count(want) - len(a.order) - len(lost)) {
		a.add(t, one)
	}
	a.check(t, want, lost...)
	select {
	case n := <-r.notices:
		if !n.Gap || n.Event != pipeline.EventLost || n.Partition == "" || n.Position == "" || n.Message == "" {
			t.Errorf("the notice of the loss is %+v", n)
		}
	default:
		t.Error("nobody was told of the loss")
	}
}

// takeToGap reads until the source ends with a gap, and returns the cursors that are saved then.
func takeToGap(t *testing.T, a *account, in Input, s pipeline.Source, saved map[string][]byte) map[string][]byte {
	t.Helper()
	r, err := open(t, s, saved)
	ctx, cancel := context.WithTimeout(t.Context(), readTimeout)
	defer cancel()
	for err == nil {
		var one record
		if one, err = r.next(ctx); err == nil {
			a.add(t, one)
		}
	}
	if !errors.Is(err, pipeline.ErrGap) || errors.Is(err, io.EOF) {
		t.Fatalf("after a loss: %v, want a gap", err)
	}
	r.close()
	return r.cursors
}

// checkSavedGap: a gap that is saved can be seen, and keeps the source from being opened.
func checkSavedGap(t *testing.T, in Input, saves pipeline.GapReporter, saved map[string][]byte) {
	t.Helper()
	gaps, err := saves.Gaps(saved)
	if err != nil || len(gaps) == 0 {
		t.Fatalf("the saved gaps are %v, %v", gaps, err)
	}
	for _, g := range gaps {
		if g.Partition == "" || g.Position == "" || g.Reason == "" || g.Found.IsZero() || !g.Accepted.IsZero() {
			t.Errorf("a saved gap is %+v", g)
		}
	}
	s := in.Source(t)
	if _, err := open(t, s, saved); !errors.Is(err, pipeline.ErrGap) {
		t.Errorf("opened behind a gap that nobody accepts: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
