package file

import (
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

// rotator is a program that writes a log, and what rotates that, in a folder of its own.
type rotator struct {
	t       *testing.T
	dir     string
	packing string // how what is written is stored
	how     string // rename, copytruncate, truncate
	names   string // numbers, dates
	pack    bool   // what was rotated is compressed at once
	rotated int
	clock   time.Time // of files: they were changed long ago, one after the other
}

func (l *rotator) live() string { return filepath.Join(l.dir, "app.log") }

// log appends lines.
func (l *rotator) log(text string) {
	l.t.Helper()
	add(l.t, l.live(), string(pack(l.t, l.packing, []byte(text))))
	l.stamp(l.live())
}

func (l *rotator) stamp(path string) {
	l.t.Helper()
	l.clock = l.clock.Add(time.Second)
	if err := os.Chtimes(path, l.clock, l.clock); err != nil {
		l.t.Fatal(err)
	}
}

// rotate begins the log anew.
func (l *rotator) rotate() {
	l.t.Helper()
	l.rotated++
	to := fmt.Sprintf("%s-202603%02d", l.live(), l.rotated)
	if l.names == "numbers" {
		to = l.live() + ".1"
		for n := 9; n >= 1; n-- {
			for _, suffix := range []string{"", ".gz"} {
				from := fmt.Sprintf("%s.%d%s", l.live(), n, suffix)
				if _, err := os.Stat(from); err == nil {
					rename(l.t, from, fmt.Sprintf("%s.%d%s", l.live(), n+1, suffix))
				}
			}
		}
	}
	switch l.how {
	case "rename":
		rename(l.t, l.live(), to)
	case "copytruncate":
		copies("app.log", filepath.Base(to))(l.t, l.dir)
		l.stamp(to)
		fallthrough
	case "truncate":
		if err := os.Truncate(l.live(), 0); err != nil {
			l.t.Fatal(err)
		}
		l.stamp(l.live())
		if l.how == "truncate" {
			return
		}
	}
	if l.pack {
		compresses(filepath.Base(to))(l.t, l.dir)
	}
}

// compress replaces what was rotated as the nth by a compressed file, as gzip does.
func (l *rotator) compress(nth int) {
	l.t.Helper()
	name := fmt.Sprintf("app.log-202603%02d", nth)
	if l.names == "numbers" {
		name = fmt.Sprintf("app.log.%d", l.rotated-nth+1)
	}
	compresses(name)(l.t, l.dir)
}

// settle lets the source read until nothing more comes.
func (r *rig) settle() {
	r.t.Helper()
	for range 4 {
		r.poll()
		r.elapse(compressedQuiet)
	}
	r.elapse(gapAfter)
	r.poll()
}

// gaps are the notices of what is lost.
func (r *rig) gaps() (gaps []string) {
	for _, n := range r.notices {
		if n.Gap {
			gaps = append(gaps, n.Message)
		}
	}
	return gaps
}

// TestRotation: files that are rotated to where the path does not match them, once or
// several times between two looks, are read to their end, each line once, in order:
// renamed or copied, compressed or not, under numbers or dates, while a source looks or
// not. Truncated ones are lost, which is told where nobody looked.
func TestRotation(t *testing.T) {
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		for _, how := range []string{"rename", "copytruncate", "truncate"} {
			for _, names := range []string{"numbers", "dates"} {
				for _, then := range []string{"", "compressed"} {
					for _, down := range []bool{false, true} {
						for times := 1; times <= 3; times++ {
							if how == "truncate" && (names == "dates" || then != "" || times > 1) || then != "" && packing != "plain" {
								continue
							}
							t.Run(fmt.Sprintf("%s/%s/%s/%s/down %v/%d", packing, how, names, then, down, times), func(t *testing.T) {
								l := &rotator{t: t, dir: t.TempDir(), packing: packing, how: how, names: names, pack: then != "", clock: time.Now().Add(-time.Hour)}
								testRotation(t, l, down, times)
							})
						}
					}
				}
			}
		}
	}
}

func testRotation(t *testing.T, l *rotator, down bool, times int) {
	// An older one, which is none of ours.
	l.log(lines("old", 0, 3))
	l.rotate()
	first := lines("a", 0, 500)
	l.log(first)
	r := newRig(t, Config{Path: l.live()})
	r.settle()
	r.want(recordsOf(first)...)
	r.save(len(r.delivered))
	if down {
		r.f.close()
	}
	var after []string
	if l.how != "truncate" {
		more := lines("a", 500, 504)
		l.log(more)
		after = append(after, more)
	} else {
		l.log(lines("a", 500, 504))
	}
	for n := range times {
		l.rotate()
		text := lines(fmt.Sprintf("g%d", n), 0, 3+n)
		l.log(text)
		after = append(after, text)
	}
	if down {
		r.open()
	}
	r.settle()
	want := recordsOf(append([]string{first}, after...)...)
	r.want(want...)
	lost := l.how == "truncate" && down
	if gaps := r.gaps(); len(gaps) > 0 != lost || lost && (len(gaps) != 1 || !strings.Contains(gaps[0], "inode")) {
		t.Errorf("gaps told: %q", gaps)
	}
	for i := 1; i < len(r.delivered); i++ {
		if a, b := numberOf(t, r.delivered[i-1]), numberOf(t, r.delivered[i]); b < a {
			t.Errorf("file %d was numbered before %d", a, b)
		}
	}
	// Nothing is read again, nor told, however the files go on.
	r.save(len(r.delivered))
	r.restart()
	r.settle()
	r.elapse(2 * closeIdleAfter)
	r.settle()
	l.how = "rename"
	l.rotate()
	l.log(lines("z", 0, 1))
	r.settle()
	r.want(append(want, recordsOf(lines("z", 0, 1))...)...)
	if gaps := r.gaps(); len(gaps) > 0 != lost {
		t.Errorf("gaps told at the end: %q", gaps)
	}
}

func numberOf(t *testing.T, g deliveredRecord) int64 {
	c, err := parseCursor(g.partition, g.cursor)
	if err != nil {
		t.Fatal(err)
	}
	return c.Number
}

// TestRotationLost: what is gone when a source looks again is told, with what is known
// of it. What was only removed is not.
func TestRotationLost(t *testing.T) {
	tests := []struct {
		name  string
		moves []move
		want  string // in what is told; empty = nothing
	}{
		{"removed", []move{removes("app.log")}, ""},
		{"removed, and another name", []move{removes("app.log"), appends("other.log", lines("z", 0, 2))}, ""},
		{"replaced", []move{removes("app.log"), appends("app.log", lines("z", 0, 2))}, "app.log: the file that was read to line 6, byte 40 of its content (inode "},
		{"replaced, a part of it not read", []move{appends("app.log", lines("a", 5, 9)), removes("app.log"), appends("app.log", lines("z", 0, 2))}, "how many bytes are lost is not known"},
		{"replaced, inode and all", []move{overwrites("app.log", lines("z", 0, 9))}, "app.log: the file that was read to line 6"},
		{"the middle is gone", []move{renames("app.log", "app.log.3"), appends("app.log.1", lines("z", 0, 2)), appends("app.log", lines("n", 0, 2))}, "app.log.2, is gone"},
		{"the oldest is gone", []move{removes("app.log"), appends("app.log.1", lines("z", 0, 2)), appends("app.log", lines("n", 0, 2))}, "app.log: the file that was read to line 6"},
		{"only the oldest was there, compressed", []move{renames("app.log", "app.log.1"), compresses("app.log.1"), appends("app.log", lines("n", 0, 2))}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			add(t, path, lines("a", 0, 5))
			age(t, path, time.Hour)
			r := newRig(t, Config{Path: filepath.Join(dir, "*.log")})
			r.settle()
			r.want(recordsOf(lines("a", 0, 5))...)
			r.save(len(r.delivered))
			r.f.close()
			for _, m := range tt.moves {
				m(t, dir)
			}
			r.open()
			r.settle()
			gaps := r.gaps()
			if len(gaps) > 1 || len(gaps) == 1 != (tt.want != "") || len(gaps) == 1 && !strings.Contains(gaps[0], tt.want) {
				t.Errorf("told: %q, want %q", gaps, tt.want)
			}
		})
	}
}

// A program may keep the file open that was rotated, and write on there long after the
// new one has begun.
func TestRotationLateWriter(t *testing.T) {
	for _, restart := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		add(t, path, lines("a", 0, 5))
		r := newRig(t, Config{Path: path})
		r.settle()
		rename(t, path, path+".1")
		add(t, path, lines("n", 0, 2))
		r.settle()
		r.save(len(r.delivered))
		r.elapse(2 * closeIdleAfter)
		r.settle() // it is not held open any longer
		if restart {
			r.restart()
		}
		r.elapse(2 * forgetAfter)
		r.settle()
		add(t, path+".1", lines("a", 5, 7))
		r.settle()
		r.want(recordsOf(lines("a", 0, 5), lines("n", 0, 2), lines("a", 5, 7))...)
		if gaps := r.gaps(); len(gaps) > 0 {
			t.Errorf("told: %q", gaps)
		}
	}
}

// A compressed file is read on wherever the program that writes it has paused: inside a
// member or frame, its header or trailer. What is awaited is told for as long.
func TestFollowCompressedPauses(t *testing.T) {
	for _, packing := range []string{"gzip", "zstd"} {
		stored, ends := []byte(nil), map[int]int{} // places where records are whole, how many
		var want []string
		for n := range 3 {
			text := lines(fmt.Sprint(n), 0, 40)
			want = append(want, recordsOf(text)...)
			stored = append(stored, pack(t, packing, []byte(text))...)
			ends[len(stored)] = len(want)
		}
		for cut := 1; cut < len(stored); cut++ {
			if at := cut % (len(stored) / 3); at > 24 && at < len(stored)/3-24 && at%29 != 0 {
				continue // inside of data one place is as good as another
			}
			path := filepath.Join(t.TempDir(), "app.log.x")
			write(t, path, stored[:cut])
			r := newRig(t, Config{Path: path})
			for range 3 {
				r.poll()
				r.elapse(compressedQuiet)
			}
			r.elapse(time.Hour)
			r.poll()
			waits := r.s.Waits()
			if whole := ends[cut] > 0; whole && (len(waits) > 0 || len(r.delivered) != ends[cut]) || !whole && cut > 3 && len(waits) != 1 {
				t.Fatalf("%s, cut at %d: %d records, waits for %q", packing, cut, len(r.delivered), waits)
			}
			if !slices.Equal(r.texts(), want[:len(r.delivered)]) {
				t.Fatalf("%s, cut at %d: read %q", packing, cut, r.texts())
			}
			if cut%3 == 0 {
				r.save(len(r.delivered))
				r.restart()
			}
			add(t, path, string(stored[cut:]))
			for range 3 {
				r.poll()
				r.elapse(compressedQuiet)
			}
			if d := cmp.Diff(want, r.texts()); d != "" || len(r.s.Waits()) > 0 {
				t.Fatalf("%s, cut at %d: waits for %q, records (-want +got):\n%s", packing, cut, r.s.Waits(), d)
			}
			r.f.close()
		}
	}
}

// Names that are shifted one after the other, as numbered ones are, lack one for a moment:
// that is no gap. One that stays away is.
func TestFollowShiftedNames(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("back=", back), func(t *testing.T) {
			l := &rotator{t: t, dir: t.TempDir(), packing: "", how: "rename", names: "numbers", clock: time.Now().Add(-time.Hour)}
			l.log(`{"n":1}` + "\n")
			r := newRig(t, Config{Path: l.live()})
			r.settle()
			l.rotate()
			l.log(`{"n":2}` + "\n")
			l.rotate()
			l.log(`{"n":3}` + "\n")
			hidden := filepath.Join(l.dir, "elsewhere")
			rename(t, l.live()+".1", hidden)
			r.poll()
			r.poll()
			if len(r.notices) > 0 {
				t.Errorf("told at once: %v", r.notices)
			}
			if back {
				rename(t, hidden, l.live()+".1")
			}
			r.settle()
			r.settle()
			want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}
			if !back {
				want = slices.Delete(want, 1, 2)
			}
			got := r.texts()
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("records (-want +got):\n%s", d)
			}
			if told := len(r.notices); back && told > 0 || !back && (told != 1 || !r.notices[0].Gap) {
				t.Errorf("notices: %v", r.notices)
			}
		})
	}
}

// crash kills the process after four seconds, in which it reads and saves all there is, and
// starts it anew.
func (r *rig) crash() {
	r.t.Helper()
	r.poll()
	r.elapse(2 * time.Second)
	r.poll()
	r.elapse(2 * time.Second)
	r.poll()
	r.save(len(r.delivered))
	r.restart()
}

// TestRotationLostAndKilled: what was lost is told, once, however often the process ends
// before it is sure of that, and whatever it has read and saved until then of the files that
// came after. What turns up meanwhile is read, and not told.
func TestRotationLostAndKilled(t *testing.T) {
	more := appends("app.log", lines("a", 5, 9))
	next := appends("app.log", lines("n", 0, 2))
	rotates := func(dir string) []move {
		return []move{renames("app.log", dir+"app.log.1"), next}
	}
	tests := []struct {
		name   string
		path   string // of the source
		packed string
		moves  []move // while nothing runs
		later  []move // after the first kill
		want   []string
		lost   string // in what is told; empty = nothing is
	}{
		{"rotated and removed", "app.log", "", append([]move{more}, append(rotates(""), removes("app.log.1"))...), nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"wide", "*", "", append([]move{more}, append(rotates(""), removes("app.log.1"))...), nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"moved elsewhere", "app.log", "", append([]move{more}, rotates("old/")...), nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"several generations", "app.log", "", []move{more, renames("app.log", "app.log.1"), appends("app.log", lines("b", 0, 2)), removes("app.log.1"), removes("app.log"), next}, nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"the oldest of two", "app.log", "", []move{more, removes("app.log"), appends("app.log.1", lines("b", 0, 2)), next}, nil, []string{lines("b", 0, 2), lines("n", 0, 2)}, "is gone from its folder"},
		{"the middle of three", "app.log", "", []move{renames("app.log", "app.log.3"), appends("app.log.1", lines("b", 0, 2)), next}, nil, []string{lines("b", 0, 2), lines("n", 0, 2)}, "app.log.2, is gone"},
		{"truncated", "app.log", "", []move{more, overwrites("app.log", lines("n", 0, 2))}, nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"compressed", "app.log", "gzip", []move{removes("app.log"), next, compresses("app.log"), renames("app.log.gz", "app.log")}, nil, []string{lines("n", 0, 2)}, "is gone from its folder"},
		{"a link that leads elsewhere", "current.log", "", []move{more, removes("app.log"), removes("current.log"), appends("app2.log", lines("n", 0, 2)), links("app2.log", "current.log")}, nil, []string{lines("n", 0, 2)}, "is gone from its folder"},

		{"lost once more", "app.log", "", append([]move{more}, append(rotates(""), removes("app.log.1"))...),
			[]move{removes("app.log"), appends("app.log", lines("o", 0, 2))}, []string{lines("n", 0, 2), lines("o", 0, 2)}, "twice"},
		{"back again", "app.log", "", append([]move{more}, rotates("old/")...), []move{renames("old/app.log.1", "app.log.1")}, []string{lines("n", 0, 2), lines("a", 5, 9)}, ""},
		{"a copy that comes late", "app.log", "", []move{more, copies("app.log", "old/x"), overwrites("app.log", lines("n", 0, 2))}, []move{renames("old/x", "app.log.1")}, []string{lines("n", 0, 2), lines("a", 5, 9)}, ""},
		{"compressed late", "app.log", "", append([]move{more}, rotates("old/")...), []move{compresses("old/app.log.1"), renames("old/app.log.1.gz", "app.log.1.gz")}, []string{lines("n", 0, 2), lines("a", 5, 9)}, ""},
	}
	for _, tt := range tests {
		for kills := range 4 {
			if kills == 0 && tt.later != nil {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", tt.name, kills), func(t *testing.T) {
				dir := t.TempDir()
				if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "app.log")
				write(t, path, pack(t, tt.packed, []byte(lines("a", 0, 5))))
				if tt.path == "current.log" {
					links("app.log", "current.log")(t, dir)
				}
				age(t, path, time.Hour)
				r := newRig(t, Config{Path: filepath.Join(dir, tt.path)})
				r.settle()
				r.save(len(r.delivered))
				r.f.close()
				for _, m := range tt.moves {
					m(t, dir)
				}
				r.open()
				for n := range kills {
					r.crash()
					if n == 0 && tt.later != nil {
						r.f.close()
						for _, m := range tt.later {
							m(t, dir)
						}
						r.open()
					}
				}
				r.settle()
				r.settle()
				r.want(recordsOf(append([]string{lines("a", 0, 5)}, tt.want...)...)...)
				gaps := r.gaps()
				switch {
				case tt.lost == "" && len(gaps) == 0:
				case tt.lost == "twice" && len(gaps) == 2:
				case tt.lost != "" && len(gaps) == 1 && strings.Contains(gaps[0], tt.lost):
				default:
					t.Errorf("told: %q, want %q", gaps, tt.lost)
				}
				// Once it is told, and something was read since, that is all of it.
				appends(map[bool]string{false: "app.log", true: "current.log"}[tt.path == "current.log"], string(pack(t, tt.packed, []byte(lines("z", 0, 1)))))(t, dir)
				r.settle()
				r.save(len(r.delivered))
				r.notices = nil
				r.restart()
				r.settle()
				if again := r.gaps(); len(again) > 0 {
					t.Errorf("told again: %q", again)
				}
			})
		}
	}
}

// TestLostWhileFollowed: the process ends before it is sure that what it saw of a file is
// lost, or has just been asked to read without follow.
func TestLostWhileFollowed(t *testing.T) {
	start := func(t *testing.T) (dir string, r *rig) {
		dir = t.TempDir()
		add(t, filepath.Join(dir, "app.log"), lines("a", 0, 5))
		age(t, filepath.Join(dir, "app.log"), time.Hour)
		r = newRig(t, Config{Path: filepath.Join(dir, "app.log")})
		r.settle()
		return dir, r
	}
	t.Run("truncated with bytes that were seen", func(t *testing.T) {
		for kills := range 3 {
			dir, r := start(t)
			path := filepath.Join(dir, "app.log")
			// Half a line is seen, and waited for.
			add(t, path, `{"half":`)
			r.poll()
			overwrites("app.log", lines("n", 0, 1))(t, dir)
			for range kills {
				r.crash()
			}
			r.settle()
			r.want(recordsOf(lines("a", 0, 5), lines("n", 0, 1))...)
			gaps := r.gaps()
			if len(gaps) != 1 || !strings.Contains(gaps[0], "at least 8 bytes") {
				t.Errorf("after %d kills told: %q", kills, gaps)
			}
		}
	})
	t.Run("removed, a part of it not read", func(t *testing.T) {
		dir, r := start(t)
		path := filepath.Join(dir, "app.log")
		r.block = 10
		add(t, path, lines("a", 5, 9))
		r.restart()
		r.poll()
		r.save(len(r.delivered) - 2)
		r.f.close()
		unlink(t, path)
		r.open()
		r.settle()
		if gaps := r.gaps(); len(gaps) != 1 || !strings.Contains(gaps[0], "at least 16 bytes") {
			t.Errorf("told: %q", gaps)
		}
	})
	t.Run("then without follow", func(t *testing.T) {
		dir, r := start(t)
		elsewhere := filepath.Join(t.TempDir(), "app.log")
		r.save(len(r.delivered))
		r.f.close()
		rename(t, filepath.Join(dir, "app.log"), elsewhere)
		add(t, filepath.Join(dir, "app.log"), lines("n", 0, 2))
		r.open()
		r.crash()
		cfg := r.cfg
		cfg.Follow = false
		if rest := readAll(t, cfg, 0, r.cursors); !errors.Is(rest.err, pipeline.ErrGap) {
			t.Errorf("records %q, error %v", rest.texts(), rest.err)
		}
		rename(t, elsewhere, filepath.Join(dir, "app.log.1"))
		add(t, filepath.Join(dir, "app.log.1"), lines("a", 5, 9))
		rest := readAll(t, cfg, 0, r.cursors)
		if d := cmp.Diff(recordsOf(lines("a", 5, 9)), rest.texts()); d != "" || rest.err != nil {
			t.Fatalf("error %v, records (-want +got):\n%s", rest.err, d)
		}
		unlink(t, filepath.Join(dir, "app.log.1"))
		if rest := readAll(t, cfg, 0, rest.cursors); len(rest.records) > 0 || rest.err != nil {
			t.Errorf("records %q, error %v", rest.texts(), rest.err)
		}
	})
}
