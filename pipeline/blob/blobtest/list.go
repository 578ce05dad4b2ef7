package blobtest

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

func listCase(h *harness) {
	all := []string{"a", "a-b/x", "a.b", "a/b", "a/b-c", "a/b.d/e", "a/b/c/d", "a0", "b", "ä/ö"}
	for _, i := range []int{3, 9, 0, 7, 5, 1, 8, 2, 4} {
		if all[i] != "a" && all[i] != "a/b" { // a name can't be that of a folder on a disk
			h.put(all[i], "x")
		}
	}
	h.put("a/b/c/d", "x")
	all = slices.DeleteFunc(all, func(name string) bool { return name == "a" || name == "a/b" })
	deep := blob.ListOptions{Recursive: true}
	for _, tc := range []struct {
		prefix string
		o      blob.ListOptions
		want   []string
	}{
		{"", deep, all},
		{"a", deep, []string{"a-b/x", "a.b", "a/b-c", "a/b.d/e", "a/b/c/d", "a0"}},
		{"a/", deep, []string{"a/b-c", "a/b.d/e", "a/b/c/d"}},
		{"a/b", deep, []string{"a/b-c", "a/b.d/e", "a/b/c/d"}},
		{"a/b/", deep, []string{"a/b/c/d"}},
		{"a/b/c/d", deep, []string{"a/b/c/d"}},
		{"a/b/c/d/", deep, nil},
		{"none/", deep, nil},
		{"", blob.ListOptions{}, []string{"a-b/", "a.b", "a/", "a0", "b", "ä/"}},
		{"a", blob.ListOptions{}, []string{"a-b/", "a.b", "a/", "a0"}},
		{"a/", blob.ListOptions{}, []string{"a/b-c", "a/b.d/", "a/b/"}},
		{"a/b", blob.ListOptions{}, []string{"a/b-c", "a/b.d/", "a/b/"}},
		{"none/", blob.ListOptions{}, nil},
	} {
		if diff := cmp.Diff(tc.want, h.names(tc.prefix, tc.o)); diff != "" {
			h.Errorf("prefix %q, %+v: -want +got\n%s", tc.prefix, tc.o, diff)
		}
	}
	for _, prefix := range []string{"", "a", "a/", "a/b"} {
		for _, after := range append(all, "a/", "a/b", "c", "~") {
			for _, o := range []blob.ListOptions{deep, {}} {
				want := slices.DeleteFunc(h.names(prefix, o), func(name string) bool { return name <= after || strings.HasSuffix(name, "/") })
				o.After = after
				got := slices.DeleteFunc(h.names(prefix, o), func(name string) bool { return strings.HasSuffix(name, "/") })
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					h.Errorf("prefix %q, %+v: -want +got\n%s", prefix, o, diff)
				}
			}
		}
	}
}

func listEndCase(h *harness) {
	for _, name := range []string{"a/1", "a/2", "b/1"} {
		h.put(name, "x")
	}
	seen := 0
	for _, err := range h.store.List(ctx, "", blob.ListOptions{Recursive: true}) {
		h.must(err)
		if seen++; seen == 2 {
			break
		}
	}
	if seen != 2 {
		h.Errorf("%d objects were listed", seen)
	}
}
