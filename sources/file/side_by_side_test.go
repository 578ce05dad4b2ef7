package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// givenBlock is a block as a test sees it.
type givenBlock struct {
	Partition string
	Texts     []string
}

// readBlocks opens a source at cursors and reads until limit records, or all (-1), were given;
// cursors are then those behind them. atBlock is called behind each block.
func readBlocks(t testing.TB, s *Source, cursors map[string][]byte, limit int, atBlock func(texts []string)) []givenBlock {
	t.Helper()
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	open(t, s, cursors)
	var given []givenBlock
	for limit != 0 {
		r, err := s.Read(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if limit > 0 {
			r = r.Slice(0, min(limit, r.Len()))
			limit -= r.Len()
		}
		b := givenBlock{Partition: r.Partition}
		for i := range r.Len() {
			b.Texts = append(b.Texts, string(r.Bytes(i)))
		}
		given = append(given, b)
		cursors[r.Partition] = r.CursorAfter(r.Len())
		atBlock(b.Texts)
		for i := range r.Data {
			r.Data[i] = '#' // as when the memory is used again
		}
		r.Free()
	}
	return given
}

// inTurn is the order in which the blocks of files are given, as package doc says it.
func inTurn(files [][]givenBlock, inOrder bool) (all []givenBlock) {
	if inOrder {
		return slices.Concat(files...)
	}
	open, next := files[:min(8, len(files))], min(8, len(files))
	open = slices.Clone(open)
	for turn := 0; len(open) > 0; {
		turn %= len(open)
		switch blocks := open[turn]; {
		case len(blocks) > 0:
			all, open[turn] = append(all, blocks[0]), blocks[1:]
			turn++
		case next < len(files):
			open[turn] = files[next]
			next++
		default:
			open = slices.Delete(open, turn, turn+1)
		}
	}
	return all
}

// blocksOf returns the blocks of each file at the cursors, read alone, in the order in which
// the files are opened.
func blocksOf(t testing.TB, cfg Config, paths []string, block int, cursors map[string][]byte, inOrder bool) [][]givenBlock {
	t.Helper()
	var begun, others [][]givenBlock
	for _, path := range paths {
		own := map[string][]byte{}
		if at, ok := cursors[path]; ok {
			if c, err := parseCursor(path, at); err != nil || c.Done {
				continue // it is not opened
			}
			own[path] = at
		}
		alone := cfg
		alone.Path = path
		blocks := readBlocks(t, testSource(t, alone, block), maps.Clone(own), -1, func([]string) {})
		if len(own) > 0 && !inOrder {
			begun = append(begun, blocks)
		} else {
			others = append(others, blocks)
		}
	}
	return append(begun, others...)
}

// randomFiles writes files of random sizes, compressed or not, and returns their paths and the
// records of each.
func randomFiles(t testing.TB, rng *rand.Rand, dir string, block int) (paths []string, records map[string][]string) {
	records = map[string][]string{}
	files := rng.IntN(20)
	for i := range files + 1 {
		n := rng.IntN(8) * rng.IntN(8)
		if rng.IntN(8) == 0 {
			n = 300
		}
		var content []byte
		path := filepath.Join(dir, fmt.Sprintf("%02d", i))
		for k := range n {
			size := rng.IntN(block / 4)
			if rng.IntN(20) == 0 {
				size = rng.IntN(4 * block)
			}
			record := fmt.Sprintf(`{"id":"%d-%d","x":"%s"}`, i, k, bytes.Repeat([]byte{'x'}, size))
			records[path] = append(records[path], record)
			content = append(append(content, record...), '\n')
		}
		packing := []string{"none", "gzip", "gzip of two members", "zstd", "zstd of two frames"}[rng.IntN(5)]
		write(t, path, pack(t, packing, content))
		old := time.Now().Add(-time.Hour) // else its time is too recent to tell anything
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths, records
}

// TestSideBySide: files are read side by side in an order that depends on nothing but the files and
// the cursors: on any number of processors the blocks come as those of the files, read alone, in turn. Over
// restarts at any record each is read once, in the order of its file. Where the order of reading
// decides, files come one after the other.
func TestSideBySide(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for round := range 12 {
		seed := rand.Uint64()
		format := []string{"dynamodb_cdc", "json"}[round%2]
		if t.Run(format, func(t *testing.T) { readSideBySide(t, seed, format) }); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func readSideBySide(t *testing.T, seed uint64, format string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	dir, block := t.TempDir(), 64<<rng.IntN(6)
	paths, records := randomFiles(t, rng, dir, block)
	cfg := Config{Path: filepath.Join(dir, "*"), Format: format}
	inOrder := format == "json"
	total := 0
	for _, r := range records {
		total += len(r)
	}
	got := map[string][]string{}
	cursors := map[string][]byte{}
	for limit := 0; limit >= 0; {
		limit = rng.IntN(total/2 + 2)
		if rng.IntN(3) == 0 {
			limit = -1
		}
		want := inTurn(blocksOf(t, cfg, paths, block, cursors, inOrder), inOrder)
		var given []givenBlock
		var after map[string][]byte
		for i, processors := range []int{1, 2, 8} {
			runtime.GOMAXPROCS(processors)
			own := maps.Clone(cursors)
			given = readBlocks(t, testSource(t, cfg, block), own, limit, func([]string) {})
			if limit >= 0 && len(given) > 0 && len(want) >= len(given) {
				last := len(given) - 1
				want = slices.Clone(want[:last+1])
				want[last].Texts = want[last].Texts[:min(len(given[last].Texts), len(want[last].Texts))]
			}
			if d := cmp.Diff(want, given); limit != 0 && d != "" {
				t.Fatalf("%d processors, block %d (-want +got):\n%s", processors, block, d)
			}
			if d := cmp.Diff(after, own); i > 0 && d != "" {
				t.Fatalf("%d processors: other cursors:\n%s", processors, d)
			}
			after = own
		}
		cursors = after
		for _, b := range given {
			got[b.Partition] = append(got[b.Partition], b.Texts...)
		}
	}
	if d := cmp.Diff(records, got); d != "" {
		t.Fatalf("records of files (-want +got):\n%s", d)
	}
}

// TestExportsSideBySide: whatever of exports was read when a run stops, the time that the cursors say is
// reached is behind no record that was not read; and all are read in the end, each once.
func TestExportsSideBySide(t *testing.T) {
	for range 12 {
		seed := rand.Uint64()
		if readExportsSideBySide(t, seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func readExportsSideBySide(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	dir, n := t.TempDir(), 0
	var until []int // by record: the minute up to which its export reaches
	exports := 1 + rng.IntN(4)
	for minute := range exports {
		e := increment(minute-1, minute)
		if minute == 0 {
			e = fullAt(0)
		}
		for range rng.IntN(9) {
			var lines []string
			for range 1 + rng.IntN(6)*rng.IntN(6) {
				lines = append(lines, fmt.Sprintf("{%d}", n))
				until, n = append(until, minute), n+1
			}
			e.lines = append(e.lines, strings.Join(lines, "\n"))
		}
		e.lay(t, dir)
	}
	read := make([]bool, n)
	cursors := map[string][]byte{}
	for done := false; !done; {
		limit := rng.IntN(n + 1)
		if done = rng.IntN(3) == 0; done {
			limit = -1
		}
		readBlocks(t, testSource(t, exportConfig(dir), 32), cursors, limit, func(texts []string) {
			for _, text := range texts {
				var i int
				if _, err := fmt.Sscanf(text, "{%d}", &i); err != nil || read[i] {
					t.Fatalf("%s is read again, or is none: %v", text, err)
				}
				read[i] = true
			}
			checkReached(t, cursors, read, until)
		})
	}
	if i := slices.Index(read, false); i >= 0 {
		t.Errorf("record %d is not read", i)
	}
	last := until[:]
	if span, err := spanOf(cursors); err != nil || len(last) > 0 && span.Until.Before(minuteOf(slices.Max(last))) {
		t.Errorf("at the end, read until %v, %v", span.Until, err)
	}
}

func minuteOf(n int) time.Time { return morning.Add(time.Duration(n) * time.Minute) }

// checkReached holds the time that cursors say is reached against what was read.
func checkReached(t *testing.T, cursors map[string][]byte, read []bool, until []int) {
	t.Helper()
	span, err := spanOf(cursors)
	if err != nil {
		t.Fatal(err)
	}
	for i, is := range read {
		if !is && !span.Until.Before(minuteOf(until[i])) {
			t.Fatalf("read until %v, and record %d of %v is not read", span.Until, i, minuteOf(until[i]))
		}
	}
}

// TestEndOfContent: a compressed file may end anywhere, without a line's end: its last record is
// whole, though what was read before it is given back meanwhile.
func TestEndOfContent(t *testing.T) {
	const block = 64
	full := newBuffers(block).capacity()
	for size := 2*full - 4; size <= 3*full+4; size++ {
		first := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", full/2))
		last := `{"b":"`
		last += strings.Repeat("y", size-len(first)-1-len(last)-2) + `"}`
		content := []byte(first + "\n" + last)
		for _, packing := range []string{"gzip", "zstd"} {
			path := write(t, filepath.Join(t.TempDir(), "f"), pack(t, packing, content))
			got := readAll(t, Config{Path: path, Format: "dynamodb_cdc"}, block, nil)
			if d := cmp.Diff([]string{first, last}, got.texts()); got.err != nil || d != "" {
				t.Fatalf("%d bytes, %s: %v, records (-want +got):\n%s", len(content), packing, got.err, d)
			}
		}
	}
}

// TestSideBySideErrors: what is wrong with a file is said in its turn, behind the blocks
// before it, with the other files open; and nothing is left running.
func TestSideBySideErrors(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), numbered(200, 100))
	}
	packed := gzipOf(t, numbered(2000, 100))
	write(t, filepath.Join(dir, "3"), packed[:len(packed)-20])
	cfg := Config{Path: filepath.Join(dir, "*"), Format: "dynamodb_cdc"}
	var texts []string
	for _, processors := range []int{1, 2, 8} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		got := readAll(t, cfg, 4096, nil)
		wantError(t, got.err, filepath.Join(dir, "3")+":", "cut short or damaged in line")
		if texts != nil && !slices.Equal(texts, got.texts()) {
			t.Errorf("%d processors: %d records before the error, and %d before", processors, len(got.texts()), len(texts))
		}
		texts = got.texts()
	}
}
