package deadletters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// world is a folder of dead letters with a pipeline that reads them again, and
// what outlives its crashes: the state.
type world struct {
	objects blob.Store // where the letters are
	dir     string     // of the objects, if they are in a folder; beside it are the spools
	readers map[string]Reader
	now     func() time.Time // nil = the machine's clock
	log     bytes.Buffer

	epoch   int64
	cursors map[string][]byte
	pending *pipeline.Committable // saved and not committed
	applied map[string]int        // by letter: how often its record took effect, as saved
	store   *Store
	inbox   *Inbox
}

// fixedFormat is that of a source.
type fixedFormat pipeline.Format

func (f fixedFormat) Format() pipeline.Format { return pipeline.Format(f) }

func newWorld(dir string) *world {
	json := fixedFormat{Encoding: pipeline.JSON}
	return &world{objects: at(dir), dir: dir, applied: map[string]int{}, readers: map[string]Reader{
		"s": {json, []string{"t", "u"}}, "export": {fixedFormat{Encoding: pipeline.DynamoDBExport}, []string{"t"}},
	}}
}

// daily is a clock by which each epoch has a day, and so a file, of its own.
func (w *world) daily() time.Time { return time.Now().AddDate(0, 0, int(w.epoch)) }

// start starts a process.
func (w *world) start() (err error) {
	w.store = New(Options{Objects: w.objects, Now: w.now, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	o := pipeline.SinkOptions{Pipeline: "p", StateID: "0123456789abcdef", Spool: spoolOf(w.dir), Pending: w.pending}
	if err := w.store.Open(ctx, o); err != nil {
		return err
	}
	if w.pending != nil {
		if err := w.store.Commit(ctx, w.pending); err != nil {
			return err
		}
		w.pending = nil
	}
	w.inbox = w.store.Inbox(w.readers, 0)
	return w.inbox.Open(ctx, pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: w.cursors})
}

// stages of an epoch, after each of which a process may end.
const (
	afterRead = iota
	afterPrepare
	afterSave
	afterCommit
	afterTell
	stages
)

// run takes epochs of so many records until the inbox is empty, or the process
// ends after a stage of an epoch; crashAt < 0 = never. again says of a letter
// that its record is refused again.
func (w *world) run(size, crashEpoch, crashAt int, again func(id string) bool) error {
	if err := w.start(); err != nil {
		return err
	}
	defer w.inbox.Close()
	for n := 0; ; n++ {
		records, err := w.inbox.Read(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for records.Len() > 0 {
			some := min(size, records.Len())
			if end, err := w.take(records.Slice(0, some), some, n == crashEpoch, crashAt, again); end || err != nil {
				return err
			}
			records = records.Slice(some, records.Len())
		}
	}
}

// take takes an epoch's records through it; end = the process ends on the way.
func (w *world) take(r *pipeline.Records, n int, crashes bool, at int, again func(string) bool) (end bool, err error) {
	stop := func(stage int) bool { return crashes && at == stage }
	if stop(afterRead) {
		return true, nil
	}
	e, err := w.store.Begin(w.epoch + 1)
	if err != nil {
		return true, err
	}
	for i := range n {
		l := r.Replays[i].Origin.ReplayOf
		if again(l.ID) {
			d := &pipeline.DeadLetter{Record: r.Bytes(i), Reason: l.Reason, Node: l.Node, Pos: r.Position(i), Origin: r.Origin(i)}
			if err := e.Add(d); err != nil {
				return true, err
			}
		}
		if err := e.Replayed(l); err != nil {
			return true, err
		}
	}
	rc, err := e.Prepare(ctx)
	if err != nil || stop(afterPrepare) {
		return true, err
	}
	w.epoch++
	rc.Epoch = w.epoch
	w.cursors, w.pending = map[string][]byte{r.Partition: r.CursorAfter(n)}, rc
	for i := range n {
		w.applied[r.Replays[i].Origin.ReplayOf.ID]++
	}
	if stop(afterSave) {
		return true, nil
	}
	if err := w.store.Commit(ctx, rc); err != nil {
		return true, err
	}
	w.pending = nil
	if stop(afterCommit) {
		return true, nil
	}
	return stop(afterTell), w.inbox.Committed(ctx, w.cursors)
}

// letter adds a dead letter of an epoch of its own.
func (w *world) letters(ds ...pipeline.DeadLetter) error {
	if err := w.start(); err != nil {
		return err
	}
	w.epoch++
	e, err := w.store.Begin(w.epoch)
	if err != nil {
		return err
	}
	for i := range ds {
		if err := e.Add(&ds[i]); err != nil {
			return err
		}
	}
	rc, err := e.Prepare(ctx)
	if err != nil {
		return err
	}
	return w.store.Commit(ctx, rc)
}

// ask puts the open letters that want says into the inbox, as the command does.
func (w *world) ask(want func(*Found) bool) error {
	d := Folder{w.objects, "p"}
	request, err := d.NewRequest()
	if err != nil {
		return err
	}
	defer request.Drop()
	err = d.Each(ctx, "", func(f *Found) error {
		if want(f) {
			return request.Add(ctx, f)
		}
		return nil
	})
	if err == nil {
		_, _, err = request.Submit()
	}
	return err
}

func letterOf(source, transform string, n int) pipeline.DeadLetter {
	return pipeline.DeadLetter{Record: fmt.Appendf(nil, `{"n": %d}`, n), Reason: pipeline.ReasonBadValue, Message: "m", Node: transform + "'s",
		Pos: pipeline.Position{Source: source, Partition: "f", Line: int64(n + 1)}, Origin: pipeline.Origin{Transform: transform, Ordinal: int64(10 * n)}}
}

// TestEachLetterOnce: whatever letters are asked for, also twice or while they
// wait, in whatever epochs, and whenever the process ends: each takes effect once,
// is marked, and leaves nothing in the inbox.
func TestEachLetterOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "deadletters")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		defer os.RemoveAll(dir + ".spool")
		w := newWorld(dir)
		var ds []pipeline.DeadLetter
		for n := range rapid.IntRange(1, 12).Draw(rt, "letters") {
			ds = append(ds, letterOf("s", rapid.SampledFrom([]string{"t", "u"}).Draw(rt, "transform"), n))
		}
		if err := w.letters(ds...); err != nil {
			rt.Fatal(err)
		}
		asked := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			for range rapid.IntRange(0, 2).Draw(rt, "requests") {
				lines := rapid.SliceOf(rapid.IntRange(1, len(ds))).Draw(rt, "asked for")
				careful := rapid.Bool().Draw(rt, "careful") // or as a second command would that looked at the same time
				if err := w.ask(func(f *Found) bool {
					ok := f.Epoch == 1 && slices.Contains(lines, lineOf(f.ID)) && (!careful || f.Status == Open)
					asked[f.ID] = asked[f.ID] || ok
					return ok
				}); err != nil {
					rt.Fatal(err)
				}
			}
			if err := w.run(rapid.IntRange(1, 5).Draw(rt, "epoch"), rapid.IntRange(0, 3).Draw(rt, "crash in"), rapid.IntRange(-1, stages-1).Draw(rt, "crash after"),
				func(id string) bool { return lineOf(id)%3 == 0 }); err != nil {
				rt.Fatal(err)
			}
		}
		if err := w.run(2, -1, -1, func(id string) bool { return lineOf(id)%3 == 0 }); err != nil {
			rt.Fatal(err)
		}
		w.check(rt, asked)
	})
}

func lineOf(id string) (n int) {
	_, line, _ := strings.Cut(id, ":")
	if _, err := fmt.Sscan(line, &n); err != nil {
		panic(err)
	}
	return n
}

// check holds what is left against what was asked for.
func (w *world) check(t interface{ Fatalf(string, ...any) }, asked map[string]bool) {
	again := map[string]int{}
	err := folderAt(w.dir).Each(ctx, "", func(f *Found) error {
		if f.ReplayOf != "" {
			again[f.ReplayOf]++
			if f.Ordinal != int64(10*(f.Line-1)) || f.Partition != "f" {
				t.Fatalf("refused again, it is %+v", f.Letter)
			}
			return nil
		}
		want, status := 0, Open
		if asked[f.ID] {
			want, status = 1, Replayed
		}
		if w.applied[f.ID] != want || f.Status != status {
			t.Fatalf("%s took effect %d times and is %s, want %d and %s", f.ID, w.applied[f.ID], f.Status, want, status)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for id := range asked {
		want := 0
		if asked[id] && lineOf(id)%3 == 0 {
			want = 1
		}
		if again[id] != want {
			t.Fatalf("%s was refused again %d times, want %d", id, again[id], want)
		}
	}
	if left, err := folderAt(w.dir).Requests(ctx); err != nil || len(left) > 0 {
		t.Fatalf("in the inbox: %v %v\n%s", left, err, w.log.String())
	}
	if w.log.Len() > 0 {
		t.Fatalf("%s", w.log.String())
	}
}

// TestReplayedRecords: records come with what gave them their versions, one
// transform and source at a time.
func TestReplayedRecords(t *testing.T) {
	w := newWorld(t.TempDir())
	exported := letterOf("export", "t", 3)
	exported.Origin.ExportTime, exported.Origin.Table, exported.Origin.Arrived = 77, "shop", 5
	binary := letterOf("s", "u", 4)
	binary.Record = []byte{0xff, '\n'}
	if err := w.letters(letterOf("s", "t", 1), letterOf("s", "t", 2), exported, binary); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(func(*Found) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	defer w.inbox.Close()
	var got []string
	for {
		r, err := w.inbox.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Len() {
			o := r.Origin(i)
			got = append(got, fmt.Sprintf("%s %s %s %q ordinal %d at %d arrived %d in %q of %d", r.Source, o.Transform, r.Position(i), r.Bytes(i), r.Ordinal(i), o.ExportTime, r.Arrived[i], r.Format.Table, r.Len()))
		}
	}
	want := []string{
		`s t f:2 "{\"n\": 1}" ordinal 10 at 0 arrived 0 in "" of 2`, `s t f:3 "{\"n\": 2}" ordinal 20 at 0 arrived 0 in "" of 2`,
		`export t f:4 "{\"n\": 3}" ordinal 30 at 77 arrived 5 in "shop" of 1`, `s u f:5 "\xff\n" ordinal 40 at 0 arrived 0 in "" of 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRequestsThatWait: what can't be read as a whole is not read at all, is said
// once, and is read when it can be.
func TestRequestsThatWait(t *testing.T) {
	w := newWorld(t.TempDir())
	if err := w.letters(letterOf("s", "t", 1), letterOf("gone", "t", 2)); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(func(*Found) bool { return true }); err != nil {
		t.Fatal(err)
	}
	inbox := filepath.Join(w.dir, inboxOf("p"))
	for name, text := range map[string]string{"broken.ndjson": "{}\n", "half.ndjson.tmp": "{", "readme.txt": "not a request"} {
		if err := os.WriteFile(filepath.Join(inbox, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	never := func(string) bool { return false }
	if err := w.run(5, -1, -1, never); err != nil {
		t.Fatal(err)
	}
	if log := w.log.String(); len(w.applied) > 0 || strings.Count(log, "wait in the inbox") != 2 ||
		!strings.Contains(log, "the pipeline has no source gone any longer") || !strings.Contains(log, "broken.ndjson:1: it is no dead letter") {
		t.Errorf("applied %v\n%s", w.applied, log)
	}
	w.readers["gone"] = w.readers["s"]
	if err := w.run(5, -1, -1, never); err != nil {
		t.Fatal(err)
	}
	if len(w.applied) != 2 {
		t.Errorf("applied %v\n%s", w.applied, w.log.String())
	}
}

// TestRetention: old letters go, those that wait stay, and what was read again
// does not become open.
func TestRetention(t *testing.T) {
	w := newWorld(t.TempDir())
	w.now = w.daily
	for n := range 3 { // epochs 1 to 3
		if err := w.letters(letterOf("s", "t", n)); err != nil {
			t.Fatal(err)
		}
	}
	ofEpoch := func(epoch int64) func(*Found) bool { return func(f *Found) bool { return f.Epoch == epoch } }
	if err := w.ask(ofEpoch(1)); err != nil {
		t.Fatal(err)
	}
	if err := w.run(1, -1, -1, func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(ofEpoch(2)); err != nil {
		t.Fatal(err)
	}
	inbox := filepath.Join(w.dir, inboxOf("p"))
	for path, text := range map[string]string{filepath.Join(inbox, "x.ndjson.tmp"): "", filepath.Join(inbox, ".y.ndjson.0123abcd.tmp"): "", filepath.Join(w.dir, "p-q-0123456789abcdef-000000000001.ndjson"): "", filepath.Join(w.dir, "notes.ndjson"): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(now time.Time) string {
		t.Helper()
		s := New(Options{Objects: at(w.dir), Retention: 24 * time.Hour, Now: func() time.Time { return now }})
		if err := s.Open(ctx, pipeline.SinkOptions{Pipeline: "p", StateID: "0123456789abcdef", Spool: spoolOf(w.dir)}); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := folderAt(w.dir).Each(ctx, "", func(f *Found) error {
			got = append(got, fmt.Sprint(f.Epoch, " ", f.Status))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(got, ", ")
	}
	now := time.Now()
	if got := at(now.Add(23 * time.Hour)); got != "1 replayed, 2 waiting, 3 open" {
		t.Errorf("before: %s", got)
	}
	// The letters of epoch 1 are younger than the file that names them as read.
	young := filepath.Join(w.dir, epochName("p", "0123456789abcdef", 1)+suffix)
	if err := os.Chtimes(young, now.Add(2*time.Hour), now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := at(now.Add(25 * time.Hour)); got != "1 replayed, 2 waiting" {
		t.Errorf("after a day: %s", got)
	}
	if got := at(now.Add(27 * time.Hour)); got != "2 waiting" {
		t.Errorf("later: %s", got)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(left) != 4 { // the waiting one, the inbox, and what is not this pipeline's
		t.Errorf("left are %v, %v", left, err)
	}
	entries, err := os.ReadDir(inbox)
	if err != nil || len(entries) != 1 {
		t.Errorf("what is left of unfinished requests stays: %v, %v", entries, err)
	}
}

// TestPermissions: not everybody may read what the records hold.
func TestPermissions(t *testing.T) {
	w := newWorld(t.TempDir())
	if err := w.letters(letterOf("s", "t", 1)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(w.dir, epochName("p", "0123456789abcdef", 1)+suffix))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(filepath.Join(w.dir, info.Name()))
	if err != nil || !json.Valid(bytes.TrimSpace(raw)) {
		t.Errorf("%s, %v", raw, err)
	}
}

// TestCounter: what is counted is what a listing shows, whenever it is asked.
func TestCounter(t *testing.T) {
	w := newWorld(t.TempDir())
	w.now = w.daily
	c := NewCounter(folderAt(w.dir))
	want := func(n int64) {
		t.Helper()
		left, err := c.Left(ctx)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := NewCounter(folderAt(w.dir)).Left(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if left[pipeline.ReasonBadValue] != n || fresh[pipeline.ReasonBadValue] != n {
			t.Errorf("counted %v, and afresh %v, want %d", left, fresh, n)
		}
	}
	want(0)
	if err := w.letters(letterOf("s", "t", 1), letterOf("s", "t", 2)); err != nil {
		t.Fatal(err)
	}
	want(2)
	if err := w.letters(letterOf("s", "t", 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(func(f *Found) bool { return f.Line != 3 }); err != nil {
		t.Fatal(err)
	}
	want(3)
	if err := w.run(5, -1, -1, func(id string) bool { return lineOf(id) == 1 && strings.Contains(id, "-000000000002.") }); err != nil {
		t.Fatal(err)
	}
	want(2) // one that nobody asked for, and one that was refused again
	if err := os.Remove(filepath.Join(w.dir, epochName("p", "0123456789abcdef", 1)+suffix)); err != nil {
		t.Fatal(err)
	}
	want(1)
}

// TestInboxOfAStoreThatIsAway: a followed inbox whose store does not answer, to a listing or
// to the reading of a request, is looked into again, and ends nothing; it is said once.
func TestInboxOfAStoreThatIsAway(t *testing.T) {
	for name, failing := range map[string]blob.Op{"a listing": blob.OpList, "the request": blob.OpOpen} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t.TempDir())
			if err := w.letters(letterOf("s", "t", 1)); err != nil {
				t.Fatal(err)
			}
			if err := w.ask(func(*Found) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if err := w.start(); err != nil {
				t.Fatal(err)
			}
			away := 0 // calls that fail
			w.store.objects = blob.Wrap(w.objects, func(_ context.Context, call blob.Call, do func() error) error {
				if away > 0 && call.Op == failing {
					away--
					return pipeline.TransientFor("unavailable", errors.New("it is away"))
				}
				return do()
			})
			away = 3
			w.inbox = w.store.Inbox(w.readers, time.Millisecond)
			if err := w.inbox.Open(ctx, pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: w.cursors}); err != nil {
				t.Fatal(err)
			}
			within, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			records, err := w.inbox.Read(within)
			if err != nil || len(records.Spans) != 1 {
				t.Fatalf("read %v, %v", records, err)
			}
			if log := w.log.String(); away != 0 || strings.Count(log, "it is away") != 1 || strings.Count(log, "looked for again") != 1 {
				t.Errorf("%d calls left to fail\n%s", away, log)
			}
			if err := w.inbox.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
