package datetime

import "strings"

// scanner reads a text from left to right. Its methods return false, and read nothing, if
// what they look for is not there.
type scanner struct {
	text string
	at   int
}

func (s *scanner) done() bool { return s.at >= len(s.text) }

func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) char(c byte) bool {
	if s.peek() != c || s.done() {
		return false
	}
	s.at++
	return true
}

func (s *scanner) blanks() bool {
	start := s.at
	for s.char(' ') {
	}
	return s.at > start
}

// digits reads at least low and at most high digits.
func (s *scanner) digits(low, high int) (int, bool) {
	v, n := 0, 0
	for n < high && s.at+n < len(s.text) {
		c := s.text[s.at+n]
		if c < '0' || c > '9' {
			break
		}
		v = v*10 + int(c-'0')
		n++
	}
	if n < low {
		return 0, false
	}
	s.at += n
	return v, true
}

// run is how many digits come next.
func (s *scanner) run() int {
	n := 0
	for s.at+n < len(s.text) && s.text[s.at+n] >= '0' && s.text[s.at+n] <= '9' {
		n++
	}
	return n
}

// word reads letters, and gives them in lower case.
func (s *scanner) word() string {
	n := 0
	for s.at+n < len(s.text) && isLetter(s.text[s.at+n]) {
		n++
	}
	w := strings.ToLower(s.text[s.at : s.at+n])
	s.at += n
	return w
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// fraction reads the digits behind a decimal point. What is finer than microseconds is cut.
func (s *scanner) fraction() (int, bool) {
	n := s.run()
	if n == 0 {
		return 0, false
	}
	v := 0
	for i := range 6 {
		v *= 10
		if i < n {
			v += int(s.text[s.at+i] - '0')
		}
	}
	s.at += n
	return v, true
}

// clock reads H:MI[:SS[.fraction]] and AM or PM behind it.
func (s *scanner) clock(to *Stamp) bool {
	var ok bool
	if to.Hour, ok = s.digits(1, 2); !ok || !s.char(':') {
		return false
	}
	if to.Minute, ok = s.digits(2, 2); !ok {
		return false
	}
	if s.char(':') {
		if to.Second, ok = s.digits(2, 2); !ok {
			return false
		}
		if s.char('.') {
			if to.Micros, ok = s.fraction(); !ok {
				return false
			}
		}
	}
	return s.meridiem(to)
}

// meridiem reads AM or PM if it is there; the hour is one of 1 to 12 then.
func (s *scanner) meridiem(to *Stamp) bool {
	was := s.at
	s.blanks()
	switch s.word() {
	case "am":
		return to.halfDay(false)
	case "pm":
		return to.halfDay(true)
	}
	s.at = was
	return true
}

func (s *Stamp) halfDay(afternoon bool) bool {
	if s.Hour < 1 || s.Hour > 12 {
		return false
	}
	s.Hour %= 12
	if afternoon {
		s.Hour += 12
	}
	return true
}

// zones are the abbreviations that PostgreSQL's ancestor knew by default and that are
// common in data, in hours east of UTC.
var zones = map[string]int{
	"z": 0, "utc": 0, "gmt": 0, "ut": 0, "zulu": 0, "wet": 0, "bst": 1, "west": 1, "cet": 1, "met": 1,
	"cest": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9,
	"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
	"akst": -9, "akdt": -8, "hst": -10,
}

// offset reads a numeric offset or an abbreviation; nothing is no offset.
func (s *scanner) offset(to *Stamp) bool {
	s.blanks()
	if s.done() {
		return true
	}
	sign := 1
	switch s.peek() {
	case '-':
		sign = -1
	case '+':
	default:
		was := s.at
		hours, ok := zones[s.word()]
		if !ok {
			s.at = was
			return true
		}
		to.Offset, to.HasOffset = hours*3600, true
		return true
	}
	s.at++
	var hours, minutes int
	var ok bool
	if s.run() == 4 {
		hours, _ = s.digits(2, 2)
		minutes, _ = s.digits(2, 2)
	} else {
		if hours, ok = s.digits(1, 2); !ok {
			return false
		}
		if s.char(':') {
			if minutes, ok = s.digits(2, 2); !ok {
				return false
			}
		}
	}
	if hours > 15 || minutes > 59 {
		return false
	}
	to.Offset, to.HasOffset = sign*(hours*3600+minutes*60), true
	return true
}

// era reads BC or AD at the end.
func (s *scanner) era(to *Stamp) bool {
	s.blanks()
	was := s.at
	switch s.word() {
	case "bc":
		if to.Year <= 0 {
			return false
		}
		to.Year = 1 - to.Year
	case "ad":
	default:
		s.at = was
	}
	return true
}

var months = map[string]int{
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
	"january": 1, "february": 2, "march": 3, "april": 4, "june": 6, "july": 7, "august": 8, "september": 9, "sept": 9,
	"october": 10, "november": 11, "december": 12,
}

func (s *scanner) month(to *int) bool {
	was := s.at
	m, ok := months[s.word()]
	if !ok {
		s.at = was
		return false
	}
	*to = m
	return true
}

// century completes a year of two digits as PostgreSQL does: 70 to 99 are of the 1900s.
func century(year int) int {
	if year < 70 {
		return 2000 + year
	}
	return 1900 + year
}
