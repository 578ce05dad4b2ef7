package parquetfile

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// cursor goes through the values of a leaf in one row group, a page at a time.
type cursor struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer [128]parquet.Value
	at, n  int
}

// peek returns the next value without going on. It is valid until the value behind it is
// asked for.
func (c *cursor) peek() (*parquet.Value, error) {
	for c.at == c.n {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	return &c.buffer[c.at], nil
}

// next returns the next value and goes on. A column that ends is an error.
func (c *cursor) next() (*parquet.Value, error) {
	v, err := c.peek()
	if err == io.EOF {
		err = fmt.Errorf("a column has fewer values than rows: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	c.at++
	return v, nil
}

// fill reads more values; the error is io.EOF at the row group's end.
func (c *cursor) fill() error {
	c.at, c.n = 0, 0
	if c.page == nil {
		page, err := c.pages.ReadPage()
		if err != nil {
			return err
		}
		c.page, c.values = page, page.Values()
	}
	n, err := c.values.ReadValues(c.buffer[:])
	c.n = n
	if n > 0 {
		return nil // the error comes again
	}
	if err != nil && err != io.EOF {
		return err
	}
	c.release()
	return nil
}

func (c *cursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page, c.values = nil, nil
	}
}

func (c *cursor) close() error {
	c.release()
	return c.pages.Close()
}
