package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

const (
	defaultBlockBytes = 1 << 20
	queuedBlocks      = 4
	// defaultExactBytes is how much of a file's beginning is scanned byte by byte: enough for
	// most small files with several records in a line, and cheap.
	defaultExactBytes = 64 << 10
	// spansPerKiB is a guess at the number of records, to allocate for.
	spansPerKiB = 2
)

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// input is a file to read.
type input struct {
	partition string
	display   string // what people call the partition; empty = its name
	path      string
	info      fs.FileInfo
	at        *cursor // what was read of it; nil = nothing
	verified  bool    // its content was compared with what was read of it
	items     int64   // the number of records that it must have; -1 = unknown
	md5       string  // of the file, from a manifest; empty = unknown
	// Of an export's file: the format of its records, the progress of the exports before, and
	// how far the export is read; nil = it is of none.
	format *pipeline.Format
	before exportProgress
	export *exportReads
}

// reader reads one file from a cursor on.
type reader struct {
	in     *input
	open   func(context.Context) (blob.Object, error)
	at     cursor // of the next byte of the stream that is not in a block
	format *pipeline.Format
	source string
	max    int
	block  int
	read   *atomic.Int64
	// send hands records over, with the block that they are of; nil = they are positions only.
	send   func(context.Context, *pipeline.Records, *block) error
	now    func() time.Time
	number func(*cursor) // numbers the file, unless numbered says that it is
	// lane tells apart, in profiles, readers that run at the same time.
	lane int
	// buffers, inMemory and exact are shared by the source's readers.
	buffers  *buffers
	inMemory *budget      // of objects that are kept in memory
	exact    *atomic.Bool // every byte is scanned; see splitter
	// exactHead is how many bytes of a file's beginning are scanned one by one anyway.
	exactHead int64

	numbered bool
	counted  bool // it is one of the reads that its export waits for
	quiet    bool // the file is followed, and has not changed for a while, or ends here for now
	given    bool // records of it were handed over
	growing  bool // the file is still written to: what stands at its end without an end is left out

	stream   io.Reader
	ahead    *contentAhead // of a compressed stream
	raw      atomic.Int64  // the offset in the file, in stored bytes
	leftover []byte        // bytes that were read and are not whole records yet
	pending  *block        // it is handed over when the next one, or the end, is known
}

// run reads the file to its end.
func (r *reader) run(ctx context.Context) (err error) {
	f, err := r.open(ctx)
	if err != nil {
		return transient(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return r.readOpen(ctx, f)
}

// readOpen reads an open file to its end.
func (r *reader) readOpen(ctx context.Context, f blob.Object) error {
	info := listing.InfoOf(f.Info())
	if skip, err := r.startOrResume(ctx, f, info); skip || err != nil {
		return transient(err)
	}
	r.at.Path = cmp.Or(r.at.Path, r.in.path)
	if !r.numbered || r.at.Numbers == 0 { // it was replaced since it was numbered
		r.number(&r.at)
	}
	if err := r.content(ctx, f); err != nil || r.given || !isObject(info) {
		return err
	}
	// It has no records, so that none has its cursor. It is not asked for again.
	c := r.at
	c.Done, c.Size, c.exportProgress, c.PriorProgress = true, info.Size(), r.in.before, nil
	return r.send(ctx, &pipeline.Records{Source: r.source, Format: r.format, Positions: map[string][]byte{r.in.partition: c.encode()}}, nil)
}

// startOrResume checks an open file against the cursor. skip says that the file has nothing new.
func (r *reader) startOrResume(ctx context.Context, f storedBytes, info fs.FileInfo) (skip bool, err error) {
	switch {
	case r.at.Offset == 0 && r.at.PriorProgress == nil:
		return false, r.at.start(f, info, r.now())
	case r.at.statUnchanged(info):
		return false, nil // as Open found it
	}
	return r.at.resume(ctx, f, info, r.in.path, r.now(), false)
}

// content reads an open file from the cursor to its end.
func (r *reader) content(ctx context.Context, f storedBytes) error {
	r.at.Line = max(r.at.Line, 1)
	r.at.exportProgress = r.in.before
	f, release, err := r.in.verify(ctx, f, r.inMemory)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, closeStream, err := decompressed(ctx, f, r.at.Hash, &r.raw, r.read)
	if errors.Is(err, errOther) {
		return r.at.changedError(r.in.path, err)
	}
	if err != nil {
		return r.readError(err)
	}
	defer closeStream()
	r.stream, r.ahead = stream, nil
	if r.at.Compressed {
		r.ahead = startContentAhead(ctx, stream, r.buffers, r.source, r.lane)
		defer r.ahead.wait()
		defer cancel()
	}
	for {
		end, err := r.next(ctx)
		if end || err != nil {
			return err
		}
	}
}

// next reads a block and hands the one before over.
func (r *reader) next(ctx context.Context) (end bool, err error) {
	memory, buf, readErr := r.fill(ctx)
	if r.at.Offset == 0 {
		if err := refuse(r.in.path, buf, r.at.Compressed); err != nil {
			return true, err
		}
	}
	buf = r.skipMark(buf)
	if readErr != nil && readErr != io.EOF {
		return true, r.sendWhole(ctx, memory, buf, readErr)
	}
	last := readErr == io.EOF
	r.quiet = last && r.growing // only its last record may still get an end
	p := r.split(buf, last && !r.growing)
	if len(p.spans) == 0 && !last && !p.tooLong {
		p.tooLong = len(buf)-p.consumed > r.max+1 // a line may have \r besides
	}
	if err := r.appendBlock(ctx, memory, buf, p); err != nil {
		return true, err
	}
	switch {
	case p.tooLong:
		return true, errors.Join(r.sendPending(ctx, false), r.tooLong(p.at.line))
	case last:
		return true, r.finish(ctx)
	}
	return false, nil
}

// skipMark leaves out a byte order mark at the start of the file.
func (r *reader) skipMark(buf []byte) []byte {
	if r.at.Offset != 0 || !bytes.HasPrefix(buf, byteOrderMark) {
		return buf
	}
	r.at.Offset = int64(len(byteOrderMark))
	r.at.Hash.add(byteOrderMark)
	return buf[len(byteOrderMark):]
}

// tooLong is the error about the record that begins in a line.
func (r *reader) tooLong(line int64) error {
	return fmt.Errorf("%s:%d: the record is longer than max_record, %d bytes: raise max_record of the source", r.in.path, line, r.max)
}

// fill reads until the buffer is full or the stream ends, behind what was left over; data is
// what the buffer, memory, has then. The buffer is larger than what was left over.
func (r *reader) fill(ctx context.Context) (memory, data []byte, err error) {
	size := max(r.block, min(2*len(r.leftover), r.max+2), len(r.leftover)+1, len(byteOrderMark))
	leftover := r.leftover
	r.leftover = nil
	if r.ahead != nil {
		return r.ahead.fill(ctx, leftover, size)
	}
	buf := append(r.buffers.get(size), leftover...)
	for len(buf) < size {
		n, err := r.stream.Read(buf[len(buf):size])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, buf, err
		}
	}
	return buf, buf, nil
}

// split cuts the buffer into records.
func (r *reader) split(buf []byte, last bool) splitResult {
	s := r.splitter(last)
	return s.split(buf, make([]pipeline.Span, 0, len(buf)>>10*spansPerKiB+8))
}

func (r *reader) splitter(last bool) splitter {
	return splitter{encoding: r.format.Encoding, at: r.at.position(), offset: r.at.Offset, max: r.max, last: last, quiet: r.quiet,
		exact: r.exact.Load(), exactTo: r.exactHead}
}

// recheck is the Recheck of records that were found by the first and last byte of their lines.
// If that was wrong, every byte is scanned from now on, and the records are read again.
func (r *reader) recheck(record []byte, line int64) error {
	s := splitter{encoding: r.format.Encoding, max: r.max}
	if s.isSingleRecord(record) {
		return nil
	}
	r.exact.Store(true)
	return fmt.Errorf("%s:%d: %w", r.in.path, line, pipeline.ErrReadAgain)
}

// appendBlock makes the records the pending block, and hands over the one before.
func (r *reader) appendBlock(ctx context.Context, memory, buf []byte, p splitResult) error {
	if len(p.spans) > 0 {
		if err := r.sendPending(ctx, false); err != nil {
			return err
		}
		r.pending = &block{memory: memory, result: p, start: r.at, recheck: r.recheck}
		r.at.Records += int64(len(p.spans))
	}
	r.leftover = buf[p.consumed:]
	r.at.advance(buf[:p.consumed], p.at)
	if len(p.spans) > 0 {
		r.pending.hash = r.at.Hash
	}
	return nil
}

// sendPending hands the pending block over.
func (r *reader) sendPending(ctx context.Context, last bool) error {
	b := r.pending
	if b == nil {
		return nil
	}
	r.pending, r.given = nil, true
	b.last = last
	b.end = r.in.before
	return r.send(ctx, b.records(r.source, r.in, r.format, func() { r.buffers.put(b.memory) }), b)
}

// finish ends a file that was read to its end.
func (r *reader) finish(ctx context.Context) error {
	if open := r.at.position().open; open != nil && !r.growing {
		what := "an array"
		if open.within(inEnvelope) || open.within(inTables) {
			what = "an object that holds records"
		}
		return errors.Join(r.sendPending(ctx, false), fmt.Errorf("%s:%d: the file ends inside %s, which began in line %d, so it is not whole: copy it again",
			r.in.path, r.at.Line, what, open.line))
	}
	if r.in.items >= 0 && r.at.Records != r.in.items {
		return errors.Join(r.sendPending(ctx, false), fmt.Errorf("%s: the file has %d items, its manifest says %d: copy the export again",
			r.in.path, r.at.Records, r.in.items))
	}
	if r.pending != nil {
		// A file that has grown since it was opened is done at the size that was read.
		r.pending.start.Size = max(r.at.Size, r.raw.Load())
	}
	return r.sendPending(ctx, true)
}

// sendWhole ends a file that could not be read on: whole records are handed over before the
// error.
func (r *reader) sendWhole(ctx context.Context, memory, buf []byte, cause error) error {
	if p := r.split(buf, false); len(p.spans) > 0 {
		if err := r.appendBlock(ctx, memory, buf, p); err != nil {
			return err
		}
	}
	return errors.Join(r.sendPending(ctx, false), r.readError(cause))
}

// readError adds the line at which the file could not be read on.
func (r *reader) readError(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	if errors.Is(cause, blob.ErrChanged) {
		// What it is now is held against what was read of it, at the checkpoint.
		return pipeline.TransientFor("changed", fmt.Errorf("%s:%d: %w", r.in.path, r.at.Line, cause))
	}
	if r.at.Compressed && !isSystem(cause) {
		return fmt.Errorf("%s: the compressed file is cut short or damaged in line %d, after %d bytes of its content: %w: copy it again; the next run goes on at the last epoch that was saved",
			r.in.path, r.at.Line, r.at.Offset, cause)
	}
	return transient(fmt.Errorf("%s:%d: %w", r.in.path, r.at.Line, cause))
}

// isSystem reports whether an error is one of reading stored bytes, and not about what they are.
func isSystem(err error) bool {
	var stored *storedError
	return errors.As(err, &stored)
}

// transient marks errors of the system that may go away.
func transient(err error) error {
	for _, e := range []syscall.Errno{syscall.EIO, syscall.EINTR, syscall.ESTALE, syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) {
			return pipeline.Transient(err)
		}
	}
	return err
}
