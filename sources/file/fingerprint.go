package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// fileID identifies a file for as long as it exists, whatever it is called.
type fileID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

func idOf(info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), st.Ino}
	}
	return fileID{}
}

// known reports whether the system tells files apart.
func (id fileID) known() bool { return id.Ino != 0 }

// removed reports whether a file that is open has no name any more.
func removed(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}

// String is a name for cursors.
func (id fileID) String() string { return fmt.Sprintf("%x-%x", id.Dev, id.Ino) }

// part reads n bytes at an offset; fewer where the file ends.
func part(f io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	n, err := f.ReadAt(b, at)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// contentHead returns the first n bytes of a compressed file's content.
func contentHead(f *os.File, n int) (head []byte, err error) {
	stream, done, err := contentOf(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return nil, err
	}
	defer done()
	head = make([]byte, n)
	n, err = io.ReadFull(stream, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

// fingerprint is what identifies a file that was found, whatever its name.
type fingerprint struct {
	ctx        context.Context
	f          *os.File
	info       fs.FileInfo
	size       int64
	head       []byte // its first bytes
	compressed bool   // it is compressed
	content    []byte // the first bytes of its content; none if that can't be read
}

// takeFingerprint reads the fingerprint of a file. An error in compressed content is left to
// whoever reads it.
func takeFingerprint(ctx context.Context, f *os.File, info fs.FileInfo) (*fingerprint, error) {
	head, err := part(f, 0, headBytes)
	if err != nil {
		return nil, err
	}
	s := &fingerprint{ctx: ctx, f: f, info: info, size: info.Size(), head: head, content: head}
	if s.compressed = compression(head) != ""; s.compressed {
		if s.content, err = contentHead(f, headBytes); err != nil {
			s.content = nil
		}
	}
	return s, nil
}

// matchesFingerprint reports whether a file begins with all that the cursor says was read,
// or, if it is shorter, is the beginning of that as far as can be told.
func (c *cursor) matchesFingerprint(s *fingerprint) (bool, error) {
	if c.statUnchanged(s.info) {
		return true, nil
	}
	if !c.matchesBeginning(s) {
		return false, nil
	}
	if n, _ := c.readExtent(); !s.compressed && s.size < n {
		return true, nil
	}
	same, short, err := c.matchesContent(s.ctx, followedBytes{s.f})
	return same || short && s.compressed, err
}

// matchesBeginning reports whether the first bytes of a file, or of its content, are those of the
// one that was read.
func (c *cursor) matchesBeginning(s *fingerprint) bool {
	switch {
	case c.Compressed && s.compressed && c.HeadBytes > 0 && c.matchesHead(s.head):
		return s.size >= c.Size
	case c.Compressed:
		return c.ContentBytes > 0 && len(s.content) >= c.ContentBytes && xxh3.Hash(s.content[:c.ContentBytes]) == c.Content
	}
	return c.HeadBytes > 0 && c.matchesHead(s.content)
}

// matchesHead reports whether a file with these first bytes begins as it did.
func (c *cursor) matchesHead(head []byte) bool {
	return c.HeadBytes == 0 || len(head) >= c.HeadBytes && xxh3.Hash(head[:c.HeadBytes]) == c.Head
}

// matchesPlain reports whether all that was read of a plain file is still in it.
func (c *cursor) matchesPlain(f *os.File, size int64) (bool, error) {
	if size < c.Offset {
		return false, nil
	}
	head, err := part(f, 0, c.HeadBytes)
	if err != nil || !c.matchesHead(head) {
		return false, err
	}
	return c.matchesTail(f)
}

// matchesTail reports whether the last bytes that were read of a file are still there.
func (c *cursor) matchesTail(f *os.File) (bool, error) {
	tail, err := part(f, c.TailAt-int64(c.TailBytes), c.TailBytes)
	return err == nil && len(tail) == c.TailBytes && (c.TailBytes == 0 || xxh3.Hash(tail) == c.Tail), err
}

// isPrefix reports whether a file of this size is the beginning of another, by
// its first and last bytes.
func isPrefix(f, of *os.File, size int64) (bool, error) {
	for _, at := range []int64{0, max(0, size-tailBytes)} {
		n := int(min(headBytes, size-at))
		a, err := part(f, at, n)
		b, otherErr := part(of, at, n)
		if err = errors.Join(err, otherErr); err != nil || len(a) < n || !bytes.Equal(a, b) {
			return false, err
		}
	}
	return true, nil
}

// mayBeCopy reports whether a file may be a copy of another one by its name: it has the
// other's stem, then no letter or digit, and is longer, or the same in another folder. So
// app.log.1, app-20260101.log and app.log.gz may be copies of app.log, but app.log is none
// of them: the file that has the name of one that was renamed is new, whatever it begins with.
func mayBeCopy(name, of, stem string) bool {
	base := filepath.Base(name)
	rest, ok := strings.CutPrefix(base, stem)
	if !ok || stem == "" {
		return false
	}
	other := filepath.Base(of)
	next, _ := utf8.DecodeRuneInString(rest)
	return !unicode.IsLetter(next) && !unicode.IsDigit(next) && (len(base) > len(other) || base == other && name != of)
}

// stemOf returns the name of a file up to its first dot.
func stemOf(path string) string {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	return stem
}
