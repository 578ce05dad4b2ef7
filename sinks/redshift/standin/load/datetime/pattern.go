package datetime

import (
	"fmt"
	"strings"
)

// Pattern is a pattern of DATEFORMAT or TIMEFORMAT: parts of dates and times, and what is
// between them.
type Pattern struct {
	text  string
	parts []part
}

type part struct {
	kind    partKind
	literal byte
}

type partKind uint8

const (
	literal partKind = iota
	year4
	year2
	monthNumber
	monthName
	dayOfMonth
	hour24
	hour12
	minute
	second
	meridiem
)

// spellings are the parts by how they are written, the longer before their beginnings.
var spellings = []struct {
	text string
	kind partKind
}{
	{"YYYY", year4}, {"YY", year2}, {"MONTH", monthName}, {"MON", monthName}, {"MM", monthNumber}, {"MI", minute}, {"DD", dayOfMonth},
	{"HH24", hour24}, {"HH12", hour12}, {"HH", hour24}, {"SSSSSS", second}, {"SS", second},
	{"AM", meridiem}, {"PM", meridiem}, {"A.M.", meridiem}, {"P.M.", meridiem},
}

// NewPattern reads a pattern. A letter that begins no part is a mistake, but for the T of
// ISO 8601 between date and time.
func NewPattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	upper := strings.ToUpper(text)
next:
	for at := 0; at < len(text); {
		for _, s := range spellings {
			if strings.HasPrefix(upper[at:], s.text) {
				p.parts = append(p.parts, part{kind: s.kind})
				at += len(s.text)
				continue next
			}
		}
		c := text[at]
		if isLetter(c) && c != 'T' {
			return nil, fmt.Errorf("date or time pattern %q has %q, which is no part of one", text, text[at:])
		}
		p.parts = append(p.parts, part{literal: c})
		at++
	}
	return p, nil
}

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// hasDate and hasTime tell which parts the pattern has.
func (p *Pattern) hasDate() bool {
	for _, part := range p.parts {
		if part.kind >= year4 && part.kind <= dayOfMonth {
			return true
		}
	}
	return false
}

// Parse reads a text that has the pattern's form. Seconds may have a fraction. What the
// pattern has and the text leaves out at its end is midnight, if it is all of the time.
func (p *Pattern) Parse(text string) (Stamp, bool) {
	s := &scanner{text: text}
	to := Stamp{Year: 1970, Month: 1, Day: 1}
	for i, part := range p.parts {
		if s.done() && i > 0 && p.restIsTime(i) {
			break
		}
		if !p.read(s, part, i, &to) {
			return Stamp{}, false
		}
	}
	s.blanks()
	return to, s.done() && to.valid() && to.InRange()
}

// restIsTime tells whether the date is complete and only parts of the time follow.
func (p *Pattern) restIsTime(from int) bool {
	if !p.hasDate() {
		return false
	}
	for _, part := range p.parts[from:] {
		if part.kind >= year4 && part.kind <= dayOfMonth {
			return false
		}
	}
	for _, part := range p.parts[:from] {
		if part.kind >= hour24 {
			return false
		}
	}
	return true
}

func (p *Pattern) read(s *scanner, part part, i int, to *Stamp) (ok bool) {
	// Numbers that nothing divides have all of their digits.
	low := 1
	if i+1 < len(p.parts) && p.parts[i+1].kind != literal {
		low = 2
	}
	switch part.kind {
	case literal:
		if part.literal == ' ' {
			return s.blanks()
		}
		return s.char(part.literal)
	case year4:
		to.Year, ok = s.digits(4, 4)
		ok = ok && to.Year > 0
	case year2:
		to.Year, ok = s.digits(2, 2)
		to.Year = century(to.Year)
	case monthNumber:
		to.Month, ok = s.digits(low, 2)
	case monthName:
		ok = s.month(&to.Month)
	case dayOfMonth:
		to.Day, ok = s.digits(low, 2)
	case hour24, hour12:
		to.Hour, ok = s.digits(low, 2)
	case minute:
		to.Minute, ok = s.digits(low, 2)
	case second:
		if to.Second, ok = s.digits(low, 2); ok && s.char('.') {
			to.Micros, ok = s.fraction()
		}
	case meridiem:
		ok = s.meridiem(to)
	}
	return ok
}
