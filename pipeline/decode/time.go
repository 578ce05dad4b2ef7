package decode

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// createdMax is the end of the year 9999 in µs since 1970.
const createdMax = 253402300799999999

// Where a record does not say in which unit its time is, its size does: a number
// below streamsLimit is seconds (up to the year 5138), one below microsLimit
// milliseconds (from 1973 to 9999), the others microseconds (from 1978).
const (
	secondsLimit = 100_000_000_000
	microsLimit  = createdMax/1000 + 1
	// secondsTextMin is the first second of 1973: a smaller number in a text may be a
	// year or a date.
	secondsTextMin = 94694400
)

// timeLayouts are how programs that print a stream's records write times,
// besides as a number. All have a zone: without one nobody knows the instant.
var timeLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 UTC",
	"2006-01-02 15:04:05 -0700 MST", "Mon, 02 Jan 2006 15:04:05 GMT",
}

// timeField reads a field that is a time: a number, a text, or an object of
// seconds and nanoseconds.
func (s *scanner) timeField(i int, v *Value) int {
	switch s.peek(i) {
	case '"', 'n':
		return s.textField(i, v)
	case '{':
		end := s.skip(i, 2)
		*v = Value{Kind: Map, Start: uint32(i), End: uint32(max(end, 0))}
		return end
	}
	end, _ := s.number(i)
	if end >= 0 {
		*v = Value{Kind: Number, Start: uint32(i), End: uint32(end)}
	}
	return end
}

// creation returns ApproximateCreationDateTime in µs. Kinesis delivers
// milliseconds unless the record says otherwise; DynamoDB Streams has seconds,
// with or without a fraction; and SDKs print times in ways of their own.
func (s *scanner) creation(v, precision Value) int64 {
	power := -1
	switch {
	case precision.Kind == Missing:
	case s.is(precision, "MILLISECOND"):
		power = 3
	case s.is(precision, "MICROSECOND"):
		power = 0
	default:
		return int64(s.fail(int(precision.Start), fmt.Sprintf(
			"unknown ApproximateCreationDateTimePrecision %q: want MILLISECOND or MICROSECOND", precision.Raw(s.b))))
	}
	if v.Kind != Number {
		return s.printedTime(v, power)
	}
	return s.epochTime(v, v.Raw(s.b), power)
}

// epochTime returns a time since 1970 in µs; a negative power means that its
// unit is not known.
func (s *scanner) epochTime(v Value, text []byte, power int) int64 {
	if power < 0 {
		power = 3
		switch n, ok := decimal.Cut(text, 0); {
		case ok && n < secondsLimit:
			power = 6
		case ok && n >= microsLimit:
			power = 0
		}
	}
	t, ok := decimal.Cut(text, power)
	if !ok || t < 0 || t > createdMax {
		return int64(s.fail(int(v.Start), fmt.Sprintf(
			"ApproximateCreationDateTime is out of range: want seconds, milliseconds or microseconds from 1970 to 9999, found %s", text)))
	}
	switch power {
	case 0:
		s.unit, s.byDigits = 1, false
	case 3:
		s.unit, s.byDigits = 1000, false
	default: // with a fraction or without one
		s.unit, s.byDigits = unitOf(t), true
	}
	return t
}

// unitOf returns how fine a time in µs is, as far as its value tells.
func unitOf(t int64) int64 {
	switch {
	case t%1_000_000 == 0:
		return 1_000_000
	case t%1000 == 0:
		return 1000
	}
	return 1
}

// unitOfText returns how fine a printed time is, as far as the digits of its fraction
// tell: zeros are digits as others are.
func unitOfText(text string) int64 {
	fraction := text[strings.IndexAny(text, ".,")+1:] // of a text that has none, all, or what follows the day
	if fraction == text {
		return 1_000_000
	}
	switch digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789")); {
	case digits == 0:
		return 1_000_000
	case digits <= 3:
		return 1000
	}
	return 1
}

// printedTime returns the time in a text or an object.
func (s *scanner) printedTime(v Value, power int) int64 {
	if v.Kind == Map {
		return s.instant(v)
	}
	s.text, _ = appendUnescaped(s.text[:0], v.Raw(s.b))
	n := scanner{b: s.text}
	text := string(s.text)
	if end, _ := n.number(0); end == len(s.text) {
		if t, ok := decimal.Cut(s.text, 0); power < 0 && ok && t < secondsTextMin {
			return int64(s.fail(int(v.Start), fmt.Sprintf("ApproximateCreationDateTime is not understood: want a number since 1970 or a time as 2006-01-02T15:04:05Z, found %q", text)))
		}
		return s.epochTime(v, s.text, power)
	}
	if ms, ok := strings.CutPrefix(text, "/Date("); ok && strings.HasSuffix(ms, ")/") {
		ms = strings.TrimSuffix(ms, ")/")
		n.b = []byte(ms)
		if end, _ := n.number(0); end == len(ms) {
			return s.epochTime(v, n.b, 3)
		}
	}
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, text)
		if err != nil || strings.HasSuffix(layout, "MST") && !strings.HasSuffix(text, " UTC") {
			continue
		}
		if micros := t.UnixMicro(); micros >= 0 && micros <= createdMax {
			switch power {
			case 0:
				s.unit, s.byDigits = 1, false
			case 3:
				s.unit, s.byDigits = 1000, false
			default:
				s.unit, s.byDigits = unitOfText(text), true
			}
			return micros
		}
		return int64(s.fail(int(v.Start), fmt.Sprintf("ApproximateCreationDateTime is out of range: want a time from 1970 to 9999, found %q", text)))
	}
	zone := ""
	for _, layout := range []string{"2006-01-02T15:04:05", time.DateTime} {
		if _, err := time.Parse(layout, text); err == nil {
			zone = ", which has no zone"
		}
	}
	return int64(s.fail(int(v.Start), fmt.Sprintf(
		"ApproximateCreationDateTime is not understood: want a number since 1970 or a time as 2006-01-02T15:04:05Z, found %q%s", text, zone)))
}

// instant returns the time in an object as Java's Instant is printed field by
// field.
func (s *scanner) instant(v Value) int64 {
	var seconds, nanos []byte
	i, name := s.firstField(int(v.Start))
	for ; name != nil; i, name = s.nextField(i) {
		at, field := i, string(bytes.ToLower(name))
		if i = s.skip(i, 2); i < 0 {
			break
		}
		switch field {
		case "epochsecond", "seconds":
			seconds = s.b[at:i]
		case "nano", "nanos":
			nanos = s.b[at:i]
		}
	}
	whole, ok := integer(seconds)
	part, also := int64(0), true
	if nanos != nil {
		part, also = integer(nanos)
	}
	if !ok || !also || whole < 0 || whole > createdMax/1_000_000 || part < 0 || part > 999_999_999 {
		return int64(s.fail(int(v.Start), "ApproximateCreationDateTime is not understood: want a number since 1970 or a time as 2006-01-02T15:04:05Z, found an object without epochSecond and nano"))
	}
	t := whole*1_000_000 + part/1000
	s.unit, s.byDigits = unitOf(t), true
	return t
}

// integer reads a JSON number that is an integer.
func integer(text []byte) (int64, bool) {
	n := scanner{b: text}
	if end, _ := n.number(0); end != len(text) || bytes.ContainsAny(text, ".eE") {
		return 0, false
	}
	return decimal.Cut(text, 0)
}
