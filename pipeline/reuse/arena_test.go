package reuse

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestArena: what two arenas keep stays as it was until their Release, whatever
// they and others do with the memory between.
func TestArena(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var arenas [2]Arena
		var kept, want [2][][]byte
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "arena")
			if rapid.IntRange(0, 9).Draw(t, "release") == 0 {
				arenas[i].Release()
				kept[i], want[i] = nil, nil
				continue
			}
			size := rapid.SampledFrom([]int{0, 1, 100, chunkBytes / 5, chunkBytes, 2 * chunkBytes}).Draw(t, "size")
			b := bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "content"))}, size)
			k := arenas[i].Copy(b)
			kept[i], want[i] = append(kept[i], k), append(want[i], bytes.Clone(b))
			clear(b)
			_ = append(k, 1) // it has no room that is not its own
		}
		for i := range kept {
			for n := range kept[i] {
				if !bytes.Equal(kept[i][n], want[i][n]) {
					t.Fatalf("arena %d: the %d-th of %d bytes has changed", i, n, len(want[i][n]))
				}
			}
		}
	})
}
