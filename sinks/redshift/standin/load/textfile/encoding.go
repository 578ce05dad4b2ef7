package textfile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// decode makes UTF-8 of a file's encoding (dg/copy-parameters-data-conversion, ENCODING).
func decode(r io.Reader, encoding string) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	switch encoding {
	case "", "utf8":
		return b, nil
	case "iso88591":
		return &decoder{r: b, next: latin1}, nil
	case "utf16", "utf16le", "utf16be":
		order, err := byteOrder(b, encoding)
		if err != nil {
			return nil, err
		}
		return &decoder{r: b, next: func(r *bufio.Reader) (rune, error) { return readUTF16(r, order) }}, nil
	}
	return nil, fmt.Errorf("encoding %q is not known", encoding)
}

// byteOrder reads the mark at the file's beginning, which UTF16 demands and the others
// agree with if it is there.
func byteOrder(b *bufio.Reader, encoding string) (binary.ByteOrder, error) {
	mark, err := b.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var found binary.ByteOrder
	switch string(mark) {
	case "\xff\xfe":
		found = binary.LittleEndian
	case "\xfe\xff":
		found = binary.BigEndian
	}
	var said binary.ByteOrder
	switch encoding {
	case "utf16le":
		said = binary.LittleEndian
	case "utf16be":
		said = binary.BigEndian
	}
	if found != nil {
		if _, err := b.Discard(2); err != nil {
			return nil, err
		}
	}
	switch {
	case said == nil && found == nil && len(mark) > 0, said != nil && found != nil && said != found:
		return nil, ErrEncoding
	case said == nil && found == nil:
		return binary.LittleEndian, nil // the file is empty
	case said == nil:
		return found, nil
	}
	return said, nil
}

// decoder is a file in another encoding, read as UTF-8.
type decoder struct {
	r    *bufio.Reader
	next func(*bufio.Reader) (rune, error)
	rest []byte // of a character that did not fit
	err  error
}

// Read implements io.Reader.
func (d *decoder) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(d.rest) == 0 {
			if d.err == nil {
				var c rune
				if c, d.err = d.next(d.r); d.err == nil {
					d.rest = utf8.AppendRune(d.rest[:0], c)
				}
			}
			if d.err != nil {
				break
			}
		}
		some := copy(p[n:], d.rest)
		d.rest = d.rest[some:]
		n += some
	}
	if n == 0 && len(p) > 0 {
		return 0, d.err
	}
	return n, nil
}

func latin1(r *bufio.Reader) (rune, error) {
	b, err := r.ReadByte()
	return rune(b), err
}

func readUTF16(r *bufio.Reader, order binary.ByteOrder) (rune, error) {
	unit := func() (rune, error) {
		var two [2]byte
		if _, err := io.ReadFull(r, two[:]); err == io.ErrUnexpectedEOF {
			return 0, ErrEncoding
		} else if err != nil {
			return 0, err
		}
		return rune(order.Uint16(two[:])), nil
	}
	first, err := unit()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	second, err := unit()
	if err == io.EOF {
		err = ErrEncoding
	}
	if err != nil {
		return 0, err
	}
	c := utf16.DecodeRune(first, second)
	if c == utf8.RuneError {
		return 0, ErrEncoding
	}
	return c, nil
}
