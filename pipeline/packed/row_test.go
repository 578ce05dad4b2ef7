package packed

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestValue: each value of a row is the one that it was made of, and those of columns that it
// does not have are null, whether one is read, all are, or one after the other.
func TestValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		widths := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 4, 8, 16}), 1, 20).Draw(t, "widths")
		values := make([][]byte, rapid.IntRange(0, len(widths)).Draw(t, "columns"))
		for c := range values {
			switch {
			case rapid.Bool().Draw(t, "null"):
			case widths[c] > 0:
				values[c] = bytes.Repeat([]byte{0xff}, widths[c])
			default:
				values[c] = AppendBytes(nil, []byte(strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 127, 128, 300}).Draw(t, "bytes"))))
			}
		}
		row := JoinRow(nil, values)
		if len(values) == 0 && rapid.Bool().Draw(t, "empty") {
			row = nil
		}
		reader, split := ReadRow(row), SplitRow(nil, row, widths)
		for c, width := range widths {
			var want []byte
			if c < len(values) {
				want = values[c]
			}
			for how, got := range map[string][]byte{"Value": Value(row, widths, c), "SplitRow": split[c], "Next": reader.Next(width)} {
				if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
					t.Fatalf("column %d by %s is %x, want %x", c, how, got, want)
				}
			}
		}
	})
}

func BenchmarkValue(b *testing.B) {
	widths := []int{0, 0, 0, 8, 0, 16}
	row := JoinRow(nil, [][]byte{AppendBytes(nil, bytes.Repeat([]byte("a"), 36)), AppendBytes(nil, bytes.Repeat([]byte("a"), 36)),
		AppendBytes(nil, []byte("some text")), make([]byte, 8), nil, make([]byte, 16)})
	var values [][]byte
	b.Run("last", func(b *testing.B) {
		for b.Loop() {
			Value(row, widths, 5)
		}
	})
	b.Run("split", func(b *testing.B) {
		for b.Loop() {
			values = SplitRow(values[:0], row, widths)
		}
	})
}
