package deadletters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestGathered: epochs' letters come into one file a day, until it is large, and
// are counted as they come.
func TestGathered(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2024, 2, 28, 23, 0, 0, 0, time.UTC)
	s := New(Options{Objects: at(dir), Now: func() time.Time { return now }})
	if err := s.Open(ctx, pipeline.SinkOptions{Pipeline: "p", StateID: "0123456789abcdef", Spool: spoolOf(dir)}); err != nil {
		t.Fatal(err)
	}
	c := NewCounter(folderAt(dir))
	large := bytes.Repeat([]byte("x"), fileBytesMax)
	for epoch := int64(1); epoch <= 100; epoch++ {
		record := []byte("small")
		switch epoch {
		case 60:
			now = now.Add(2 * time.Hour)
		case 90:
			record = large
		}
		if err := s.Commit(ctx, prepare(t, s, epoch, record)); err != nil {
			t.Fatal(err)
		}
		left, err := c.Left(ctx)
		if err != nil || left[pipeline.ReasonBadRecord] != epoch {
			t.Fatalf("epoch %d: counted %v, %v", epoch, left, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, epoch := range []int64{1, 60, 91} {
		if want := filepath.Join(dir, epochName("p", "0123456789abcdef", epoch)+suffix); i >= len(left) || left[i] != want {
			t.Errorf("files are %v, want %s", left, want)
		}
	}
	ids, all := letters(t, dir)
	if len(all) != 100 || all[99].Epoch != 100 || ids[99] != epochName("p", "0123456789abcdef", 91)+suffix+":10" {
		t.Errorf("%d letters, the last is %s", len(all), ids[len(ids)-1])
	}
}

// TestEachEpoch: files of an epoch each, as earlier versions wrote them, are read
// and appended to.
func TestEachEpoch(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"000000000001", "000000000002", "000000000002.2"} {
		line := fmt.Sprintf(`{"time":%q,"epoch":%c,"reason":"bad_record","record":%q}`+"\n", time.Now().UTC().Format(time.RFC3339), name[11], name)
		if err := os.WriteFile(filepath.Join(dir, "p-0123456789abcdef-"+name+suffix), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, pipeline.SinkOptions{})
	if err := s.Commit(ctx, prepare(t, s, 3, []byte("new"))); err != nil {
		t.Fatal(err)
	}
	ids, all := letters(t, dir)
	if len(all) != 4 || !slices.Contains(ids, "p-0123456789abcdef-000000000002.2.ndjson:1") {
		t.Errorf("letters are %v", ids)
	}
	left, err := NewCounter(folderAt(dir)).Left(ctx)
	if err != nil || left[pipeline.ReasonBadRecord] != 4 {
		t.Errorf("counted %v, %v", left, err)
	}
}

// TestRemoved: a user may remove a file while the pipeline runs.
func TestRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pipeline.SinkOptions{})
	for epoch := int64(1); epoch <= 3; epoch++ {
		if err := s.Commit(ctx, prepare(t, s, epoch, []byte("x"))); err != nil {
			t.Fatal(err)
		}
		if epoch == 2 {
			if err := os.Remove(filepath.Join(dir, epochName("p", "0123456789abcdef", 1)+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ids, all := letters(t, dir); len(all) != 1 || all[0].Epoch != 3 {
		t.Errorf("letters are %v", ids)
	}
}

// TestTorn: whatever a commit has done when the process ends, it is completed
// afterwards: each letter stands in the files once, in order, under one id.
func TestTorn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "deadletters")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		defer os.RemoveAll(dir + ".spool")
		s := open(t, dir, pipeline.SinkOptions{})
		var want []string
		seen := map[string]string{} // records by id
		for epoch := range rapid.Int64Range(1, 3).Draw(rt, "epochs") {
			var records [][]byte
			for i := range rapid.IntRange(1, 2).Draw(rt, "letters") {
				records = append(records, fmt.Appendf(nil, "%d.%d", epoch, i))
			}
			rc := prepare(t, s, epoch+1, records...)
			for i := range rapid.IntRange(0, 2).Draw(rt, "amended") {
				more := fmt.Appendf(nil, "%d+%d", epoch, i)
				if rc, err = s.Amend(ctx, rc, []pipeline.DeadLetter{{Record: more}}); err != nil {
					rt.Fatal(err)
				}
				records = append(records, more)
			}
			for _, r := range records {
				want = append(want, string(r))
			}
			if rapid.IntRange(0, 3).Draw(rt, "an older version") == 0 {
				asOlder(rt, s, rc)
			}
			for range rapid.IntRange(0, 1).Draw(rt, "crashes") {
				tear(rt, dir, rc)
				for id, record := range recordsOf(t, dir) {
					if before, ok := seen[id]; ok && before != record {
						rt.Fatalf("letter %s was %s, and is %s", id, before, record)
					}
				}
				s = open(t, dir, pipeline.SinkOptions{Pending: rc})
			}
			if err := s.Commit(ctx, rc); err != nil {
				rt.Fatal(err)
			}
			seen = recordsOf(t, dir)
			var got []string
			_, all := letters(t, dir)
			for _, l := range all {
				got = append(got, l.Record)
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("letters are %v, want %v", got, want)
			}
		}
		if temps, err := filepath.Glob(filepath.Join(dir, "*"+tempSuffix)); err != nil || temps != nil {
			rt.Fatalf("left: %v, %v", temps, err)
		}
	})
}

// asOlder makes of what is prepared what an older version would have: its files lie among
// the letters.
func asOlder(rt *rapid.T, s *Store, rc *pipeline.Committable) {
	var p payload
	err := json.Unmarshal(rc.Payload, &p)
	for i := range p.Files {
		f := &p.Files[i]
		f.Spooled = false
		err = errors.Join(err, os.Rename(filepath.Join(s.options.Spool(rc.Epoch), f.Name), s.objects.URL(f.Name+tempSuffix)))
	}
	raw, e := json.Marshal(p)
	if rc.Payload = raw; errors.Join(err, e) != nil || bytes.Contains(raw, []byte("spooled")) {
		rt.Fatal(err, e, string(raw))
	}
}

func recordsOf(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	ids, letters := letters(t, dir)
	for i, id := range ids {
		all[id] = letters[i].Record
	}
	return all
}

// tear leaves the folder as a commit does that is ended on the way: it has written
// some bytes, and if all, removed some temporary files.
func tear(rt *rapid.T, dir string, rc *pipeline.Committable) {
	whole, err := os.MkdirTemp("", "deadletters")
	if err != nil {
		rt.Fatal(err)
	}
	defer os.RemoveAll(whole)
	defer os.RemoveAll(whole + ".spool")
	if err := errors.Join(os.CopyFS(whole, os.DirFS(dir)), os.CopyFS(whole+".spool", os.DirFS(dir+".spool"))); err != nil {
		rt.Fatal(err)
	}
	s := New(Options{Objects: at(whole)})
	err = s.Open(ctx, pipeline.SinkOptions{Pipeline: "p", StateID: "0123456789abcdef", Spool: spoolOf(whole), Pending: rc})
	if err == nil {
		err = s.Commit(ctx, rc)
	}
	if err != nil {
		rt.Fatal(err)
	}
	done, err := filepath.Glob(filepath.Join(whole, "*"+suffix))
	if err != nil {
		rt.Fatal(err)
	}
	for _, path := range done {
		to := filepath.Join(dir, filepath.Base(path))
		after, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		before, err := os.ReadFile(to)
		if err != nil && !os.IsNotExist(err) {
			rt.Fatal(err)
		}
		n := rapid.IntRange(min(len(before), len(after)), len(after)).Draw(rt, "bytes")
		if err := os.WriteFile(to, after[:n], 0o600); err != nil {
			rt.Fatal(err)
		}
		if n < len(after) {
			return
		}
	}
	temps, err := filepath.Glob(filepath.Join(dir, "*"+tempSuffix))
	if err != nil {
		rt.Fatal(err)
	}
	for _, path := range temps {
		if strings.Contains(path, suffix) && rapid.Bool().Draw(rt, "removed") {
			if err := os.Remove(path); err != nil {
				rt.Fatal(err)
			}
		}
	}
}
