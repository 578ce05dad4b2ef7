// Package charset finds what is not UTF-8 in a text, and says what the text is
// written in where its beginning tells.
package charset

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"
)

// Mark is the byte order mark that some programs put before UTF-8.
const Mark = "\xef\xbb\xbf"

// Other returns the name of an encoding that the first bytes of a text tell and
// that is not UTF-8; "" = none. Four bytes are enough. UTF-16 and UTF-32 have a
// byte order mark, or else begin with ASCII characters, whose other bytes are zero.
func Other(first []byte) string {
	first = first[:min(len(first), 4)]
	for _, known := range []struct{ prefix, name string }{
		{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(first, []byte(known.prefix)) {
			return known.name
		}
	}
	shape := ""
	for _, b := range first {
		if b == 0 {
			shape += "0"
		} else {
			shape += "x"
		}
	}
	switch shape {
	case "x000", "000x":
		return "UTF-32"
	case "x0x0", "0x0x":
		return "UTF-16"
	}
	return ""
}

// Location is a character of a text. Both count from 1, Column in characters; a byte
// order mark is none.
type Location struct{ Line, Column int }

// Invalid reads a text up to its first byte that is not UTF-8, and returns that
// byte and its place; ok = there is one.
func Invalid(text io.Reader) (b byte, at Location, ok bool, err error) {
	in := bufio.NewReaderSize(text, 1<<16)
	skipMark(in)
	at = Location{1, 1}
	for {
		r, n, err := in.ReadRune()
		switch {
		case err == io.EOF:
			return 0, Location{}, false, nil
		case err != nil:
			return 0, Location{}, false, err
		case r == utf8.RuneError && n == 1:
			if err := in.UnreadRune(); err != nil {
				return 0, Location{}, false, err
			}
			b, err := in.ReadByte()
			return b, at, true, err
		case r == '\n':
			at = Location{at.Line + 1, 1}
		default:
			at.Column++
		}
	}
}

// Column returns the column, in characters, of the byte that is so many bytes
// behind the start of a line; both count from 1. It reads the text up to there.
func Column(text io.Reader, line, inBytes int) (int, error) {
	in := bufio.NewReaderSize(text, 1<<16)
	skipMark(in)
	for line > 1 {
		_, err := in.ReadSlice('\n')
		switch {
		case err == nil:
			line--
		case err != bufio.ErrBufferFull:
			return 0, err
		}
	}
	column := 1
	for at := 1; at < inBytes; column++ {
		_, n, err := in.ReadRune()
		if err != nil {
			return 0, err
		}
		at += n
	}
	return column, nil
}

// skipMark goes behind a byte order mark.
func skipMark(in *bufio.Reader) {
	if first, err := in.Peek(len(Mark)); err == nil && string(first) == Mark {
		_, _ = in.Discard(len(Mark)) // it was peeked at
	}
}
