package generate

import (
	"context"
	"fmt"
	"io"
)

// blockBytes is how much is gathered before it is written.
const blockBytes = 1 << 20

// lines gathers lines and writes them in blocks. A line is appended to buf by
// its maker and then ended. The first error sticks, and ends all.
type lines struct {
	ctx          context.Context // of the one call that owns the lines
	out          io.Writer
	buf          []byte
	count, bytes int64
	err          error
}

func newLines(ctx context.Context, out io.Writer) *lines {
	return &lines{ctx: ctx, out: out, buf: make([]byte, 0, blockBytes+64<<10)}
}

// end counts what was appended as one line, and reports whether to go on.
func (l *lines) end() bool {
	l.count++
	if len(l.buf) >= blockBytes {
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
	s.Records, s.Bytes = l.count, l.bytes
	return err
}
