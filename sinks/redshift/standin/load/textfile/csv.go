package textfile

import "bytes"

// csvReader reads CSV: fields may be in quotes, and have delimiters and line feeds then.
type csvReader struct {
	base
	line  []byte
	plain []byte
}

const badQuotes = "Invalid quote formatting for CSV"

// Read implements Reader.
func (c *csvReader) Read(record *Record) error {
	state := fieldStart
	ok, err := c.next(record, &c.line, func(added []byte) bool {
		state = c.scan(state, added)
		return state == quoted
	})
	if err != nil || !ok {
		return err
	}
	line, ok := c.cut(record, record.Raw)
	if !ok {
		return nil
	}
	if state == quoted {
		record.fail(codeDelimiter, badQuotes+". Missing end quote", -1)
		return nil
	}
	if cap(c.plain) < len(line) {
		c.plain = make([]byte, 0, 2*len(line))
	}
	c.plain = c.plain[:0]
	for rest, last := line, false; !last; {
		var f Field
		f, rest, last = c.field(record, rest)
		if record.Fault != nil {
			record.Column = len(record.Fields)
			return nil
		}
		record.Fields = append(record.Fields, f)
	}
	return nil
}

// state is where in a record a character stands.
type state uint8

const (
	fieldStart state = iota
	bare
	quoted
	closed // behind the quote that ends a field, or the first of two that stand for one
)

// scan finds out whether a line ends within quotes.
func (c *csvReader) scan(s state, line []byte) state {
	quote, delimiter := c.options.Quote, c.options.Delimiter
	for _, b := range line {
		switch {
		case s == quoted:
			if b == quote {
				s = closed
			}
		case b == quote && (s == fieldStart || s == closed):
			s = quoted
		case b == delimiter:
			s = fieldStart
		case s == fieldStart && !isSpace(b, delimiter):
			s = bare
		case s == closed:
			s = bare
		}
	}
	return s
}

func isSpace(b, delimiter byte) bool { return (b == ' ' || b == '\t') && b != delimiter }

// field reads the first field of the rest of a record.
func (c *csvReader) field(record *Record, line []byte) (f Field, rest []byte, last bool) {
	quote, delimiter := c.options.Quote, c.options.Delimiter
	at := 0
	for at < len(line) && isSpace(line[at], delimiter) {
		at++
	}
	if at == len(line) || line[at] != quote {
		end := bytes.IndexByte(line, delimiter)
		last = end < 0
		if last {
			end = len(line)
		}
		value := line[:end]
		if carriage(record, value) {
			return f, nil, true
		}
		return Field{Value: value, Null: c.isNull(value), Empty: len(value) == 0}, line[min(end+1, len(line)):], last
	}
	start := len(c.plain)
	for at++; ; at++ {
		if at >= len(line) {
			record.fail(codeDelimiter, badQuotes, -1)
			return f, nil, true
		}
		if line[at] != quote {
			c.plain = append(c.plain, line[at])
			continue
		}
		if at+1 < len(line) && line[at+1] == quote {
			c.plain = append(c.plain, quote)
			at++
			continue
		}
		break
	}
	for at++; at < len(line) && isSpace(line[at], delimiter); at++ {
	}
	if at < len(line) && line[at] != delimiter {
		record.fail(codeDelimiter, badQuotes, -1)
		return f, nil, true
	}
	return Field{Value: c.plain[start:]}, line[min(at+1, len(line)):], at >= len(line)
}
