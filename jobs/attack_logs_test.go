package jobs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
)

// logs writes the changes of a history to files, and rotates them in all the ways
// that are promised to be followed. One goroutine uses it.
type logs struct {
	dir     string
	random  *rand.Rand
	history *history
	wide    bool // what is followed has the rotated files too, and others
	dated   bool // rotated files are named by a time, and not numbered
	copies  bool // where the path does not match rotated files, all of them are copies, or none
	stop    chan struct{}
	now     *os.File      // app.log
	rotated []*rotatedLog // the newest first
	packs   []*pack
	fed     *os.File // every line, as it was written
	story   *story
	// committed reports whether the file with a marker at its end was read whole.
	committed func(marker string) bool
	n         int // names given
	rotates   time.Time
	known     atomic.Bool // app.log was read: it may be rotated

	mu      sync.Mutex
	markers int // lines that are the last of a file
}

// rotatedLog is a file that was app.log, or a copy of it.
type rotatedLog struct {
	name   string   // below dir
	last   string   // its last line's marker
	packed string   // the end that its name got when it was compressed
	late   *os.File // of a writer that has it open still
	until  time.Time
}

func (r *rotatedLog) file() string { return r.name + r.packed }

var packEnds = []string{".gz", ".zst"}

// pack is a compressed file to which members are appended.
type pack struct {
	name string
	left int    // members to come
	rest []byte // of the one that is being written
	due  time.Time
}

// story is what happened, line by line, for whoever looks for a fault.
type story struct {
	mu    sync.Mutex
	f     *os.File
	began time.Time
}

func newStory(path string) (*story, error) {
	f, err := os.Create(path)
	return &story{f: f, began: time.Now()}, err
}

func (s *story) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.f, "%8.3f %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// newLogs returns a writer that draws from a generator of its own, seeded from random:
// it runs beside whoever goes on drawing there.
func newLogs(dir string, random *rand.Rand, wide bool, s *story) (*logs, error) {
	random = rand.New(rand.NewPCG(random.Uint64(), 1))
	l := &logs{dir: filepath.Join(dir, "in"), random: random, wide: wide, dated: random.IntN(3) == 0, copies: random.IntN(2) == 0, stop: make(chan struct{}), story: s}
	l.history = newHistory(rand.New(rand.NewPCG(random.Uint64(), 0)))
	var err error
	l.fed, err = os.Create(filepath.Join(dir, "fed.ndjson"))
	return l, errors.Join(err, os.MkdirAll(l.dir, 0o755), os.MkdirAll(filepath.Join(dir, "outside"), 0o755))
}

// run writes until stop is closed, and then what completes the files.
func (l *logs) run() error {
	for {
		select {
		case <-l.stop:
			return l.finish()
		case <-time.After(time.Duration(2+l.random.IntN(25)) * time.Millisecond):
		}
		if err := l.step(); err != nil {
			return err
		}
	}
}

// step appends some lines, and does what is due.
func (l *logs) step() error {
	if err := l.appendLines(); err != nil {
		return err
	}
	for _, r := range l.rotated {
		if err := l.appendLate(r); err != nil {
			return err
		}
	}
	if l.wide {
		if err := l.growPacks(); err != nil {
			return err
		}
	}
	if !l.known.Load() || time.Now().Before(l.rotates) {
		return nil
	}
	l.rotates = time.Now().Add(time.Duration(20+l.random.IntN(500)) * time.Millisecond)
	if l.random.IntN(5) == 0 {
		l.rotates = time.Now() // twice between two looks
	}
	switch n := l.random.IntN(8); {
	case n < 2 && l.wide, n < 5 && !l.wide && l.copies:
		return l.copyAndTruncate()
	case n < 5:
		return l.rename()
	case n == 5 && l.wide:
		return l.drop()
	default:
		return l.compress()
	}
}

func (l *logs) path(name string) string { return filepath.Join(l.dir, name) }

// lines returns some records. They count as fed when they are written whole.
func (l *logs) lines(most int) (lines string) {
	for range 1 + l.random.IntN(most) {
		lines += l.history.line()
	}
	return lines
}

// feed writes lines, sometimes in two parts, and notes them.
func (l *logs) feed(to io.Writer, lines string) error {
	rest := lines
	if l.random.IntN(10) == 0 {
		at := l.random.IntN(len(lines))
		if _, err := io.WriteString(to, lines[:at]); err != nil {
			return err
		}
		time.Sleep(time.Duration(l.random.IntN(15)) * time.Millisecond)
		rest = lines[at:]
	}
	if _, err := io.WriteString(to, rest); err != nil {
		return err
	}
	return l.note(lines)
}

func (l *logs) note(lines string) error {
	_, err := l.fed.WriteString(lines)
	return err
}

// mark returns the last line of a file, and its marker.
func (l *logs) mark() (line, marker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.markers++
	marker = fmt.Sprintf("m%d", l.markers)
	return l.history.marker(marker), marker
}

// end writes lines and the last one of a file.
func (l *logs) end(f io.Writer, lines string) (marker string, err error) {
	line, marker := l.mark()
	return marker, l.feed(f, lines+line)
}

// marked counts the files that are complete.
func (l *logs) marked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.markers
}

func (l *logs) open() (err error) {
	l.now, err = os.OpenFile(l.path("app.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return err
}

func (l *logs) appendLines() error {
	if l.now == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	return l.feed(l.now, l.lines(5))
}

// appendLate writes on in a file that was renamed, and ends that some time.
func (l *logs) appendLate(r *rotatedLog) error {
	switch {
	case r.late == nil || l.random.IntN(4) > 0:
		return nil
	case time.Now().Before(r.until):
		return l.feed(r.late, l.lines(3))
	}
	l.story.tell("the late writer of %s ends", r.file())
	return l.endLate(r)
}

func (l *logs) endLate(r *rotatedLog) (err error) {
	r.last, err = l.end(r.late, l.lines(3))
	err = errors.Join(err, r.late.Close())
	r.late = nil
	return err
}

// shift makes room for one more rotated file, and returns its name.
func (l *logs) shift() (string, error) {
	l.n++
	if l.dated {
		return fmt.Sprintf("app.log-%08d", 20240110+l.n), nil
	}
	for i := len(l.rotated) - 1; i >= 0; i-- {
		r, name := l.rotated[i], fmt.Sprintf("app.log.%d", i+2)
		if err := os.Rename(l.path(r.file()), l.path(name+r.packed)); err != nil {
			return "", err
		}
		r.name = name
	}
	return "app.log.1", nil
}

// rename rotates by renaming. Sometimes the writer keeps its handle for a while.
func (l *logs) rename() error {
	if l.now == nil {
		return nil
	}
	name, err := l.shift()
	if err != nil {
		return err
	}
	r := &rotatedLog{name: name}
	if l.random.IntN(3) == 0 {
		r.late, r.until = l.now, time.Now().Add(time.Duration(l.random.IntN(600))*time.Millisecond)
	} else {
		if r.last, err = l.end(l.now, ""); err != nil {
			return err
		}
		if err := l.now.Close(); err != nil {
			return err
		}
	}
	l.story.tell("rename app.log to %s, late %v", name, r.late != nil)
	if err := os.Rename(l.path("app.log"), l.path(name)); err != nil {
		return err
	}
	l.now, l.rotated = nil, slices.Insert(l.rotated, 0, r)
	if !l.wide { // a file that comes after a look without it, and goes before the next, is seen by nobody
		return l.open()
	}
	return nil
}

// copyAndTruncate rotates by a copy. Nothing is written between the two: that
// would be lost for every reader.
func (l *logs) copyAndTruncate() error {
	if l.now == nil {
		return nil
	}
	name, err := l.shift()
	if err != nil {
		return err
	}
	if _, err := l.end(l.now, ""); err != nil {
		return err
	}
	data, err := os.ReadFile(l.path("app.log"))
	if err != nil {
		return err
	}
	l.story.tell("copy app.log to %s, %d bytes, and truncate it", name, len(data))
	if err := l.writeSlowly(name, data); err != nil {
		return err
	}
	l.rotated = slices.Insert(l.rotated, 0, &rotatedLog{name: name})
	return os.Truncate(l.path("app.log"), 0)
}

// writeSlowly writes a new file in two parts.
func (l *logs) writeSlowly(name string, data []byte) error {
	f, err := os.OpenFile(l.path(name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	at := l.random.IntN(len(data) + 1)
	_, err = f.Write(data[:at])
	if l.random.IntN(3) == 0 {
		time.Sleep(time.Duration(l.random.IntN(30)) * time.Millisecond)
	}
	_, restErr := f.Write(data[at:])
	return errors.Join(err, restErr, f.Close())
}

// compress replaces a rotated file by a compressed one, as gzip and zstd do. No
// file is compressed that somebody has open, and, where the path does not match it,
// none that was not read.
func (l *logs) compress() error {
	var plain []*rotatedLog
	for _, r := range l.rotated {
		if r.packed == "" && r.late == nil && (l.wide || l.committed(r.last)) {
			plain = append(plain, r)
		}
	}
	if len(plain) == 0 {
		return nil
	}
	r := plain[l.random.IntN(len(plain))]
	data, err := os.ReadFile(l.path(r.name))
	if err != nil {
		return err
	}
	info, err := os.Stat(l.path(r.name))
	if err != nil {
		return err
	}
	end := packEnds[l.random.IntN(2)]
	member, err := compressed(data, end)
	if err != nil {
		return err
	}
	l.story.tell("compress %s to %s", r.name, end)
	if err := l.writeSlowly(r.name+end, member); err != nil {
		return err
	}
	r.packed = end
	return errors.Join(os.Chtimes(l.path(r.file()), info.ModTime(), info.ModTime()), os.Remove(l.path(r.name)))
}

// compressed returns a whole member of a kind.
func compressed(data []byte, kind string) ([]byte, error) {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == ".zst" {
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			return nil, err
		}
	}
	_, err := w.Write(data)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// drop puts a file into the folder that was written elsewhere.
func (l *logs) drop() error {
	l.n++
	name := fmt.Sprintf("drop%d.ndjson", l.n)
	last, _ := l.mark()
	lines := l.lines(20) + last
	outside := filepath.Join(l.dir, "../outside", name)
	if err := os.WriteFile(outside, []byte(lines), 0o600); err != nil {
		return err
	}
	l.story.tell("drop %s", name)
	return errors.Join(os.Rename(outside, l.path(name)), l.note(lines))
}

// growPacks appends members to compressed files, some of them with a pause inside.
func (l *logs) growPacks() error {
	if len(l.packs) == 0 || l.packs[len(l.packs)-1].left == 0 && l.random.IntN(50) == 0 {
		l.n++
		name := fmt.Sprintf("pack%d.ndjson%s", l.n, packEnds[l.random.IntN(2)])
		l.packs = append(l.packs, &pack{name: name, left: 2 + l.random.IntN(3)})
	}
	for _, p := range l.packs {
		if p.open() && time.Now().After(p.due) {
			if err := l.grow(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pack) open() bool { return p.left > 0 || p.rest != nil }

// grow appends the next member of a pack, or a part of it.
func (l *logs) grow(p *pack) error {
	part := p.rest
	p.rest = nil
	p.due = time.Now().Add(time.Duration(300+l.random.IntN(2000)) * time.Millisecond)
	if part == nil {
		lines := l.lines(60)
		if p.left--; p.left == 0 {
			last, _ := l.mark()
			lines += last
		}
		var err error
		if part, err = compressed([]byte(lines), filepath.Ext(p.name)); err != nil {
			return err
		}
		if l.random.IntN(2) == 0 {
			at := 1 + l.random.IntN(len(part)-1)
			part, p.rest = part[:at], part[at:]
		}
		if err := l.note(lines); err != nil {
			return err
		}
	}
	l.story.tell("append %d bytes of a member to %s, %d more to come", len(part), p.name, len(p.rest))
	f, err := os.OpenFile(l.path(p.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(part)
	return errors.Join(err, f.Close())
}

// finish completes all files: app.log behind all others, with what is late still.
func (l *logs) finish() error {
	l.story.tell("the writer completes its files")
	var errs []error
	for _, r := range l.rotated {
		if r.late != nil {
			errs = append(errs, l.endLate(r))
		}
	}
	for _, p := range l.packs {
		for p.open() {
			errs = append(errs, l.grow(p))
		}
	}
	if err := errors.Join(append(errs, l.appendLines())...); err != nil {
		return err
	}
	_, err := l.end(l.now, l.history.rest())
	return errors.Join(err, l.now.Close(), l.fed.Close())
}
