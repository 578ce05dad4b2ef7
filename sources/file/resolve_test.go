package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
)

// lines returns records that are a line each.
func lines(of string, from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		fmt.Fprintf(&b, "{%q:%d}\n", of, n)
	}
	return b.String()
}

func recordsOf(texts ...string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	}
	return all
}

// age makes a file look as if it was changed so long ago.
func age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// move is what happens to files between two runs, in a folder.
type move func(t *testing.T, dir string)

func renames(from, to string) move {
	return func(t *testing.T, dir string) { rename(t, filepath.Join(dir, from), filepath.Join(dir, to)) }
}

func removes(name string) move {
	return func(t *testing.T, dir string) { unlink(t, filepath.Join(dir, name)) }
}

func appends(name, text string) move {
	return func(t *testing.T, dir string) { add(t, filepath.Join(dir, name), text) }
}

func copies(from, to string) move {
	return func(t *testing.T, dir string) {
		b, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, to), b)
	}
}

// overwrites writes in place, so that the inode stays.
func overwrites(name, text string) move {
	return func(t *testing.T, dir string) { write(t, filepath.Join(dir, name), []byte(text)) }
}

func links(to, name string) move {
	return func(t *testing.T, dir string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func compresses(name string) move {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path+".gz", gzipOf(t, b))
		if err := os.Chtimes(path+".gz", info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		unlink(t, path)
	}
}

func ages(name string, by time.Duration) move {
	return func(t *testing.T, dir string) { age(t, filepath.Join(dir, name), by) }
}

// What a run finds that is not followed, whose files were changed, renamed, copied and
// rotated since they were read: to their end, or in part.
func TestFilesMoved(t *testing.T) {
	long := lines("a", 0, 3000) // longer than what is looked at of a head
	middle := strings.Replace(long, `{"a":1500}`, `{"b":1500}`, 1)
	more, next, last := lines("m", 0, 3), lines("n", 0, 2), lines("z", 0, 2)
	tests := []struct {
		name  string
		path  string // in the folder
		then  string // the path of the second run; empty = the same
		moves []move
		done  []string // read then, where all was read before
		part  bool     // what was left is read before that, where a part was
		err   string
		gap   bool
	}{
		{name: "unchanged", path: "*"},
		{name: "touched", path: "*", moves: []move{ages("a.log", -time.Hour)}},
		{name: "grown", path: "*", moves: []move{appends("a.log", more)}, done: recordsOf(more)},
		{name: "changed in its middle, size and time kept apart", path: "*", moves: []move{overwrites("a.log", middle)}, err: "were read, are others"},
		{name: "renamed", path: "*", moves: []move{renames("a.log", "b.log")}},
		{name: "renamed and grown", path: "*", moves: []move{renames("a.log", "b.log"), appends("b.log", more)}, done: recordsOf(more)},
		{name: "copied, the original removed", path: "*", moves: []move{copies("a.log", "b.log"), removes("a.log")}},
		{name: "copied beside", path: "*", moves: []move{copies("a.log", "b.log")}, done: recordsOf(long)},
		{name: "renamed, and another copied", path: "*", moves: []move{renames("a.log", "b.log"), copies("b.log", "c.log")}, done: recordsOf(long)},
		{name: "rotated in the glob", path: "*", moves: []move{renames("a.log", "a.log.1"), appends("a.log.1", more), appends("a.log", next)}, done: recordsOf(next, more)},
		{name: "compressed in the glob", path: "*", moves: []move{renames("a.log", "a.log.1"), compresses("a.log.1"), appends("a.log", next)}, done: recordsOf(next)},
		{name: "copied and truncated in the glob", path: "*", moves: []move{appends("a.log", more), copies("a.log", "a.log-20260301"), overwrites("a.log", next)}, done: recordsOf(next, more)},
		{name: "absolute", path: "*", then: "/*"},
		{name: "with a dot", path: "a.log", then: "./../DIR/a.log"},
		{name: "rotated out of the path", path: "a.log", moves: []move{appends("a.log", more), renames("a.log", "a.log.1"), appends("a.log", next)}, done: recordsOf(more, next)},
		{name: "rotated out of the path and compressed", path: "a.log", moves: []move{appends("a.log", more), renames("a.log", "a.log.1"), compresses("a.log.1"), appends("a.log", next)}, done: recordsOf(more, next)},
		{name: "rotated twice", path: "a.log", moves: []move{renames("a.log", "a.log.2"), appends("a.log.1", more), appends("a.log", next)}, done: recordsOf(more, next)},
		{name: "rotated twice, by dates", path: "a.log", moves: []move{renames("a.log", "a-20260301.log"), appends("a-20260302.log", more), appends("a.log", next)}, done: recordsOf(more, next)},
		{name: "rotated twice, compressed later", path: "a.log", moves: []move{renames("a.log", "a.log.2"), compresses("a.log.2"), appends("a.log.1", more), appends("a.log", next)}, done: recordsOf(more, next)},
		{name: "rotated three times, one is gone", path: "a.log", moves: []move{renames("a.log", "a.log.3"), appends("a.log.1", more), appends("a.log", next)}, err: "a.log.2", gap: true},
		{name: "rotated twice, the first is gone", path: "a.log", moves: []move{removes("a.log"), appends("a.log.1", more), appends("a.log", next)}, err: "a.log: the file that was read to line", gap: true},
		{name: "replaced", path: "a.log", moves: []move{removes("a.log"), appends("a.log", last)}, err: "the file was changed after it had been read"},
		{name: "older ones beside", path: "a.log", moves: []move{appends("a.log.2", last), ages("a.log.2", 3*time.Hour), renames("a.log", "a.log.1"), appends("a.log", next)}, done: recordsOf(next)},
		{name: "others beside", path: "a.log", moves: []move{appends("a.log.lock", last), appends("a.json", last), appends("ab.log.1", last), renames("a.log", "a.log.1"), appends("a.log", next)}, done: recordsOf(next)},
		{name: "removed", path: "*", moves: []move{removes("a.log"), appends("z.log", last)}, done: recordsOf(last)},
	}
	for _, tt := range tests {
		for _, read := range []int{-1, 100} {
			t.Run(fmt.Sprintf("%s, read %d", tt.name, read), func(t *testing.T) {
				dir := t.TempDir()
				t.Chdir(dir)
				write(t, "a.log", []byte(long))
				age(t, "a.log", time.Hour)
				cfg := Config{Path: tt.path, Format: "dynamodb_cdc"}
				first := readSome(t, testSource(t, cfg, 0), nil, read)
				for _, m := range tt.moves {
					m(t, dir)
				}
				switch {
				case tt.then == "":
				case tt.then[0] == '/':
					cfg.Path = dir + tt.then
				default:
					cfg.Path = strings.Replace(tt.then, "DIR", filepath.Base(dir), 1)
				}
				rest := readAll(t, cfg, 0, first.cursors)
				want := slices.Clone(tt.done)
				gap := tt.gap
				if read > 0 && tt.name == "removed" {
					gap, tt.err = true, "a.log: the file that was read to line 101"
				}
				if tt.err != "" && !(read > 0 && tt.moves != nil && strings.Contains(tt.name, "in its middle")) {
					wantError(t, rest.err, tt.err)
					if errors.Is(rest.err, pipeline.ErrGap) != gap || gap && !strings.Contains(rest.err.Error(), "inode") {
						t.Errorf("error %v, a gap: %v", rest.err, gap)
					}
					if place := (*pipeline.GapError)(nil); gap && (!errors.As(rest.err, &place) || filepath.Base(place.Partition) != "a.log" ||
						!strings.Contains(place.Position, "line") && !strings.Contains(place.Position, "the end") || !strings.HasPrefix(rest.err.Error(), "a gap in the source: ")) {
						t.Errorf("the gap has no place: %v, %+v", rest.err, place)
					}
					return
				}
				wantRest(t, tt.name, long, middle, read, want, rest)
				// And nothing is read a third time.
				if again := readAll(t, cfg, 0, rest.cursors); again.err != nil || len(again.records) > 0 {
					t.Errorf("a third run: error %v, %d records", again.err, len(again.records))
				}
			})
		}
	}
}

// wantRest holds what a second run has read against what is new, and what the first
// has left, each once, and in the order of its file.
func wantRest(t *testing.T, name, long, middle string, read int, want []string, rest readResult) {
	t.Helper()
	if read > 0 {
		left := recordsOf(long)[read:]
		if strings.Contains(name, "in its middle") {
			left = recordsOf(middle)[read:]
		}
		want = append(left, want...)
	}
	got := rest.texts()
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); rest.err != nil || d != "" {
		t.Errorf("error %v, records (-want +got):\n%.2000s", rest.err, d)
	}
	before := map[string]int{}
	for _, r := range rest.records {
		kind, n := r.Text[:4], 0
		if _, err := fmt.Sscanf(r.Text[strings.IndexByte(r.Text, ':')+1:], "%d", &n); err != nil {
			t.Fatal(err)
		}
		if last, ok := before[kind]; ok && n < last && !strings.Contains(name, "copied beside") && !strings.Contains(name, "another copied") {
			t.Errorf("%s comes after %d", r.Text, last)
		}
		before[kind] = n
	}
}

// Files that are unchanged, as the system says, are not opened.
func TestUnchangedFilesAreNotOpened(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	path := write(t, filepath.Join(t.TempDir(), "a.log"), []byte(lines("a", 0, 3)))
	age(t, path, time.Hour)
	cfg := Config{Path: path, Format: "json"}
	first := readAll(t, cfg, 0, nil)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if rest := readAll(t, cfg, 0, first.cursors); rest.err != nil {
		t.Error(rest.err)
	}
}

// A file that was changed right after it was read, so that its time is the same, is
// told: the clock of files is coarse.
func TestChangedAtOnce(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.log"), []byte(lines("a", 0, 3)))
	cfg := Config{Path: path, Format: "json"}
	first := readAll(t, cfg, 0, nil)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, []byte(lines("b", 0, 3)))
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	wantError(t, readAll(t, cfg, 0, first.cursors).err, "are others")
}

// Each file is read once, whatever names lead to it; folders that are in themselves end
// nothing.
func TestLinks(t *testing.T) {
	tests := []struct {
		name, path string
		moves      []move
	}{
		{"a link beside", "*.log", []move{links("b.log", "a.log")}},
		{"a link behind", "*.log", []move{links("b.log", "c.log")}},
		{"a link in a folder of its own", "**/*.log", []move{links("..", "sub/up"), links("../b.log", "sub/x.log")}},
		{"a hard link", "*.log", []move{func(t *testing.T, dir string) {
			if err := os.Link(filepath.Join(dir, "b.log"), filepath.Join(dir, "a.log")); err != nil {
				t.Fatal(err)
			}
		}}},
		{"a link to its own folder", "**/*.log", []move{links(".", "here"), links("../sub", "sub/again")}},
		{"two links to each other's folders", "**", []move{links("../other", "sub/other"), links("../sub", "other/sub")}},
		{"a link to itself", "**", []move{links("self.log", "self.log")}},
		{"a link to itself in the folder", "", []move{links("self.log", "self.log"), links(".", "here")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, folder := range []string{"sub", "other"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(dir, "b.log"), []byte(lines("b", 0, 2)))
			for _, m := range tt.moves {
				m(t, dir)
			}
			cfg := Config{Path: filepath.Join(dir, tt.path), Format: "json"}
			s := readAll(t, cfg, 0, nil)
			if d := cmp.Diff(recordsOf(lines("b", 0, 2)), s.texts()); s.err != nil || d != "" {
				t.Errorf("error %v, records (-want +got):\n%s", s.err, d)
			}
			if again := readAll(t, cfg, 0, s.cursors); again.err != nil || len(again.records) > 0 {
				t.Errorf("again: error %v, records %v", again.err, again.texts())
			}
			r := newRig(t, Config{Path: cfg.Path, Format: "json"})
			r.poll()
			r.poll()
			r.want(recordsOf(lines("b", 0, 2))...)
			if len(r.notices) > 0 {
				t.Errorf("notices %v", r.notices)
			}
		})
	}
}

// A bounded run does not leave out a folder that it can't read; one that follows tells
// of it, and reads the others.
func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.log"), []byte(lines("b", 0, 2)))
	sub := filepath.Join(dir, "sub")
	write(t, filepath.Join(sub, "c.log"), []byte(lines("c", 0, 1)))
	if err := os.Chmod(sub, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(sub, 0o700) })
	path := filepath.Join(dir, "**", "*.log")
	wantError(t, readAll(t, Config{Path: path, Format: "json"}, 0, nil).err, sub, "permission denied")
	r := newRig(t, Config{Path: path, Format: "json"})
	r.poll()
	r.poll()
	r.want(recordsOf(lines("b", 0, 2))...)
	if d := cmp.Diff([]string{eventUnreadable}, r.events()); d != "" {
		t.Error(d)
	}
	if waits := r.s.Waits(); len(waits) != 1 || !strings.Contains(waits[0], sub) {
		t.Errorf("it waits for %q", waits)
	}
	if err := os.Chmod(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	r.poll()
	r.want(recordsOf(lines("b", 0, 2), lines("c", 0, 1))...)
	if waits := r.s.Waits(); len(waits) > 0 {
		t.Errorf("it waits for %q", waits)
	}
}

// The numbers of files are given once, whatever is read again and forgotten.
func TestNumbersOfFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Path: filepath.Join(dir, "*"), Format: "json"}
	for _, name := range []string{"c", "b", "a"} {
		write(t, filepath.Join(dir, name), []byte(lines(name, 0, 2)))
	}
	first := readAll(t, cfg, 0, nil)
	unlink(t, filepath.Join(dir, "c")) // of the greatest number
	cursors, err := testSource(t, cfg, 0).Rewind(first.cursors)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "0"), []byte(lines("0", 0, 1)))
	add(t, filepath.Join(dir, "a"), lines("a", 2, 3))
	s := readAll(t, cfg, 0, cursors)
	var got []int64
	for _, r := range s.records {
		got = append(got, r.First)
	}
	const a, b, zero = 0 << numberShift, 1 << numberShift, 3 << numberShift
	if d := cmp.Diff([]int64{zero, a, a + 1, a + 2, b, b + 1}, got); s.err != nil || d != "" {
		t.Errorf("error %v, ordinals (-want +got):\n%s", s.err, d)
	}
	// Again, from a place inside it, and with one that is not what it was.
	if cursors, err = testSource(t, cfg, 0).Rewind(s.cursors); err != nil {
		t.Fatal(err)
	}
	part := readSome(t, testSource(t, cfg, 1), cursors, 2)
	write(t, filepath.Join(dir, "b"), bytes.ToUpper([]byte(lines("b", 0, 2))))
	rest := readAll(t, cfg, 0, part.cursors)
	got = nil
	for _, r := range slices.Concat(part.records, rest.records) {
		got = append(got, r.First)
	}
	const changed = 4 << numberShift
	if d := cmp.Diff([]int64{zero, a, a + 1, a + 2, changed, changed + 1}, got); rest.err != nil || d != "" {
		t.Errorf("error %v, ordinals (-want +got):\n%s", rest.err, d)
	}
}

// A record that an earlier reading had says so.
func TestReread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	write(t, path, []byte(lines("a", 0, 4)))
	cfg := Config{Path: path, Format: "json"}
	s := testSource(t, cfg, 0)
	first := readAll(t, cfg, 0, nil)
	cursors, err := s.Rewind(first.cursors)
	if err != nil {
		t.Fatal(err)
	}
	add(t, path, lines("a", 4, 6))
	if err := s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: cursors}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context())
	if err != nil || r.Len() != 6 || r.ReadAgain != 4 || r.Slice(2, 5).ReadAgain != 2 || r.Slice(5, 6).ReadAgain != 0 {
		t.Errorf("%+v, error %v", r, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A generation that was read is known again when it is compressed under its next number,
// and another one has the number that it had.
func TestGenerationCompressedLater(t *testing.T) {
	for _, read := range []int{-1, 10} {
		t.Run(fmt.Sprintf("read %d", read), func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			write(t, "a.log.1", []byte(lines("a", 0, 50)))
			write(t, "a.log", []byte(lines("b", 0, 20)))
			age(t, "a.log.1", 2*time.Hour)
			age(t, "a.log", time.Hour)
			cfg := Config{Path: "a.log*", Format: "dynamodb_cdc"}
			first := readSome(t, testSource(t, cfg, 0), nil, read)
			for _, m := range []move{renames("a.log.1", "a.log.2"), compresses("a.log.2"), renames("a.log", "a.log.1"), appends("a.log", lines("c", 0, 5))} {
				m(t, dir)
			}
			rest := readAll(t, cfg, 0, first.cursors)
			got := append(first.texts(), rest.texts()...)
			want := recordsOf(lines("a", 0, 50), lines("b", 0, 20), lines("c", 0, 5))
			slices.Sort(got)
			slices.Sort(want)
			if d := cmp.Diff(want, got); rest.err != nil || d != "" {
				t.Errorf("error %v (-want +got):\n%s", rest.err, d)
			}
		})
	}
}
