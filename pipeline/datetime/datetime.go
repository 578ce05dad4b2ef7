package datetime

import (
	"bytes"
	"time"
)

const (
	microsPerSecond = 1_000_000
	secondsPerDay   = 86_400
	// MicrosPerDay is the length of a day.
	MicrosPerDay = secondsPerDay * microsPerSecond

	minDay = -719_162  // 0001-01-01
	maxDay = 2_932_896 // 9999-12-31
)

// Why a text is not a time of a column.
const (
	NotTime   = "is not a time in RFC 3339, as 2006-01-02T15:04:05Z"
	NotDate   = "is not a date, as 2006-01-02"
	NoSuchDay = "is not a time that exists"
	TooFine   = "has a fraction finer than microseconds"
	NotYear   = "is outside of the years 1 to 9999"
)

// daysFromCivil returns the days since 1970-01-01 of the proleptic Gregorian
// calendar. Years are counted from March in eras of 400 years, so that the
// leap day comes last.
func daysFromCivil(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return int64(era)*146_097 + int64(dayOfEra) - 719_468
}

func daysInMonth(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// twoDigits reads two digits; it returns a negative number if they are none.
func twoDigits(b []byte, i int) int {
	tens, ones := b[i]-'0', b[i+1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

// parseCivilDate reads a date such as 2006-01-02 at the start of b, which has at least
// ten bytes.
func parseCivilDate(b []byte) (days int64, reason string) {
	century, year, month, day := twoDigits(b, 0), twoDigits(b, 2), twoDigits(b, 5), twoDigits(b, 8)
	if century < 0 || year < 0 || month < 0 || day < 0 || b[4] != '-' || b[7] != '-' {
		return 0, NotTime
	}
	year += century * 100
	if year < 1 {
		return 0, NotYear
	}
	if month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return 0, NoSuchDay
	}
	return daysFromCivil(year, month, day), ""
}

// ParseTime reads a time as RFC 3339 has it, exactly; a space may stand for the T,
// and without a zone it is UTC.
func ParseTime(b []byte) (micros int64, reason string) {
	return parseTime(b, Exact, nil)
}

// parseTime is ParseTime with a precision; without a zone, the time is local to loc
// or, if that is nil, UTC.
func parseTime(b []byte, p Precision, loc *time.Location) (micros int64, reason string) {
	if len(b) < len("2006-01-02T15:04:05") || b[13] != ':' || b[16] != ':' || b[10]|0x20 != 't' && b[10] != ' ' {
		return 0, NotTime
	}
	days, reason := parseCivilDate(b)
	if reason != "" {
		return 0, reason
	}
	hour, minute, second := twoDigits(b, 11), twoDigits(b, 14), twoDigits(b, 17)
	if hour < 0 || minute < 0 || second < 0 {
		return 0, NotTime
	}
	if hour > 23 || minute > 59 || second > 59 {
		return 0, NoSuchDay
	}
	rest := b[19:]
	fraction := int64(0)
	if len(rest) > 0 && rest[0] == '.' {
		if fraction, rest, reason = parseFraction(rest[1:], p); reason != "" {
			return 0, reason
		}
	}
	seconds := days*secondsPerDay + int64(hour*3600+minute*60+second)
	if loc != nil && len(rest) == 0 {
		seconds, _ = localToUTC(seconds, loc, "")
		return checkYears(seconds*microsPerSecond + fraction)
	}
	offset, reason := parseZone(rest)
	if reason != "" {
		return 0, reason
	}
	return checkYears((seconds-offset)*microsPerSecond + fraction)
}

// checkYears refuses what an offset moved out of the calendar.
func checkYears(micros int64) (int64, string) {
	if micros < minDay*MicrosPerDay || micros >= (maxDay+1)*MicrosPerDay {
		return 0, NotYear
	}
	return micros, ""
}

// parseFraction reads the digits of a fraction of a second. Those behind the
// microseconds are zeros, or what the precision makes of them.
func parseFraction(b []byte, p Precision) (micros int64, rest []byte, reason string) {
	n := 0
	unit := int64(microsPerSecond)
	for ; n < len(b) && b[n]-'0' <= 9; n++ {
		unit /= 10
		switch {
		case n < 6:
			micros += int64(b[n]-'0') * unit
		case b[n] == '0', p == Truncate:
		case p == Exact:
			return 0, nil, TooFine
		case n == 6 && b[n] >= '5':
			micros++
		}
	}
	if n == 0 {
		return 0, nil, NotTime
	}
	return micros, b[n:], ""
}

// parseZone reads nothing, Z, or an offset such as +02:00, in seconds.
func parseZone(b []byte) (seconds int64, reason string) {
	if len(b) == 0 || len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, ""
	}
	if len(b) != len("+02:00") || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, NotTime
	}
	hours, minutes := twoDigits(b, 1), twoDigits(b, 4)
	if hours < 0 || minutes < 0 {
		return 0, NotTime
	}
	if hours > 23 || minutes > 59 {
		return 0, NoSuchDay
	}
	seconds = int64(hours*3600 + minutes*60)
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, ""
}

// ParseDate reads a date, or the UTC date of a time.
func ParseDate(b []byte) (days int32, reason string) { return parseDate(b, nil) }

// parseDate reads a date, or the date of a time: where it has an offset, that in the
// zone, or in UTC if that is nil; else the one that is written.
func parseDate(b []byte, loc *time.Location) (days int32, reason string) {
	if len(b) > len("2006-01-02") {
		micros, reason := parseTime(b, Truncate, nil)
		if loc != nil && reason == "" && !isLocal(b) {
			return dateIn(micros, loc)
		}
		return DayOf(micros), reason
	}
	if len(b) < len("2006-01-02") {
		return 0, NotDate
	}
	d, reason := parseCivilDate(b)
	if reason == NotTime {
		reason = NotDate
	}
	return int32(d), reason
}

// isLocal reports whether a time in RFC 3339 has no offset.
func isLocal(b []byte) bool {
	return !bytes.ContainsAny(b[len("2006-01-02T15:04:05"):], "zZ+-")
}

// DayOf returns the day that a time falls on, in UTC.
func DayOf(micros int64) int32 {
	day := micros / MicrosPerDay
	if micros%MicrosPerDay < 0 {
		day--
	}
	return int32(day)
}

// AppendTime appends a time in RFC 3339, with a fraction only if there is one.
func AppendTime(b []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(b, "2006-01-02T15:04:05.999999Z07:00")
}
