package datetime

import (
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/zone"
)

// Precision says what becomes of the part of a time that is finer than a
// microsecond.
type Precision uint8

// The precisions.
const (
	Exact    Precision = iota // it has to be zero
	Truncate                  // it is left out: the time is the microsecond that it falls into
	Round                     // to the nearest microsecond, the later one of two
)

// Precisions are their names, but for Exact, which is what no name means.
var Precisions = map[string]Precision{"truncate": Truncate, "round": Round}

// notation is how the times of a format are written.
type notation uint8

const (
	rfc3339 notation = iota
	layout
	number
)

// units are the formats that are numbers: the power of ten of their unit in µs.
var units = map[string]int{"unix": 6, "unix_ms": 3, "unix_us": 0}

// Format says how dates and times are written. The zero Format is RFC 3339, UTC,
// exact.
type Format struct {
	notation  notation
	layout    string
	power     int
	zone      *time.Location // nil = UTC
	precision Precision
}

// FormatError says which part of a format is wrong, by the key that has it in a
// pipeline file.
type FormatError struct {
	Key, Message string
	Name         string // what was written, where Known says what could be
	Known        []string
}

// Error returns the message.
func (e *FormatError) Error() string { return e.Message }

// NewFormat returns a format: format is a layout as Go has them, unix, unix_ms,
// unix_us, or empty for RFC 3339; zoneName a name of the IANA database, empty =
// UTC; precision truncate, round, or empty. date says that it is for dates. The
// mistakes are *FormatErrors.
func NewFormat(format, zoneName, precision string, date bool) (f Format, mistakes []*FormatError) {
	wrong := func(e *FormatError) { mistakes = append(mistakes, e) }
	power, isNumber := units[format]
	switch {
	case format == "":
	case isNumber:
		f.notation, f.power = number, power
	case IsLayout(format):
		f.notation, f.layout = layout, format
	default:
		wrong(&FormatError{Key: "format", Message: fmt.Sprintf("%q is no layout: write the date 2006-01-02 and the time 15:04:05 the way the values are written, or unix, unix_ms or unix_us", format)})
	}
	if zoneName != "" {
		var err error
		if f.zone, err = zone.Load(zoneName); err != nil {
			wrong(&FormatError{Key: "zone", Message: err.Error()})
		} else if f.notation == number && !date {
			wrong(&FormatError{Key: "zone", Message: "zone is for local times: a number of units since 1970 is in UTC"})
		}
	}
	var known bool
	switch f.precision, known = Precisions[precision]; {
	case precision == "":
	case !known:
		wrong(&FormatError{Key: "precision", Message: fmt.Sprintf("unknown precision %q: want truncate or round", precision), Name: precision, Known: []string{"truncate", "round"}})
	case date:
		wrong(&FormatError{Key: "precision", Message: "precision is for timestamps: a date has none"})
	}
	return f, mistakes
}

// Time reads a time.
func (f *Format) Time(b []byte) (micros int64, reason string) {
	switch f.notation {
	case number:
		return parseNumber(b, f.power, f.precision)
	case layout:
		t, isLocal, reason := f.parse(b)
		if reason != "" {
			return 0, reason
		}
		seconds := t.Unix()
		if isLocal && f.zone != nil {
			seconds, _ = localToUTC(seconds, f.zone, "")
		}
		micros, rest := int64(t.Nanosecond()/1000), t.Nanosecond()%1000
		switch {
		case rest != 0 && f.precision == Exact:
			return 0, TooFine
		case rest >= 500 && f.precision == Round:
			micros++
		}
		return checkYears(seconds*microsPerSecond + micros)
	default:
		return parseTime(b, f.precision, f.zone)
	}
}

// ParseLayout reads a time in a layout, exactly; without a zone it is UTC.
func ParseLayout(b []byte, as string) (micros int64, reason string) {
	f := Format{notation: layout, layout: as}
	return f.Time(b)
}

// Date reads a date, or the date of a time.
func (f *Format) Date(b []byte) (days int32, reason string) {
	switch f.notation {
	case number:
		micros, reason := parseNumber(b, f.power, Truncate)
		if f.zone != nil && reason == "" {
			return dateIn(micros, f.zone)
		}
		return DayOf(micros), reason
	case layout:
		t, isLocal, reason := f.parse(b)
		if reason != "" {
			return 0, reason
		}
		micros, reason := checkYears(t.Unix() * microsPerSecond)
		if f.zone != nil && !isLocal && reason == "" {
			return dateIn(micros, f.zone)
		}
		return DayOf(micros), reason
	default:
		return parseDate(b, f.zone)
	}
}

// IsNumber reports whether times are numbers of units since 1970.
func (f *Format) IsNumber() bool { return f.notation == number }

// DayOf returns the day that a time falls on.
func (f *Format) DayOf(micros int64) int32 {
	if f.zone != nil {
		return dayIn(micros, f.zone)
	}
	return DayOf(micros)
}

// nowhere is where package time puts times without a zone.
var nowhere = time.FixedZone("local", 0)

// parse reads a time by the layout. One that is local has the wall clock of UTC,
// unless it has the abbreviation of a zone.
func (f *Format) parse(b []byte) (t time.Time, isLocal bool, reason string) {
	t, err := time.ParseInLocation(f.layout, string(b), nowhere)
	switch {
	case err != nil:
		return t, false, "is not a time in the layout " + f.layout
	case t.Location() == nowhere:
		return t, true, ""
	case t.Location() == time.UTC:
		return t, false, ""
	}
	// An abbreviation that is not known counts as UTC to package time.
	name, offset := t.Zone()
	if name == "" || offset != 0 || name == "GMT" || !strings.Contains(f.layout, "MST") {
		return t, false, ""
	}
	if f.zone == nil {
		return t, false, "has a zone, " + name + ", whose offset it does not say: give the column a zone"
	}
	seconds, reason := localToUTC(t.Unix(), f.zone, name)
	return time.Unix(seconds, int64(t.Nanosecond())), false, reason
}

// day is more than what zones differ by.
const day = secondsPerDay

// FromLocal returns the time at which clocks of a zone show what those of UTC show
// at the given one: of a time that they show twice, the first; of one that they
// skip, as if they had not been put forward.
func FromLocal(micros int64, loc *time.Location) int64 {
	seconds := micros / microsPerSecond
	if micros%microsPerSecond < 0 {
		seconds--
	}
	at, _ := localToUTC(seconds, loc, "")
	return micros + (at-seconds)*microsPerSecond
}

// localToUTC is FromLocal in seconds; with an abbreviation, the time is the one when the
// zone has it.
func localToUTC(seconds int64, loc *time.Location, abbreviation string) (at int64, reason string) {
	found := false
	before := int64(0)
	for i, near := range [2]int64{seconds - day, seconds + day} {
		_, offset := time.Unix(near, 0).In(loc).Zone()
		instant := seconds - int64(offset)
		if i == 0 {
			before = instant
		}
		name, there := time.Unix(instant, 0).In(loc).Zone()
		if there != offset || abbreviation != "" && name != abbreviation || found && instant >= at {
			continue
		}
		at, found = instant, true
	}
	switch {
	case found:
		return at, ""
	case abbreviation != "":
		return 0, "is in a zone, " + abbreviation + ", that " + loc.String() + " does not have then"
	}
	return before, ""
}

// dayIn returns the day that a time falls on in a zone.
func dayIn(micros int64, loc *time.Location) int32 {
	_, offset := time.UnixMicro(micros).In(loc).Zone()
	return DayOf(micros + int64(offset)*microsPerSecond)
}

// dateIn returns the day that a time falls on in a zone, which may be outside of the years though
// the time is not.
func dateIn(micros int64, loc *time.Location) (days int32, reason string) {
	if days = dayIn(micros, loc); days < minDay || days > maxDay {
		return 0, NotYear
	}
	return days, ""
}

// parseNumber reads a number of units of 10^power µs since 1970.
func parseNumber(b []byte, power int, p Precision) (micros int64, reason string) {
	n, reason := decimal.Scaled(b, power, 18)
	switch {
	case reason == "":
		micros, _ = n.Int64() // of at most 18 digits
		return checkYears(micros)
	case reason == decimal.OutOfRange:
		return 0, NotYear
	case reason != decimal.NotExact:
		return 0, reason
	case p == Exact:
		return 0, TooFine
	}
	micros, ok := decimal.Cut(b, power)
	if !ok {
		return 0, NotYear
	}
	var scratch [64]byte
	d, _ := decimal.Parse(scratch[:], b)
	// The part that is cut off is 0.d1 d2 …, and not zero.
	first, exactly := byte('0'), false
	if at := d.Point + power; at >= 0 && at < len(d.Digits) {
		first, exactly = d.Digits[at], at == len(d.Digits)-1
	}
	switch {
	case d.Negative && (p == Truncate || first > '5' || first == '5' && !exactly):
		micros--
	case !d.Negative && p == Round && first >= '5':
		micros++
	}
	return checkYears(micros)
}

// IsLayout reports whether a layout reads what it writes, and tells days apart.
func IsLayout(format string) bool {
	one := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
	two := time.Date(2019, 11, 23, 20, 38, 47, 0, time.UTC)
	text := two.Format(format)
	_, err := time.Parse(format, text)
	return err == nil && text != one.Format(format)
}
