package file

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestDigest: it does not matter in which pieces bytes are added, nor whether it is saved between
// them; each byte, their order and their number matter.
func TestDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]byte, 1000)
	for i := range all {
		all[i] = byte(r.Uint32())
	}
	sums := map[uint64]int{}
	for n := range all {
		var whole digest
		whole.add(all[:n])
		if was, ok := sums[whole.sum()]; ok {
			t.Fatalf("%d and %d bytes have the same hash", was, n)
		}
		sums[whole.sum()] = n
		var d digest
		for from := 0; from < n; {
			to := min(n, from+r.IntN(200))
			d.add(all[from:to])
			from = to
			text, err := d.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			d = digest{}
			if err := d.UnmarshalText(text); err != nil {
				t.Fatal(err)
			}
			d.bytes = int64(from)
		}
		if d != whole {
			t.Fatalf("%d bytes in pieces: %+v, want %+v", n, d, whole)
		}
	}
	for i := range all {
		changed := bytes.Clone(all)
		changed[i] ^= 1 << r.IntN(8)
		var d digest
		d.add(changed)
		if was, ok := sums[d.sum()]; ok {
			t.Fatalf("with byte %d changed the hash is that of %d bytes", i, was)
		}
	}
	for i := range 1 << 8 {
		var d digest
		d.add([]byte{byte(i)})
		sums[d.sum()]--
	}
	for sum, n := range sums {
		if n < -1 {
			t.Fatalf("%d single bytes have the hash %x", -n, sum)
		}
	}
	var zeros [2]digest
	zeros[0].add(make([]byte, 239))
	zeros[1].add(make([]byte, 240))
	if zeros[0].sum() == zeros[1].sum() || (&digest{}).sum() != 0 || !(digest{}).IsZero() {
		t.Errorf("239 and 240 zeros, and none: %x, %x, %x", zeros[0].sum(), zeros[1].sum(), (&digest{}).sum())
	}
	for _, text := range []string{"", "AAAA", "?", string(bytes.Repeat([]byte{'A'}, 400))} {
		if err := new(digest).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a hash", text)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	content := make([]byte, 1<<20)
	var d digest
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		d.add(content)
	}
}
