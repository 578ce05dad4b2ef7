package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// anyCallsCase makes random calls, and compares with a map.
func anyCallsCase(h *harness) {
	seed := uint64(time.Now().UnixNano())
	h.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	names := []string{"a/1", "a/2", "a/b/1", "c", "d-e/1", "d/1"}
	model := map[string]string{}
	for i := range 150 {
		name := names[random.IntN(len(names))]
		content := fmt.Sprintf("%d %x", i, bytes.Repeat([]byte{byte(i)}, random.IntN(50)))
		switch random.IntN(6) {
		case 0, 1:
			h.put(name, content)
			model[name] = content
		case 2:
			err := blob.WriteAll(ctx, h.store, name, []byte(content), blob.CreateOptions{IfAbsent: true})
			if _, there := model[name]; there != errors.Is(err, fs.ErrExist) || !there && err != nil {
				h.Fatalf("%s is there: %v, error %v", name, there, err)
			}
			if err == nil {
				model[name] = content
			}
		case 3:
			other := names[random.IntN(len(names))]
			h.must(h.store.Delete(ctx, name, other))
			delete(model, name)
			delete(model, other)
		case 4:
			h.must(h.store.Upload(ctx, h.file(content), name, blob.UploadOptions{}))
			model[name] = content
		case 5:
			if dir := path.Dir(name); dir != "." {
				h.must(h.store.Prune(ctx, dir+"/"))
			}
		}
		if random.IntN(10) == 0 {
			h.want(lines(model)...)
		}
	}
	h.want(lines(model)...)
	h.wantNothingUnfinished()
}

func lines(model map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(model)) {
		all = append(all, name+"="+model[name])
	}
	return all
}

// failuresCase lets each call of a series fail, before and after its effect, goes on in
// a new process, and does the series again: the end is the same, nothing is ever there
// in part, and nothing is left.
func failuresCase(h *harness) {
	series := func(s blob.Store) error {
		err := blob.WriteAll(ctx, s, "a/owner", []byte("ours"), blob.CreateOptions{IfAbsent: true})
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := blob.WriteAll(ctx, s, "a/1", []byte("one"), blob.CreateOptions{}); err != nil {
			return err
		}
		if err := s.Upload(ctx, h.file("two"), "b/2", blob.UploadOptions{}); err != nil {
			return err
		}
		if b, err := blob.ReadAll(ctx, s, "a/1"); err != nil || string(b) != "one" {
			return errors.Join(err, fmt.Errorf("it reads %q", b))
		}
		for i, err := range s.List(ctx, "a/", blob.ListOptions{}) {
			if err != nil {
				return err
			}
			if i.Name != "a/owner" {
				if err := s.Delete(ctx, i.Name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	calls := 0
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			store := h.target.New(h)
			f := &blob.Faults{}
			f.Arm(n, after, true)
			err := series(f.Wrap(store))
			struck := f.Disarm()
			if struck != (err != nil) || err != nil && !errors.Is(err, blob.ErrFault) {
				h.Fatalf("call %d (after: %v) failed: %v, error %v", n, after, struck, err)
			}
			calls = max(calls, n)
			for _, line := range contents(h, store) {
				if !slices.Contains([]string{"a/owner=ours", "a/1=one", "b/2=two"}, line) {
					h.Errorf("call %d (after: %v): %s", n, after, line)
				}
			}
			for u, err := range store.Unfinished(ctx, "") {
				h.must(errors.Join(err, store.Discard(ctx, u)))
			}
			h.must(series(store))
			if diff := cmp.Diff([]string{"a/owner=ours", "b/2=two"}, contents(h, store)); diff != "" {
				h.Errorf("call %d (after: %v): -want +got\n%s", n, after, diff)
			}
			for u, err := range store.Unfinished(ctx, "") {
				h.must(err)
				h.Errorf("call %d (after: %v): unfinished %+v", n, after, u)
			}
			if !struck {
				break
			}
		}
	}
	if calls < 10 {
		h.Errorf("only %d calls were made to fail", calls)
	}
}
