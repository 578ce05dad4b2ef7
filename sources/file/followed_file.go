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

// followedFile is one file that is followed.
type followedFile struct {
	partition string // of its cursor; empty = what the file is is not known yet
	// formerPartition is the name of the cursor that the first records replace.
	formerPartition string
	name            string // the path where it, or what it is a copy of, was found first
	stem            string // of the name, see rotated
	path            string // where it was found last
	id              fileID
	at              cursor // of the next byte that is not in a block
	file            *os.File
	// moved says that it was renamed or removed after it had been found: nobody
	// writes on at its last line for long.
	moved       bool
	outsidePath bool // it is not where the path matches
	// onlyIfKnown says that the path never matched it under this identity: it is
	// followed only if it is one that was read before.
	onlyIfKnown bool
	// unseenGeneration says that it was rotated while it was not looked at: the path need not
	// match it, and it was never read.
	unseenGeneration bool
	info             fs.FileInfo // as it was looked at last
	changedAt        time.Time   // when it was changed last, as far as is known
	priorSize        int64       // its size before that
	emptyAt          int64       // when it was changed last, in ns, as it was seen without content; 0 = it was not
	drained          bool        // what can be read of it without waiting was read
	lastLineTried    bool        // a last line without end was looked at as well
	nextBlockBytes   int         // bytes for the next block, if a usual one is not enough
	cutShortTold     bool        // that it is cut short
	identifyAfter    time.Time   // when it may be looked at again to find out what it is

	state          readState // as it was noted last
	awaitsOriginal bool      // it is a copy, perhaps, and waits for its original to go
	// Of a compressed file: since when it has not been read, and when it may be again
	// while it grows.
	compressedSince, compressedNotBefore time.Time
	unfollowed                           bool // it is not followed any longer
	// streaming says that blocks of a compressed file are being handed over.
	streaming bool

	readError string // why it could not be read
}

// checkpoint returns the place up to which the file was read, with what the file is.
func (t *followedFile) checkpoint() cursor {
	c := t.at
	c.ID, c.Path, c.Moved = t.id, t.name, t.moved
	return c
}

func (t *followedFile) input() *input {
	return &input{partition: t.partition, display: t.path, path: t.path, items: -1}
}

// visit looks at a file, and reads what it has got since.
func (f *follower) visit(ctx context.Context, t *followedFile) error {
	defer f.progress.update(t)
	err := f.stat(t)
	if err == nil && t.info != nil && t.partition == "" {
		err = f.identify(ctx, t)
	}
	if err != nil {
		return f.reportReadError(t, err)
	}
	t.readError = ""
	if t.info == nil || t.partition == "" {
		return nil
	}
	if err := f.readNew(ctx, t); err != nil {
		return err
	}
	f.closeIdle(t)
	return nil
}

// stat notes what the system says of the file. It has no info if it is not at
// its path and not open.
func (f *follower) stat(t *followedFile) error {
	info, err := os.Stat(t.path)
	if err == nil && idOf(info) != t.id || errors.Is(err, fs.ErrNotExist) {
		f.listSoon = f.listSoon || !t.outsidePath
		if t.file == nil {
			t.info = nil
			return nil
		}
		info, err = t.file.Stat()
	}
	if err != nil {
		return err
	}
	was, now := t.info, f.now()
	t.info = info
	if was != nil && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
		return nil
	}
	t.changedAt, t.priorSize, t.drained, t.lastLineTried = now, 0, false, false
	if was != nil {
		t.priorSize = was.Size()
	} else if age := now.Sub(info.ModTime()); age > 0 {
		t.changedAt = now.Add(-age) // which a clock that is set back does not change
	}
	return nil
}

// readNew reads what the file has now.
func (f *follower) readNew(ctx context.Context, t *followedFile) error {
	quiet := f.now().Sub(t.changedAt)
	if t.at.Compressed {
		return f.readCompressed(ctx, t, quiet)
	}
	if !t.drained {
		if err := f.readPlain(ctx, t, false); err != nil || !t.drained {
			return err
		}
		f.reportShortened(t)
	}
	if quiet >= lastLineQuiet && t.at.Offset < t.info.Size() && !t.lastLineTried {
		return f.readPlain(ctx, t, true)
	}
	return nil
}

// reportShortened tells of what was taken away at the file's end before it was read.
func (f *follower) reportShortened(t *followedFile) {
	if gone := t.priorSize - t.info.Size(); gone > 0 {
		t.priorSize = 0
		f.notify(pipeline.Notice{Event: eventLost, Lost: gone, Message: fmt.Sprintf(
			"%s: %d bytes at its end were taken away before they were read", t.path, gone)})
	}
}

// ensureOpen opens the file if it is not, and reports whether it is there.
func (f *follower) ensureOpen(t *followedFile) (bool, error) {
	if t.file != nil {
		return true, nil
	}
	file, err := os.Open(t.path)
	if err != nil {
		return false, f.reportReadError(t, err)
	}
	info, err := file.Stat()
	if err != nil || idOf(info) != t.id {
		f.listSoon = true
		return false, transient(errors.Join(err, file.Close()))
	}
	t.file = file
	f.openFiles++
	return true, nil
}

// closeFile closes the file.
func (f *follower) closeFile(t *followedFile) {
	if t.file != nil {
		_ = t.file.Close() // it was only read
		t.file = nil
		f.openFiles--
	}
}

// closeIdle ends what nobody writes to any more, and closes what is not needed open.
func (f *follower) closeIdle(t *followedFile) {
	quiet := f.now().Sub(t.changedAt)
	switch {
	case t.file == nil || t.info == nil:
	case t.outsidePath && (removed(t.info) && quiet > lastLineQuiet || quiet > closeIdleAfter):
		f.unfollow(t)
	case quiet > closeIdleAfter || f.openFiles > openFilesMax:
		f.closeFile(t)
	}
}

// readPlain reads up to the size that the file had when it was looked at; with
// last, what nobody is writing on any more as well.
func (f *follower) readPlain(ctx context.Context, t *followedFile, last bool) error {
	if ok, err := f.ensureOpen(t); !ok {
		return err
	}
	if t.info.Size() < t.at.Offset {
		f.restartTruncated(t)
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
func (f *follower) readBlock(ctx context.Context, t *followedFile, last bool) (end bool, err error) {
	r := f.s.newReader(t.input(), &t.at)
	size := max(f.s.block, t.nextBlockBytes, len(byteOrderMark))
	full := f.s.buffers.get(size)[:size]
	n, err := t.file.ReadAt(full, t.at.Offset)
	if err != nil && err != io.EOF {
		return true, r.readError(err)
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
	if intact, err := t.isIntact(r, buf[:p.consumed]); err != nil || !intact {
		if err == nil {
			f.restartTruncated(t)
		}
		return true, transient(err)
	}
	end = end && !p.tooLong // which is found again, behind the records before it
	if len(p.spans) == 0 && (p.tooLong || !end && len(buf)-p.consumed > r.max+1) {
		return true, r.tooLong(p.at.line)
	}
	b := &block{data: buf, result: p, start: r.at, recheck: r.recheck, tail: tailHashOf(&r.at, buf[:p.consumed])}
	b.start.Offset = at
	b.start.recordStat(t.info, f.now())
	b.start.Path, b.start.Moved, b.start.Numbers = t.name, t.moved, f.s.numbers
	b.start.Unverified = f.unverified(t.name)
	b.hash = b.start.Hash
	b.hash.add(buf[:p.consumed])
	t.at = *b.after(len(p.spans))
	t.nextBlockBytes = 0
	if p.consumed == 0 && !end {
		t.nextBlockBytes = min(2*size, r.max+2)
	}
	t.drained, t.lastLineTried = t.drained || end, end && last
	if len(p.spans) == 0 {
		f.s.buffers.put(full)
		return end, nil
	}
	f.s.read.Add(int64(p.consumed))
	return end, f.send(ctx, t, b.records(f.s.name, r.in, &f.s.format, func() { f.s.buffers.put(full) }))
}

// isIntact reports whether the file still begins with what was read of it before.
// Only then are the bytes that follow, whole records, taken; the reader's cursor
// notes what identifies the file with them.
func (t *followedFile) isIntact(r *reader, taken []byte) (bool, error) {
	c := &r.at
	info, err := t.file.Stat()
	if err != nil || info.Size() < c.Offset+int64(len(taken)) {
		return false, err
	}
	head, err := part(t.file, 0, max(c.HeadBytes, int(min(headBytes, c.Offset+int64(len(taken))))))
	if err != nil || !c.matchesHead(head) {
		return false, err
	}
	ok, err := c.matchesTail(t.file)
	c.Head, c.HeadBytes = xxh3.Hash(head), len(head)
	return ok, err
}

// tailHash is what identifies the end of what was read.
type tailHash struct {
	hash  uint64
	at    int64
	bytes int
}

// tailHashOf returns the ending behind bytes that begin at a cursor.
func tailHashOf(c *cursor, taken []byte) tailHash {
	if len(taken) == 0 {
		return tailHash{c.Tail, c.TailAt, c.TailBytes}
	}
	last := taken[max(0, len(taken)-tailBytes):]
	return tailHash{xxh3.Hash(last), c.Offset + int64(len(taken)), len(last)}
}

// isBeingWritten reports whether somebody has just written to a compressed file.
func (f *follower) isBeingWritten(t *followedFile) bool {
	return f.now().Sub(t.changedAt) < compressedQuiet
}

// waitedLongEnough reports whether a compressed file was waited for so long that it is read while
// it is written to.
func (f *follower) waitedLongEnough(t *followedFile) bool {
	if t.compressedSince.IsZero() {
		t.compressedSince = f.now()
	}
	return f.now().Sub(t.compressedSince) >= compressedWaitMax
}

// readCompressed reads a compressed file, once nobody has written to it for a while; one that
// is written all the time now and then. Each time it is decompressed from its start, which
// must not take all the time as it grows.
func (f *follower) readCompressed(ctx context.Context, t *followedFile, quiet time.Duration) error {
	if t.drained {
		if !t.at.Done && quiet >= cutShortAfter && !t.cutShortTold {
			t.cutShortTold = true
			f.notify(pipeline.Notice{Event: eventCutShort, Message: fmt.Sprintf(
				"%s: the compressed file is cut short in line %d; waiting for the rest of it", t.path, t.at.Line)})
		}
		return nil
	}
	if f.isBeingWritten(t) && !f.waitedLongEnough(t) || quiet < closeIdleAfter/2 && f.now().Before(t.compressedNotBefore) {
		return nil
	}
	if ok, err := f.ensureOpen(t); !ok {
		return err
	}
	head, err := part(t.file, 0, headBytes)
	if err != nil {
		return transient(err)
	}
	if t.info.Size() < t.at.Size || !t.at.matchesHead(head) {
		f.restartTruncated(t)
		return nil
	}
	t.drained, t.cutShortTold = true, false
	t.at.Head, t.at.HeadBytes = xxh3.Hash(head), len(head)
	t.at.recordStat(t.info, f.now())
	return f.readStream(ctx, t)
}

// readStream reads the content of a compressed file from the cursor to its end.
func (f *follower) readStream(ctx context.Context, t *followedFile) error {
	c := t.checkpoint()
	c.Done, c.Numbers, c.Unverified = false, f.s.numbers, f.unverified(t.name)
	r := f.s.newReader(t.input(), &c)
	r.send = func(ctx context.Context, r *pipeline.Records) error { return f.send(ctx, t, r) }
	t.streaming = true
	started := f.now()
	err := r.content(ctx, t.file)
	t.at, t.streaming = r.at, false
	t.compressedSince = f.now()
	t.compressedNotBefore = t.compressedSince.Add(compressedPauseFactor * t.compressedSince.Sub(started))
	switch {
	case err == nil || errors.Is(err, errShorter):
		t.at.Done = true // a copy may have less than its original
	case errors.Is(err, errOther):
		f.restartTruncated(t)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		// More may come.
	default:
		return err
	}
	return nil
}
