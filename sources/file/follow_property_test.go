package file

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// logger is a program that writes lines to a file, and whatever rotates it. It
// knows which lines there must be.
type logger struct {
	rt     *rapid.T
	dir    string
	name   string
	files  map[int]*logContent // by the number of rotations; 0 = the one that is written to
	broad  bool                // rotated files are followed too
	next   *int
	all    []int        // its lines
	lost   map[int]bool // lines that need not be read: they were taken away
	writes int
	pass   func() // lets the source read
	rig    *rig
	seen   bool // the last look found the log under its name
	halted bool // it is in the middle of a rotation
}

// logContent is the content of a file.
type logContent struct {
	packed  bool
	lines   []int
	partial string // of a line, without its end
}

func (l *logger) path(n int) string {
	path := filepath.Join(l.dir, l.name)
	if n > 0 {
		path += "." + strconv.Itoa(n)
	}
	if f := l.files[n]; f != nil && f.packed {
		path += ".gz"
	}
	return path
}

func (l *logger) check(err error) {
	if err != nil {
		l.rt.Fatal(err)
	}
}

func (l *logger) write(n int, text string) {
	f, err := os.OpenFile(l.path(n), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	l.check(err)
	_, err = io.WriteString(f, text)
	l.check(err)
	l.check(f.Close())
	// The clock of file systems is coarse: two changes must not look like none.
	l.writes++
	at := time.Now().Add(-time.Minute + time.Duration(l.writes)*time.Millisecond)
	l.check(os.Chtimes(l.path(n), at, at))
}

// line makes a line of its own length.
func (l *logger) line() (id int, text string) {
	*l.next++
	l.all = append(l.all, *l.next)
	pad := rapid.IntRange(0, 300).Draw(l.rt, "pad")
	return *l.next, fmt.Sprintf(`{"n":%06d,"pad":%q}`, *l.next, strings.Repeat("x", pad))
}

// endLine writes the rest of a line that was begun.
func (l *logger) endLine(n int) {
	f := l.files[n]
	if f == nil || f.partial == "" {
		return
	}
	l.write(n, f.partial+"\n")
	f.partial = ""
}

// append writes whole lines, and maybe the beginning of one more.
func (l *logger) append() {
	if l.files[0] == nil {
		l.files[0] = &logContent{}
	}
	l.endLine(0)
	f := l.files[0]
	var b strings.Builder
	for range rapid.IntRange(0, 20).Draw(l.rt, "lines") {
		id, text := l.line()
		f.lines = append(f.lines, id)
		b.WriteString(text + "\n")
	}
	if rapid.IntRange(0, 3).Draw(l.rt, "partial") == 0 {
		id, text := l.line()
		f.lines = append(f.lines, id)
		at := rapid.IntRange(12, len(text)).Draw(l.rt, "cut")
		b.WriteString(text[:at])
		f.partial = text[at:]
		if f.partial == "" {
			b.WriteString("\n")
		}
	}
	l.write(0, b.String())
}

// shift renames the rotated files to make room for one more; the oldest is deleted.
func (l *logger) shift(keep func(*logContent)) {
	const most = 3
	if old := l.files[most]; old != nil {
		l.check(os.Remove(l.path(most)))
		keep(old)
		delete(l.files, most)
	}
	for n := most; n > 1; n-- {
		if f := l.files[n-1]; f != nil {
			from := l.path(n - 1)
			l.files[n] = f
			delete(l.files, n-1)
			l.check(os.Rename(from, l.path(n)))
		}
	}
}

// rename rotates by renaming; the program may end its line in the old file.
func (l *logger) rename(lose func(*logContent)) {
	if l.files[0] == nil {
		return
	}
	l.shift(lose)
	from := l.path(0)
	l.files[1] = l.files[0]
	delete(l.files, 0)
	l.check(os.Rename(from, l.path(1)))
	if rapid.Bool().Draw(l.rt, "end the line") {
		l.endLine(1)
	} else if f := l.files[1]; f.partial != "" {
		// It is read if the file was known before it was renamed.
		l.lost[f.lines[len(f.lines)-1]], f.partial = true, ""
	}
	if rapid.Bool().Draw(l.rt, "new file") {
		l.append()
	}
}

// copyAndTruncate rotates by a copy. What is not in the copy or not followed there may
// be lost.
func (l *logger) copyAndTruncate(lose func(*logContent)) {
	f := l.files[0]
	if f == nil {
		return
	}
	l.endLine(0)
	l.shift(lose)
	data, err := os.ReadFile(l.path(0))
	l.check(err)
	half := 0
	if l.rig.meanwhile == nil && rapid.Bool().Draw(l.rt, "seen halfway") {
		half = rapid.IntRange(0, len(data)).Draw(l.rt, "copied")
	}
	l.files[1] = &logContent{lines: slices.Clone(f.lines)}
	l.write(1, string(data[:half]))
	if half > 0 {
		l.look()
	}
	l.write(1, string(data[half:]))
	if !l.broad && !l.known(l.rig) {
		lose(f)
	}
	l.truncate(func(*logContent) {})
}

// look lets the source read in the middle of a rotation.
func (l *logger) look() {
	l.halted = true
	l.pass()
	l.halted = false
}

// known reports whether the checkpoint has something of the log, so that what is
// rotated later is looked for; a log that began and was rotated between two looks, when
// there was none before, is not.
func (l *logger) known(r *rig) bool {
	if !l.seen {
		return false
	}
	name := filepath.Join(l.dir, l.name)
	for partition, raw := range r.cursors {
		if c, err := parseCursor(partition, raw); err != nil || c.Path == name {
			l.check(err)
			return true
		}
	}
	return false
}

func (l *logger) truncate(lose func(*logContent)) {
	f := l.files[0]
	if f == nil {
		return
	}
	lose(f)
	l.seen = false
	l.check(os.Truncate(l.path(0), 0))
	f.lines, f.partial = nil, ""
	l.write(0, "")
}

// compress replaces a rotated file by a compressed one.
func (l *logger) compress(t *testing.T) {
	n := rapid.IntRange(1, 3).Draw(l.rt, "number")
	f := l.files[n]
	if f == nil || f.packed {
		return
	}
	path := l.path(n)
	data, err := os.ReadFile(path)
	l.check(err)
	f.packed, f.partial = true, ""
	l.check(os.WriteFile(l.path(n), gzipOf(t, data), 0o600))
	l.write(n, "")
	if l.rig.meanwhile == nil && rapid.Bool().Draw(l.rt, "seen before it is removed") {
		l.look()
	}
	l.check(os.Remove(path))
}

var number = regexp.MustCompile(`^\{"n":(\d{6})`)

// However files grow, are rotated, truncated and compressed, and wherever the
// process ends, each line is read once, in its file's order; only what was
// taken away before it was safe may be missing, or what is told to be.
func TestFollowAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		broad := rapid.Bool().Draw(rt, "broad")
		path := filepath.Join(dir, "{a,b}.log")
		if broad {
			path = dir
		}
		r := newRig(t, Config{Path: path})
		r.block = rapid.IntRange(1, 2000).Draw(rt, "block")
		r.restart()
		defer r.f.close()
		next := 0
		var loggers []*logger
		pass := func() {
			changes := 0
			r.meanwhile = func() {
				if changes < 3 && rapid.IntRange(0, 5).Draw(rt, "meanwhile") == 0 {
					changes++
					loggers[rapid.IntRange(0, 1).Draw(rt, "logger")].change(t, r)
				}
			}
			r.poll()
			r.meanwhile = nil
			for _, l := range loggers {
				l.seen = l.files[0] != nil
			}
		}
		for _, name := range []string{"a.log", "b.log"} {
			loggers = append(loggers, &logger{rt: rt, dir: dir, name: name, files: map[int]*logContent{}, broad: broad, next: &next, lost: map[int]bool{}, pass: pass, rig: r})
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			loggers[rapid.IntRange(0, 1).Draw(rt, "logger")].step(t, r)
		}
		for _, l := range loggers {
			l.endLine(0)
		}
		for range 4 {
			r.poll()
			r.elapse(2 * closeIdleAfter)
		}
		wantLines(rt, r, loggers)
	})
}

// lose lets what is not safe of a file be lost.
func (l *logger) lose(f *logContent) {
	safe := map[int]bool{}
	for _, g := range l.rig.delivered[:l.rig.saved] {
		safe[idOfText(l.rt, g.text)] = true
	}
	for _, id := range f.lines {
		l.lost[id] = l.lost[id] || !safe[id]
	}
}

// change does something to the files while the source reads.
func (l *logger) change(t *testing.T, r *rig) {
	switch change := rapid.SampledFrom([]string{"append", "rename", "copy", "compress"}).Draw(l.rt, "change"); {
	case l.halted:
	case change == "append":
		l.append()
	case change == "rename" && (l.broad || l.known(r)):
		l.rename(l.lose)
	case change == "copy":
		l.copyAndTruncate(l.lose)
	case change == "compress" && l.broad:
		l.compress(t)
	}
}

// step does one thing of many.
func (l *logger) step(t *testing.T, r *rig) {
	lose := l.lose
	switch rapid.SampledFrom([]string{"append", "append", "append", "pass", "pass", "save", "rename", "copy", "truncate", "compress", "restart", "wait"}).Draw(l.rt, "step") {
	case "append":
		l.append()
	case "pass":
		l.pass()
	case "save":
		r.save(rapid.IntRange(r.saved, len(r.delivered)).Draw(l.rt, "records"))
	case "rename":
		if !l.broad && !l.known(r) {
			// What the path does not match is looked for in the folder only if what
			// had the name was read before.
			l.pass()
			r.save(len(r.delivered))
			if f := l.files[0]; f != nil && !slices.ContainsFunc(r.delivered, func(g deliveredRecord) bool { return slices.Contains(f.lines, idOfText(l.rt, g.text)) }) {
				lose(f) // it has no whole line yet
			}
		}
		l.rename(lose)
	case "copy":
		l.copyAndTruncate(lose)
	case "truncate":
		l.truncate(lose)
	case "compress":
		if l.broad {
			l.compress(t)
		}
	case "restart":
		r.restart()
	case "wait":
		for n := range l.files {
			l.endLine(n)
		}
		l.pass()
		r.elapse(lastLineQuiet + time.Second)
	}
}

func idOfText(rt *rapid.T, text string) int {
	m := number.FindStringSubmatch(text)
	if m == nil {
		rt.Fatalf("read %q, which is no line", text)
	}
	id, err := strconv.Atoi(m[1])
	if err != nil {
		rt.Fatal(err)
	}
	return id
}

// wantLines holds what was read against what was written.
func wantLines(rt *rapid.T, r *rig, loggers []*logger) {
	seen := map[int]int{}
	arrived := map[string]int64{}
	for i, g := range r.delivered {
		id := idOfText(rt, g.text)
		if at, twice := seen[id]; twice {
			rt.Fatalf("line %d was read twice: as record %d, %+v, and as record %d, %+v", id, at, r.delivered[at], i, g)
		}
		seen[id] = i
		if g.ordinal != arrived[g.partition] {
			rt.Fatalf("record %d has ordinal %d in %s, want %d", i, g.ordinal, g.partition, arrived[g.partition])
		}
		arrived[g.partition]++
	}
	lost := map[int]bool{}
	for _, l := range loggers {
		told := slices.ContainsFunc(r.notices, func(n pipeline.Notice) bool {
			return n.Gap && strings.Contains(n.Message, filepath.Join(l.dir, l.name))
		})
		for id, may := range l.lost {
			lost[id] = lost[id] || may
		}
		for _, id := range l.all {
			lost[id] = lost[id] || told
		}
	}
	for id := 1; id <= *loggers[0].next; id++ {
		if _, ok := seen[id]; !ok && !lost[id] {
			rt.Fatalf("line %d was never read", id)
		}
	}
	for _, l := range loggers {
		for _, f := range l.files {
			last := -1
			for _, id := range f.lines {
				if at, ok := seen[id]; ok {
					if at < last {
						rt.Fatalf("line %d was read before one that stands before it", id)
					}
					last = at
				}
			}
		}
	}
}
