package file

import (
	"encoding/json"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// cursor is the position of the next record in a file, with what identifies the file as the
// one that was read. It is saved in the checkpoint.
type cursor struct {
	Offset  int64 `json:"offset"` // in the decompressed bytes
	Line    int64 `json:"line"`   // of Offset, from 1
	Records int64 `json:"records"`
	Number  int64 `json:"number"`  // of the file, in the order in which the source's were first read
	Numbers int64 `json:"numbers"` // the count of numbers assigned by then: none is assigned twice, whatever is forgotten
	// The rest of the position.
	Indent  int          `json:"indent,omitempty"`
	Inline  bool         `json:"inline,omitempty"`
	Open    []savedFrame `json:"open,omitempty"`
	Emitted int          `json:"given,omitempty"`

	// What identifies the file as the one that was read: a hash of its content up to Offset.
	// So that it need not be computed again, also its size, the time of its last change in ns
	// and its identity, as they were before it was read. Zero = unknown.
	Hash  digest `json:"hash,omitzero"`
	Size  int64  `json:"size"` // compressed
	Mtime int64  `json:"mtime,omitempty"`
	// Recent says that the file had just been changed: a further change may have the
	// same time.
	Recent bool `json:"recent,omitempty"`
	// Tag is what the store said of an object's content then: with the size, it tells all
	// that the times and the identity of a file tell.
	Tag string `json:"tag,omitempty"`
	ID  fileID `json:"id,omitzero"`
	// Head is a hash of the first HeadBytes bytes, which rules most other files out.
	Head       uint64 `json:"head"`
	HeadBytes  int    `json:"head_bytes"`
	Compressed bool   `json:"compressed,omitempty"`
	Done       bool   `json:"done,omitempty"` // the file's end was seen at Size
	endsThere  bool   // so it was when its content was compared last
	Unended    bool   `json:"cut,omitempty"` // the last record had no end of its own

	Path  string `json:"path,omitempty"`  // what it was called first; of an object that is followed, last
	Moved bool   `json:"moved,omitempty"` // it was renamed or removed after it had been found
	// Unverified are files that had the name before, by their partitions, of which it is
	// not decided yet whether something is lost, with the bytes that they are known to
	// have had besides what was read; see successions.
	Unverified map[string]int64 `json:"unverified,omitempty"`
	// PriorProgress is how far an earlier run had read the file, when a backfill reads it again.
	PriorProgress *priorProgress `json:"former,omitempty"`

	// Of a file that is followed, a hash of the TailBytes bytes before TailAt.
	Tail      uint64 `json:"tail,omitempty"`
	TailAt    int64  `json:"tail_at,omitempty"`
	TailBytes int    `json:"tail_bytes,omitempty"`
	// Of a compressed one, what Head and HeadBytes are of its content.
	Content      uint64 `json:"content,omitempty"`
	ContentBytes int    `json:"content_bytes,omitempty"`

	// Of an export's file: what was read of the exports before.
	exportProgress
}

// priorProgress is how far a file was read before.
type priorProgress struct {
	Offset  int64  `json:"offset"`
	Records int64  `json:"records"`
	Hash    digest `json:"hash"`
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
	c.Hash.bytes = c.Offset
	if c.PriorProgress != nil {
		c.PriorProgress.Hash.bytes = c.PriorProgress.Offset
	}
	if c.Offset < 0 || c.Line < 1 || c.Records < 0 || c.Number < 0 || c.Numbers <= c.Number || c.HeadBytes < 0 || c.HeadBytes > headBytes ||
		c.ContentBytes < 0 || c.ContentBytes > headBytes || c.TailBytes < 0 || c.TailBytes > tailBytes || c.TailAt < int64(c.TailBytes) {
		return nil, fmt.Errorf("cursor of %s: a number is out of its range: the state folder is damaged", partition)
	}
	if _, ok := restoreFrames(c.Open); !ok || c.Indent < 0 || c.Emitted < 0 {
		return nil, fmt.Errorf("cursor of %s: its place makes no sense: the state folder is damaged", partition)
	}
	return c, nil
}

// CursorText implements pipeline.Source.
func (s *Source) CursorText(partition string, raw []byte) string {
	c, err := parseCursor(partition, raw)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return c.text()
}

// text returns the cursor's position for people.
func (c *cursor) text() string {
	if c.Done {
		return fmt.Sprintf("the end, after %d records", c.Records)
	}
	return fmt.Sprintf("line %d, byte %d, after %d records", c.Line, c.Offset, c.Records)
}

// position returns the position of the next record.
func (c *cursor) position() position {
	open, _ := restoreFrames(c.Open)
	return position{line: c.Line, indent: c.Indent, inline: c.Inline, open: open, emitted: c.Emitted}
}

// advance moves the cursor over bytes to a position.
func (c *cursor) advance(over []byte, to position) {
	c.Hash.add(over)
	c.moveTo(len(over), to)
}

// moveTo is advance over bytes that are in the hash already.
func (c *cursor) moveTo(bytes int, to position) {
	c.Offset += int64(bytes)
	c.Line, c.Indent, c.Inline, c.Emitted = to.line, to.indent, to.inline, to.emitted
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

// ordinal returns the ordinal of the next record. If the order of reading decides which
// record is newer, ordinals count over all files of the source: by the files' numbers, and in
// each file by its records.
func (c *cursor) ordinal(f *pipeline.Format) int64 {
	if f.ReadOrder() {
		return c.Number<<numberShift | c.Records
	}
	return c.Records
}

// block is a run of whole records of one file.
type block struct {
	memory []byte // that the bytes lie in; it is reused
	result splitResult
	start  cursor         // before the first byte of the result's data
	hash   digest         // of the content up to the end of what was consumed
	last   bool           // the end of the file follows
	tail   tailHash       // of a file that is followed
	end    exportProgress // behind the last block of an export's file
	// recheck is called with a record that can't be decoded; see splitter.
	recheck func(record []byte, line int64) error
}

// records returns the Records of the block, which must not change afterwards.
func (b *block) records(source string, in *input, f *pipeline.Format, free func()) *pipeline.Records {
	r := &pipeline.Records{
		Source: source, Partition: in.partition, DisplayName: in.display, Format: f, Data: b.result.data, Spans: b.result.spans,
		First: b.start.ordinal(f), ReadAgain: b.start.rereadRecords(len(b.result.spans)), CursorAfter: func(n int) []byte { return b.after(n).encode() }, Free: free,
	}
	if b.result.guessed {
		r.Recheck = func(i int) error { return b.recheck(r.Bytes(i), r.Spans[i].Line) }
	}
	return r
}

// after returns the cursor behind the first n records.
func (b *block) after(n int) *cursor {
	c := b.start
	c.Records += int64(n)
	size, at := b.result.after(n)
	if n < len(b.result.spans) {
		c.advance(b.result.data[:size], at)
		return &c
	}
	c.moveTo(size, at)
	c.Hash, c.Done, c.Unended = b.hash, b.last, b.result.unended
	if b.last {
		c.exportProgress, c.PriorProgress = b.end, nil
	}
	if b.tail.bytes > 0 {
		c.Tail, c.TailAt, c.TailBytes = b.tail.hash, b.tail.at, b.tail.bytes
	}
	return &c
}

// rereadRecords returns how many of the next n records an earlier run has read.
func (c *cursor) rereadRecords(n int) int {
	if c.PriorProgress == nil {
		return 0
	}
	return int(max(0, min(c.PriorProgress.Records-c.Records, int64(n))))
}

// Rewind implements pipeline.Rewinder: the files keep their numbers, so that the
// order of reading stays what it was.
func (s *Source) Rewind(cursors map[string][]byte) (map[string][]byte, error) {
	again := make(map[string][]byte, len(cursors))
	for partition, raw := range cursors {
		c, err := parseCursor(partition, raw)
		if err != nil {
			return nil, err
		}
		n := cursor{Line: 1, Number: c.Number, Numbers: c.Numbers, Size: c.Size, Mtime: c.Mtime, Recent: c.Recent, Tag: c.Tag, ID: c.ID, Path: c.Path,
			Head: c.Head, HeadBytes: c.HeadBytes, Compressed: c.Compressed, Content: c.Content, ContentBytes: c.ContentBytes,
			Unverified: c.Unverified, PriorProgress: c.PriorProgress}
		if f := c.PriorProgress; f == nil || f.Offset <= c.Offset {
			n.PriorProgress = &priorProgress{c.Offset, c.Records, c.Hash}
		}
		again[partition] = n.encode()
	}
	return again, nil
}
