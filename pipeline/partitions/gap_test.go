package partitions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// lossyStream is a stream whose first shard has lost what comes behind its second record, and the
// cursors of whoever had read so far. Its child and another shard have records.
func lossyStream(t *testing.T) (s *sourcetest.Stream, lossy, child, other *sourcetest.Shard, cursors map[string][]byte) {
	t.Helper()
	s = &sourcetest.Stream{}
	lossy, other = s.Add(6), s.Add(3)
	child = s.Add(2, lossy)
	s.TrimTo(lossy, 4)
	return s, lossy, child, other, map[string][]byte{lossy.Name: cursor{At: "2", Records: 2, ReadUntil: sourcetest.Epoch.Add(2 * time.Second)}.encode()}
}

// readToGap reads until the source ends with a gap, which it returns. cursors are those that are
// saved by then.
func readToGap(t *testing.T, s pipeline.Source, cursors map[string][]byte) *pipeline.GapError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		r, err := s.Read(ctx)
		var gap *pipeline.GapError
		if errors.As(err, &gap) && errors.Is(err, pipeline.ErrGap) {
			return gap
		}
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(cursors, r.Positions)
		if r.Len() > 0 {
			cursors[r.Partition] = r.CursorAfter(r.Len())
		}
		if r.SaveNow {
			if err := s.Committed(ctx, maps.Clone(cursors)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// textsOf lists the records of a shard from the nth on.
func textsOf(s *sourcetest.Stream, p *sourcetest.Shard, n int) []string {
	for _, want := range s.Want() {
		if want.Name == p.Name {
			return want.Records[n:]
		}
	}
	return nil
}

// TestGapIsSaved: the run ends with a gap only when it is saved, with its place and time span; the
// next start ends before it asks the service for anything; whoever accepts it reads on behind it.
func TestGapIsSaved(t *testing.T) {
	stream, lossy, child, other, cursors := lossyStream(t)
	s := sourceOf(stream, false)
	openAt(t, s, cursors)
	gap := readToGap(t, s, cursors)
	closeIt(t, s, stream)
	want := "a gap in the source: shard-000, behind 2, after 2 records: 2 records are gone. What came from 2026-01-01T00:00:02Z to 2026-01-01T00:00:04Z was never read"
	text := fmt.Errorf("%w: %w", pipeline.ErrGap, gap).Error()
	if !strings.HasPrefix(text, want) || !strings.Contains(text, "--accept-gap") {
		t.Errorf("the gap is %v", gap)
	}
	saved, err := parseCursor(lossy.Name, cursors[lossy.Name])
	if err != nil || saved.Gap == nil || saved.At != "2" || *saved.Gap.Resume != "4" || !saved.Gap.From.Equal(sourcetest.Epoch.Add(2*time.Second)) {
		t.Fatalf("the cursor is %s, %v", cursors[lossy.Name], err)
	}
	if text := s.CursorText(lossy.Name, cursors[lossy.Name]); text != "2, after 2 records, before a gap" {
		t.Errorf("its text is %q", text)
	}

	asked := false
	stream.Fault = func(context.Context, string) error { asked = true; return nil }
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: cursors}); err == nil || err.Error() != text || asked {
		t.Fatalf("the next start: %v, asked: %v", err, asked)
	}
	closeIt(t, s, stream)
	stream.Fault = nil

	notices := make(chan pipeline.Notice, 10)
	env := pipeline.NewEnv()
	env.Notify = func(n pipeline.Notice) { notices <- n }
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: env, Cursors: maps.Clone(cursors), AcceptGap: true}); err != nil {
		t.Fatal(err)
	}
	var got []string
	left := len(textsOf(stream, lossy, 4)) + len(textsOf(stream, child, 0))
	readUntil(t, s, cursors, func(r *pipeline.Records) bool {
		for i := range r.Len() {
			if r.Partition != other.Name {
				got = append(got, string(r.Bytes(i)))
			}
		}
		return len(got) == left
	})
	if want := append(slices.Clone(textsOf(stream, lossy, 4)), textsOf(stream, child, 0)...); !slices.Equal(got, want) {
		t.Errorf("behind the gap it read %v, want %v", got, want)
	}
	if n := <-notices; n.Event != pipeline.EventGapAccepted || n.Gap {
		t.Errorf("the notice is %+v", n)
	}
	live := s.Report().Gaps
	closeIt(t, s, stream)
	kept, err := s.Gaps(cursors)
	if err != nil || len(kept) != 1 || kept[0].Accepted.IsZero() || kept[0].Position != "2, after 2 records" || !slices.Equal(kept, live) {
		t.Errorf("the accepted gap is kept as %+v, %v; the status had %+v", kept, err, live)
	}
}

// TestManyGaps: of several gaps each is saved, and the error names one and counts the others.
func TestManyGaps(t *testing.T) {
	stream := &sourcetest.Stream{}
	cursors := map[string][]byte{}
	for range 5 {
		p := stream.Add(6)
		stream.TrimTo(p, 4)
		cursors[p.Name] = cursor{At: "2", Records: 2, Gap: &gap{Partition: p.Name, Position: "2", Reason: "gone", Found: sourcetest.Epoch}}.encode()
	}
	s := sourceOf(stream, false)
	err := s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: cursors})
	if !errors.Is(err, pipeline.ErrGap) || !strings.Contains(err.Error(), "shard-000, behind 2: gone") || !strings.HasSuffix(err.Error(), "(4 other partitions have a gap, too: starlift status FILE lists them)") {
		t.Errorf("the start ends with %v", err)
	}
	closeIt(t, s, stream)
	maps.DeleteFunc(cursors, func(name string, _ []byte) bool { return name > "shard-001" })
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: cursors}); err == nil || !strings.HasSuffix(err.Error(), "(another partition has a gap, too: starlift status FILE lists both)") {
		t.Errorf("with two, the start ends with %v", err)
	}
	closeIt(t, s, stream)
}

// TestGapWaits: with on_gap: wait others are read, but not the children, also after a restart.
func TestGapWaits(t *testing.T) {
	stream, lossy, child, other, cursors := lossyStream(t)
	for start := range 2 {
		s := New("stream", stream.Reader(false), Options{OnGap: GapWaits, PollInterval: time.Millisecond, DiscoveryInterval: 5 * time.Millisecond})
		notices := openAt(t, s, cursors)
		if start == 1 {
			stream.Put(other, 1)
		}
		left := len(textsOf(stream, other, 0)) - 3*start
		readUntil(t, s, cursors, func(r *pipeline.Records) bool {
			if r.Partition == lossy.Name || r.Partition == child.Name {
				t.Fatalf("it reads %s behind the gap", r.Partition)
			}
			left -= r.Len()
			_, err := s.Gaps(cursors)
			return left == 0 && err == nil && strings.Contains(string(cursors[lossy.Name]), "gap")
		})
		if n := <-notices; !n.Gap || n.Event != pipeline.EventLost || n.Partition != lossy.Name || n.Position != "2, after 2 records" {
			t.Errorf("the notice is %+v", n)
		}
		if gaps := s.Report().Gaps; len(gaps) != 1 || !gaps[0].Accepted.IsZero() {
			t.Errorf("the status has the gaps %+v", gaps)
		}
		closeIt(t, s, stream)
		notices = openAt(t, s, cursors) // as after a failure of a sink
		if len(notices) > 0 {
			t.Errorf("people are told twice: %+v", <-notices)
		}
		closeIt(t, s, stream)
	}
}

// TestGone: a shard that is gone before it was read to its end, or before it was ever read, is a
// gap; one that was read to its end is none, and its child goes on.
func TestGone(t *testing.T) {
	for name, c := range map[string]struct {
		cursor *cursor
		gap    string // the position
	}{
		"read in part":   {&cursor{At: "2", Records: 2}, "2, after 2 records"},
		"never read":     {&cursor{}, "the start"},
		"read whole":     {&cursor{At: "4", Records: 4, Ended: true}, ""},
		"never heard of": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			stream := &sourcetest.Stream{}
			a := stream.Add(4)
			b := stream.Add(1, a)
			stream.Remove(a)
			cursors := map[string][]byte{}
			if c.cursor != nil {
				cursors[a.Name] = c.cursor.encode()
			}
			s := sourceOf(stream, false)
			openAt(t, s, cursors)
			defer closeIt(t, s, stream)
			if c.gap == "" {
				readUntil(t, s, cursors, func(r *pipeline.Records) bool { return r.Partition == b.Name })
				return
			}
			if gap := readToGap(t, s, cursors); gap.Partition != a.Name || gap.Position != c.gap || gap.Resume != nil {
				t.Errorf("the gap is %+v", gap)
			}
		})
	}
}

// TestSilentTrim: a service that takes a trimmed place for its oldest record is found out by
// the time up to which the shard was read, be it known of records, of a quiet shard, or of a parent.
func TestSilentTrim(t *testing.T) {
	stream := &sourcetest.Stream{SilentTrims: true}
	parent := stream.Add(3)
	child := stream.Add(4, parent)
	stream.TrimTo(child, 2)
	for name, c := range map[string]struct {
		cursors map[string][]byte
		gap     bool
	}{
		"by the parent": {map[string][]byte{parent.Name: cursor{At: "3", Records: 3, Ended: true, ReadUntil: sourcetest.Epoch.Add(3 * time.Second)}.encode()}, true},
		"waited for it": {map[string][]byte{
			parent.Name: cursor{At: "3", Records: 3, Ended: true, ReadUntil: sourcetest.Epoch.Add(5 * time.Second)}.encode(),
			child.Name:  cursor{At: "0", Parents: []string{parent.Name}, ReadUntil: sourcetest.Epoch.Add(time.Second)}.encode(),
		}, false},
		"by its own":    {map[string][]byte{child.Name: cursor{At: "1", Records: 1, ReadUntil: sourcetest.Epoch.Add(4 * time.Second)}.encode()}, true},
		"quiet so long": {map[string][]byte{child.Name: cursor{At: "1", Records: 1, ReadUntil: sourcetest.Epoch.Add(5 * time.Second)}.encode()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := sourceOf(stream, false)
			openAt(t, s, c.cursors)
			defer closeIt(t, s, stream)
			if c.gap {
				if gap := readToGap(t, s, c.cursors); gap.Partition != child.Name || gap.From.IsZero() || gap.To.IsZero() {
					t.Errorf("the gap is %+v", gap)
				}
				return
			}
			left := 2
			readUntil(t, s, c.cursors, func(r *pipeline.Records) bool { left -= r.Len(); return left == 0 })
		})
	}
}

// TestAcceptsAtStartOnly: a gap that is found before anything is read at a saved cursor is
// accepted; one that comes later is not.
func TestAcceptsAtStartOnly(t *testing.T) {
	stream, lossy, _, _, cursors := lossyStream(t)
	late := stream.Add(9)
	var answers atomic.Int64
	stream.Fault = func(_ context.Context, shard string) error {
		if shard == late.Name && answers.Add(1) == 4 { // its opening, and two reads
			stream.TrimTo(late, 9)
		}
		return nil
	}
	s := sourceOf(stream, false)
	notices := make(chan pipeline.Notice, 10)
	env := pipeline.NewEnv()
	env.Notify = func(n pipeline.Notice) { notices <- n }
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: env, Cursors: maps.Clone(cursors), AcceptGap: true}); err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s, stream)
	gap := readToGap(t, s, cursors)
	if n := <-notices; n.Event != pipeline.EventGapAccepted || n.Partition != lossy.Name {
		t.Errorf("the notice is %+v", n)
	}
	if gap.Partition != late.Name {
		t.Errorf("the gap is %+v", gap)
	}
}

// TestAcceptedIsKept: the cursor of a shard that has ended is kept for a while for what was lost in it.
func TestAcceptedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &sourcetest.Stream{}
		a := stream.Add(4)
		stream.Add(1, a)
		stream.Remove(a)
		cursors := map[string][]byte{a.Name: cursor{At: "2", Records: 2}.encode()}
		s := New("stream", stream.Reader(false), Options{PollInterval: time.Hour, DiscoveryInterval: time.Hour})
		if err := s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: maps.Clone(cursors), AcceptGap: true}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for ctx, cancel := context.WithTimeout(t.Context(), 31*24*time.Hour); ; {
			r, err := s.Read(ctx)
			if err != nil {
				t.Fatalf("the cursor is never forgotten: %v", err)
			}
			if slices.Contains(r.Dropped, a.Name) {
				cancel()
				break
			}
		}
		if kept := time.Since(began); kept < acceptedKept {
			t.Errorf("it was forgotten after %v", kept)
		}
		closeIt(t, s, stream)
	})
}
