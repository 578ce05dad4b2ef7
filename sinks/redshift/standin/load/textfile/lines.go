package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errTooLong is a record of more than MaxRecord bytes.
var errTooLong = errors.New("record is too long")

// lines reads line after line and counts them.
type lines struct {
	r    *bufio.Reader
	line int64 // of what is read next
}

// read adds the next line to buf, with the line feed at its end if it has one. At the
// file's end, and only there, the error is io.EOF. After errTooLong the rest of the line
// is still to be read.
func (l *lines) read(buf []byte) ([]byte, error) {
	start := len(buf)
	for {
		some, err := l.r.ReadSlice('\n')
		buf = append(buf, some...)
		switch {
		case err == nil:
			l.line++
			if len(buf) > MaxRecord+2 {
				return buf, errTooLong
			}
			return buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(buf) > MaxRecord+2 {
				return buf, errTooLong
			}
		case err == io.EOF && len(buf) > start:
			return buf, nil
		default:
			return buf, err
		}
	}
}

// drop reads the rest of a line that is too long; last is what was read of it.
func (l *lines) drop(last []byte) error {
	for len(last) == 0 || last[len(last)-1] != '\n' {
		var err error
		if last, err = l.r.ReadSlice('\n'); err == io.EOF {
			return nil
		} else if err == nil {
			l.line++
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	return nil
}

// skip leaves lines out.
func (l *lines) skip(n int) error {
	for range n {
		if err := l.drop(nil); err != nil {
			return err
		}
	}
	return nil
}

// trim takes the end of the line off: a line feed, with a carriage return before it or not.
func trim(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// unexpected is the reason of a record that goes on behind its end: behind a NUL byte, or a
// carriage return without a line feed.
func unexpected(line []byte, at int) string {
	return fmt.Sprintf("Missing newline: Unexpected character 0x%02x found at location %d", line[at], at)
}

// cut ends a record at a NUL byte, unless NULL AS gives these a meaning
// (dg/copy-parameters-data-conversion, NULL AS). It is false if something follows.
func (b *base) cut(record *Record, line []byte) ([]byte, bool) {
	if b.nulByte {
		return line, true
	}
	at := bytes.IndexByte(line, 0)
	if at < 0 {
		return line, true
	}
	if at+1 < len(line) {
		record.fail(codeLine, unexpected(line, at+1), -1)
		return line, false
	}
	return line[:at], true
}

// carriage fails a record that has a carriage return which ends no line.
func carriage(record *Record, line []byte) bool {
	at := bytes.IndexByte(line, '\r')
	if at < 0 {
		return false
	}
	if at+1 >= len(line) {
		at--
	}
	record.fail(codeLine, unexpected(line, at+1), -1)
	return true
}

// next reads a record's line, which goes on as long as more tells so of what was added to
// it; more may be nil. It is false with a record that is at fault already.
func (b *base) next(record *Record, buf *[]byte, more func(added []byte) bool) (bool, error) {
	for {
		record.reset(b.lines.line)
		*buf = (*buf)[:0]
		for {
			start := len(*buf)
			var err error
			*buf, err = b.lines.read(*buf)
			if errors.Is(err, errTooLong) {
				err = b.lines.drop((*buf)[start:])
				record.Raw = (*buf)[:min(len(*buf), 1024)]
				record.fail(codeLine, fmt.Sprintf("Input line is not valid: it has more than %d bytes", MaxRecord), -1)
				return false, err
			}
			if err == io.EOF && start > 0 {
				break // the file ends within the record
			}
			if err != nil {
				return false, err
			}
			if more == nil || !more((*buf)[start:]) {
				break
			}
		}
		record.Raw = trim(*buf)
		if b.options.IgnoreBlankLines && len(record.Raw) == 0 {
			continue
		}
		return true, nil
	}
}
