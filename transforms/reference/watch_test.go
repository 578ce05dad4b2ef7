package reference

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// TestMain leaves idle connections of HTTP out: they end by themselves.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// joinTo is a join of one column, by code, to a CSV file with the columns code
// and n.
func joinTo(t testing.TB, path string) *Join {
	t.Helper()
	cfg := config(path, entries("code"), entries("n"))
	j, err := New("j", cfg, []*pipeline.Table{pipelinetest.Table("t", "", "code string")})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	j.watch.maxAge = time.Minute
	return j
}

// content returns what n is in the version in use.
func content(j *Join) string {
	s := j.watch.current()
	if s == nil {
		return ""
	}
	return s.columns[1].ValueStr(0)
}

// TestReload: whatever happens to the file, the version in use is one that was
// whole and stood still when it was looked at, the newest of them; versions
// grow; and a pinned one stays what it was.
func TestReload(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		reloads(t, r)
	}
}

// world is a file and what should be known of it.
type world struct {
	path  string
	now   time.Time
	n     int
	good  string    // what a whole file holds now; empty = it is none
	wrote time.Time // when it was written
	want  string    // what should be in use
	fresh time.Time // when that was last known to be the newest
}

func (w *world) put(t *testing.T, text, good string) {
	t.Helper()
	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(w.path, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	w.good, w.wrote = good, w.now
}

// happen does something to the file.
func (w *world) happen(t *testing.T, r *rand.Rand) {
	t.Helper()
	w.n++
	whole := fmt.Sprintf("code,n\na,%d\nb,2\n", w.n)
	switch r.IntN(8) {
	case 0, 1:
		w.put(t, whole, fmt.Sprint(w.n))
	case 2: // half of it, which does not parse
		w.put(t, whole[:len(whole)-3], "")
	case 3:
		w.put(t, whole+"a,3\n", "") // repeated
	case 4:
		if err := os.Remove(w.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		w.good = ""
	case 5: // renamed, written some time ago
		old := w.now
		w.now = w.now.Add(-time.Hour)
		path := w.path
		w.path += ".new"
		w.put(t, whole, fmt.Sprint(w.n))
		if err := os.Rename(w.path, path); err != nil {
			t.Fatal(err)
		}
		w.path, w.now = path, old
	}
}

func reloads(t *testing.T, r *rand.Rand) {
	w := &world{path: filepath.Join(t.TempDir(), "ref.csv"), now: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)}
	j := joinTo(t, w.path)
	j.watch.now = func() time.Time { return w.now }
	w.put(t, "code,n\na,0\n", "0")
	last := int64(0)
	var pinned any
	var pinnedAs string
	for range 40 {
		w.now = w.now.Add(time.Duration(r.IntN(2500)) * time.Millisecond)
		if r.IntN(2) == 0 {
			w.happen(t, r)
		}
		if r.IntN(3) == 0 {
			continue
		}
		err := j.watch.check(t.Context(), false)
		loadable := w.good != "" && w.now.Sub(w.wrote) >= quietPeriod
		if loadable || w.good != "" && w.good == w.want {
			w.want, w.fresh = w.good, w.now
		}
		if got := content(j); got != w.want {
			t.Fatalf("n is %q, want %q (error %v)", got, w.want, err)
		}
		s := j.Reference()
		if s.Version < last || w.want != "" && (s.Age != w.now.Sub(w.fresh) || s.Stale != (s.Age > time.Minute)) {
			t.Fatalf("status is %+v after version %d, fresh %s ago", s, last, w.now.Sub(w.fresh))
		}
		last = s.Version
		if pinned != nil && pinned.(*snapshot).columns[1].ValueStr(0) != pinnedAs {
			t.Fatal("a pinned version has changed")
		}
		if w.want != "" && r.IntN(3) == 0 {
			pinned, pinnedAs = j.Snapshot(), w.want
		}
	}
}

// TestWrittenWhileRead: what changes while it is read is not taken, though it
// would parse.
func TestWrittenWhileRead(t *testing.T) {
	path := folder(t, "ref.csv")
	write(t, path, "code,n\na,1\n", time.Now())
	j := joinTo(t, path)
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	write(t, path, "code,n\na,2\n", time.Now().Add(time.Minute))
	source := j.watch.source.(*file)
	load := source.load
	source.load = func(ctx context.Context, f blob.Object) (*snapshot, error) {
		s, err := load(ctx, f)
		write(t, path, "code,n\na,3\nb,3\n", time.Now())
		return s, err
	}
	if err := j.watch.check(t.Context(), false); !errors.Is(err, errUnstable) || content(j) != "1" {
		t.Errorf("error is %v, n %s", err, content(j))
	}
	source.load = load
	if err := j.watch.check(t.Context(), false); err != nil || content(j) != "3" {
		t.Errorf("error is %v, n %s", err, content(j))
	}
}

// TestWatching: the file is looked at every refresh; a problem is reported once
// for as long as it is the same, and readiness fails when it stays.
func TestWatching(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "ref.csv")
		if err := os.WriteFile(path, []byte("code,n\na,1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil { // the bubble's time
			t.Fatal(err)
		}
		j := joinTo(t, path)
		var logged strings.Builder
		env := pipeline.NewEnv()
		env.Log = slog.New(slog.NewTextHandler(&logged, nil))
		problems := func() int { return strings.Count(logged.String(), "can't be loaded") }
		if err := j.Start(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(now); waited < quietPeriod || waited > 2*quietPeriod {
			t.Errorf("it was loaded after %s", waited)
		}
		put := func(text string) {
			write(t, path, text, time.Now())
			pass(t, 15*time.Second)
			synctest.Wait()
		}
		put("code,n\na,2\n")
		if content(j) != "2" || logged.Len() > 0 {
			t.Fatalf("n is %s, the log has %s", content(j), &logged)
		}
		put("code,m\na,3\n")
		pass(t, 90*time.Second)
		synctest.Wait()
		if s := j.Reference(); content(j) != "2" || problems() != 1 || !strings.Contains(logged.String(), `no column \"n\"`) || !s.Stale || s.Problem == nil {
			t.Fatalf("n is %s, the log has %s, status %+v", content(j), &logged, s)
		}
		put("code,n\na,4\n")
		if s := j.Reference(); content(j) != "4" || s.Stale || s.Problem != nil {
			t.Fatalf("n is %s, status %+v", content(j), s)
		}
		put("code,m\na,3\n")
		if problems() != 2 {
			t.Errorf("the log has %s", &logged)
		}
		for range 2 {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestStartFails: without a good file nothing starts, and the message has the
// place; a join that was not started can be closed.
func TestStartFails(t *testing.T) {
	path := folder(t, "ref.csv")
	for text, want := range map[string]string{"": "ref.csv", "code,n\na,1,2\n": "ref.csv:2:5"} {
		if text != "" {
			write(t, path, text, time.Now())
		}
		j := joinTo(t, path)
		if err := j.Start(t.Context(), pipeline.NewEnv()); err == nil || !strings.HasPrefix(err.Error(), "reference: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pass lets the time of a bubble pass.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	if err := awsapi.Sleep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// TestInspectCall: what is loaded from a service gets on while the process does nothing; of a file the
// process says it.
func TestInspectCall(t *testing.T) {
	for _, tc := range []struct {
		source SourceConfig
		waits  string
	}{
		{SourceConfig{DynamoDBTable: DynamoDBTableConfig{Type: typeDynamoDBTable, Table: "ref", Config: awsapi.Config{Region: "eu-west-3"}}}, "DynamoDB table ref"},
		{SourceConfig{SQL: SQLConfig{Type: typeSQL, DSN: "postgres://me:secret@host/shop", Query: "SELECT"}}, "query of host:5432/shop"},
		{SourceConfig{File: FileConfig{Type: typeFile, Path: "s3://tables/x.csv", Delimiter: ","}}, "s3://tables/x.csv (csv)"},
		{SourceConfig{File: FileConfig{Type: typeFile, Path: "x.csv", Delimiter: ","}}, ""},
	} {
		j, err := New("j", sourceConfig(tc.source, "code string", "n string"), []*pipeline.Table{pipelinetest.Table("t", "", "k string")})
		if err != nil {
			t.Fatal(err)
		}
		if got := j.InspectCall(t.Context()); got.WaitsFor != tc.waits || got.Unknown != (tc.waits == "") || got.LastProgress.IsZero() != got.Unknown {
			t.Errorf("%s: %+v", j.describe, got)
		}
	}
}
