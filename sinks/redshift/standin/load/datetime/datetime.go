// Package datetime reads dates and times as COPY does and writes them as PostgreSQL reads
// them: by the default patterns, by those of DATEFORMAT and TIMEFORMAT, and by the
// recognition that 'auto' asks for (dg/r_DATEFORMAT_and_TIMEFORMAT_strings,
// dg/automatic-recognition).
//
// Everything is in the proleptic Gregorian calendar. Years are astronomical: the year 0 is
// 1 BC.
package datetime

import "strconv"

// Stamp is a date with a time of day, and the offset from UTC if the text had one.
type Stamp struct {
	Year, Month, Day             int
	Hour, Minute, Second, Micros int
	// Offset is in seconds east of UTC.
	Offset    int
	HasOffset bool
}

const (
	microsPerDay = 86_400_000_000
	// epoch is the first day of PostgreSQL's calendar after 1970-01-01.
	epochDays = 10957
	// The days that DATE and TIMESTAMP reach from and to: 4713-11-24 BC, the Julian day 0,
	// and 294276-12-31.
	minDay = -2440588
	maxDay = 106_762_939
)

// FromDays is the date that many days after 1970-01-01. It is false if no DATE is that far.
func FromDays(days int64) (Stamp, bool) {
	if days < minDay || days > maxDay {
		return Stamp{}, false
	}
	// Years that begin in March have their leap day at the end, and 400 of them always the
	// same number of days.
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	s := Stamp{Day: int(doy - (153*mp+2)/5 + 1), Month: int(mp) + 3, Year: int(yoe + era*400)}
	if s.Month > 12 {
		s.Month -= 12
		s.Year++
	}
	return s, true
}

// FromMicros is the time that many microseconds after 1970-01-01 00:00:00.
func FromMicros(micros int64) (Stamp, bool) {
	day := floorDiv(micros, microsPerDay)
	s, ok := FromDays(day)
	rest := int(micros - day*microsPerDay)
	s.Micros = rest % 1_000_000
	rest /= 1_000_000
	s.Hour, s.Minute, s.Second = rest/3600, rest/60%60, rest%60
	return s, ok
}

// FromRaw is what a TIMESTAMP holds whose eight bytes are v: microseconds after 2000-01-01,
// as PostgreSQL keeps them. What is out of its range ends at it.
func FromRaw(v int64) Stamp {
	day := min(max(floorDiv(v, microsPerDay)+epochDays, minDay), maxDay)
	s, _ := FromDays(day)
	rest, _ := FromMicros(v - floorDiv(v, microsPerDay)*microsPerDay)
	s.Hour, s.Minute, s.Second, s.Micros = rest.Hour, rest.Minute, rest.Second, rest.Micros
	return s
}

// Days is the date in days after 1970-01-01.
func (s Stamp) Days() int64 {
	y, m := int64(s.Year), int64(s.Month)
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + int64(s.Day) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// UTC is the same instant with its offset taken off; without an offset it is itself.
func (s Stamp) UTC() (Stamp, bool) {
	if s.Offset == 0 {
		return s, s.InRange()
	}
	// Days and seconds are kept apart: microseconds of far days would not fit.
	seconds := int64(s.Hour)*3600 + int64(s.Minute)*60 + int64(s.Second) - int64(s.Offset)
	day := s.Days() + floorDiv(seconds, 86400)
	seconds -= floorDiv(seconds, 86400) * 86400
	u, ok := FromDays(day)
	u.Hour, u.Minute, u.Second = int(seconds/3600), int(seconds/60%60), int(seconds%60)
	u.Micros, u.HasOffset = s.Micros, s.HasOffset
	return u, ok
}

// InRange tells whether DATE and TIMESTAMP reach that far.
func (s Stamp) InRange() bool {
	d := s.Days()
	return d >= minDay && d <= maxDay
}

// valid tells whether there is such a day and such a time.
func (s Stamp) valid() bool {
	if s.Month < 1 || s.Month > 12 || s.Day < 1 || s.Day > daysIn(s.Year, s.Month) {
		return false
	}
	if s.Hour == 24 {
		return s.Minute == 0 && s.Second == 0 && s.Micros == 0
	}
	return s.Hour < 24 && s.Minute < 60 && s.Second < 60
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// AppendDate writes the date.
func (s Stamp) AppendDate(dst []byte) []byte {
	dst = s.appendYearMonthDay(dst)
	return s.appendEra(dst)
}

// AppendTimestamp writes date and time, without an offset.
func (s Stamp) AppendTimestamp(dst []byte) []byte {
	dst = s.appendYearMonthDay(dst)
	dst = append(dst, ' ')
	dst = s.AppendTime(dst)
	return s.appendEra(dst)
}

// AppendTimestampUTC writes date and time with the offset +00.
func (s Stamp) AppendTimestampUTC(dst []byte) []byte {
	dst = s.appendYearMonthDay(dst)
	dst = append(dst, ' ')
	dst = s.AppendTime(dst)
	dst = append(dst, "+00"...)
	return s.appendEra(dst)
}

// AppendTime writes the time of day.
func (s Stamp) AppendTime(dst []byte) []byte {
	dst = two(dst, s.Hour)
	dst = two(append(dst, ':'), s.Minute)
	dst = two(append(dst, ':'), s.Second)
	if s.Micros == 0 {
		return dst
	}
	digits := strconv.Itoa(1_000_000 + s.Micros)
	dst = append(dst, '.')
	return append(dst, digits[1:]...)
}

// AppendOffset writes the offset as +hh:mm.
func (s Stamp) AppendOffset(dst []byte) []byte {
	o := s.Offset
	sign := byte('+')
	if o < 0 {
		sign, o = '-', -o
	}
	dst = two(append(dst, sign), o/3600)
	return two(append(dst, ':'), o/60%60)
}

func (s Stamp) appendYearMonthDay(dst []byte) []byte {
	y := s.Year
	if y <= 0 {
		y = 1 - y
	}
	for pad := 1000; pad > y && pad > 1; pad /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(y), 10)
	dst = two(append(dst, '-'), s.Month)
	return two(append(dst, '-'), s.Day)
}

func (s Stamp) appendEra(dst []byte) []byte {
	if s.Year <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

func two(dst []byte, v int) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
