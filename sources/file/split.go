package file

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// splitResult is what a splitter finds in the bytes that it is given.
type splitResult struct {
	// data is what the spans are of: the bytes, and behind them the records that do
	// not stand in the file as they are.
	data  []byte
	spans []pipeline.Span
	// starts are the places of records that do not begin a line, in their order.
	starts   []recordStart
	consumed int      // bytes that whole records, and what stands between them, take
	at       position // of used
	unended  bool     // the last record ends with the file, not with an end of its own
	tooLong  bool     // at used stands a record longer than the limit
	guessed  bool     // some lines were taken for a record each by their first and last byte
}

// recordStart is the place of one record.
type recordStart struct {
	record int // index of its span
	start  int // of the value that it is of, in the bytes
	at     position
}

// splitter cuts bytes into records. The bytes begin where a record may begin.
//
// A record stands where a JSON object does: in a line of its own, in one with
// others, over several lines, in arrays and in the envelopes that the format has
// (see unwrap.go). What is no object, and one that is broken, are records up to
// where the next may begin (see extent.go), so that they become dead letters.
//
// Most files have a record a line, and looking at every byte of them would cost
// as much as a tenth of all the work. So a line that begins with { and ends with }
// is taken for a record, unless exact is set. A decoder tells when it is not: it
// can't read it then, and asks Records.Recheck. All other lines are looked at
// byte by byte, so that both ways find the same records.
type splitter struct {
	encoding pipeline.Encoding
	at       position // of the first byte
	offset   int64    // of the first byte
	max      int      // longest record, in bytes
	last     bool     // the bytes reach to the end of the file
	quiet    bool     // nobody seems to be writing on: a record that is broken as it is stays so
	exact    bool
	exactTo  int64 // the offset up to which the file is looked at byte by byte anyway
}

// recordScanner is the work of a splitter on some bytes.
type recordScanner struct {
	splitter
	b     []byte
	p     splitResult
	extra []byte     // records that do not stand in the bytes
	scan  objectScan // of an object, for its memory
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

// takeLines takes lines for records as long as they look like it.
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

// next goes on by one thing: white space, a bracket, or a record. It reports
// whether it could.
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
	case c == '[' && at.open.depth() < maxFrames:
		s.push(inArray, "")
	case c == '{':
		return s.object(i)
	default:
		return s.strayText(i)
	}
	return true
}

// object goes on by the object at i.
func (s *recordScanner) object(i int) bool {
	kind, whole := s.classify(s.b[i:])
	if !whole && !s.last && !s.quiet && len(s.b)-i <= s.max {
		return false
	}
	if kind != "" && s.p.at.open.depth() < maxFrames {
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

// emit adds the record from start to end of the bytes, which is of the value at i.
func (s *recordScanner) emit(i, start, end int) {
	s.p.starts = append(s.p.starts, recordStart{len(s.p.spans), i, s.p.at})
	s.p.spans = append(s.p.spans, pipeline.Span{Start: uint32(start), End: uint32(end), Line: s.p.at.line, Offset: s.offset + int64(i)})
}

// emitBroken adds what is no record, from i to the place where the next may begin.
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
	// What was opened in its line ended with it, as it seems.
	next := len(s.b[end:]) - len(bytes.TrimLeft(s.b[end:], " \t"))
	for f := s.p.at.open; f != nil && f.line == line && f.indent >= next; f = f.below {
		s.pop()
	}
}

// after returns the place behind the first n records, and where it is in the bytes.
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
