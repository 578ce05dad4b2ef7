package state

import (
	"bytes"
	"runtime"
	"testing"
	"weak"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
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

// TestOverwrittenGoesFirst: entries that fit into memory stay there, however often they are
// overwritten or deleted.
func TestOverwrittenGoesFirst(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1 << 20})
	defer s.Close()
	ks, err := s.Keyspaces(1)
	if err != nil {
		t.Fatal(err)
	}
	k, keys := ks.All[0], sortedHashes(4000, 1)
	runner := &exchange.Runner{Workers: 1}
	values := make([][]byte, len(keys))
	for epoch := range 50 {
		if err := k.Lookup(keys, values); err != nil { // a keyspace that nobody reads gives way first
			t.Fatal(err)
		}
		for i, key := range keys {
			switch {
			case epoch == 0 || i%8 == epoch%8:
				k.Put(key, make([]byte, 120))
			case i%8 == (epoch+1)%8:
				k.Put(key, nil)
			}
		}
		deltas := takeBy(ks, runner)
		if size := ks.Size(); size > 1<<20 {
			t.Fatalf("epoch %d: memory is %d bytes", epoch, size)
		}
		saved(deltas)
		for n, g := range k.groups {
			if g != nil && !g.complete {
				t.Fatalf("epoch %d: key group %d lost entries", epoch, n)
			}
		}
	}
	for n, g := range k.groups {
		live := int64(0)
		g.cache.each(func(s slot) {
			live += g.cache.values.liveBytes(s.offset())
		})
		filled := int64(g.cache.values.fill)
		for _, b := range g.cache.values.list[:len(g.cache.values.list)-1] {
			filled += int64(len(b))
		}
		if is := live + g.cache.dead; is > filled || filled-is > int64(len(g.cache.values.list))*200 {
			t.Fatalf("key group %d: %d bytes are live and %d dead, of %d", n, live, g.cache.dead, filled)
		}
	}
}

// TestDeadBytes: what is overwritten or taken out counts once, whatever was there.
func TestDeadBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, value := newTable(0), map[pipeline.Hash][]byte{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			key := pipeline.Hash{Lo: rapid.Uint64Range(0, 3).Draw(t, "key")}
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				value[key] = make([]byte, rapid.IntRange(0, 9).Draw(t, "length"))
				table.put(key, value[key], 1)
			case 1:
				delete(value, key)
				table.put(key, nil, 1)
			default:
				delete(value, key)
				table.remove(key)
			}
		}
		filled := int64(table.values.fill) // all are in one chunk
		if len(table.values.list) > 1 {
			t.Skip("several chunks, the ends of which are free")
		}
		for _, v := range value {
			filled -= int64(keyBytes + 1 + len(v))
		}
		if table.dead != filled {
			t.Fatalf("%d bytes are dead, want %d", table.dead, filled)
		}
	})
}

// TestManyOverwrittenChunks: offsets reach so many chunks of a key group, and what was overwritten
// goes before that, however much memory there is.
func TestManyOverwrittenChunks(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1 << 50})
	defer s.Close()
	ks, err := s.Keyspaces(1)
	if err != nil {
		t.Fatal(err)
	}
	k, key := ks.All[0], pipeline.Hash{Hi: 1}
	runner := &exchange.Runner{Workers: 1}
	for epoch := range 4 {
		k.Put(key, []byte{byte(epoch)})
		k.Put(pipeline.Hash{Hi: 2}, nil)
		c := &k.groups[0].cache.values
		c.list = append(c.list, make([][]byte, chunksMax/3)...) // as if a large value was overwritten very often
		saved(takeBy(ks, runner))
		values := make([][]byte, 2)
		if err := k.Lookup([]pipeline.Hash{key, {Hi: 2}}, values); err != nil {
			t.Fatal(err)
		}
		if values[1] != nil || !bytes.Equal(values[0], []byte{byte(epoch)}) {
			t.Fatalf("epoch %d: the values are %x", epoch, values)
		}
	}
}
