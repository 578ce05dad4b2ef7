package partitions

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

// cursor is what is saved of a partition.
type cursor struct {
	At      string `json:"at,omitempty"`      // the PartitionSource's own; empty = its start
	Records int64  `json:"records,omitempty"` // that were read before it
	// First is the ordinal of the partition's first record: above those of its parents.
	First   int64    `json:"first,omitempty"`
	Ended   bool     `json:"ended,omitempty"`
	Parents []string `json:"parents,omitempty"`
	// ReadUntil is that of pipeline.PartitionPosition; zero = not known.
	ReadUntil time.Time `json:"read_until,omitzero"`
	// Gap is what comes next and is gone; nil = nothing is.
	Gap *gap `json:"gap,omitempty"`
	// Accepted are the gaps that were accepted, oldest first, at most acceptedMax.
	Accepted []gap `json:"accepted,omitempty"`
}

func parseCursor(partition string, raw []byte) (c cursor, err error) {
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("cursor of %s: %w", partition, err)
	}
	if c.Records < 0 || c.First < 0 {
		return c, fmt.Errorf("cursor of %s: a number is out of its range: the state folder is damaged", partition)
	}
	return c, nil
}

func (c cursor) encode() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers, texts and times of our days always have a JSON form
	}
	return raw
}

// text says for people where the cursor stands.
func (c cursor) text() string {
	at := c.placeText()
	if c.Gap != nil {
		return at + ", before a gap"
	}
	return at
}

// placeText is text without the gap behind the place.
func (c cursor) placeText() string {
	switch {
	case c.Ended:
		return fmt.Sprintf("the end, after %d records", c.Records)
	case c.At == "":
		return "the start"
	}
	return fmt.Sprintf("%s, after %d records", c.At, c.Records)
}

// setAt moves the cursor to a position of the PartitionSource's own.
func (c *cursor) setAt(at []byte) error {
	if !utf8.Valid(at) {
		return fmt.Errorf("the cursor %q is no text", at)
	}
	c.At = string(at)
	return nil
}

// readUntil moves ReadUntil forward. A service's clock may jump back, which makes nothing unread.
func (c *cursor) readUntil(t time.Time) {
	if t = t.UTC().Truncate(time.Millisecond); t.After(c.ReadUntil) {
		c.ReadUntil = t
	}
}

// readRecords moves the cursor behind the first n of the records that a read brought; whole and
// ended hold behind all of them.
func (c *cursor) readRecords(r *pipeline.Records, n int, whole time.Time, ended bool) {
	c.Records += int64(n)
	last := n == r.Len()
	if r.Arrived != nil && n > 0 && r.Arrived[n-1] > 0 && (!last || whole.IsZero()) {
		c.readUntil(time.UnixMicro(r.Arrived[n-1]))
	}
	if last {
		c.readUntil(whole)
		c.Ended = ended
	}
}

// after returns a function for the Records.CursorAfter of records that begin at the
// cursor; ended says that nothing comes behind them, and whole is the ReadUntil behind all.
func (c cursor) after(r *pipeline.Records, whole time.Time, ended bool) func(n int) []byte {
	own := r.CursorAfter
	read := &pipeline.Records{Spans: r.Spans, Arrived: r.Arrived}
	return func(n int) []byte {
		next := c
		next.At = string(own(n))
		next.readRecords(read, n, whole, ended)
		return next.encode()
	}
}

// Reached says how far a cursor of a partition is, as Source saves them: how many records were read, and
// whether these are all.
func Reached(partition string, raw []byte) (records int64, ended bool, err error) {
	c, err := parseCursor(partition, raw)
	return c.Records, c.Ended, err
}
