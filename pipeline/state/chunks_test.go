package state

import (
	"bytes"
	"runtime"
	"testing"
	"weak"

	"github.com/starlift-etl/starlift/pipeline"
)

// Values of all lengths are found where they were put, in the chunks and in what
// another goroutine got of them.
func TestChunks(t *testing.T) {
	lengths := []int{0, 1, 126, 127, 128, 16383, chunkBytes - keyBytes - 3, chunkBytes, 3 * chunkBytes, 5}
	var c chunks
	var places []offset
	for i, n := range lengths {
		places = append(places, c.add(pipeline.Hash{Hi: uint64(i), Lo: 7}, bytes.Repeat([]byte{byte(i)}, n)))
	}
	gone := c.add(pipeline.Hash{Hi: 99}, nil)
	check := func(c *chunks, from int) {
		t.Helper()
		for i, n := range lengths[from:] {
			i += from
			if v := c.value(places[i]); v == nil || !bytes.Equal(v, bytes.Repeat([]byte{byte(i)}, n)) {
				t.Errorf("value %d, of %d bytes: got %d bytes", i, n, len(v))
			}
			if k := c.key(places[i]); k != (pipeline.Hash{Hi: uint64(i), Lo: 7}) {
				t.Errorf("value %d: key %v", i, k)
			}
		}
		if v := c.value(gone); v != nil || c.key(gone).Hi != 99 {
			t.Errorf("the deleted key %v has the value %q", c.key(gone), v)
		}
	}
	check(&c, 0)
	part := c.since(places[7])
	check(&part, 7)
}

// TestSinceKeepsNoMore: what is waiting to be saved keeps the chunks that it needs, and lets
// go the older ones of a table that has been replaced.
func TestSinceKeepsNoMore(t *testing.T) {
	c := new(chunks)
	value := make([]byte, chunkBytes)
	c.add(pipeline.Hash{Hi: 1}, value)
	older := weak.Make(&c.list[0][0])
	at := c.add(pipeline.Hash{Hi: 2}, value)
	newer := weak.Make(&c.list[1][0])
	part := c.since(at)
	c = nil
	runtime.GC()
	if older.Value() != nil {
		t.Error("the part keeps a chunk from before it")
	}
	if newer.Value() == nil || part.key(at).Hi != 2 {
		t.Error("the part does not keep what it has")
	}
}

// An entry that was not used for longer than a slot can tell only looks new.
func TestAges(t *testing.T) {
	for _, c := range []struct{ used, epoch, age uint32 }{{1, 1, 0}, {1, 3, 2}, {1, 500, ageCount - 1}, {1 << usedBits, 1<<usedBits + 5, 5}, {1, 2 + 1<<usedBits, 1}} {
		if got := newSlot(pipeline.Hash{Hi: ^uint64(0)}, 5, c.used).age(c.epoch); got != int(c.age) {
			t.Errorf("used in epoch %d, in epoch %d the age is %d, want %d", c.used, c.epoch, got, c.age)
		}
	}
}
