package partitions

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

// cursor is what is saved of a partition.
type cursor struct {
	At      string   `json:"at,omitempty"`      // the PartitionSource's own; empty = its start
	Records int64    `json:"records,omitempty"` // that were read before it
	Ended   bool     `json:"ended,omitempty"`
	Parents []string `json:"parents,omitempty"`
}

func parseCursor(partition string, raw []byte) (c cursor, err error) {
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("cursor of %s: %w", partition, err)
	}
	if c.Records < 0 {
		return c, fmt.Errorf("cursor of %s: a number is out of its range: the state folder is damaged", partition)
	}
	return c, nil
}

func (c cursor) encode() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers and texts always have a JSON form
	}
	return raw
}

// text says for people where the cursor stands.
func (c cursor) text() string {
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

// after returns a function for the Records.CursorAfter of records that begin at the
// cursor; ended says that nothing comes behind them.
func (c cursor) after(r *pipeline.Records, ended bool) func(n int) []byte {
	own, count := r.CursorAfter, r.Len()
	return func(n int) []byte {
		next := c
		next.At, next.Records, next.Ended = string(own(n)), c.Records+int64(n), ended && n == count
		return next.encode()
	}
}
