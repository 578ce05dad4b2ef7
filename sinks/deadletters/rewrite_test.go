package deadletters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// TestGatheredWithoutGrowth: where objects can't grow, epochs' letters come into one object a
// day, too, until it is so large that sending it with each epoch would cost more than a new one.
func TestGatheredWithoutGrowth(t *testing.T) {
	objects, dir := noGrowth{blob.NewMemory()}, t.TempDir()
	now := time.Date(2024, 2, 28, 23, 0, 0, 0, time.UTC)
	s := New(Options{Objects: objects, Now: func() time.Time { return now }})
	if err := s.Open(ctx, pipeline.SinkOptions{Pipeline: "p", StateID: "0123456789abcdef", Spool: spoolOf(dir)}); err != nil {
		t.Fatal(err)
	}
	c := NewCounter(Folder{objects, "p"})
	seen := map[string]bool{}
	for epoch := int64(1); epoch <= 100; epoch++ {
		record := []byte("small")
		switch epoch {
		case 60:
			now = now.Add(2 * time.Hour)
		case 90:
			record = bytes.Repeat([]byte("x"), rewriteBytesMax)
		}
		if err := s.Commit(ctx, prepare(t, s, epoch, record)); err != nil {
			t.Fatal(err)
		}
		if left, err := c.Left(ctx); err != nil || left[pipeline.ReasonBadRecord] != epoch {
			t.Fatalf("epoch %d: counted %v, %v", epoch, left, err)
		}
		ids, _ := lettersIn(t, objects)
		for id := range seen {
			if !slices.Contains(ids, id) {
				t.Fatalf("epoch %d: letter %s is gone", epoch, id)
			}
		}
		seen[ids[len(ids)-1]] = true
	}
	want := []string{epochName("p", "0123456789abcdef", 1) + suffix, epochName("p", "0123456789abcdef", 60) + suffix, epochName("p", "0123456789abcdef", 91) + suffix}
	if got := listAll(t, objects); !slices.Equal(got, want) {
		t.Errorf("objects are %v, want %v", got, want)
	}
	if ids, all := lettersIn(t, objects); len(all) != 100 || all[99].Epoch != 100 || ids[99] != want[2]+":10" {
		t.Errorf("%d letters, the last is %s", len(all), ids[len(ids)-1])
	}
}

// TestAnyCrashWithoutGrowth: whichever call of a commit is the last one of a process, before or
// after its effect, however often, each letter is there once, in order, under the id that it
// had; and what a user has removed after its commit does not come back.
func TestAnyCrashWithoutGrowth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "deadletters")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		defer os.RemoveAll(dir + ".spool")
		objects := noGrowth{blob.NewMemory()}
		s := openIn(t, objects, dir, pipeline.SinkOptions{})
		var want []string
		ids := map[string]string{} // of records
		for epoch := int64(1); epoch <= rapid.Int64Range(1, 4).Draw(rt, "epochs"); epoch++ {
			var records [][]byte
			for i := range rapid.IntRange(1, 2).Draw(rt, "letters") {
				records = append(records, fmt.Appendf(nil, "%d.%d", epoch, i))
			}
			rc := prepare(t, s, epoch, records...)
			for i := range rapid.IntRange(0, 2).Draw(rt, "amended") {
				if rapid.Bool().Draw(rt, "committed before") {
					if err := s.Commit(ctx, rc); err != nil {
						rt.Fatal(err)
					}
				}
				more := fmt.Appendf(nil, "%d+%d", epoch, i)
				if rc, err = s.Amend(ctx, rc, []pipeline.DeadLetter{{Record: more}}); err != nil {
					rt.Fatal(err)
				}
				records = append(records, more)
			}
			for _, r := range records {
				want = append(want, string(r))
			}
			for range rapid.IntRange(0, 3).Draw(rt, "crashes") {
				crash(rt, s, rc)
				s = openIn(t, objects, dir, pipeline.SinkOptions{Pending: rc})
			}
			for range 2 {
				if err := s.Commit(ctx, rc); err != nil {
					rt.Fatal(err)
				}
			}
			var got []string
			found, all := lettersIn(t, objects)
			for i, l := range all {
				got = append(got, l.Record)
				if before, ok := ids[l.Record]; ok && before != found[i] {
					rt.Fatalf("letter %s was %s, and is %s", l.Record, before, found[i])
				}
				ids[l.Record] = found[i]
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("letters are %v, want %v", got, want)
			}
			if rapid.IntRange(0, 3).Draw(rt, "removed by a user") == 0 {
				if err := objects.Delete(ctx, listAll(t, objects)...); err != nil {
					rt.Fatal(err)
				}
				want = nil
				s = openIn(t, objects, dir, pipeline.SinkOptions{Pending: rc})
				if err := s.Commit(ctx, rc); err != nil {
					rt.Fatal(err)
				}
				if left := listAll(t, objects); len(left) > 0 {
					rt.Fatalf("it is there again: %v", left)
				}
			}
		}
	})
}

// crash commits until some call, which is the last one of the process.
func crash(rt *rapid.T, s *Store, rc *pipeline.Committable) {
	faults := &blob.Faults{}
	s.objects = faults.Wrap(s.objects)
	s.letters.objects, s.marks.objects = s.objects, s.objects
	faults.Arm(rapid.IntRange(0, 8).Draw(rt, "calls"), rapid.Bool().Draw(rt, "after"), true)
	if err := s.Commit(ctx, rc); err != nil && !errors.Is(err, blob.ErrFault) {
		rt.Fatal(err)
	}
}

// inFlight is a store that knows nothing of requests which are on their way.
type inFlight struct{ blob.Store }

func (inFlight) Unfinished(context.Context, string) iter.Seq2[blob.UnfinishedObject, error] {
	return func(func(blob.UnfinishedObject, error) bool) {}
}

// TestLateRequest: what a process has sent before it died, and what arrives long after the
// next one has gone on, changes nothing.
func TestLateRequest(t *testing.T) {
	for _, before := range []int64{0, 1} { // epochs with letters before
		memory, dir := blob.NewMemory(), t.TempDir()
		var late []func() error
		objects := noGrowth{blob.Wrap(memory, func(_ context.Context, c blob.Call, do func() error) error {
			switch {
			case c.Op == blob.OpFinish:
				late = append(late, do)
				return blob.ErrFault
			case c.Op == blob.OpAbort && len(late) > 0:
				return nil
			}
			return do()
		})}
		s := openIn(t, noGrowth{memory}, dir, pipeline.SinkOptions{})
		if before > 0 {
			if err := s.Commit(ctx, prepare(t, s, before, []byte("first"))); err != nil {
				t.Fatal(err)
			}
		}
		s = openIn(t, objects, dir, pipeline.SinkOptions{})
		rc := prepare(t, s, 2, []byte("second"))
		if err := s.Commit(ctx, rc); !errors.Is(err, blob.ErrFault) {
			t.Fatal(err)
		}
		s = openIn(t, inFlight{noGrowth{memory}}, dir, pipeline.SinkOptions{Pending: rc})
		if err := errors.Join(s.Commit(ctx, rc), s.Commit(ctx, prepare(t, s, 3, []byte("third")))); err != nil {
			t.Fatal(err)
		}
		_, want := lettersIn(t, memory)
		for _, send := range late {
			if err := send(); err == nil || !errors.Is(err, blob.ErrChanged) && !errors.Is(err, fs.ErrExist) {
				t.Errorf("the late request: %v", err)
			}
		}
		if _, got := lettersIn(t, memory); len(got) != len(want) || len(got) != int(before)+2 {
			t.Errorf("%d letters, and %d before the late request", len(got), len(want))
		}
		if len(late) != 1 {
			t.Errorf("%d late requests", len(late))
		}
	}
}

// TestReadWhileAdded: a pipeline may replace the newest object by a longer one, and retention may
// remove one, between two requests of who reads the letters: each letter is listed once all the same.
func TestReadWhileAdded(t *testing.T) {
	objects, dir := noGrowth{blob.NewMemory()}, t.TempDir()
	s := openIn(t, objects, dir, pipeline.SinkOptions{})
	add := func(epoch int64) {
		if err := s.Commit(ctx, prepare(t, s, epoch, fmt.Append(nil, epoch))); err != nil {
			t.Fatal(err)
		}
	}
	add(1)
	epoch := int64(1)
	between := blob.Wrap(objects, func(_ context.Context, c blob.Call, do func() error) error {
		if c.Op == blob.OpRead && epoch < 4 {
			epoch++
			add(epoch)
			return fmt.Errorf("%s: %w", c.Name, blob.ErrChanged) // as S3 says of an If-Match that is not met
		}
		return do()
	})
	ids, all := lettersIn(t, between)
	if len(all) != 4 || all[3].Epoch != 4 || ids[3] != epochName("p", "0123456789abcdef", 1)+suffix+":4" {
		t.Errorf("letters are %v", ids)
	}
	epoch = 1
	removed := blob.Wrap(objects, func(ctx context.Context, c blob.Call, do func() error) error {
		if c.Op == blob.OpOpen {
			if err := objects.Delete(ctx, c.Name); err != nil {
				t.Error(err)
			}
		}
		return do()
	})
	if ids, _ := lettersIn(t, removed); len(ids) != 0 {
		t.Errorf("of an object that was removed while it was read there are %v", ids)
	}
}

// TestReplacedWithoutEnd: a reader gives up where it never gets to a line.
func TestReplacedWithoutEnd(t *testing.T) {
	objects := noGrowth{blob.NewMemory()}
	s := openIn(t, objects, t.TempDir(), pipeline.SinkOptions{})
	if err := s.Commit(ctx, prepare(t, s, 1, []byte("1"))); err != nil {
		t.Fatal(err)
	}
	always := blob.Wrap(objects, func(_ context.Context, c blob.Call, do func() error) error {
		if c.Op == blob.OpRead {
			return blob.ErrChanged
		}
		return do()
	})
	if _, err := NewCounter(Folder{always, "p"}).Left(ctx); !errors.Is(err, blob.ErrChanged) {
		t.Errorf("counting ended with %v", err)
	}
}

// TestDamagedLine: a file that somebody has changed ends reading and adding, and the error says what to do.
func TestDamagedLine(t *testing.T) {
	objects, dir := noGrowth{blob.NewMemory()}, t.TempDir()
	name := epochName("p", "0123456789abcdef", 1) + suffix
	if err := blob.WriteAll(ctx, objects, name, []byte("{\n"), blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s := openIn(t, objects, dir, pipeline.SinkOptions{})
	_, counted := NewCounter(Folder{objects, "p"}).Left(ctx)
	for what, err := range map[string]error{
		"adding": s.Commit(ctx, prepare(t, s, 2, []byte("x"))), "listing": Folder{objects, "p"}.Each(ctx, "", func(*Found) error { return nil }), "counting": counted,
	} {
		if err == nil || !strings.Contains(err.Error(), name+":1: the line was changed or damaged: mend it, or move the file away: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}
