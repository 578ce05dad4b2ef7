package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// cursor is the place of the next record in a file, and what tells that the
// file is still the one that was read.
type cursor struct {
	Offset  int64 `json:"offset"` // in the decompressed bytes
	Line    int64 `json:"line"`   // of Offset, from 1
	Records int64 `json:"records"`
	Number  int64 `json:"number"` // of the file, in the order in which the source's were first read
	// Of the place in its line and around it, see place.
	Indent int          `json:"indent,omitempty"`
	Inline bool         `json:"inline,omitempty"`
	Open   []savedFrame `json:"open,omitempty"`
	Given  int          `json:"given,omitempty"`

	Size       int64  `json:"size"` // of the file, compressed
	Head       uint64 `json:"head"` // hash of its first HeadBytes bytes
	HeadBytes  int    `json:"head_bytes"`
	Compressed bool   `json:"compressed,omitempty"`
	Done       bool   `json:"done,omitempty"` // the file's end was seen at Size
	Cut        bool   `json:"cut,omitempty"`  // the last record had no end of its own

	// Of a file that is followed: what it was called first, what identifies it
	// besides its content, and a hash of the TailBytes bytes before TailAt.
	Path      string `json:"path,omitempty"`
	Moved     bool   `json:"moved,omitempty"` // it was renamed or removed after it had been found
	ID        fileID `json:"id,omitzero"`
	Tail      uint64 `json:"tail,omitempty"`
	TailAt    int64  `json:"tail_at,omitempty"`
	TailBytes int    `json:"tail_bytes,omitempty"`
	// Of a compressed one, what Head and HeadBytes are of its content.
	Content      uint64 `json:"content,omitempty"`
	ContentBytes int    `json:"content_bytes,omitempty"`

	// Of an export's file: what was read of the exports before.
	reached
}

// What is hashed of a file, at most.
const (
	headBytes = 4096
	tailBytes = 256
)

func parseCursor(partition string, raw []byte) (*cursor, error) {
	c := &cursor{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("cursor of %s: %w", partition, err)
	}
	if c.Offset < 0 || c.Line < 1 || c.Records < 0 || c.Number < 0 || c.HeadBytes < 0 || c.HeadBytes > headBytes ||
		c.ContentBytes < 0 || c.ContentBytes > headBytes || c.TailBytes < 0 || c.TailBytes > tailBytes || c.TailAt < int64(c.TailBytes) {
		return nil, fmt.Errorf("cursor of %s: a number is out of its range: the state folder is damaged", partition)
	}
	if _, ok := restoreFrames(c.Open); !ok || c.Indent < 0 || c.Given < 0 {
		return nil, fmt.Errorf("cursor of %s: its place makes no sense: the state folder is damaged", partition)
	}
	return c, nil
}

// place returns the place of the next record.
func (c *cursor) place() place {
	open, _ := restoreFrames(c.Open)
	return place{line: c.Line, indent: c.Indent, inline: c.Inline, open: open, given: c.Given}
}

// move makes the cursor stand at a place, which is so many bytes on.
func (c *cursor) move(bytes int, to place) {
	c.Offset += int64(bytes)
	c.Line, c.Indent, c.Inline, c.Given = to.line, to.indent, to.inline, to.given
	c.Open = to.open.save()
}

func (c *cursor) encode() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers and texts always have a JSON form
	}
	return raw
}

// numberShift leaves room for the records of a file below its number.
const numberShift = 40

// ordinal returns that of the next record. Where the order of reading matters, it is
// over all files of the source: by their numbers, and in each by its records.
func (c *cursor) ordinal(f *pipeline.Format) int64 {
	if f.ReadOrder() {
		return c.Number<<numberShift | c.Records
	}
	return c.Records
}

// identify holds an open file against the cursor, and notes what tells it
// again. skip says that there is nothing new in it.
func (c *cursor) identify(f *os.File, path string) (skip bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	head := make([]byte, min(headBytes, info.Size()))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return false, err
	}
	if c.HeadBytes > 0 || c.Size > 0 {
		skip, err = c.compare(f, path, info.Size(), head)
		if skip || err != nil {
			return skip, err
		}
	}
	c.Size, c.Head, c.HeadBytes, c.Done, c.Cut = info.Size(), xxh3.Hash(head), len(head), false, false
	c.Compressed = compression(head) != ""
	return false, nil
}

func (c *cursor) compare(f *os.File, path string, size int64, head []byte) (skip bool, err error) {
	changed := func(how string, args ...any) (bool, error) {
		return false, fmt.Errorf("%s: the file was changed after it had been read to line %d: %s. Give the new content a name of its own, "+
			"put the old file back, or start with a new state folder", path, c.Line, fmt.Sprintf(how, args...))
	}
	switch {
	case size < c.Size:
		return changed("it has %d bytes and had %d", size, c.Size)
	case len(head) < c.HeadBytes || xxh3.Hash(head[:c.HeadBytes]) != c.Head:
		return changed("its first %d bytes are others", c.HeadBytes)
	case !c.Done || size == c.Size:
		return c.Done, nil
	case c.Compressed:
		return changed("it is compressed, was read to its end at %d bytes, and has %d now", c.Size, size)
	case !c.Cut:
		return false, nil
	}
	// What was appended must not belong to the last record that was read.
	next := make([]byte, min(tailBytes, size-c.Offset))
	if _, err := f.ReadAt(next, c.Offset); err != nil {
		return false, err
	}
	rest := bytes.TrimLeft(next, " \t\r\n")
	begins := len(rest) == 0 || rest[0] == '{' || rest[0] == '['
	if begins && (!c.Inline || next[0] == '\n' || bytes.HasPrefix(next, []byte("\r\n"))) {
		return false, nil
	}
	return changed("its last record had no end then, and has been written on")
}

// block is a run of whole records of one file.
type block struct {
	data   []byte // of the file; its memory is used again
	pieces pieces
	start  cursor  // before the first byte of data
	last   bool    // the end of the file follows
	tail   ending  // of a file that is followed
	end    reached // with the end of an export's file
	// recheck is called with a record that can't be decoded; nil = all are certain
	// to be records.
	recheck func(record []byte, line int64) error
}

// records makes Records of the block; it must not change afterwards.
func (b *block) records(source string, in *input, f *pipeline.Format, free func()) *pipeline.Records {
	r := &pipeline.Records{
		Source: source, Partition: in.partition, Place: in.place, Format: f, Data: b.pieces.data, Spans: b.pieces.spans,
		First: b.start.ordinal(f), CursorAfter: func(n int) []byte { return b.after(n).encode() }, Free: free,
	}
	if b.pieces.guessed {
		r.Recheck = func(i int) error { return b.recheck(r.Bytes(i), r.Spans[i].Line) }
	}
	return r
}

// after returns the cursor behind the first n records. The bytes are not looked
// at, since they may have been freed.
func (b *block) after(n int) *cursor {
	c := b.start
	c.Records += int64(n)
	c.move(b.pieces.after(n))
	if n == len(b.pieces.spans) {
		c.Done, c.Cut = b.last, b.pieces.cut
		if b.last {
			c.reached = b.end
		}
		if b.tail.bytes > 0 {
			c.Tail, c.TailAt, c.TailBytes = b.tail.hash, b.tail.at, b.tail.bytes
		}
	}
	return &c
}
