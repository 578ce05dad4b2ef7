package file

import (
	"context"
	"io"
	"runtime/pprof"
	"strconv"
	"sync"
)

// contentAhead reads a compressed stream ahead of whoever cuts it into records, on a goroutine
// of its own: decompressing takes most of the time that reading takes, and one stream can't be
// divided. The bytes are those of the stream in its order; where they are divided depends on
// nothing but their number.
type contentAhead struct {
	buffers *buffers
	chunks  chan *chunk
	now     *chunk // that is taken from; nil = the next one is to be waited for
	task    sync.WaitGroup
}

// chunk is a piece of the content: memory[start:].
type chunk struct {
	memory []byte
	start  int   // at first the bytes that are reserved for what was left over before
	err    error // that follows the content; io.EOF behind all of it
}

// startContentAhead begins to read a stream. It ends with the stream, or with ctx; wait waits
// for that.
func startContentAhead(ctx context.Context, stream io.Reader, b *buffers, source string, lane int) *contentAhead {
	a := &contentAhead{buffers: b, chunks: make(chan *chunk)}
	a.task.Go(func() {
		pprof.Do(ctx, pprof.Labels("role", "decompressor "+source+" "+strconv.Itoa(lane)), func(ctx context.Context) { a.run(ctx, stream) })
	})
	return a
}

func (a *contentAhead) run(ctx context.Context, stream io.Reader) {
	for {
		c := a.read(stream)
		select {
		case a.chunks <- c:
		case <-ctx.Done():
			return
		}
		if c.err != nil {
			return
		}
	}
}

// read reads a chunk that is full, unless the stream ends.
func (a *contentAhead) read(stream io.Reader) *chunk {
	memory, n := a.buffers.get(a.buffers.capacity()), a.buffers.reserved()
	c := &chunk{start: n}
	for full := a.buffers.capacity(); n < full && c.err == nil; {
		var k int
		k, c.err = stream.Read(memory[n:full])
		n += k
	}
	c.memory = memory[:n]
	return c
}

// wait waits until nothing is read any more, which comes soon once the ctx has ended.
func (a *contentAhead) wait() { a.task.Wait() }

// next makes sure that there is content to take, or the error that is in its place.
func (a *contentAhead) next(ctx context.Context) error {
	for a.now == nil || a.now.start == len(a.now.memory) {
		if a.now != nil {
			if a.now.err != nil {
				return a.now.err
			}
			a.buffers.put(a.now.memory)
		}
		select {
		case a.now = <-a.chunks:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fill returns what was left over of the content before, and what follows it, up to err. Data
// is of size bytes, if what was left over finds no room before what was read; memory is what it
// lies in. It is not called again after an error.
func (a *contentAhead) fill(ctx context.Context, leftover []byte, size int) (memory, data []byte, err error) {
	err = a.next(ctx)
	if c := a.now; err == nil && len(leftover) <= c.start {
		from := c.start - copy(c.memory[c.start-len(leftover):], leftover)
		a.now = nil
		return c.memory, c.memory[from:], c.err
	}
	// What was left over lies in memory that is used again once its block is handed over.
	data = append(a.buffers.get(size), leftover...)
	for ; err == nil && len(data) < size; err = a.next(ctx) {
		n := min(len(a.now.memory)-a.now.start, size-len(data))
		data = append(data, a.now.memory[a.now.start:a.now.start+n]...)
		a.now.start += n
	}
	return data, data, err
}
