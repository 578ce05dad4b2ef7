package textfile

import "bytes"

// delimitedReader reads fields between delimiters, with the options ESCAPE and REMOVEQUOTES.
type delimitedReader struct {
	base
	line  []byte
	plain []byte // of fields without their escapes and quotes
}

// Read implements Reader.
func (d *delimitedReader) Read(record *Record) error {
	var more func([]byte) bool
	if d.options.Escape {
		more = endsEscaped
	}
	ok, err := d.next(record, &d.line, more)
	if err != nil || !ok {
		return err
	}
	line, ok := d.cut(record, record.Raw)
	if !ok {
		return nil
	}
	if !d.options.Escape && !d.options.RemoveQuotes {
		if !carriage(record, line) {
			d.split(record, line)
		}
		return nil
	}
	// What is appended must not move what the fields point into.
	if cap(d.plain) < len(line) {
		d.plain = make([]byte, 0, 2*len(line))
	}
	d.plain = d.plain[:0]
	for rest, last := line, false; !last; {
		var f Field
		var ok bool
		f, rest, last, ok = d.field(rest)
		if !ok {
			record.fail(codeDelimiter, "Delimited value missing end quote", len(record.Fields))
			return nil
		}
		record.Fields = append(record.Fields, f)
	}
	d.dropTrailing(record)
	return nil
}

// endsEscaped tells whether the line feed at a line's end is escaped.
func endsEscaped(line []byte) bool {
	if n := len(line); n == 0 || line[n-1] != '\n' {
		return false
	}
	line = line[:len(line)-1]
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func (d *delimitedReader) split(record *Record, line []byte) {
	for {
		at := bytes.IndexByte(line, d.options.Delimiter)
		field := line
		if at >= 0 {
			field = line[:at]
		}
		record.Fields = append(record.Fields, Field{Value: field, Null: d.isNull(field), Empty: len(field) == 0})
		if at < 0 {
			break
		}
		line = line[at+1:]
	}
	d.dropTrailing(record)
}

// dropTrailing takes off what is behind a delimiter at the line's end, which may stand
// there as it stands behind every field.
func (d *delimitedReader) dropTrailing(record *Record) {
	if n := len(record.Fields); n == len(d.options.Columns)+1 && record.Fields[n-1].Empty {
		record.Fields = record.Fields[:n-1]
	}
}

// field reads the first field of the rest of a line. It is false if a quote is not closed.
func (d *delimitedReader) field(line []byte) (f Field, rest []byte, last, ok bool) {
	quote := byte(0)
	at := 0
	if d.options.RemoveQuotes && len(line) > 0 && (line[0] == '"' || line[0] == '\'') {
		quote, at = line[0], 1
	}
	start := len(d.plain)
	for ; at < len(line); at++ {
		c := line[at]
		switch {
		case c == '\\' && d.options.Escape && at+1 < len(line):
			at++
			d.plain = append(d.plain, line[at])
			continue
		case c == quote && quote != 0 && (at+1 == len(line) || line[at+1] == d.options.Delimiter):
			value := d.plain[start:]
			return Field{Value: value, Null: d.isNull(value)}, line[min(at+2, len(line)):], at+1 == len(line), true
		case c == d.options.Delimiter && quote == 0:
			return d.made(line[:at], start), line[at+1:], false, true
		}
		d.plain = append(d.plain, c)
	}
	if quote != 0 {
		return Field{}, nil, true, false
	}
	return d.made(line, start), nil, true, true
}

func (d *delimitedReader) made(raw []byte, start int) Field {
	value := d.plain[start:]
	return Field{Value: value, Null: d.isNull(raw) || d.isNull(value), Empty: len(raw) == 0}
}
