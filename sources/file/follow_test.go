package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/spec"

	"github.com/starlift-etl/starlift/pipeline"
)

// add writes to the end of a file.
func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func unlink(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) want(texts ...string) {
	r.t.Helper()
	if d := cmp.Diff(texts, r.texts()); d != "" {
		r.t.Errorf("records (-want +got):\n%s", d)
	}
}

// events are the notices that a rig was told of.
func (r *rig) events() (events []string) {
	for _, n := range r.notices {
		events = append(events, n.Event)
	}
	return events
}

func TestFollowGrowingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	r := newRig(t, Config{Path: path})
	r.poll()
	r.want()
	if d := cmp.Diff([]string{eventWaiting}, r.events()); d != "" {
		t.Error(d)
	}
	add(t, path, "{\"a\":1}\n{\"a\":2}\n{\"a\"")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`)
	r.elapse(time.Hour)
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`)
	add(t, path, ":3}")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	add(t, path, "\n\n")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	add(t, path, "{\"a\":4}\n")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`)
	if g := r.delivered[3]; g.line != 5 || g.ordinal != 3 || g.display != path {
		t.Errorf("%v", g)
	}
}

// A whole object without a line end is not held back; half of one is, unless the
// file was rotated away: then it is what the file ends with. One that may be cut
// off does not hold back for long what follows.
func TestFollowLastLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	r := newRig(t, Config{Path: path})
	add(t, path, "{\"a\":1}\n{\"a\":2}")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`)
	add(t, path, "\n{\"a\":3}\n{\"a\":")
	r.poll()
	r.elapse(lastLineQuiet)
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	rename(t, path, path+".1")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
	r.elapse(lastLineQuiet)
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":`)

	add(t, path, "{\"b\":\n{\"b\":1}\n{\"c\":[\n")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":`, `{"b":`, `{"b":1}`)
	add(t, path, "{\"c\":1}\n")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":`, `{"b":`, `{"b":1}`)
	r.elapse(lastLineQuiet)
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":`, `{"b":`, `{"b":1}`, `{"c":[`, `{"c":1}`)
}

func TestFollowLayouts(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir + "/", Format: "json"})
	r.block = 5
	r.restart()
	path := filepath.Join(dir, "concatenated")
	add(t, path, "{\"a\":\n1}{\"a\":2")
	r.poll()
	r.want("{\"a\":\n1}")
	add(t, path, "}[{\"a\":3},")
	r.poll()
	add(t, path, "{\"a\":4}]")
	r.poll()
	r.want("{\"a\":\n1}", `{"a":2}`, `{"a":3}`, `{"a":4}`)
	add(t, filepath.Join(dir, "marked"), "\ufeff{\"b\":1}\n{\"b\":2}\n")
	r.poll()
	add(t, filepath.Join(dir, "marked"), "{\"b\":3}\n")
	r.poll()
	r.want("{\"a\":\n1}", `{"a":2}`, `{"a":3}`, `{"a":4}`, `{"b":1}`, `{"b":2}`, `{"b":3}`)
}

// A record that is too long ends the run, behind those before it.
func TestFollowTooLong(t *testing.T) {
	for _, block := range []int{0, 10, 40} {
		path := filepath.Join(t.TempDir(), "a.log")
		r := newRig(t, Config{Path: path, MaxRecord: 30})
		r.block = block
		r.restart()
		add(t, path, "{\"a\":1}\n{\"a\":2}\n"+strings.Repeat("x", 31))
		r.poll()
		add(t, path, "\n{\"a\":3}\n")
		wantError(t, r.tryPoll(), path+":3: the record is longer than max_record, 30 bytes")
		r.want(`{"a":1}`, `{"a":2}`)
	}
}

// What was rotated to where the path does not match is read to its end, before
// the file in its place, also when the rotation was while nothing ran.
func TestFollowRotation(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprint("down ", down), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.log")
			r := newRig(t, Config{Path: path})
			add(t, path, "{\"a\":1}\n{\"a\":2}\n")
			r.poll()
			r.save(1)
			if down {
				r.restart()
			}
			add(t, path, "{\"a\":3}\n")
			rename(t, path, path+".1")
			add(t, path, "{\"a\":1}\n")
			if down {
				r.restart()
			}
			add(t, path+".1", "{\"a\":4}\n")
			r.poll()
			r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`, `{"a":1}`)
			r.save(5)
			r.restart()
			r.poll()
			r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`, `{"a":1}`)
		})
	}
}

func TestFollowTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	r := newRig(t, Config{Path: path})
	add(t, path, "{\"a\":1}\n{\"a\":2}\n{\"a\":")
	r.poll()
	write(t, path, []byte("{\"b\":1}\n"))
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"b":1}`)
	// Written over at once with something longer.
	write(t, path, []byte("{\"c\":1}\n{\"c\":2}\n{\"c\":3}\n"))
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"b":1}`, `{"c":1}`, `{"c":2}`, `{"c":3}`)
	r.save(len(r.delivered))
	r.elapse(gapAfter)
	r.poll()
	// The same while nothing runs.
	write(t, path, []byte("{\"d\":1}\n"))
	r.restart()
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"b":1}`, `{"c":1}`, `{"c":2}`, `{"c":3}`, `{"d":1}`)
	if d := cmp.Diff([]string{eventWaiting, eventTruncated, eventTruncated, eventLost, eventTruncated}, r.events()); d != "" {
		t.Fatal(d)
	}
	if n := r.notices[3]; n.Lost != 5 || !strings.Contains(n.Message, path+": at least 5 bytes behind line 3 were not read") {
		t.Errorf("%+v", n)
	}
}

// A file of which the first 4 KiB stay is not taken for the one that it was.
func TestFollowRewrittenBehindItsHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	same := strings.Repeat("{\"same\":1}\n", headBytes/10)
	r := newRig(t, Config{Path: path})
	add(t, path, same+"{\"a\":1}\n")
	r.poll()
	n := len(r.delivered)
	write(t, path, []byte(same+"{\"b\":1}\n{\"b\":2}\n"))
	r.poll()
	if got := len(r.delivered); got != 2*n+1 {
		t.Errorf("%d records, want %d", got, 2*n+1)
	}
}

// A file that the path does not match is not read because the system has given it
// the identity of one that is gone; nor is one in the place of that taken for it.
func TestFollowLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	r := newRig(t, Config{Path: path})
	add(t, path, "{\"a\":1}\n")
	r.poll()
	r.save(1)
	other := filepath.Join(dir, "other")
	write(t, other, []byte("{\"other\":1}\n"))
	unlink(t, path)
	write(t, path, []byte("{\"b\":1}\n"))
	reuse := func(path string) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for key, raw := range r.cursors {
			c, err := parseCursor(key, raw)
			if err != nil {
				t.Fatal(err)
			}
			c.ID = idOf(info)
			r.cursors[key] = c.encode()
		}
	}
	reuse(other)
	r.restart()
	r.poll()
	r.poll()
	r.want(`{"a":1}`, `{"b":1}`)
	reuse(path)
	rest := readAll(t, Config{Path: path, Format: "dynamodb_cdc"}, 0, r.cursors)
	wantError(t, rest.err, path, "were read, are others")
}

// Cursors of files that are gone are forgotten, those of files that are there
// are not.
func TestFollowForgets(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir})
	for i := range 20 {
		add(t, filepath.Join(dir, fmt.Sprint(i)), fmt.Sprintf("{\"a\":%d}\n", i))
		r.poll()
	}
	for i := range 19 {
		unlink(t, filepath.Join(dir, fmt.Sprint(i)))
	}
	r.save(len(r.delivered))
	r.restart()
	r.poll()
	r.elapse(forgetAfter)
	r.poll()
	add(t, filepath.Join(dir, "new"), "{\"a\":20}\n")
	r.poll()
	r.save(len(r.delivered))
	if len(r.cursors) != 2 {
		t.Errorf("%d cursors are left, want 2", len(r.cursors))
	}
	r.restart()
	r.poll()
	if at, err := parseCursor("new", r.delivered[len(r.delivered)-1].cursor); err != nil || len(r.delivered) != 21 || at.Number != 20 {
		t.Errorf("%d records, the last is %v", len(r.delivered), r.delivered[len(r.delivered)-1])
	}
}

// A pipeline may begin to follow its files, and stop to.
func TestFollowFromNowOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	add(t, path, "{\"a\":1}\n")
	cfg := Config{Path: path, Format: "dynamodb_cdc"}
	first := readAll(t, cfg, 0, nil)
	r := newRig(t, cfg)
	r.cursors = first.cursors
	add(t, path, "{\"a\":2}\n")
	r.restart()
	r.poll()
	r.want(`{"a":2}`)
	r.save(1)
	if len(r.cursors) != 1 {
		t.Errorf("%d cursors", len(r.cursors))
	}
	rename(t, path, path+".1")
	add(t, path, "{\"b\":1}\n")
	add(t, path+".1", "{\"a\":3}\n")
	cfg.Path += "*"
	rest := readAll(t, cfg, 0, r.cursors)
	if d := cmp.Diff([]string{`{"a":3}`, `{"b":1}`}, rest.texts()); rest.err != nil || d != "" {
		t.Errorf("error %v, records (-want +got):\n%s", rest.err, d)
	}
}

// Files of the future, as a clock that was set back leaves them, are read too.
func TestFollowClockSetBack(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Path: dir})
	add(t, filepath.Join(dir, "a"), "{\"a\":1}\n{\"a\":2}")
	write(t, filepath.Join(dir, "b.gz"), gzipOf(t, []byte("{\"b\":1}\n")))
	for _, name := range []string{"a", "b.gz"} {
		at := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`)
	r.elapse(lastLineQuiet)
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"b":1}`)
	now := time.Now()
	if err := os.Chtimes(filepath.Join(dir, "a"), now, now); err != nil {
		t.Fatal(err)
	}
	add(t, filepath.Join(dir, "a"), "\n{\"a\":3}\n")
	r.poll()
	r.want(`{"a":1}`, `{"a":2}`, `{"b":1}`, `{"a":3}`)
}

// Files that were there are read oldest first.
func TestFollowOrder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a.log.2", "a.log.1", "a.log"} {
		path := filepath.Join(dir, name)
		add(t, path, fmt.Sprintf("{\"a\":%d}\n", i))
		at := time.Now().Add(time.Duration(i-10) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, Config{Path: filepath.Join(dir, "a.log*")})
	r.poll()
	r.want(`{"a":0}`, `{"a":1}`, `{"a":2}`)
}

func TestFollowUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	add(t, path, "{\"a\":1}\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Config{Path: dir})
	r.poll()
	r.poll()
	if d := cmp.Diff([]string{eventUnreadable}, r.events()); d != "" {
		t.Error(d)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r.poll()
	r.want(`{"a":1}`)
}

// Files that are not needed are not held open.
func TestFollowManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range openFilesMax + 100 {
		add(t, filepath.Join(dir, fmt.Sprintf("%04d", i)), fmt.Sprintf("{\"a\":%d}\n", i))
	}
	r := newRig(t, Config{Path: dir})
	r.poll()
	if len(r.delivered) != openFilesMax+100 || r.f.env.openFiles > openFilesMax {
		t.Errorf("%d records, %d files open", len(r.delivered), r.f.env.openFiles)
	}
	add(t, filepath.Join(dir, "0611"), "{\"a\":\"more\"}\n")
	r.poll()
	if last := r.delivered[len(r.delivered)-1].text; last != `{"a":"more"}` {
		t.Errorf("the last record is %s", last)
	}
	r.elapse(2 * closeIdleAfter)
	r.poll()
	if r.f.env.openFiles != 0 {
		t.Errorf("%d files are open", r.f.env.openFiles)
	}
}

// The reading goroutine finds what comes, and ends when it is told.
func TestFollowRuns(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Path: dir, Format: "dynamodb_cdc", Follow: true, Poll: spec.Duration(10 * time.Millisecond)}
	s := testSource(t, cfg, 0)
	if err := s.Open(context.Background(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for i := range 3 {
		add(t, filepath.Join(dir, "a"), fmt.Sprintf("{\"a\":%d}\n", i))
		r, err := s.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for n := range r.Len() {
			texts = append(texts, string(r.Bytes(n)))
		}
	}
	if !slices.Equal(texts, []string{`{"a":0}`, `{"a":1}`, `{"a":2}`}) {
		t.Errorf("%v", texts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFollowLooksAgainSoon: where something came, more is found long before the time between two
// looks is over, also in the next file behind a rotation; where nothing comes, that is what it is,
// also after the clock was set back.
func TestFollowLooksAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a")
		add(t, path, "one\n")
		r := newRig(t, Config{Path: path, Poll: spec.Duration(time.Minute)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.f.run(ctx) }()
		// next waits for a record, and returns when it came.
		next := func() time.Duration {
			from := time.Now()
			for recs := range r.s.queue {
				if r.collect(recs); recs.Len() > 0 {
					break
				}
			}
			return time.Since(from)
		}
		next()
		for range 5 {
			add(t, path, "more\n")
			if took := next(); took > 2*nextLookMin {
				t.Errorf("what is written all the time is found after %s", took)
			}
		}
		<-time.After(time.Hour)
		add(t, path, "late\n")
		if took := next(); took > time.Minute {
			t.Errorf("after a quiet hour, it took %s", took)
		}
		rename(t, path, path+".1")
		<-time.After(2 * nextLookMin)
		add(t, path, "new\n")
		if took := next(); took > 4*nextLookMin {
			t.Errorf("behind a rotation, it took %s", took)
		}
		rename(t, path, path+".2")
		<-time.After(time.Hour) // nobody makes the next file
		add(t, path, "another\n")
		if took := next(); took < nextLookMin || took > time.Minute {
			t.Errorf("where a name was free for an hour, it took %s", took)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		last, most, took time.Duration
		found            bool
		want             time.Duration
	}{
		{time.Second, time.Second, time.Millisecond / 10, true, nextLookMin},
		{nextLookMin, time.Second, time.Millisecond / 10, false, 2 * nextLookMin},
		{time.Second, time.Second, 0, false, time.Second},
		{time.Second, time.Second, 3 * time.Millisecond, true, 60 * time.Millisecond}, // many files
		{time.Second, time.Second, time.Hour, true, time.Second},
		{time.Second, time.Second, -time.Hour, true, nextLookMin}, // the clock was set back
		{nextLookMin, nextLookMin, 0, true, nextLookMin},
		{time.Millisecond, time.Millisecond, 0, true, time.Millisecond}, // of tests
	} {
		if got := nextPause(c.last, c.most, c.took, c.found); got != c.want {
			t.Errorf("nextPause(%s, %s, %s, %v) is %s, want %s", c.last, c.most, c.took, c.found, got, c.want)
		}
	}
	for _, c := range []struct{ usual, took, want time.Duration }{
		{lookTimeMin, lookTimeMin / 2, lookTimeMin},
		{lookTimeMin, time.Second, 2 * lookTimeMin}, // it waited for something
		{time.Second, lookTimeMin, lookTimeMin},
		{time.Second, time.Second + 1, time.Second + 1}, // many files
		{lookTimeMin, -time.Hour, lookTimeMin},
	} {
		if got := usualTime(c.usual, c.took); got != c.want {
			t.Errorf("usualTime(%s, %s) is %s, want %s", c.usual, c.took, got, c.want)
		}
	}
}
