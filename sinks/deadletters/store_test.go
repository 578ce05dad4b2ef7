package deadletters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

var ctx = context.Background()

// at returns the store of a folder.
func at(dir string) blob.Store { return blob.NewDir(dir, disk.Private) }

func folderAt(dir string) Folder { return Folder{at(dir), "p"} }

// noGrowth is a store whose objects can't grow, as those of S3.
type noGrowth struct{ blob.Store }

func (noGrowth) Append(context.Context, string) (blob.Tail, error) {
	return nil, errors.ErrUnsupported
}

// spoolOf returns the spools of the pipeline that has its letters in a folder.
func spoolOf(dir string) func(epoch int64) string {
	return func(epoch int64) string { return filepath.Join(dir+".spool", fmt.Sprint(epoch)) }
}

func open(t *testing.T, dir string, o pipeline.SinkOptions) *Store {
	t.Helper()
	return openIn(t, at(dir), dir, o)
}

// openIn opens a store of letters in a store of objects; the spools are beside dir.
func openIn(t *testing.T, objects blob.Store, dir string, o pipeline.SinkOptions) *Store {
	t.Helper()
	s := New(Options{Objects: objects})
	o.Pipeline, o.StateID, o.Spool = "p", "0123456789abcdef", spoolOf(dir)
	if err := s.Open(ctx, o); err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare writes the records as one epoch's dead letters.
func prepare(t *testing.T, s *Store, epoch int64, records ...[]byte) *pipeline.Committable {
	t.Helper()
	rc, err := tryPrepare(s, epoch, records...)
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

func tryPrepare(s *Store, epoch int64, records ...[]byte) (*pipeline.Committable, error) {
	e, err := s.Begin(epoch)
	if err != nil {
		return nil, err
	}
	for i, r := range records {
		if err := e.Add(&pipeline.DeadLetter{Record: r, Reason: pipeline.ReasonBadRecord, Message: "m", Node: "n",
			Pos: pipeline.Position{Source: "s", Partition: "f", Line: int64(i + 1)}}); err != nil {
			e.Abort()
			return nil, err
		}
	}
	rc, err := e.Prepare(ctx)
	if err != nil {
		e.Abort()
		return nil, err
	}
	return rc, nil
}

// TestCrashAtEachCall: wherever a process ends between an epoch's beginning and the end of
// its commit, the next one ends with all letters of it if it was saved, and with none if
// not; and nothing else is left.
func TestCrashAtEachCall(t *testing.T) {
	for name, objects := range map[string]func(dir string) blob.Store{"folder": at, "objects that can't grow": func(string) blob.Store { return noGrowth{blob.NewMemory()} }} {
		t.Run(name, func(t *testing.T) { crashAtEachCall(t, objects) })
	}
}

func crashAtEachCall(t *testing.T, newObjects func(dir string) blob.Store) {
	calls := 0
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			objects := newObjects(dir)
			s := openIn(t, objects, dir, pipeline.SinkOptions{})
			if err := s.Commit(ctx, prepare(t, s, 1, []byte("first"))); err != nil {
				t.Fatal(err)
			}
			faults := &blob.Faults{}
			s.objects = faults.Wrap(s.objects)
			s.letters.objects, s.marks.objects = s.objects, s.objects
			spool := s.prepared
			s.prepared = func(epoch int64) blob.Store { return faults.Wrap(spool(epoch)) }
			faults.Arm(n, after, true)
			saved, err := tryPrepare(s, 2, []byte("second"), []byte("third"))
			if err == nil {
				err = s.Commit(ctx, saved)
			}
			struck := faults.Disarm()
			if struck != (err != nil) || err != nil && !errors.Is(err, blob.ErrFault) {
				t.Fatalf("call %d failed: %v, error %v", n, struck, err)
			}
			calls = max(calls, n)
			want := []string{"p-0123456789abcdef-000000000001.ndjson:1"}
			s = openIn(t, objects, dir, pipeline.SinkOptions{Pending: saved})
			if saved != nil {
				for range 2 {
					if err := s.Commit(ctx, saved); err != nil {
						t.Fatalf("after a crash at call %d: %v", n, err)
					}
				}
				want = append(want, "p-0123456789abcdef-000000000001.ndjson:2", "p-0123456789abcdef-000000000001.ndjson:3")
			}
			if ids, _ := lettersIn(t, objects); !slices.Equal(ids, want) {
				t.Errorf("after a crash at call %d (after it: %v): letters %q, want %q", n, after, ids, want)
			}
			if all := listAll(t, objects); len(all) != 1 {
				t.Errorf("after a crash at call %d (after it: %v): files %v", n, after, all)
			}
			if !struck {
				break
			}
		}
	}
	if calls < 8 {
		t.Errorf("only %d calls were made to fail", calls)
	}
}

// listAll returns the names of all objects, and of those that are unfinished.
func listAll(t *testing.T, objects blob.Store) (names []string) {
	t.Helper()
	for o, err := range objects.List(ctx, "", blob.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Name)
	}
	for u, err := range objects.Unfinished(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, u.Name+" unfinished")
	}
	return names
}

func letters(t *testing.T, dir string) (ids []string, all []*Letter) {
	t.Helper()
	return lettersIn(t, at(dir))
}

func lettersIn(t *testing.T, objects blob.Store) (ids []string, all []*Letter) {
	t.Helper()
	if err := (Folder{objects, "p"}).Each(ctx, "", func(f *Found) error {
		ids, all = append(ids, f.ID), append(all, f.Letter)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids, all
}

// TestStore: original bytes come back, whatever they are, once the epoch is
// committed, and only once; also below a folder with the signs of a pattern.
func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `odd [a-z]\*?`)
	s := open(t, dir, pipeline.SinkOptions{})
	records := [][]byte{[]byte(`{"a":"é\n"}`), {0xff, 0, '\n', '"'}, {}}
	rc := prepare(t, s, 7, records...)
	if ids, _ := letters(t, dir); len(ids) > 0 {
		t.Errorf("listed before the commit: %v", ids)
	}
	for range 2 { // a commit may be repeated
		if err := s.Commit(ctx, rc); err != nil {
			t.Fatal(err)
		}
	}
	ids, all := letters(t, dir)
	if len(all) != len(records) {
		t.Fatalf("%d dead letters, want %d", len(all), len(records))
	}
	for i, l := range all {
		if !bytes.Equal(l.Original(), records[i]) {
			t.Errorf("%s: record %q, want %q", ids[i], l.Original(), records[i])
		}
		if l.Epoch != 7 || l.Line != int64(i+1) || l.Reason != pipeline.ReasonBadRecord || l.Time.IsZero() {
			t.Errorf("%s: %+v", ids[i], l)
		}
	}
	if empty := prepare(t, s, 8); empty.Payload != nil {
		t.Errorf("an epoch without dead letters publishes %s", empty.Payload)
	}
}

// TestReopen: what was prepared and never saved is removed, what was saved is
// kept and committed, and other pipelines' files are left alone.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pipeline.SinkOptions{})
	saved := prepare(t, s, 1, []byte("kept"))
	prepare(t, s, 2, []byte("dropped"))
	other := filepath.Join(dir, "q-x-000000000001.ndjson.tmp")
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, pipeline.SinkOptions{Pending: saved})
	if err := s.Commit(ctx, saved); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("files are %v, %v", left, err)
	}
	if _, all := letters(t, dir); len(all) != 1 || all[0].Record != "kept" {
		t.Errorf("dead letters are %v", all)
	}
}

// TestLost: a saved file that is gone, or another one, is an error.
func TestLost(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pipeline.SinkOptions{})
	rc := prepare(t, s, 1, []byte("x"))
	if err := os.Remove(filepath.Join(s.options.Spool(1), epochName("p", s.options.StateID, 1)+suffix)); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, rc); err == nil || !strings.Contains(err.Error(), "epoch 1") {
		t.Errorf("error %v for a lost file", err)
	}
	if err := os.WriteFile(filepath.Join(dir, epochName("p", s.options.StateID, 1)+suffix), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, rc); err == nil {
		t.Error("another file is taken for the epoch's")
	}
}

// TestAbort: an aborted epoch leaves nothing.
func TestAbort(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pipeline.SinkOptions{})
	e, err := s.Begin(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Add(&pipeline.DeadLetter{Record: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	e.Abort()
	for _, dir := range []string{dir, s.options.Spool(1)} {
		if left, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(left) > 0 {
			t.Errorf("files left: %v %v", left, err)
		}
	}
}

// TestAmend: more dead letters of an epoch come into a file of their own, which
// is named with the epoch's, in whatever order that happens.
func TestAmend(t *testing.T) {
	more := func(record string) []pipeline.DeadLetter {
		return []pipeline.DeadLetter{{Record: []byte(record), Reason: pipeline.ReasonRefused}}
	}
	for _, committed := range []bool{false, true} {
		for _, first := range [][][]byte{nil, {[]byte("a")}} {
			dir := t.TempDir()
			s := open(t, dir, pipeline.SinkOptions{})
			rc := prepare(t, s, 3, first...)
			if committed && rc.Payload != nil {
				if err := s.Commit(ctx, rc); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Amend(ctx, rc, more("never saved")); err != nil {
				t.Fatal(err)
			}
			amended, err := s.Amend(ctx, rc, more("b"))
			if err == nil {
				amended, err = s.Amend(ctx, amended, more("c"))
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, all := letters(t, dir); len(all) > len(first) {
				t.Errorf("listed before the commit: %d", len(all))
			}
			s = open(t, dir, pipeline.SinkOptions{Pending: amended})
			for range 2 {
				if err := s.Commit(ctx, amended); err != nil {
					t.Fatal(err)
				}
			}
			_, all := letters(t, dir)
			var got []string
			for _, l := range all {
				if got = append(got, l.Record); l.Epoch != 3 {
					t.Errorf("epoch %d", l.Epoch)
				}
			}
			slices.Sort(got)
			want := []string{"b", "c"}
			if first != nil {
				want = []string{"a", "b", "c"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("dead letters %v, want %v", got, want)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*"+tempSuffix)); err != nil || left != nil {
				t.Errorf("left: %v, %v", left, err)
			}
		}
	}
}
