package textfile

import (
	"bytes"
	"unicode/utf8"
)

// fixedReader reads fields of fixed widths, which count characters.
type fixedReader struct {
	base
	line []byte
}

// Read implements Reader.
func (f *fixedReader) Read(record *Record) error {
	ok, err := f.next(record, &f.line, nil)
	if err != nil || !ok {
		return err
	}
	line, ok := f.cut(record, record.Raw)
	if !ok {
		return nil
	}
	for i, width := range f.options.Widths {
		if len(line) == 0 && (i > 0 || width > 0) {
			return nil // the record is shorter, which is seen by the number of fields
		}
		end := 0
		for range width {
			_, n := utf8.DecodeRune(line[end:])
			end += n
		}
		value := line[:end]
		null := f.isNull(value) || len(f.options.Null) > 0 && f.isNull(bytes.TrimRight(value, " "))
		record.Fields = append(record.Fields, Field{Value: value, Null: null, Empty: len(value) == 0})
		line = line[end:]
	}
	if len(bytes.TrimRight(line, " ")) > 0 {
		record.fail(codeExtra, "Extra column(s) found", -1)
	}
	return nil
}

// CheckCount fails a record that has more or fewer fields than columns are loaded.
// FILLRECORD lets it have fewer.
func CheckCount(record *Record, o *Options) {
	n, want := len(record.Fields), len(o.Columns)
	switch {
	case record.Fault != nil || n == want || n < want && o.FillRecord:
	case n > want:
		record.fail(codeExtra, "Extra column(s) found", -1)
	case o.Format == FixedWidth:
		record.fail(codeFewer, "Input data had fewer columns than were defined in the DDL", n)
	default:
		record.fail(codeDelimiter, "Delimiter not found", max(n-1, 0))
	}
}
