package file

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// splitResult is what a splitter finds in the bytes that it is given.
type splitResult struct {
	// data is what the spans point into: the bytes, and behind them the records that were
	// rewritten.
	data  []byte
	spans []pipeline.Span
	// starts are the positions of records that do not begin a line, in their order.
	starts   []recordStart
	consumed int      // the number of bytes of whole records and of what is between them
	at       position // behind the consumed bytes
	unended  bool     // the last record ends with the file, not with an end of its own
	tooLong  bool     // a record longer than the limit follows the consumed bytes
	guessed  bool     // some lines were taken for a record each by their first and last byte
}

// recordStart is the position of one record.
type recordStart struct {
	record int // index of its span
	start  int // of the value that holds it, in the bytes
	at     position
}

// splitter cuts bytes into records. The bytes begin where a record may begin.
//
// A record is a JSON object, wherever it is: in a line of its own, in one with others, over
// several lines, in arrays, and in the envelopes that the format has (unwrap.go). Text that
// is no object, and an object that is broken, are records up to where the next one may begin
// (extent.go), so that they become dead letters.
//
// Most files have a record in each line, and scanning every byte of them would cost a tenth
// of all the work. So a line that begins with { and ends with } is taken for a record, unless
// exact is set. If that was wrong, the decoder can't read it, and asks Records.Recheck. All
// other lines are scanned byte by byte, so that both ways find the same records.
type splitter struct {
	encoding pipeline.Encoding
	at       position // of the first byte
	offset   int64    // of the first byte
	max      int      // longest record, in bytes
	last     bool     // the bytes reach to the end of the file
	quiet    bool     // no program seems to write to the file any more: a broken record stays broken
	exact    bool     // every byte is scanned
	exactTo  int64    // the offset up to which every byte is scanned anyway
}

// recordScanner finds the records of some bytes for a splitter.
type recordScanner struct {
	splitter
	b     []byte
	p     splitResult
	extra []byte     // records that were rewritten
	scan  objectScan // of the current object; it is reused for its memory
}

// split appends the records that are whole to spans.
func (s splitter) split(b []byte, spans []pipeline.Span) splitResult {
	w := &recordScanner{splitter: s, b: b, p: splitResult{spans: spans, at: s.at}}
	w.exact = w.exact || w.offset >= w.exactTo && w.atLineStart() && !w.lineByLine()
	for w.p.consumed < len(b) {
		if !w.exact && w.offset+int64(w.p.consumed) >= w.exactTo && w.atLineStart() {
			w.takeLines()
		}
		if w.p.consumed == len(b) || !w.next() {
			break
		}
	}
	w.p.data = b
	if w.extra != nil {
		w.p.data = slices.Concat(b, w.extra)
	}
	return w.p
}

func (s *recordScanner) atLineStart() bool {
	at := &s.p.at
	return !at.inline && at.indent == 0 && at.open == nil && at.emitted == 0
}

// lineByLine reports whether the first line is a record by itself.
func (s *recordScanner) lineByLine() bool {
	line, _, ended := bytes.Cut(bytes.TrimLeft(s.b, "\r\n"), []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	return ended && len(line) > 0 && line[0] == '{' && s.isSingleRecord(line)
}

// isSingleRecord reports whether text that begins with { is, as a line, one record as it
// stands.
func (s splitter) isSingleRecord(text []byte) bool {
	w := &recordScanner{splitter: s, b: text}
	if kind, _ := w.classify(text); kind != "" {
		return false
	}
	x := &objectScan{b: text, next: -1}
	switch n, e := x.object(); {
	case e == brokenExtent:
		return true
	case e == unknownExtent || n < len(text):
		return false
	}
	w.unwrap(0, len(text))
	return len(w.p.spans) == 1 && w.p.spans[0].Start == 0 && int(w.p.spans[0].End) == len(text)
}

// takeLines takes lines for records as long as they begin and end as one.
func (s *recordScanner) takeLines() {
	b, used, line := s.b, s.p.consumed, s.p.at.line
	for used < len(b) {
		end := bytes.IndexByte(b[used:], '\n')
		next := used + end + 1
		if end < 0 {
			if !s.last {
				break
			}
			next = len(b)
			end = next - used
		}
		end += used
		ended := b[next-1] == '\n'
		if end > used && b[end-1] == '\r' {
			end--
		}
		if end > used {
			if b[used] != '{' || b[end-1] != '}' || end-used > s.max || s.encoding == pipeline.JSON && isScanOutput(b[used:end]) {
				break
			}
			s.p.spans = append(s.p.spans, pipeline.Span{Start: uint32(used), End: uint32(end), Line: line, Offset: s.offset + int64(used)})
			s.p.unended, s.p.guessed = false, true
		}
		used = next
		if ended {
			line++
		} else {
			s.p.at.inline = true
		}
	}
	s.p.consumed, s.p.at.line = used, line
}

// next consumes white space, a bracket around records, or a record. It reports whether it
// could.
func (s *recordScanner) next() bool {
	i, at := s.p.consumed, &s.p.at
	switch c := s.b[i]; {
	case c == '\n' || c == ' ' || c == '\t' || c == '\r' || c == ',':
		s.advance(i + 1)
	case at.open != nil && at.open.kind != inArray:
		return s.member(i)
	case c == ']' && at.open != nil:
		s.pop()
		s.advance(i + 1)
	case c == '[' && at.open.depth() < framesMax:
		s.push(inArray, "")
	case c == '{':
		return s.object(i)
	default:
		return s.strayText(i)
	}
	return true
}

// object consumes the object at i, or the start of the envelope that it is. It reports whether
// it could.
func (s *recordScanner) object(i int) bool {
	kind, whole := s.classify(s.b[i:])
	if !whole && !s.last && !s.quiet && len(s.b)-i <= s.max {
		return false
	}
	if kind != "" && s.p.at.open.depth() < framesMax {
		s.push(kind, "")
		return true
	}
	n, e := s.extent(i)
	switch e {
	case unknownExtent:
		return false
	case tooLongExtent:
		s.p.tooLong = true
		return false
	case brokenExtent:
		s.emitBroken(i, i+n)
	default:
		s.unwrap(i, i+n)
		s.advance(i + n)
		s.p.unended = false
	}
	return true
}

// emit adds the record from start to end, which the value at i holds.
func (s *recordScanner) emit(i, start, end int) {
	s.p.starts = append(s.p.starts, recordStart{len(s.p.spans), i, s.p.at})
	s.p.spans = append(s.p.spans, pipeline.Span{Start: uint32(start), End: uint32(end), Line: s.p.at.line, Offset: s.offset + int64(i)})
}

// emitBroken adds broken text as a record, from i to end, where the next record may begin.
func (s *recordScanner) emitBroken(i, end int) {
	text := bytes.TrimRight(s.b[i:end], " \t\r\n,")
	if s.p.at.emitted == 0 {
		s.emit(i, i, i+len(text))
	}
	s.p.at.emitted = 0
	line := s.p.at.line
	s.advance(end)
	s.p.unended = s.last && end == len(s.b)
	if s.p.at.inline {
		return
	}
	// Brackets that were opened in the broken line most likely ended with it, if what follows
	// is not indented more than they are.
	next := len(s.b[end:]) - len(bytes.TrimLeft(s.b[end:], " \t"))
	for f := s.p.at.open; f != nil && f.line == line && f.indent >= next; f = f.below {
		s.pop()
	}
}

// after returns the index behind the first n records, and the position there.
func (p *splitResult) after(n int) (start int, at position) {
	if n == len(p.spans) {
		return p.consumed, p.at
	}
	i, found := slices.BinarySearchFunc(p.starts, n, func(s recordStart, n int) int { return s.record - n })
	if found {
		return p.starts[i].start, p.starts[i].at
	}
	return int(p.spans[n].Start), position{line: p.spans[n].Line}
}

// blank reports whether b is white space only.
func blank(b []byte) bool {
	for _, c := range b {
		if c > ' ' || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}
