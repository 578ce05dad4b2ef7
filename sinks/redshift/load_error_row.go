package redshift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unicode/utf8"

	pq "github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// findRow returns the first row of a file of the spool whose value in a column is wrong; nil = there is
// none.
func findRow(dir, name string, column int, wrong func(pq.Value) bool) (found pq.Row, err error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", f.Name(), err)
	}
	for _, group := range file.RowGroups() {
		at, err := findValue(group.ColumnChunks()[column], wrong)
		if err != nil {
			return nil, fmt.Errorf("spool %s: %w", f.Name(), err)
		}
		if at >= 0 {
			return readRow(group, at)
		}
	}
	return nil, nil
}

// findValue returns the place of the first value that is wrong; -1 = there is none.
func findValue(chunk pq.ColumnChunk, wrong func(pq.Value) bool) (at int64, err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	values := make([]pq.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err != nil {
			return -1, err
		}
		for reader := page.Values(); ; {
			n, err := reader.ReadValues(values)
			for i, v := range values[:n] {
				if wrong(v) {
					pq.Release(page)
					return at + int64(i), nil
				}
			}
			at += int64(n)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return -1, err
			}
		}
		pq.Release(page)
	}
}

func readRow(group pq.RowGroup, at int64) (row pq.Row, err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	if err := rows.SeekToRow(at); err != nil {
		return nil, err
	}
	one := make([]pq.Row, 1)
	if _, err := rows.ReadRows(one); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return one[0].Clone(), nil
}

// shownText writes a value of a staged file for people, not all of a long one.
func shownText(t pipeline.Type, v pq.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch t.Base() {
	case pipeline.Bool:
		return strconv.FormatBool(v.Boolean())
	case pipeline.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case pipeline.Date:
		return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
	case pipeline.Timestamp:
		return time.UnixMicro(v.Int64()).UTC().Format("2006-01-02 15:04:05.999999")
	case pipeline.Decimal:
		return string(decimalOf(v.ByteArray()).Append(nil, int(t.Scale)))
	case pipeline.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	}
	b := v.ByteArray()
	more := ""
	if len(b) > shownMax {
		more = "…"
		for b = b[:shownMax]; t.Kind != pipeline.Binary && len(b) > 0 && !utf8.Valid(b); {
			b = b[:len(b)-1]
		}
	}
	if t.Kind == pipeline.Binary {
		return fmt.Sprintf("0x%x", b) + more
	}
	return strconv.Quote(string(b)) + more
}

// decimalOf reads a decimal as the copy profile stores it: big-endian, in two's complement.
func decimalOf(b []byte) decimal.Integer {
	var wide [16]byte
	if len(b) > 0 && b[0]&0x80 != 0 {
		for i := range wide {
			wide[i] = 0xff
		}
	}
	copy(wide[16-len(b):], b)
	return decimal.FromTwos(int64(binary.BigEndian.Uint64(wide[:])), binary.BigEndian.Uint64(wide[8:]))
}
