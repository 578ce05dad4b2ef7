package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// onMemory returns a harness whose lake is a store of objects, reached by way of a wrapper.
func onMemory(t *testing.T, cfg Config, wrap blob.Wrapper) *harness {
	t.Helper()
	h := newHarness(t, cfg, orders())
	h.store = blob.NewMemory()
	if wrap != nil {
		h.store = blob.Wrap(h.store, wrap)
	}
	h.newState("fedcba98765432100000")
	h.restart(h.sink.cfg)
	must(t, h.open())
	return h
}

// Of an epoch whose commit was cut off, what was published and then deleted by somebody is
// not made again, and all the rest is; wherever it was cut off.
func TestDeletedObjectsStayDeleted(t *testing.T) {
	for stop := range 5 {
		var uploads atomic.Int64
		alive := int64(stop)
		dead := errors.New("the process is dead")
		h := onMemory(t, Config{Mode: "append", PartitionBy: byDay()}, func(_ context.Context, c blob.Call, do func() error) error {
			if c.Op == blob.OpUpload {
				if uploads.Add(1) > alive {
					return dead
				}
			}
			return do()
		})
		var in []order
		for i := range 5 {
			in = append(in, order{id: int64(i), at: day.AddDate(0, 0, i)})
		}
		h.prepare(true, in)
		all := h.paths()
		if err := h.sink.Commit(context.Background(), h.saved); !errors.Is(err, dead) {
			t.Fatalf("stopped after %d uploads: %v", stop, err)
		}
		published := h.objects()
		must(t, h.store.Delete(context.Background(), published...))
		alive = math.MaxInt64
		h.restart(h.sink.cfg)
		must(t, h.open())
		h.commit()
		want := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(published, p) })
		if diff := cmp.Diff(want, h.objects()); diff != "" {
			t.Errorf("after %d uploads: -want +got\n%s", len(published), diff)
		}
		if len(published)+len(h.objects()) != len(in) {
			t.Errorf("%d were published before, %d after", len(published), len(h.objects()))
		}
	}
}

// An object of one of our names that holds something else is never replaced, however it
// came there, and of the same length, too.
func TestObjectOfAnother(t *testing.T) {
	for _, cut := range []int{0, 1} {
		h := onMemory(t, Config{Mode: "append"}, nil)
		h.prepare(true, []order{{id: 1}})
		name := h.paths()[0]
		content, err := os.ReadFile(h.sink.spool(h.saved.Epoch).Path("000-000000.parquet"))
		must(t, err)
		content[0] ^= 1
		content = content[cut:]
		must(t, blob.WriteAll(context.Background(), h.store, name, content, blob.CreateOptions{}))
		err = h.sink.Commit(context.Background(), h.saved)
		var conflict *blob.ConflictError
		if !errors.As(err, &conflict) || pipeline.Retryable(err) || !strings.Contains(err.Error(), "nothing was overwritten") || !strings.Contains(err.Error(), "starlift reset") {
			t.Errorf("got error %v", err)
		}
		if got, err := blob.ReadAll(context.Background(), h.store, name); err != nil || string(got) != string(content) {
			t.Errorf("the object was changed: %v", err)
		}
	}
}

// A prepared file that was changed on the disk is not published.
func TestPreparedFileChanged(t *testing.T) {
	h := onMemory(t, Config{Mode: "append"}, nil)
	h.prepare(true, []order{{id: 1}})
	file := h.sink.spool(h.saved.Epoch).Path("000-000000.parquet")
	must(t, os.Truncate(file, 10))
	if err := h.sink.Commit(context.Background(), h.saved); err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Errorf("got error %v", err)
	}
	must(t, os.Remove(file))
	if err := h.sink.Commit(context.Background(), h.saved); err == nil || !strings.Contains(err.Error(), "is lost") {
		t.Errorf("got error %v", err)
	}
	if got := h.objects(); len(got) != 0 {
		t.Errorf("there is %q", got)
	}
}

// What the committable says of a file is what the file holds, be it copied from row groups
// or made of few rows.
func TestContentInCommittable(t *testing.T) {
	for name, rows := range map[string][]int{"row groups": {columnar.GroupRows, rowGroupRowsMin}, "few rows": {3}, "both": {columnar.GroupRows, 3}} {
		h := onMemory(t, Config{Mode: "append", Roll: Roll{Size: 1}}, nil)
		var in [][]order
		for _, n := range rows {
			batch := make([]order, n)
			for i := range batch {
				batch[i] = order{id: int64(i), country: fmt.Sprint("c", i%97)}
			}
			in = append(in, batch)
		}
		h.prepare(true, in...)
		files, err := parsePayload(h.saved)
		must(t, err)
		if len(files) != len(rows) {
			t.Errorf("%s: %d files", name, len(files))
		}
		for _, f := range files {
			content, err := os.ReadFile(h.sink.spool(h.saved.Epoch).Path(f.File))
			must(t, err)
			sum := blob.NewCRC64NVME()
			sum.Write(content)
			if f.Size != int64(len(content)) || f.CRC64NVME != blob.ChecksumText(sum) {
				t.Errorf("%s: %s has %d bytes, %s; the committable says %+v", name, f.File, len(content), blob.ChecksumText(sum), f.Content)
			}
		}
		h.commit()
	}
}

// What the log names is not made, and all that is made is in the log.
func TestPublishedLog(t *testing.T) {
	h := onMemory(t, Config{Mode: "append", PartitionBy: byDay()}, nil)
	h.prepare(true, []order{{id: 1, at: day}, {id: 2, at: day.AddDate(0, 0, 1)}, {id: 3, at: day.AddDate(0, 0, 2)}})
	spool := h.sink.spool(h.saved.Epoch)
	if _, err := os.Stat(spool.Path(publishedFile)); err != nil {
		t.Errorf("the log is not made before files are moved: %v", err)
	}
	must(t, os.WriteFile(spool.Path(publishedFile), []byte("000-000001.parquet\n"), 0o600))
	must(t, h.sink.Commit(context.Background(), h.saved))
	if got := h.objects(); len(got) != 2 {
		t.Errorf("there is %q", got)
	}
	text, err := os.ReadFile(spool.Path(publishedFile))
	must(t, err)
	lines := strings.Split(string(text), "\n")
	slices.Sort(lines)
	if diff := cmp.Diff([]string{"", "000-000000.parquet", "000-000001.parquet", "000-000002.parquet"}, lines); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A claim whose answer is lost is ours when it is made again.
func TestClaimWhoseAnswerIsLost(t *testing.T) {
	lost := 1
	h := newHarness(t, Config{Mode: "append"}, orders())
	h.store = blob.Wrap(blob.NewMemory(), func(_ context.Context, c blob.Call, do func() error) error {
		err := do()
		if c.Op == blob.OpFinish && path.Base(c.Name) == ownerFile && lost > 0 {
			lost--
			return errors.Join(err, fs.ErrExist) // the request was sent once more
		}
		return err
	})
	h.newState("fedcba98765432100000")
	h.restart(h.sink.cfg)
	must(t, h.open())
	if lost != 0 {
		t.Error("nothing was claimed")
	}
}

// The files of a state are many, and a start looks at few of them; one that is newer than
// the state is found wherever it is.
func TestStartLooksAtFewNames(t *testing.T) {
	h := onMemory(t, Config{Mode: "append"}, nil)
	published := int64(2500)
	put := func(folder string, first, last int64) {
		must(t, blob.WriteAll(context.Background(), h.store, path.Join("order", folder, fileName(h.sink.prefix, first, last, 0)), []byte("x"), blob.CreateOptions{}))
	}
	folders := []string{"day=1", "day=2", "day=3"}
	for _, folder := range folders {
		for e := int64(1); e <= published; e++ {
			put(folder, e, e)
		}
	}
	h.Published = published
	must(t, h.open())
	listed := 0
	h.sink.now = func() time.Time { listed++; return h.clock } // it is asked for each name, as progress
	count := func() error {
		listed = 0
		return h.sink.checkEpochs(context.Background())
	}
	must(t, count())
	if want := 1 + 3*(oldNamesMax+1); listed > want { // the owner file, and so many of each folder
		t.Errorf("%d names were listed, want %d at most", listed, want)
	}
	for _, folder := range folders {
		put(folder, published+1, published+3)
		var stale *StaleError
		if err := count(); !errors.As(err, &stale) || stale.Found != published+3 || !strings.Contains(stale.File, folder) {
			t.Errorf("%s: got error %v", folder, err)
		}
		must(t, h.store.Delete(context.Background(), path.Join("order", folder, fileName(h.sink.prefix, published+1, published+3, 0))))
	}
	must(t, count())
}
