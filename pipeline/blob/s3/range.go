package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// Reading goes by parts of this size, of which some are fetched ahead: a stream alone brings 50 to
// 100 MB/s (https://docs.aws.amazon.com/whitepapers/latest/s3-optimizing-performance-best-practices/use-byte-range-fetches.html).
const (
	readPart    = 8 << 20
	readAhead   = 3 // parts of one range
	readBuffers = 8 // of all ranges of a bucket: 64 MiB
	// readAheadFrom is the share of a part that is read of a range before anything is fetched ahead:
	// many only look at the beginning.
	readAheadFrom = 32
)

// Range implements blob.Object. The first request is made by the first Read.
func (o *object) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("%s: there is no offset %d", o.store.URL(o.info.Name), offset)
	}
	end := o.info.Size
	if length >= 0 && length < end-offset { // their sum may be too large a number
		end = offset + length
	}
	r := &rangeReader{of: o, start: offset, at: offset, end: max(end, offset), planned: offset}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.stop = context.AfterFunc(o.ctx, r.cancel) // a closed object is read no longer
	if offset == 0 && end == o.info.Size && o.sum.hash != nil {
		r.sum = o.sum.hash()
	}
	return r, nil
}

// rangeReader gives the bytes of a range in order. The part at its front is streamed, unless it was
// fetched ahead; what of a stream breaks off is asked for again.
type rangeReader struct {
	of      *object
	ctx     context.Context
	cancel  context.CancelFunc
	stop    func() bool
	start   int64
	at, end int64
	planned int64 // up to where parts are fetched or streamed

	front  *stream
	parts  []*aheadPart // behind the front, in order
	failed int          // attempts in a row that brought nothing
	sum    hash.Hash    // of all that was read; nil = it is not compared
	err    error        // that ended it
}

// aheadPart is a part that is fetched into a buffer.
type aheadPart struct {
	buffer *[]byte // given back when it was read
	bytes  []byte  // of the buffer
	read   int
	done   chan struct{}
	err    error
}

// Read implements io.Reader.
func (r *rangeReader) Read(b []byte) (int, error) {
	if r.err != nil || len(b) == 0 {
		return 0, r.err
	}
	n, err := r.read(b)
	r.at += int64(n)
	if r.sum != nil {
		r.sum.Write(b[:n]) // a hash returns no error
	}
	r.err = err
	if err == nil && r.at == r.end && r.sum != nil {
		// Before the last bytes are believed.
		r.err = r.of.sum.check(r.of.store.URL(r.of.info.Name), r.sum)
		r.sum = nil
	}
	if r.err != nil && n > 0 && err == nil {
		return 0, r.err
	}
	return n, r.err
}

func (r *rangeReader) read(b []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.front == nil && len(r.parts) == 0 {
		r.planned = min(r.at+r.of.store.o.ReadPart, r.end)
		r.front = &stream{of: r, end: r.planned}
	}
	r.fetchAhead()
	if r.front != nil {
		n, err := r.front.read(b)
		if r.at+int64(n) == r.front.end {
			r.front.close()
			r.front = nil
		}
		return n, err
	}
	return r.readPart(b)
}

// readPart gives bytes of the first part that was fetched.
func (r *rangeReader) readPart(b []byte) (int, error) {
	p := r.parts[0]
	select {
	case <-p.done:
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
	if p.err != nil {
		return 0, p.err
	}
	n := copy(b, p.bytes[p.read:])
	if p.read += n; p.read == len(p.bytes) {
		r.of.store.release(p)
		r.parts = r.parts[1:]
	}
	return n, nil
}

// fetchAhead begins to fetch parts as long as there are buffers: without any, the stream does.
func (r *rangeReader) fetchAhead() {
	if r.at-r.start < r.of.store.o.ReadPart/readAheadFrom {
		return
	}
	for len(r.parts) < readAhead && r.planned < r.end {
		select {
		case <-r.of.store.ahead:
		default:
			return
		}
		buffer := r.of.store.buffers.Get().(*[]byte)
		from := r.planned
		r.planned = min(from+r.of.store.o.ReadPart, r.end)
		p := &aheadPart{buffer: buffer, bytes: (*buffer)[:r.planned-from], done: make(chan struct{})}
		r.parts = append(r.parts, p)
		go func() {
			defer close(p.done)
			p.err = r.of.fetch(r.ctx, p.bytes, from)
		}()
	}
}

// release lets another part be read ahead.
func (b *bucket) release(p *aheadPart) {
	b.buffers.Put(p.buffer)
	b.ahead <- struct{}{}
}

// Close implements io.Closer. It waits for what is being fetched.
func (r *rangeReader) Close() error {
	r.stop()
	r.cancel()
	if r.front != nil {
		r.front.close()
		r.front = nil
	}
	for _, p := range r.parts {
		<-p.done
		r.of.store.release(p)
	}
	r.parts = nil
	if r.err == nil {
		r.err = errClosed
	}
	return nil
}

var errClosed = errors.New("read of a range that is closed")

// errStalled is why a body is given up of which nothing more comes.
var errStalled = errors.New("nothing came of the answer for too long")

// stream is the body of one answer after another, from where the reader is to an end.
type stream struct {
	of     *rangeReader
	end    int64
	body   io.ReadCloser // nil = it is to be asked for
	cancel context.CancelCauseFunc
	ctx    context.Context
	timer  *time.Timer // ends a body that stalls
}

// read gives bytes, and asks again where a body breaks off.
func (s *stream) read(b []byte) (int, error) {
	r, store := s.of, s.of.of.store
	for {
		n, err := s.attempt(b)
		switch {
		case n > 0:
			r.failed = 0 // what is wrong comes again
			return n, nil
		case err == nil:
			continue
		}
		s.close()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the end is ours to know
		}
		err = awsapi.Error(r.ctx, err)
		if r.failed++; !pipeline.Retryable(err) || r.failed >= store.retry.Attempts {
			return 0, err
		}
		store.countRetry(pipeline.RetryReason(err))
		if e := store.retry.Pause(r.ctx, r.failed); e != nil {
			return 0, errors.Join(e, err)
		}
	}
}

// attempt reads once, of the body that is open or of a new one.
func (s *stream) attempt(b []byte) (int, error) {
	store := s.of.of.store
	if s.body == nil {
		if err := s.open(); err != nil {
			return 0, s.cause(err)
		}
	}
	s.timer.Reset(store.stall)
	n, err := s.body.Read(b)
	s.timer.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, fmt.Errorf("%s: at byte %d: %w", store.URL(s.of.of.info.Name), s.of.at, s.cause(err))
}

// cause replaces what a body says that was given up.
func (s *stream) cause(err error) error {
	if s.ctx != nil && s.of.ctx.Err() == nil && errors.Is(context.Cause(s.ctx), errStalled) {
		return pipeline.TransientFor(awsapi.Timeout, fmt.Errorf("%w: %w", errStalled, err))
	}
	return err
}

func (s *stream) open() error {
	r, store := s.of, s.of.of.store
	client, err := store.connect(r.ctx)
	if err != nil {
		return err
	}
	s.ctx, s.cancel = context.WithCancelCause(r.ctx)
	cancel := s.cancel
	s.timer = time.AfterFunc(store.stall, func() { cancel(errStalled) })
	err = store.attempt(s.ctx, "GetObject", r.of.info.Name, func() (err error) {
		s.body, err = r.of.get(s.ctx, client, r.at, s.end)
		return err
	})
	s.timer.Stop()
	return err
}

// close ends the body. What was not read of it is dropped with its connection.
func (s *stream) close() {
	if s.cancel != nil {
		s.timer.Stop()
		s.cancel(nil)
	}
	if s.body != nil {
		s.body.Close() // what it says is of no use: all that was wanted was read, or nothing is
	}
	s.body = nil
}
