package datetime

import (
	"strconv"
	"strings"
)

// Date reads a date by Redshift's default, YYYY-MM-DD. What follows behind a blank or a T
// is a time, which a DATE leaves out.
func Date(text string) (Stamp, bool) {
	var to Stamp
	s := &scanner{text: text}
	if !s.isoDate(&to) {
		return Stamp{}, false
	}
	rest := s.peek()
	return to, (s.done() || rest == ' ' || rest == 'T') && to.valid() && to.InRange()
}

// Timestamp reads a time by Redshift's default, YYYY-MM-DD HH:MI:SS with a fraction, and
// an offset behind it if zone says so. A date alone is midnight.
func Timestamp(text string, zone bool) (Stamp, bool) {
	var to Stamp
	s := &scanner{text: text}
	if !s.isoDate(&to) {
		return Stamp{}, false
	}
	if !s.done() {
		if !s.blanks() || !s.clock(&to) {
			return Stamp{}, false
		}
		if zone && !s.offset(&to) {
			return Stamp{}, false
		}
	}
	return to, s.done() && to.valid() && to.InRange()
}

// Time reads a time of day, HH:MI:SS with a fraction, and its offset if zone says so.
func Time(text string, zone bool) (Stamp, bool) {
	to := Stamp{Year: 1970, Month: 1, Day: 1}
	s := &scanner{text: text}
	if !s.clock(&to) || !s.offset(&to) {
		return Stamp{}, false
	}
	return to, s.done() && to.valid() && (zone || !to.HasOffset)
}

// Epoch reads seconds, or the thousandth parts of them, since 1970-01-01 UTC. A fraction is
// taken to microseconds.
func Epoch(text string, milliseconds bool) (Stamp, bool) {
	text = strings.TrimSpace(text)
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	unit := int64(1_000_000)
	if milliseconds {
		unit = 1000
	}
	if err != nil || n > (1<<62)/unit || strings.HasPrefix(whole, "+") || strings.HasPrefix(whole, "-") {
		return Stamp{}, false
	}
	part, scale := int64(0), unit
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return Stamp{}, false
		}
		scale /= 10
		part += int64(c-'0') * scale
	}
	micros := n*unit + part
	if text[0] == '-' {
		micros = -micros
	}
	return FromMicros(micros)
}

// Auto recognizes a date, a time, or both, in the forms that 'auto' takes.
func Auto(text string) (Stamp, bool) {
	s := &scanner{text: strings.TrimSpace(text)}
	var to Stamp
	if !s.autoDate(&to) {
		return Stamp{}, false
	}
	if !s.era(&to) {
		return Stamp{}, false
	}
	if s.peek() == 'T' || s.peek() == 't' {
		if s.at++; s.run() == 0 {
			return Stamp{}, false
		}
	}
	s.blanks()
	// The time may stand before the year, and then only the zone is left.
	if s.run() > 0 && !s.autoClock(&to) {
		return Stamp{}, false
	}
	if !s.offset(&to) || !s.era(&to) {
		return Stamp{}, false
	}
	s.blanks()
	return to, s.done() && to.valid() && to.InRange()
}

// autoClock reads a time with or without colons.
func (s *scanner) autoClock(to *Stamp) bool {
	if s.run() == 6 {
		to.Hour, _ = s.digits(2, 2)
		to.Minute, _ = s.digits(2, 2)
		to.Second, _ = s.digits(2, 2)
		if s.char('.') {
			var ok bool
			if to.Micros, ok = s.fraction(); !ok {
				return false
			}
		}
		return true
	}
	return s.clock(to)
}

// isoDate reads YYYY-MM-DD; years may have more digits.
func (s *scanner) isoDate(to *Stamp) bool {
	var ok bool
	if to.Year, ok = s.digits(4, 6); !ok || to.Year == 0 || !s.char('-') {
		return false
	}
	if to.Month, ok = s.digits(2, 2); !ok || !s.char('-') {
		return false
	}
	to.Day, ok = s.digits(2, 2)
	return ok
}

// autoDate reads the date of a text that 'auto' recognizes.
func (s *scanner) autoDate(to *Stamp) bool {
	if s.peek() == 'J' || s.peek() == 'j' {
		if rest := (&scanner{text: s.text, at: s.at + 1}); rest.run() > 0 {
			return s.julian(to)
		}
	}
	if isLetter(s.peek()) {
		return s.monthFirst(to)
	}
	switch n := s.run(); {
	case n == 8:
		to.Year, _ = s.digits(4, 4)
		to.Month, _ = s.digits(2, 2)
		to.Day, _ = s.digits(2, 2)
		return to.Year > 0 // there is no year 0 between 1 BC and AD 1
	case n == 6 && s.following(n) != '-' && s.following(n) != '/':
		to.Year, _ = s.digits(2, 2)
		to.Year = century(to.Year)
		to.Month, _ = s.digits(2, 2)
		to.Day, _ = s.digits(2, 2)
		return true
	case n >= 4 && n <= 6:
		return s.yearFirst(to)
	case n == 1 || n == 2:
		return s.dayOrMonthFirst(to)
	}
	return false
}

// following is the character behind the next n.
func (s *scanner) following(n int) byte {
	if s.at+n < len(s.text) {
		return s.text[s.at+n]
	}
	return 0
}

// julian reads J2451187.
func (s *scanner) julian(to *Stamp) bool {
	s.at++
	day, ok := s.digits(1, 9)
	if !ok {
		return false
	}
	*to, ok = FromDays(int64(day) - 2440588)
	return ok
}

// monthFirst reads Jan-08-95, January 8, 1999 and the like.
func (s *scanner) monthFirst(to *Stamp) (ok bool) {
	if !s.month(&to.Month) {
		return false
	}
	s.separator()
	if to.Day, ok = s.digits(1, 2); !ok {
		return false
	}
	s.char(',')
	s.separator()
	return s.year(to)
}

// yearFirst reads 1996-01-08, 1996/1/8, 1996.008 (a day of the year) and 1996-Jan-08.
func (s *scanner) yearFirst(to *Stamp) (ok bool) {
	to.Year, _ = s.digits(4, 6)
	divider := s.peek()
	if to.Year == 0 || !s.separator() {
		return false
	}
	if s.month(&to.Month) {
		s.separator()
		to.Day, ok = s.digits(1, 2)
		return ok
	}
	if s.run() == 3 && divider == '.' {
		day, _ := s.digits(3, 3)
		if day < 1 || day > 365+daysIn(to.Year, 2)-28 {
			return false
		}
		first := Stamp{Year: to.Year, Month: 1, Day: 1}
		*to, ok = FromDays(first.Days() + int64(day) - 1)
		return ok
	}
	if to.Month, ok = s.digits(1, 2); !ok || !s.char(divider) {
		return false
	}
	to.Day, ok = s.digits(1, 2)
	return ok
}

// dayOrMonthFirst reads 17 Dec 1997, 17 Dec 07:37:16 1997, 12/17/1997 and 12.17.1997: with
// numbers alone the month is first, unless it could not be one.
func (s *scanner) dayOrMonthFirst(to *Stamp) (ok bool) {
	first, _ := s.digits(1, 2)
	divider := s.peek()
	if !s.separator() {
		return false
	}
	if s.month(&to.Month) {
		to.Day = first
		s.separator()
		if s.run() <= 2 && s.following(s.run()) == ':' {
			if !s.clock(to) || !s.blanks() {
				return false
			}
		}
		return s.year(to)
	}
	second, ok := s.digits(1, 2)
	if !ok || !s.char(divider) {
		return false
	}
	to.Month, to.Day = first, second
	if first > 12 {
		to.Month, to.Day = second, first
	}
	return s.year(to)
}

// year reads a year of two digits or of four and more.
func (s *scanner) year(to *Stamp) bool {
	n := s.run()
	y, ok := s.digits(2, 6)
	if !ok || n == 3 || n > 3 && y == 0 {
		return false
	}
	if n == 2 {
		y = century(y)
	}
	to.Year = y
	return true
}

func (s *scanner) separator() bool {
	switch s.peek() {
	case '-', '/', '.', ' ', ',':
		s.at++
		s.blanks()
		return true
	}
	return false
}
