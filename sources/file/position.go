package file

import "bytes"

// position is a place in a file between two records, or behind all of them, with what has to
// be known to go on reading there.
type position struct {
	line   int64  // from 1
	indent int    // the white space at the start of the line, up to the position
	inline bool   // the line has something else than white space before the position
	open   *frame // the innermost bracket that is open around records; nil = none
	// emitted is the number of records of the value at the position that were handed over
	// already: an envelope may hold several.
	emitted int
}

// frame is a bracket around records that is open at a position. Frames are immutable, so
// positions share them.
type frame struct {
	kind   frameKind
	table  string // that the records in it are of; empty = they say so
	line   int64  // of the bracket
	indent int    // of that line
	below  *frame
}

type frameKind string

// The kinds of frames. An array holds values, the others hold members.
const (
	inArray    frameKind = "array"    // of records
	inEnvelope frameKind = "envelope" // an object of which a member holds records
	inTables   frameKind = "tables"   // an object of arrays of records, by table
)

// framesMax is the number of brackets that may be open around records.
const framesMax = 32

func (f *frame) depth() int {
	n := 0
	for ; f != nil; f = f.below {
		n++
	}
	return n
}

// within reports whether a frame of the kind is open.
func (f *frame) within(kind frameKind) bool {
	for ; f != nil; f = f.below {
		if f.kind == kind {
			return true
		}
	}
	return false
}

// savedFrame is a frame in a cursor.
type savedFrame struct {
	Kind   frameKind `json:"kind"`
	Table  string    `json:"table,omitempty"`
	Line   int64     `json:"line"`
	Indent int       `json:"indent,omitempty"`
}

// save returns the frames for a cursor, the outermost first.
func (f *frame) save() []savedFrame {
	if f == nil {
		return nil
	}
	return append(f.below.save(), savedFrame{f.kind, f.table, f.line, f.indent})
}

// restoreFrames returns what save has made of frames.
func restoreFrames(saved []savedFrame) (f *frame, ok bool) {
	for _, s := range saved {
		if s.Kind != inArray && s.Kind != inEnvelope && s.Kind != inTables {
			return nil, false
		}
		f = &frame{s.Kind, s.Table, s.Line, s.Indent, f}
	}
	return f, f.depth() <= framesMax
}

// push opens the bracket at s.p.consumed.
func (s *recordScanner) push(kind frameKind, table string) {
	at := &s.p.at
	at.open = &frame{kind, table, at.line, at.indent, at.open}
	at.inline = true
	s.p.consumed++
}

// pop closes the innermost bracket.
func (s *recordScanner) pop() { s.p.at.open = s.p.at.open.below }

// advance moves s.p.consumed, and the position there, forward to an index.
func (s *recordScanner) advance(to int) {
	text, at := s.b[s.p.consumed:to], &s.p.at
	s.p.consumed = to
	if end := bytes.LastIndexByte(text, '\n'); end >= 0 {
		at.line += int64(bytes.Count(text, []byte{'\n'}))
		at.indent, at.inline = 0, false
		text = text[end+1:]
	}
	for i := 0; i < len(text) && !at.inline; i++ {
		if c := text[i]; c == ' ' || c == '\t' || c == '\r' {
			at.indent++
		} else {
			at.inline = true
		}
	}
}
