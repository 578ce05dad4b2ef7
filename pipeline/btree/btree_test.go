package btree

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// check holds the shape of a tree against what its pages promise.
func check(t interface{ Fatalf(string, ...any) }, n *node, from, to []byte, most int) {
	for i, k := range n.keys {
		switch {
		case i > 0 && bytes.Compare(n.keys[i-1], k) >= 0:
			t.Fatalf("page %q is not sorted", n.keys)
		case (i > 0 || n.children == nil) && bytes.Compare(k, from) < 0, to != nil && bytes.Compare(k, to) >= 0:
			t.Fatalf("%q is not from %q up to %q", k, from, to)
		}
	}
	if n.size() > 2*most && len(n.keys) > 2*n.entriesMin() {
		t.Fatalf("page of %d bytes and %d entries", n.size(), len(n.keys))
	}
	for i := range n.children {
		if n.children[i].node == nil {
			continue
		}
		if len(n.children[i].node.keys) == 0 {
			t.Fatalf("an empty page")
		}
		low, high := n.keys[i], to
		if i == 0 {
			low = from
		}
		if i+1 < len(n.keys) {
			high = n.keys[i+1]
		}
		check(t, n.children[i].node, low, high, most)
	}
}

// TestTrees: some trees are sorted sets over epochs, whatever is put in and taken out,
// and leave nothing behind.
func TestTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const trees = 3
		state := pipelinetest.NewKeyspace()
		f := &Forest{State: state, Tag: 7, PageBytes: rapid.SampledFrom([]int{10, 30, 60, 200}).Draw(t, "page bytes")}
		var roots [trees][]byte
		var want [trees][]string
		spread := rapid.SampledFrom([]int{20, 400}).Draw(t, "spread")
		grow := true
		for epoch := range rapid.IntRange(1, 12).Draw(t, "epochs") {
			grow = rapid.IntRange(0, 3).Draw(t, "turn") > 0 == grow
			open := openAll(roots[:])
			type op struct {
				tree   int
				key    string
				insert bool
			}
			ops := make([]op, rapid.IntRange(0, 60).Draw(t, "ops"))
			seed := rapid.Uint64().Draw(t, "seed")
			r := rand.New(rand.NewPCG(seed, uint64(epoch)))
			for i := range ops {
				n := r.IntN(spread)
				ops[i] = op{r.IntN(trees), fmt.Sprintf("%c%0*d", 'a'+n%3, 1+n%5, n), r.IntN(5) > 0 == grow}
			}
			if err := f.Read(len(ops), func(i int) bool { return f.Reach(open[ops[i].tree], []byte(ops[i].key)) }); err != nil {
				t.Fatal(err)
			}
			for _, o := range ops {
				i, found := slices.BinarySearch(want[o.tree], o.key)
				switch {
				case o.insert && f.Insert(open[o.tree], []byte(o.key)) == found, !o.insert && f.Remove(open[o.tree], []byte(o.key)) != found:
					t.Fatalf("tree %d %q: insert %v, there was %v", o.tree, o.key, o.insert, found)
				case o.insert && !found:
					want[o.tree] = slices.Insert(want[o.tree], i, o.key)
				case !o.insert && found:
					want[o.tree] = slices.Delete(want[o.tree], i, i+1)
				}
			}
			for i, tree := range open {
				f.Write(tree)
				check(t, tree.root, nil, nil, f.PageBytes)
				roots[i] = nil
				if !tree.Empty() {
					roots[i] = tree.Append(nil)
				}
			}
			for at := range state.Entries {
				if g := at.KeyGroup(); g >= trees {
					t.Fatalf("a page is in key group %d, in which no tree is", g)
				}
			}
			ask(t, f, openAll(roots[:]), want[:], r, spread)
		}
		for i, tree := range openAll(roots[:]) {
			if err := f.Read(1, func(int) bool { return f.Each(tree, nil, func([]byte) {}) }); err != nil {
				t.Fatal(err)
			}
			check(t, tree.root, nil, nil, f.PageBytes)
			f.Clear(tree)
			f.Write(tree)
			if !tree.Empty() {
				t.Fatalf("tree %d is not empty", i)
			}
		}
		if len(state.Entries) > 0 {
			t.Fatalf("%d pages are left", len(state.Entries))
		}
	})
}

func openAll(roots [][]byte) (open []*Tree) {
	for i, root := range roots {
		id := pipeline.Hash{Hi: uint64(i) << 57} // each in a key group of its own
		if root == nil {
			open = append(open, New(id))
		} else {
			open = append(open, Open(id, root))
		}
	}
	return open
}

// ask holds what is found in trees, some entries and all of them, against the model.
func ask(t *rapid.T, f *Forest, open []*Tree, want [][]string, r *rand.Rand, spread int) {
	for range 5 {
		n, tree := r.IntN(spread), r.IntN(len(open))
		key := fmt.Sprintf("%c%0*d", 'a'+n%3, 1+n%5, n)
		at, _ := slices.BinarySearch(want[tree], key)
		var before, from []byte
		err := f.Read(1, func(int) bool {
			var ok1, ok2 bool
			before, ok1 = f.Before(open[tree], []byte(key))
			from, ok2 = f.From(open[tree], []byte(key))
			return ok1 && ok2
		})
		if err != nil {
			t.Fatal(err)
		}
		if before == nil != (at == 0) || at > 0 && string(before) != want[tree][at-1] {
			t.Fatalf("before %q: %q, of %q", key, before, want[tree])
		}
		if from == nil != (at == len(want[tree])) || from != nil && string(from) != want[tree][at] {
			t.Fatalf("from %q: %q, of %q", key, from, want[tree])
		}
		var got, having []string
		err = f.Read(1, func(int) bool {
			return f.Each(open[tree], []byte(key[:2]), func(e []byte) { got = append(got, string(e)) })
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want[tree] {
			if w[:min(2, len(w))] == key[:2] {
				having = append(having, w)
			}
		}
		if !slices.Equal(got, having) {
			t.Fatalf("with %q: %q, want %q", key[:2], got, having)
		}
	}
}

// TestCost: putting entries into a large tree, and taking them out, reads a few pages
// for each and writes little more than themselves, however large it is; and pages stay
// small.
func TestCost(t *testing.T) {
	const each, rounds = 1000, 100
	state := pipelinetest.NewKeyspace()
	f := &Forest{State: state, PageBytes: DefaultPageBytes}
	root := New(pipeline.Hash{}).Append(nil)
	key := func(i int) []byte {
		return packed.AppendHash(fmt.Appendf(nil, "%08d", i), pipeline.Hash{Hi: uint64(i)})
	}
	round := func(keys [][]byte, insert bool) {
		tree := Open(pipeline.Hash{}, root)
		if err := f.Read(len(keys), func(i int) bool { return f.Reach(tree, keys[i]) }); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if insert && !f.Insert(tree, k) || !insert && !f.Remove(tree, k) {
				t.Fatal("it was there, or was not")
			}
		}
		f.Write(tree)
		if root = tree.Append(nil); len(root) > 2*DefaultPageBytes {
			t.Fatalf("root of %d bytes", len(root))
		}
	}
	for _, ordered := range []bool{true, false} {
		order := rand.New(rand.NewPCG(1, 1)).Perm(each * rounds)
		if ordered {
			slices.Sort(order)
		}
		var keys [][]byte
		for _, i := range order {
			keys = append(keys, key(i))
		}
		state.WrittenBytes, state.Lookups = 0, 0
		for some := range slices.Chunk(keys, each) {
			round(some, true)
		}
		if limit := map[bool]int{true: 3 * 24, false: 1500}[ordered] * each * rounds; state.WrittenBytes > limit {
			t.Errorf("ordered %v: %d bytes written for each entry", ordered, state.WrittenBytes/each/rounds)
		}
		for _, p := range state.Entries {
			if len(p) > 2*DefaultPageBytes {
				t.Fatalf("page of %d bytes", len(p))
			}
		}
		slices.Reverse(keys)
		for some := range slices.Chunk(keys, each) {
			round(some, false)
		}
		if state.Lookups > 2*rounds*6 {
			t.Errorf("%d lookups in %d rounds", state.Lookups, 2*rounds)
		}
		if len(state.Entries) > 0 {
			t.Fatalf("%d pages are left", len(state.Entries))
		}
	}
}

// TestManyAtOnce: a hundred thousand entries put into a tree at once take time in
// proportion: no page is moved as a whole for each.
func TestManyAtOnce(t *testing.T) {
	f := &Forest{State: pipelinetest.NewKeyspace(), PageBytes: DefaultPageBytes}
	tree := New(pipeline.Hash{})
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(100_000) {
		f.Insert(tree, fmt.Appendf(nil, "%08d", i))
		if n := len(tree.leaf(fmt.Appendf(nil, "%08d", i)).keys); n > leafEntriesMax+1 {
			t.Fatalf("a leaf of %d entries", n)
		}
	}
	f.Write(tree)
	last, ok := f.Before(tree, []byte("x"))
	if !ok || string(last) != "00099999" {
		t.Fatalf("last %q, %v", last, ok)
	}
}
