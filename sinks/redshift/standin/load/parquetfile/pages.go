package parquetfile

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// checkPages judges every page by its header: what the footer says of a column need not be
// what is there.
func (o *Options) checkPages(r io.ReaderAt, c *format.ColumnMetaData, name string) error {
	at := c.DataPageOffset
	if c.DictionaryPageOffset > 0 && c.DictionaryPageOffset < at {
		at = c.DictionaryPageOffset
	}
	if at < 0 || c.TotalCompressedSize < 0 || at > math.MaxInt64-c.TotalCompressedSize {
		return o.corrupt(fmt.Errorf("column %q is at no place of the file", name))
	}
	end := at + c.TotalCompressedSize
	buffered := bufio.NewReaderSize(nil, 1024)
	var protocol thrift.CompactProtocol
	for left := c.NumValues; left > 0; {
		if at >= end {
			return o.corrupt(fmt.Errorf("column %q has fewer values than the footer says", name))
		}
		section := io.NewSectionReader(r, at, end-at)
		buffered.Reset(section)
		var header format.PageHeader
		if err := thrift.NewDecoder(protocol.NewReader(buffered)).Decode(&header); err != nil {
			return o.corrupt(fmt.Errorf("page header of column %q: %w", name, err))
		}
		read, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return o.corrupt(err)
		}
		if header.CompressedPageSize < 0 {
			return o.corrupt(fmt.Errorf("page of column %q has a negative size", name))
		}
		n, err := o.checkPage(&header, name)
		if err != nil {
			return err
		}
		left -= n
		at += read - int64(buffered.Buffered()) + int64(header.CompressedPageSize)
	}
	if at > end {
		return o.corrupt(fmt.Errorf("pages of column %q are longer than the footer says", name))
	}
	return nil
}

// checkPage returns how many values the page has.
func (o *Options) checkPage(h *format.PageHeader, name string) (int64, error) {
	switch h.Type {
	case format.DataPage:
		v1, ok := h.DataPageHeader.Get()
		if !ok || v1.NumValues < 0 {
			return 0, o.corrupt(fmt.Errorf("data page of column %q has no header", name))
		}
		return int64(v1.NumValues), o.checkEncoding(v1.Encoding, name)
	case format.DataPageV2:
		v2, ok := h.DataPageHeaderV2.Get()
		if !ok || v2.NumValues < 0 {
			return 0, o.corrupt(fmt.Errorf("data page of column %q has no header", name))
		}
		if !o.PageV2 {
			return 0, o.fail(codeFile, "File '%s' uses an unsupported data page version: V2 for column '%s'.", o.File, name)
		}
		return int64(v2.NumValues), o.checkEncoding(v2.Encoding, name)
	case format.DictionaryPage:
		d, ok := h.DictionaryPageHeader.Get()
		if !ok {
			return 0, o.corrupt(fmt.Errorf("dictionary page of column %q has no header", name))
		}
		return 0, o.checkEncoding(d.Encoding, name)
	}
	return 0, nil
}
