package overflow

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// TestValues: values are what they were put as, however long they become and how often
// they change, no entry is long, and nothing of them is left when they are deleted.
func TestValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := pipelinetest.NewKeyspace()
		inline := rapid.SampledFrom([]int{32, 64, 256}).Draw(t, "inline")
		v := &Values{State: state, InlineBytes: inline}
		want := map[pipeline.Hash][]byte{}
		for step := range rapid.IntRange(1, 20).Draw(t, "steps") {
			key := pipeline.Hash{Hi: rapid.SampledFrom([]uint64{0, 1, 77 << 57}).Draw(t, "key")}
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), uint64(step)))
			value := slices.Clone(want[key])
			switch n := rapid.SampledFrom([]int{0, 1, 30, 300, 5000}).Draw(t, "bytes"); {
			case n == 0:
				value = nil
			case len(value) > 2 && r.IntN(2) == 0:
				from := 1 + r.IntN(len(value)-1)
				value = slices.Delete(value, from, min(len(value), from+r.IntN(n)))
			default:
				if len(value) == 0 {
					value = []byte{1}
				}
				value = slices.Insert(value, 1+r.IntN(len(value)), random(r, n)...)
			}
			if err := v.Put(key, state.Entries[key], value); err != nil {
				t.Fatal(err)
			}
			want[key] = value
			for key, value := range want {
				got, err := v.Whole(key, state.Entries[key])
				if err != nil || !bytes.Equal(got, value) {
					t.Fatalf("%x: %x, %v, want %x", key, got, err, value)
				}
			}
			for at, e := range state.Entries {
				if len(e) > inline+2 {
					t.Fatalf("an entry of %d bytes", len(e))
				}
				if g := at.KeyGroup(); g != 0 && g != 77 {
					t.Fatalf("a page is in key group %d, in which no value is", g)
				}
			}
		}
		for key := range want {
			if err := v.Put(key, state.Entries[key], nil); err != nil {
				t.Fatal(err)
			}
		}
		if len(state.Entries) > 0 {
			t.Fatalf("%d entries are left", len(state.Entries))
		}
	})
}

// random returns bytes of which some repeat, as in rows.
func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(1 + r.IntN(200)))
	}
	return b
}

// TestWritten: a change in a long value writes little besides itself, wherever it is.
func TestWritten(t *testing.T) {
	state := pipelinetest.NewKeyspace()
	v := &Values{State: state, InlineBytes: DefaultInlineBytes}
	r := rand.New(rand.NewPCG(1, 1))
	value := append([]byte{1}, random(r, 20<<20)...)
	var key pipeline.Hash
	if err := v.Put(key, nil, value); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, len(value) / 3, len(value)} {
		state.WrittenBytes = 0
		value = slices.Insert(value, at, random(r, 50)...)
		if err := v.Put(key, state.Entries[key], value); err != nil {
			t.Fatal(err)
		}
		if state.WrittenBytes > 8*DefaultInlineBytes {
			t.Errorf("a change at %d wrote %d bytes", at, state.WrittenBytes)
		}
	}
	for _, e := range state.Entries {
		if len(e) > 2*DefaultInlineBytes {
			t.Fatalf("an entry of %d bytes", len(e))
		}
	}
}

// TestMissing: a page that is not there is an error, not a shorter value.
func TestMissing(t *testing.T) {
	state := pipelinetest.NewKeyspace()
	v := &Values{State: state, InlineBytes: 64}
	var key pipeline.Hash
	if err := v.Put(key, nil, bytes.Repeat([]byte{1, 2, 3}, 100)); err != nil {
		t.Fatal(err)
	}
	head := state.Entries[key]
	clear(state.Entries)
	if value, err := v.Whole(key, head); err == nil {
		t.Fatalf("%x", value)
	}
}
