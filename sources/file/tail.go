package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// tail is one file that is followed.
type tail struct {
	key string // of its cursor; empty = what the file is is not known yet
	// former is the name of the cursor that the first records replace.
	former string
	name   string // the path where it, or what it is a copy of, was found first
	stem   string // of the name, see rotated
	path   string // where it was found last
	id     fileID
	at     cursor // of the next byte that is not in a block
	f      *os.File
	// moved says that it was renamed or removed after it had been found: nobody
	// writes on at its last line for long.
	moved bool
	away  bool // it is not where the path matches
	// strange says that the path never matched it under this identity: it is
	// followed only if it is one that was read before.
	strange bool
	// between says that it was rotated while it was not looked at: the path need not
	// match it, and it was never read.
	between bool
	info    fs.FileInfo // as it was looked at last
	since   time.Time   // when it was changed last, as far as is known
	had     int64       // its size before that
	empty   int64       // when it was changed last, in ns, as it was seen without content; 0 = it was not
	read    bool        // what can be read of it without waiting was read
	ended   bool        // a last line without end was looked at as well
	size    int         // bytes for the next block, if a usual one is not enough
	told    bool        // that it is cut short
	again   time.Time   // when it may be looked at again to find out what it is

	standing standing // as it was noted last
	waits    bool     // it is a copy, perhaps, and waits for its original to go
	// Of a compressed file: since when it has not been read, and when it may be again
	// while it grows.
	packedAt, packedNext time.Time
	gone                 bool // it is not followed any longer
	// streaming says that blocks of a compressed file are being handed over.
	streaming bool

	problem string // why it could not be read
}

// cursor returns the place up to which the file was read, with what the file is.
func (t *tail) cursor() cursor {
	c := t.at
	c.ID, c.Path, c.Moved = t.id, t.name, t.moved
	return c
}

func (t *tail) input() *input {
	return &input{partition: t.key, place: t.path, path: t.path, items: -1}
}

// visit looks at a file, and reads what it has got since.
func (f *follower) visit(ctx context.Context, t *tail) error {
	defer f.standings.note(t)
	err := f.look(t)
	if err == nil && t.info != nil && t.key == "" {
		err = f.identify(ctx, t)
	}
	if err != nil {
		return f.trouble(t, err)
	}
	t.problem = ""
	if t.info == nil || t.key == "" {
		return nil
	}
	if err := f.readOn(ctx, t); err != nil {
		return err
	}
	f.rest(t)
	return nil
}

// look notes what the system says of the file. It has no info if it is not at
// its path and not open.
func (f *follower) look(t *tail) error {
	info, err := os.Stat(t.path)
	if err == nil && idOf(info) != t.id || errors.Is(err, fs.ErrNotExist) {
		f.relist = f.relist || !t.away
		if t.f == nil {
			t.info = nil
			return nil
		}
		info, err = t.f.Stat()
	}
	if err != nil {
		return err
	}
	was, now := t.info, f.now()
	t.info = info
	if was != nil && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
		return nil
	}
	t.since, t.had, t.read, t.ended = now, 0, false, false
	if was != nil {
		t.had = was.Size()
	} else if age := now.Sub(info.ModTime()); age > 0 {
		t.since = now.Add(-age) // which a clock that is set back does not change
	}
	return nil
}

// readOn reads what the file has now.
func (f *follower) readOn(ctx context.Context, t *tail) error {
	quiet := f.now().Sub(t.since)
	if t.at.Compressed {
		return f.readPacked(ctx, t, quiet)
	}
	if !t.read {
		if err := f.readPlain(ctx, t, false); err != nil || !t.read {
			return err
		}
		f.shortened(t)
	}
	if quiet >= lastLine && t.at.Offset < t.info.Size() && !t.ended {
		return f.readPlain(ctx, t, true)
	}
	return nil
}

// shortened tells of what was taken away at the file's end before it was read.
func (f *follower) shortened(t *tail) {
	if gone := t.had - t.info.Size(); gone > 0 {
		t.had = 0
		f.notice(pipeline.Notice{Event: eventLost, Lost: gone, Message: fmt.Sprintf(
			"%s: %d bytes at its end were taken away before they were read", t.path, gone)})
	}
}

// reopened opens the file if it is not, and reports whether it is there.
func (f *follower) reopened(t *tail) (bool, error) {
	if t.f != nil {
		return true, nil
	}
	file, err := os.Open(t.path)
	if err != nil {
		return false, f.trouble(t, err)
	}
	info, err := file.Stat()
	if err != nil || idOf(info) != t.id {
		f.relist = true
		return false, transient(errors.Join(err, file.Close()))
	}
	t.f = file
	f.open++
	return true, nil
}

// shut closes the file.
func (f *follower) shut(t *tail) {
	if t.f != nil {
		_ = t.f.Close() // it was only read
		t.f = nil
		f.open--
	}
}

// rest ends what nobody writes to any more, and closes what is not needed open.
func (f *follower) rest(t *tail) {
	quiet := f.now().Sub(t.since)
	switch {
	case t.f == nil || t.info == nil:
	case t.away && (removed(t.info) && quiet > lastLine || quiet > idle):
		f.end(t)
	case quiet > idle || f.open > maxOpen:
		f.shut(t)
	}
}

// readPlain reads up to the size that the file had when it was looked at; with
// last, what nobody is writing on any more as well.
func (f *follower) readPlain(ctx context.Context, t *tail, last bool) error {
	if ok, err := f.reopened(t); !ok {
		return err
	}
	if t.info.Size() < t.at.Offset {
		f.truncated(t)
		return nil
	}
	for {
		end, err := f.readBlock(ctx, t, last)
		// What came meanwhile is for the next pass: other files wait for theirs.
		if end || err != nil || t.at.Offset >= t.info.Size() {
			return err
		}
	}
}

// readBlock reads a block of whole records, and hands it over. At the end of
// what there is, it says so.
func (f *follower) readBlock(ctx context.Context, t *tail, last bool) (end bool, err error) {
	r := f.s.newReader(t.input(), &t.at)
	size := max(f.s.block, t.size, len(byteOrderMark))
	full := f.s.buffers.get(size)[:size]
	n, err := t.f.ReadAt(full, t.at.Offset)
	if err != nil && err != io.EOF {
		return true, r.broken(err)
	}
	if r.at.Offset == 0 {
		if err := refuse(r.in.path, full[:n], false); err != nil {
			return true, err
		}
	}
	buf := r.skipMark(full[:n])
	at := r.at.Offset // behind the mark
	end = n < size
	r.quiet = last && end
	p := r.split(buf, r.quiet && t.moved)
	if intact, err := t.intact(r, buf[:p.used]); err != nil || !intact {
		if err == nil {
			f.truncated(t)
		}
		return true, transient(err)
	}
	end = end && !p.long // which is found again, behind the records before it
	if len(p.spans) == 0 && (p.long || !end && len(buf)-p.used > r.max+1) {
		return true, r.tooLong(p.at.line)
	}
	b := &block{data: buf, pieces: p, start: r.at, recheck: r.recheck, tail: tailOf(&r.at, buf[:p.used])}
	b.start.Offset = at
	b.start.note(t.info, f.now())
	b.start.Path, b.start.Moved, b.start.Numbers = t.name, t.moved, f.s.numbers
	b.hash = b.start.Hash
	b.hash.add(buf[:p.used])
	t.at = *b.after(len(p.spans))
	t.size = 0
	if p.used == 0 && !end {
		t.size = min(2*size, r.max+2)
	}
	t.read, t.ended = t.read || end, end && last
	if len(p.spans) == 0 {
		f.s.buffers.put(full)
		return end, nil
	}
	f.s.read.Add(int64(p.used))
	return end, f.send(ctx, t, b.records(f.s.name, r.in, &f.s.format, func() { f.s.buffers.put(full) }))
}

// intact reports whether the file still begins with what was read of it before.
// Only then are the bytes that follow, whole records, taken; the reader's cursor
// notes what identifies the file with them.
func (t *tail) intact(r *reader, taken []byte) (bool, error) {
	c := &r.at
	info, err := t.f.Stat()
	if err != nil || info.Size() < c.Offset+int64(len(taken)) {
		return false, err
	}
	head, err := part(t.f, 0, max(c.HeadBytes, int(min(headBytes, c.Offset+int64(len(taken))))))
	if err != nil || !c.heads(head) {
		return false, err
	}
	ok, err := c.ends(t.f)
	c.Head, c.HeadBytes = xxh3.Hash(head), len(head)
	return ok, err
}

// ending is what identifies the end of what was read.
type ending struct {
	hash  uint64
	at    int64
	bytes int
}

// tailOf returns the ending behind bytes that begin at a cursor.
func tailOf(c *cursor, taken []byte) ending {
	if len(taken) == 0 {
		return ending{c.Tail, c.TailAt, c.TailBytes}
	}
	last := taken[max(0, len(taken)-tailBytes):]
	return ending{xxh3.Hash(last), c.Offset + int64(len(taken)), len(last)}
}

// unsettled reports whether somebody has just written to a compressed file.
func (f *follower) unsettled(t *tail) bool { return f.now().Sub(t.since) < packedQuiet }

// overdue reports whether a compressed file was waited for so long that it is read while
// it is written to.
func (f *follower) overdue(t *tail) bool {
	if t.packedAt.IsZero() {
		t.packedAt = f.now()
	}
	return f.now().Sub(t.packedAt) >= packedWait
}

// readPacked reads a compressed file, once nobody has written to it for a while; one that
// is written all the time now and then. Each time it is decompressed from its start, which
// must not take all the time as it grows.
func (f *follower) readPacked(ctx context.Context, t *tail, quiet time.Duration) error {
	if t.read {
		if !t.at.Done && quiet >= cutShort && !t.told {
			t.told = true
			f.notice(pipeline.Notice{Event: eventCutShort, Message: fmt.Sprintf(
				"%s: the compressed file is cut short in line %d; waiting for the rest of it", t.path, t.at.Line)})
		}
		return nil
	}
	if f.unsettled(t) && !f.overdue(t) || quiet < idle/2 && f.now().Before(t.packedNext) {
		return nil
	}
	if ok, err := f.reopened(t); !ok {
		return err
	}
	head, err := part(t.f, 0, headBytes)
	if err != nil {
		return transient(err)
	}
	if t.info.Size() < t.at.Size || !t.at.heads(head) {
		f.truncated(t)
		return nil
	}
	t.read, t.told = true, false
	t.at.Head, t.at.HeadBytes = xxh3.Hash(head), len(head)
	t.at.note(t.info, f.now())
	return f.readStream(ctx, t)
}

// readStream reads the content of a compressed file from the cursor to its end.
func (f *follower) readStream(ctx context.Context, t *tail) error {
	c := t.cursor()
	c.Done, c.Numbers = false, f.s.numbers
	r := f.s.newReader(t.input(), &c)
	r.send = func(ctx context.Context, r *pipeline.Records) error { return f.send(ctx, t, r) }
	t.streaming = true
	started := f.now()
	err := r.content(ctx, t.f)
	t.at, t.streaming = r.at, false
	t.packedAt = f.now()
	t.packedNext = t.packedAt.Add(packedRest * t.packedAt.Sub(started))
	switch {
	case err == nil || errors.Is(err, errShorter):
		t.at.Done = true // a copy may have less than its original
	case errors.Is(err, errOther):
		f.truncated(t)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		// More may come.
	default:
		return err
	}
	return nil
}
