package generate

import (
	"context"
	"fmt"
	"io"
)

// blockBytes is how much is gathered before it is written.
const blockBytes = 1 << 20

// lineWriter is a writer that takes lines one by one, as soon as they are made, and is told when there
// are no more.
type lineWriter interface {
	io.Writer
	// Finish ends the writing: what was written is where it belongs after it.
	Finish() error
}

// lines gathers lines and writes them in blocks, or one by one where a lineWriter takes
// them. A line is appended to buf by its maker and then ended. The first error sticks, and ends all.
type lines struct {
	ctx          context.Context // of the one call that owns the lines
	out          io.Writer
	block        int // bytes
	buf          []byte
	count, bytes int64
	err          error
}

func newLines(ctx context.Context, out io.Writer) *lines {
	l := &lines{ctx: ctx, out: out, block: blockBytes, buf: make([]byte, 0, blockBytes+64<<10)}
	if _, ok := out.(lineWriter); ok {
		l.block = 0
	}
	return l
}

// end counts what was appended as one line, and reports whether to go on.
func (l *lines) end() bool {
	l.count++
	if len(l.buf) >= l.block {
		l.err = l.flush()
	}
	return l.err == nil
}

// flush writes what is gathered, and returns the first error of all.
func (l *lines) flush() error {
	if l.err == nil {
		l.err = l.ctx.Err()
	}
	if l.err == nil && len(l.buf) > 0 {
		if _, err := l.out.Write(l.buf); err != nil {
			l.err = fmt.Errorf("sample data: %w", err)
		}
	}
	l.bytes += int64(len(l.buf))
	l.buf = l.buf[:0]
	return l.err
}

// finish flushes and fills the figures of s.
func (l *lines) finish(s *Stats) error {
	err := l.flush()
	if w, ok := l.out.(lineWriter); ok && err == nil {
		err = w.Finish()
	}
	s.Records, s.Bytes = l.count, l.bytes
	return err
}
