package file

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// memRoot is the path of the stores of tests.
const memRoot = "mem://bucket"

// useStore lets a source find a store at memRoot.
func useStore(s *Source, store blob.Store) {
	s.remote = func(pipeline.Env) func(string) (blob.Store, string, bool) {
		return func(path string) (blob.Store, string, bool) {
			name, ok := strings.CutPrefix(path, memRoot)
			return store, strings.TrimPrefix(name, "/"), ok
		}
	}
	s.files.Remote = s.remote(s.env)
}

// objectRig drives a follower of objects step by step, as the engine would use what it gives.
type objectRig struct {
	t       testing.TB
	store   *blob.Memory
	cfg     Config
	path    string
	later   time.Duration // how much the clock is ahead
	s       *Source
	f       *objectFollower
	listed  []string // what was asked to be listed
	saved   int      // of the records, those before the checkpoint
	steps   []step
	cursors map[string][]byte // of the checkpoint
	notices []pipeline.Notice
	fresh   bool                  // it has listed the objects at its start, and not read them
	faults  func(blob.Call) error // of the store; nil = none
}

// step is a record, or positions alone, and what a checkpoint behind it changes.
type step struct {
	text      string
	partition string
	cursors   map[string][]byte
	dropped   []string
}

func newObjectRig(t testing.TB, path string) *objectRig {
	t.Helper()
	r := &objectRig{t: t, store: blob.NewMemory(), cfg: Config{Format: "dynamodb_cdc", Follow: true, Path: "local"}, path: path, cursors: map[string][]byte{}}
	r.restart()
	r.wantEvents(eventWaiting)
	return r
}

// restart starts a process at the checkpoint.
func (r *objectRig) restart() {
	r.t.Helper()
	if err := r.tryRestart(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *objectRig) tryRestart() (err error) {
	r.steps = r.steps[:r.saved]
	r.s = testSource(r.t, r.cfg, 64)
	r.s.cfg.Path = memRoot + "/" + r.path
	useStore(r.s, blob.Wrap(listsNoted{r.store, &r.listed}, func(_ context.Context, c blob.Call, do func() error) error {
		if r.faults != nil {
			if err := r.faults(c); err != nil {
				return err
			}
		}
		return do()
	}))
	r.s.now = func() time.Time { return time.Now().Add(r.later) }
	r.s.env.Notify = func(n pipeline.Notice) { r.notices = append(r.notices, n) }
	r.s.format, r.s.buffers, r.s.queue = r.s.cfg.format(), newBuffers(r.s.block), make(chan *pipeline.Records, 1<<16)
	if err := r.s.restoreNumbers(r.cursors); err != nil {
		return err
	}
	r.f, err = r.s.newObjectFollower(context.Background(), maps.Clone(r.cursors))
	r.fresh = err == nil
	return err
}

// poll lists what is there, and reads what is new.
func (r *objectRig) poll() {
	r.t.Helper()
	if err := r.tryPoll(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *objectRig) tryPoll() error {
	if !r.fresh || len(r.f.queue) == 0 {
		l := r.f.finder.look(context.Background())
		r.f.take(&l)
	}
	r.fresh = false
	err := r.f.read(context.Background())
	for {
		select {
		case records := <-r.s.queue:
			r.collect(records)
		default:
			return err
		}
	}
}

func (r *objectRig) collect(records *pipeline.Records) {
	if records.Source != "src" || records.Format == nil {
		r.t.Errorf("records without source or format: %+v", records)
	}
	if records.Len() == 0 {
		r.steps = append(r.steps, step{cursors: records.Positions, dropped: records.Dropped})
	}
	for i := range records.Len() {
		one := records.Slice(i, i+1)
		r.steps = append(r.steps, step{string(one.Bytes(0)), one.DisplayName, map[string][]byte{one.Partition: one.CursorAfter(1)}, one.Dropped})
	}
	for i := range records.Data {
		records.Data[i] = '#'
	}
	if records.Free != nil {
		records.Free()
	}
}

// save makes a checkpoint behind so many steps.
func (r *objectRig) save(n int) {
	for _, s := range r.steps[r.saved:n] {
		for _, p := range s.dropped {
			delete(r.cursors, p)
		}
		maps.Copy(r.cursors, s.cursors)
	}
	r.saved = max(r.saved, n)
}

func (r *objectRig) saveAll() { r.save(len(r.steps)) }

func (r *objectRig) texts() (texts []string) {
	for _, s := range r.steps {
		if s.text != "" {
			texts = append(texts, s.text)
		}
	}
	return texts
}

// put makes an object of numbers, a record each.
func (r *objectRig) put(name string, numbers ...int) {
	r.t.Helper()
	var b strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&b, "{\"n\":%d}\n", n)
	}
	put(r.t, r.store, name, []byte(b.String()))
}

func (r *objectRig) delete(names ...string) {
	r.t.Helper()
	if err := r.store.Delete(context.Background(), names...); err != nil {
		r.t.Fatal(err)
	}
}

// wantNumbers compares the records so far.
func (r *objectRig) wantNumbers(numbers ...int) {
	r.t.Helper()
	var want []string
	for _, n := range numbers {
		want = append(want, fmt.Sprintf(`{"n":%d}`, n))
	}
	if diff := cmp.Diff(want, r.texts(), cmpopts.EquateEmpty()); diff != "" {
		r.t.Errorf("records, -want +got:\n%s", diff)
	}
}

// events returns the events of the notices, and forgets them.
func (r *objectRig) events() (events []string) {
	for _, n := range r.notices {
		event := n.Event
		if n.Gap {
			event += fmt.Sprintf(" %s %d", strings.TrimPrefix(n.Partition, memRoot+"/"), n.Lost)
		}
		events = append(events, event)
	}
	r.notices = nil
	return events
}

func (r *objectRig) wantEvents(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.events(), cmpopts.EquateEmpty()); diff != "" {
		r.t.Errorf("notices, -want +got:\n%s", diff)
	}
}

// listsNoted notes what is listed of a store.
type listsNoted struct {
	blob.Store
	listed *[]string
}

func (s listsNoted) List(ctx context.Context, prefix string, o blob.ListOptions) iter.Seq2[blob.Info, error] {
	*s.listed = append(*s.listed, prefix+" > "+o.After)
	return s.Store.List(ctx, prefix, o)
}

// TestFollowsObjects: objects are read as they come, whatever their names sort before, the
// oldest first, and none of them again.
func TestFollowsObjects(t *testing.T) {
	r := newObjectRig(t, "in/**/*.json")
	r.put("in/b.json", 1, 2)
	r.put("in/x/a.json", 3)
	r.put("in/note.txt", 9)
	r.put("in/.hidden.json", 9)
	put(t, r.store, "in/empty.json", nil)
	r.poll()
	r.put("in/a.json", 4)
	r.poll()
	r.poll()
	r.wantNumbers(1, 2, 3, 4)
	r.saveAll()
	r.restart()
	r.put("in/a0.json.json", 5)
	put(t, r.store, "in/c.json", gzipOf(t, []byte("{\"n\":6}\n")))
	r.poll()
	r.poll()
	r.wantNumbers(1, 2, 3, 4, 5, 6)
	r.wantEvents()
	if r.cursors[memRoot+"/in/a.json"] == nil {
		t.Errorf("cursors of other partitions: %v", slices.Collect(maps.Keys(r.cursors)))
	}
}

// TestFollowsReplacedObjects: an object with another tag is held against what was read of it.
func TestFollowsReplacedObjects(t *testing.T) {
	for _, packing := range []string{"none", "gzip", "zstd of two frames"} {
		t.Run(packing, func(t *testing.T) {
			r := newObjectRig(t, "in/*")
			set := func(content string) { put(t, r.store, "in/a", pack(t, packing, []byte(content))) }
			set("{\"n\":1}\n{\"n\":2}\n")
			r.poll()
			set("{\"n\":1}\n{\"n\":2}\n") // the same, written again
			r.poll()
			r.wantNumbers(1, 2)
			r.saveAll()
			r.restart()
			if len(r.f.queue) > 0 {
				t.Error("an object that was compared is found again")
			}
			r.poll()
			set("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
			r.poll()
			r.wantNumbers(1, 2, 3)
			r.wantEvents()
			set("{\"n\":4}\n{\"n\":5}\n")
			r.poll()
			r.wantNumbers(1, 2, 3, 4, 5)
			r.wantEvents(eventTruncated)
			r.saveAll()
			if len(r.cursors) != 1 {
				t.Errorf("cursors: %v", slices.Collect(maps.Keys(r.cursors)))
			}
			r.restart()
			r.poll()
			set("{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n")
			r.poll()
			r.wantNumbers(1, 2, 3, 4, 5, 6)
			r.wantEvents()
		})
	}
}

// TestFollowsIntoObjects: reading goes on inside an object, also in one that was replaced by
// what begins with the same, or was renamed; what is replaced or removed otherwise is a gap.
func TestFollowsIntoObjects(t *testing.T) {
	numbers := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, tc := range []struct {
		name   string
		change func(r *objectRig)
		want   []int
		events []string
	}{
		{"unchanged", func(*objectRig) {}, numbers, nil},
		{"grown", func(r *objectRig) { r.put("in/a", append(slices.Clone(numbers), 10)...) }, append(slices.Clone(numbers), 10), nil},
		{"renamed", func(r *objectRig) { r.put("in/b", numbers...); r.delete("in/a") }, numbers, nil},
		{"copied", func(r *objectRig) { r.put("in/b", numbers...) }, append(slices.Clone(numbers), numbers...), nil},
		{"replaced", func(r *objectRig) { r.put("in/a", 11, 12) }, []int{1, 2, 3, 4, 11, 12}, []string{eventTruncated, "lost in/a 40"}},
		{"removed", func(r *objectRig) { r.delete("in/a") }, []int{1, 2, 3, 4}, []string{"lost in/a 40"}},
		{"removed and another", func(r *objectRig) { r.delete("in/a"); r.put("in/b", 11) }, []int{1, 2, 3, 4, 11}, []string{"lost in/a 40"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newObjectRig(t, "in")
			r.put("in/a", numbers...)
			r.poll()
			r.save(4)
			tc.change(r)
			r.restart()
			for range 3 {
				r.poll()
			}
			r.wantNumbers(tc.want...)
			r.wantEvents(tc.events...)
		})
	}
}

// TestForgetsObjects: what is known of an object that is gone is dropped after an hour, and one
// of its name that comes later is new. Objects that were read may go.
func TestForgetsObjects(t *testing.T) {
	r := newObjectRig(t, "in/*")
	r.put("in/a", 1)
	r.put("in/b", 2)
	r.poll()
	r.delete("in/a")
	r.poll()
	r.poll()
	r.put("in/a", 1) // back again
	r.poll()
	r.wantNumbers(1, 2)
	r.delete("in/a")
	r.poll()
	r.later += forgetAfter + time.Minute
	r.poll()
	r.saveAll()
	if len(r.cursors) != 1 || len(r.f.known) != 1 || len(r.f.index) != 1 || len(r.f.partitions) != 1 {
		t.Errorf("cursors %v, known %v", slices.Collect(maps.Keys(r.cursors)), r.f.known)
	}
	r.put("in/a", 1)
	r.poll()
	r.wantNumbers(1, 2, 1)
	r.wantEvents()
}

// TestLosesObjects: an object that was listed, and removed before it was read, is a gap.
func TestLosesObjects(t *testing.T) {
	r := newObjectRig(t, "in/*")
	r.put("in/a", 1, 2)
	r.put("in/b", 3)
	r.restart()
	r.delete("in/a")
	r.poll()
	r.wantNumbers(3)
	r.wantEvents("lost in/a 16")
}

// TestListingIsBounded: where there are many names, a look asks for those behind the last one,
// and for all names only now and then.
func TestListingIsBounded(t *testing.T) {
	r := newObjectRig(t, "in/*")
	for i := range 2500 {
		put(t, r.store, fmt.Sprintf("in/%05d", i), nil)
	}
	r.put("in/9", 1)
	r.poll() // the listing at the start found nothing
	r.listed = nil
	poll := time.Duration(r.s.cfg.Poll)
	for range 12 {
		r.later += poll + time.Millisecond
		r.poll()
	}
	all := 0
	for _, what := range r.listed {
		switch what {
		case "in/ > ":
			all++
		case "in/ > in/9":
		default:
			t.Errorf("listed %s", what)
		}
	}
	if len(r.listed) != 12 || all < 3 || all > 4 {
		t.Errorf("%d looks, of which %d at all names", len(r.listed), all)
	}
	r.put("in/99", 2)
	r.put("in/00000-late", 3)
	for range 4 {
		r.later += poll + time.Millisecond
		r.poll()
	}
	r.wantNumbers(1, 2, 3)
}

// TestFollowOfObjectsAgainstModel: whatever is put, replaced, renamed and removed between
// looks, and wherever the process is killed, each record of what was there at a look is read
// once.
func TestFollowOfObjectsAgainstModel(t *testing.T) {
	for range 30 {
		seed := rand.Uint64()
		if followModel(t, seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// followModel is a random round. Each object's content is numbers that no other has, so that
// all numbers that were ever seen at a look have to come, each once.
func followModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := newObjectRig(t, "in/**")
	next := 0
	numbers := func(n int) (all []int) {
		for range n {
			next++
			all = append(all, next)
		}
		return all
	}
	there := map[string][]int{}
	// same are objects that were written anew with what they had. Nobody knows that before they are read
	// again, so one that is removed first is told as a loss.
	same := map[string]bool{}
	want := map[int]bool{}
	name := func() string {
		return fmt.Sprintf("in/%c/%c", 'a'+rng.IntN(3), 'a'+rng.IntN(4))
	}
	set := func(name string, content []int) {
		there[name] = content
		b := strings.Builder{}
		for _, n := range content {
			fmt.Fprintf(&b, "{\"n\":%d}\n", n)
		}
		packing := []string{"none", "gzip", "zstd", "gzip of two members"}[rng.IntN(4)]
		put(t, r.store, name, pack(t, packing, []byte(b.String())))
	}
	faults, mu := rand.New(rand.NewPCG(seed, 3)), sync.Mutex{} // objects are opened side by side
	r.faults = func(blob.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if faults.IntN(15) == 0 {
			return pipeline.TransientFor("connection", errors.New("the server is gone"))
		}
		return nil
	}
	look := func() {
		for _, content := range there {
			for _, n := range content {
				want[n] = true
			}
		}
		for listed, tries := 0, 0; (listed < 2 || len(r.f.queue) > 0) && tries < 1000; tries++ { // the first one reads what the start has listed
			r.later += time.Hour // all names are due
			if r.poll(); len(r.f.finder.told) == 0 {
				listed++
			}
		}
	}
	for range 60 {
		at := name()
		switch content, is := there[at], there[at] != nil; rng.IntN(7) {
		case 0, 1:
			if !is {
				set(at, numbers(1+rng.IntN(6)))
			}
		case 2:
			if is { // written anew, with more or the same
				more := numbers(rng.IntN(3))
				set(at, append(slices.Clone(content), more...))
				same[at] = len(more) == 0
			}
		case 3:
			if is && !same[at] && kept(content, r) { // only what was read to its end is replaced
				set(at, numbers(1+rng.IntN(6)))
			}
		case 4:
			if is && !same[at] && kept(content, r) {
				delete(there, at)
				r.delete(at)
			}
		case 5:
			look()
		case 6:
			look()
			r.save(r.saved + rng.IntN(len(r.steps)-r.saved+1))
			for r.tryRestart() != nil { // the server is gone
			}
		}
	}
	look()
	got := map[int]int{}
	for _, text := range r.texts() {
		var n int
		if _, err := fmt.Sscanf(text, `{"n":%d}`, &n); err != nil {
			t.Fatal(err)
		}
		got[n]++
	}
	for n := range want {
		if got[n] != 1 {
			t.Errorf("record %d came %d times", n, got[n])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records came, and %d were there", len(got), len(want))
	}
	for _, n := range r.notices {
		if n.Gap {
			t.Errorf("a gap: %+v", n)
		}
	}
}

// kept reports whether a checkpoint has all of some records.
func kept(content []int, r *objectRig) bool {
	texts := map[string]bool{}
	for _, s := range r.steps[:r.saved] {
		texts[s.text] = true
	}
	return !slices.ContainsFunc(content, func(n int) bool { return !texts[fmt.Sprintf(`{"n":%d}`, n)] })
}

// TestFollowsObjectsAfterErrors: what can't be listed or read for now is told, and tried again
// at the next look, from where it was; at the start it is an error.
func TestFollowsObjectsAfterErrors(t *testing.T) {
	r := newObjectRig(t, "in/*")
	gone := pipeline.TransientFor("connection", errors.New("the server is gone"))
	fail := func(op blob.Op, after int) {
		r.faults = func(c blob.Call) error {
			if c.Op != op || after > 0 {
				after--
				return nil
			}
			return gone
		}
	}
	for i, op := range []blob.Op{blob.OpList, blob.OpOpen, blob.OpRead} {
		r.put("in/a", []int{1, 2, 3, 4, 5, 6, 7, 8, 9}[:3*i+3]...)
		fail(op, 0)
		r.poll()
		r.poll() // is not told twice
		r.wantEvents(eventUnreadable)
		if waits := r.s.Waits(); len(waits) != 1 || !strings.Contains(waits[0], "the server is gone") {
			t.Errorf("%s: waits: %q", op, waits)
		}
		r.faults = nil
		r.poll()
		r.wantNumbers([]int{1, 2, 3, 4, 5, 6, 7, 8, 9}[:3*i+3]...)
		if waits := r.s.Waits(); len(waits) != 0 {
			t.Errorf("%s: waits: %q", op, waits)
		}
	}
	r.wantEvents()
	fail(blob.OpList, 0)
	if err := r.tryRestart(); !pipeline.Retryable(err) || !strings.Contains(err.Error(), "the server is gone") {
		t.Errorf("a start without a listing: %v", err)
	}
	r.faults = func(c blob.Call) error {
		if c.Op == blob.OpOpen {
			return errors.New("access is denied")
		}
		return nil
	}
	r.restart()
	wantError(t, r.tryPoll(), "access is denied")
}
