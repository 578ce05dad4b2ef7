package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// readNew reads what was appended to the file. overwritten says that its content is not what
// was read of it, so that it is another file now.
func (t *followedFile) readNew(ctx context.Context) (overwritten bool, err error) {
	if t.at.Compressed {
		return t.readCompressed(ctx)
	}
	if !t.drained {
		if overwritten, err = t.readPlain(ctx, false); err != nil || !t.drained {
			return overwritten, err
		}
		t.reportShortened()
	}
	if t.quiet() >= lastLineQuiet && t.at.Offset < t.info.Size() && !t.lastLineTried {
		return t.readPlain(ctx, true)
	}
	return false, nil
}

// reportShortened notifies of bytes at the file's end that were removed before they were read.
func (t *followedFile) reportShortened() {
	if gone := t.priorSize - t.info.Size(); gone > 0 {
		t.priorSize = 0
		t.env.notify(pipeline.Notice{Event: eventLost, Partition: t.path, Position: t.at.text(), Lost: gone, Message: fmt.Sprintf(
			"%s: %d bytes at its end were taken away before they were read", t.path, gone)})
	}
}

// readPlain reads up to the size that the file had at the last poll. last says that the last
// line is read too, though it has no end.
func (t *followedFile) readPlain(ctx context.Context, last bool) (overwritten bool, err error) {
	if err := t.open(); err != nil {
		return false, err
	}
	if t.info.Size() < t.at.Offset {
		return true, nil
	}
	for {
		end, overwritten, err := t.readBlock(ctx, last)
		// What was appended meanwhile is left to the next poll, since other files wait.
		if end || overwritten || err != nil || t.at.Offset >= t.info.Size() {
			return overwritten, err
		}
	}
}

// readBlock reads a block of whole records, and hands it over. end says that there are no
// bytes behind it.
func (t *followedFile) readBlock(ctx context.Context, last bool) (end, overwritten bool, err error) {
	src := t.env.source
	r := src.newReader(t.input(), &t.at)
	size := max(src.block, t.nextBlockBytes, len(byteOrderMark))
	full := src.buffers.get(size)[:size]
	n, err := t.file.ReadAt(full, t.at.Offset)
	if err != nil && err != io.EOF {
		return true, false, r.readError(err)
	}
	if r.at.Offset == 0 {
		if err := refuse(r.in.path, full[:n], false); err != nil {
			return true, false, err
		}
	}
	buf := r.skipMark(full[:n])
	offset := r.at.Offset // behind the mark
	end = n < size
	r.quiet = last && end
	p := r.split(buf, r.quiet && t.moved)
	if intact, err := t.isIntact(r, buf[:p.consumed]); err != nil || !intact {
		return true, err == nil, transient(err)
	}
	end = end && !p.tooLong // the next block, behind the records before it, finds that again
	if len(p.spans) == 0 && (p.tooLong || !end && len(buf)-p.consumed > r.max+1) {
		return true, false, r.tooLong(p.at.line)
	}
	b := &block{memory: full, result: p, start: r.at, recheck: r.recheck, tail: tailHashOf(&r.at, buf[:p.consumed])}
	b.start.Offset = offset
	b.start.recordStat(t.info, t.env.now())
	b.start.Path, b.start.Moved, b.start.Numbers = t.name, t.moved, src.numbers
	b.start.Unverified = t.env.unverified(t.name)
	b.hash = b.start.Hash
	b.hash.add(buf[:p.consumed])
	t.at = *b.after(len(p.spans))
	t.nextBlockBytes = 0
	if p.consumed == 0 && !end {
		t.nextBlockBytes = min(2*size, r.max+2)
	}
	t.drained, t.lastLineTried = t.drained || end, end && last
	if len(p.spans) == 0 {
		src.buffers.put(full)
		return end, false, nil
	}
	src.read.Add(int64(p.consumed))
	return end, false, t.env.send(ctx, t, b.records(src.name, r.in, &src.format, func() { src.buffers.put(full) }))
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

// tailHash is a hash of the last bytes that were read of a file.
type tailHash struct {
	hash  uint64
	at    int64
	bytes int
}

// tailHashOf returns the hash of the end of bytes that begin at a cursor.
func tailHashOf(c *cursor, taken []byte) tailHash {
	if len(taken) == 0 {
		return tailHash{c.Tail, c.TailAt, c.TailBytes}
	}
	last := taken[max(0, len(taken)-tailBytes):]
	return tailHash{xxh3.Hash(last), c.Offset + int64(len(taken)), len(last)}
}

// readCompressed reads a compressed file once it has not changed for compressedQuiet, or has
// changed all the time for compressedWaitMax. It is decompressed from its start each time, so
// a file that grows is read again only after a pause.
func (t *followedFile) readCompressed(ctx context.Context) (overwritten bool, err error) {
	quiet := t.quiet()
	if t.drained {
		if !t.at.Done && quiet >= cutShortAfter && !t.cutShortTold {
			t.cutShortTold = true
			t.env.notify(pipeline.Notice{Event: eventCutShort, Message: fmt.Sprintf(
				"%s: the compressed file is cut short in line %d; waiting for the rest of it", t.path, t.at.Line)})
		}
		return false, nil
	}
	if t.isBeingWritten() && !t.waitedLongEnough() || quiet < closeIdleAfter/2 && t.env.now().Before(t.compressedNotBefore) {
		return false, nil
	}
	if err := t.open(); err != nil {
		return false, err
	}
	head, err := part(t.file, 0, headBytes)
	if err != nil {
		return false, transient(err)
	}
	if t.info.Size() < t.at.Size || !t.at.matchesHead(head) {
		return true, nil
	}
	t.drained, t.cutShortTold = true, false
	t.at.Head, t.at.HeadBytes = xxh3.Hash(head), len(head)
	t.at.recordStat(t.info, t.env.now())
	return t.readStream(ctx)
}

// readStream reads the content of a compressed file from the cursor to its end.
func (t *followedFile) readStream(ctx context.Context) (overwritten bool, err error) {
	src := t.env.source
	c := t.checkpoint()
	c.Done, c.Numbers, c.Unverified = false, src.numbers, t.env.unverified(t.name)
	r := src.newReader(t.input(), &c)
	r.send = func(ctx context.Context, r *pipeline.Records, _ *block) error { return t.env.send(ctx, t, r) }
	t.streaming = true
	started := t.env.now()
	err = r.content(ctx, followedBytes{t.file})
	t.at, t.streaming = r.at, false
	t.compressedSince = t.env.now()
	t.compressedNotBefore = t.compressedSince.Add(compressedPauseFactor * t.compressedSince.Sub(started))
	switch {
	case err == nil || errors.Is(err, errShorter):
		t.at.Done = true // a copy may have less than its original
	case errors.Is(err, errOther):
		return true, nil
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		// The rest may be written later.
	default:
		return false, err
	}
	return false, nil
}

// followedBytes is the storedBytes of a followed file.
type followedBytes struct{ *os.File }

// Range implements storedBytes.
func (f followedBytes) Range(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = math.MaxInt64 - offset
	}
	return io.NopCloser(io.NewSectionReader(f.File, offset, length)), nil
}
