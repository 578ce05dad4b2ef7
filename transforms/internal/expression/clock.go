package expression

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/zone"
)

const (
	microsPerSecond = 1_000_000
	secondsPerDay   = 86_400
	microsPerDay    = secondsPerDay * microsPerSecond

	minDay = -719_162  // 0001-01-01
	maxDay = 2_932_896 // 9999-12-31
)

var errYears = errors.New("the result is outside of the years 1 to 9999")

var timeFunctions = []function{
	{name: "date", params: []param{{kinds: String | temporal}, layoutParam.optionally(), zoneParam}, build: buildTime},
	{name: "timestamp", params: []param{{kinds: String | temporal}, layoutParam.optionally(), zoneParam}, build: buildTime},
	{name: "format", params: []param{{kinds: temporal}, layoutParam, zoneParam}, build: buildTime},
	{name: "truncate", params: []param{{kinds: temporal}, unitParam, zoneParam}, build: buildTime},
	{name: "unix", params: takes(Timestamp), gives: always(Number), call: func(_ *machine, a []Value) (Value, error) {
		return ratio(a[0].n, microsPerSecond), nil
	}},
	{name: "fromUnix", params: takes(Number), gives: always(Timestamp), call: func(_ *machine, a []Value) (Value, error) {
		return shift(TimestampOf(0), a[0])
	}},
	{name: "duration", params: takes(String), gives: always(Number), call: duration},
	{name: "addYears", params: takes(temporal, Number), gives: sameAs(0), call: adding("addYears", 12)},
	{name: "addMonths", params: takes(temporal, Number), gives: sameAs(0), call: adding("addMonths", 1)},
	{name: "addDays", params: takes(temporal, Number), gives: sameAs(0), call: func(_ *machine, a []Value) (Value, error) {
		return shiftBy(a[0], a[1], secondsPerDay)
	}},
	{name: "addHours", params: takes(Timestamp, Number), gives: sameAs(0), call: func(_ *machine, a []Value) (Value, error) {
		return shiftBy(a[0], a[1], 3600)
	}},
	{name: "addMinutes", params: takes(Timestamp, Number), gives: sameAs(0), call: func(_ *machine, a []Value) (Value, error) {
		return shiftBy(a[0], a[1], 60)
	}},
	{name: "addSeconds", params: takes(Timestamp, Number), gives: sameAs(0), call: func(_ *machine, a []Value) (Value, error) {
		return shiftBy(a[0], a[1], 1)
	}},
}

// settings are the literals behind the first argument of a function of times.
type settings struct {
	zone   *time.Location // nil = UTC
	layout string
	unit   string
}

func (s *settings) in(v Value) time.Time {
	t := v.time()
	if s.zone != nil && v.kind == Timestamp {
		t = t.In(s.zone)
	}
	return t
}

var units = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second"}

// setting takes a literal: the name of a zone, a layout, or a unit.
func (c *compiler) setting(f *function, arg ast.Node, s *settings, i int) bool {
	literal, ok := arg.(*ast.StringNode)
	if !ok {
		c.fail(start(arg), "%s wants a text in quotes here: layouts and zones are checked before anything is read", f.name)
		return false
	}
	text := literal.Value
	if f.name == "truncate" && i == 1 {
		if s.unit = text; !slices.Contains(units, text) {
			c.mistake(arg.Location(), &Mistake{Message: fmt.Sprintf("unknown unit %q: want one of %s", text, strings.Join(units, ", ")), Name: text, Known: units})
			return false
		}
		return true
	}
	layouts := f.name == "date" || f.name == "timestamp" || f.name == "format" && i == 1
	if z, err := zone.Load(text); err == nil && (f.name != "format" || i == 2) {
		if s.zone != nil {
			c.fail(arg.Location(), "%s takes one time zone", f.name)
		}
		s.zone = z
		return true
	}
	if layouts && s.layout == "" && (f.name == "format" && shows(text) || f.name != "format" && datetime.IsLayout(text)) {
		s.layout = text
		return true
	}
	switch {
	case f.name == "format" && i == 1:
		c.fail(arg.Location(), "%q is no layout: write the date 2006-01-02 and the time 15:04:05 the way it is to be written", text)
	case layouts && s.layout == "" && !zoneLike.MatchString(text):
		c.fail(arg.Location(), "%q is no layout: write the date 2006-01-02 and the time 15:04:05 the way it is written; nor is it a time zone, as Europe/Berlin", text)
	default:
		c.mistake(arg.Location(), &Mistake{Message: fmt.Sprintf("unknown time zone %q: want a name of the IANA database, as Europe/Berlin or UTC", text), Name: text, Known: zone.Names()})
	}
	return false
}

var zoneLike = regexp.MustCompile(`^[A-Z]\w*(/[A-Z][\w+-]*)+$`)

// shows reports whether a layout shows anything of a time.
func shows(layout string) bool {
	one := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
	two := time.Date(2019, 11, 23, 8, 38, 47, 123456000, time.FixedZone("X", 3600))
	return one.Format(layout) != two.Format(layout)
}

// buildTime compiles the functions whose further arguments are literals.
func buildTime(c *compiler, f *function, n ast.Node, args []ast.Node) node {
	first := c.compile(args[0])
	ok := c.fits(f, 0, args[0], first)
	var s settings
	for i, a := range args[1:] {
		ok = c.setting(f, a, &s, i+1) && ok
	}
	switch {
	case !ok:
		return c.broken()
	case s.zone != nil && f.name != "timestamp" && !first.typ.may(Timestamp|String):
		return c.fail(n.Location(), "%s of a date takes no time zone: a date is the same everywhere", f.name)
	case s.layout != "" && f.name != "format" && !first.typ.may(String):
		return c.fail(n.Location(), "%s takes a layout for a string, and this is a %s", f.name, first.typ.kinds)
	case first.typ.sure(Date) && slices.Contains(units[5:], s.unit):
		return c.fail(n.Location(), "a date has no %s", s.unit)
	}
	built := *f
	switch {
	case f.name == "date":
		built.gives, built.call = always(Date), s.date
	case f.name == "timestamp":
		built.gives, built.call = always(Timestamp), s.timestamp
	case f.name == "format":
		built.gives = always(String)
		built.call = func(m *machine, a []Value) (Value, error) {
			text := s.in(a[0]).Format(s.layout)
			return StringOf(text), m.make(len(text))
		}
	default:
		built.gives, built.call = sameAs(0), s.truncate
	}
	built.params = f.params[:1]
	if first.constant && first.value.kind == String {
		if _, err := built.call(&machine{}, []Value{first.value}); err != nil {
			return c.fail(start(args[0]), "%v", err)
		}
	}
	return fold(node{typ: built.gives([]node{first}), run: built.run([]node{first})}, first)
}

// date makes a date of a string, or the date that a timestamp falls on in a zone.
func (s *settings) date(m *machine, a []Value) (Value, error) {
	v := a[0]
	switch {
	case v.kind == String && s.layout == "" && len(v.s) <= len(time.DateOnly):
		day, reason := datetime.ParseDate([]byte(v.s))
		if reason != "" {
			return Value{}, fmt.Errorf("%s %s", quote(v), reason)
		}
		return DateOf(day), nil
	case v.kind == String && s.layout != "" && !zoned(s.layout):
		// The day is what is written, in whatever zone.
		micros, reason := datetime.ParseLayout([]byte(v.s), s.layout)
		if reason != "" {
			return Value{}, fmt.Errorf("%s %s", quote(v), reason)
		}
		return DateOf(datetime.DayOf(micros)), nil
	case v.kind == String:
		var err error
		if v, err = s.timestamp(m, a); err != nil {
			return Value{}, err
		}
	case v.kind == Date:
		return v, nil
	}
	t := s.in(v)
	_, offset := t.Zone()
	return inYears(Date, int64(datetime.DayOf(t.UnixMicro()+int64(offset)*microsPerSecond)))
}

// zoned reports whether a layout has an offset or a zone of its own.
func zoned(layout string) bool {
	return strings.Contains(layout, "Z07") || strings.Contains(layout, "-07") || strings.Contains(layout, "MST")
}

// timestamp makes a timestamp of a string, or the beginning of a date in a zone.
func (s *settings) timestamp(_ *machine, a []Value) (Value, error) {
	v := a[0]
	var micros int64
	local := s.zone != nil
	switch v.kind {
	case Timestamp:
		return v, nil
	case Date:
		micros = v.n * microsPerDay
	default:
		reason := ""
		switch {
		case s.layout != "":
			micros, reason = datetime.ParseLayout([]byte(v.s), s.layout)
			local = local && !zoned(s.layout)
		case len(v.s) == len(time.DateOnly):
			var day int32
			day, reason = datetime.ParseDate([]byte(v.s))
			micros = int64(day) * microsPerDay
		default:
			micros, reason = datetime.ParseTime([]byte(v.s))
			local = local && !hasOffset(v.s)
		}
		if reason != "" {
			return Value{}, fmt.Errorf("%s %s", quote(v), reason)
		}
	}
	if local {
		micros = datetime.FromLocal(micros, s.zone)
	}
	return inYears(Timestamp, micros)
}

// hasOffset reports whether a time in RFC 3339 has an offset.
func hasOffset(s string) bool {
	return strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "z") || strings.LastIndexAny(s, "+-") > len(time.DateOnly)
}

// inYears refuses what no column holds.
func inYears(k Kind, n int64) (Value, error) {
	day := n
	if k == Timestamp {
		day = int64(datetime.DayOf(n))
	}
	if day < minDay || day > maxDay {
		return Value{}, errYears
	}
	return Value{kind: k, n: n}, nil
}

// shift adds days to a date, or seconds to a timestamp.
func shift(v, by Value) (Value, error) {
	if v.kind == Date {
		days, ok := whole(by)
		if !ok && isWhole(by) || ok && (days > maxDay-minDay || days < minDay-maxDay) {
			return Value{}, errYears
		}
		if !ok {
			return Value{}, fmt.Errorf("to a date a whole number of days is added, not %s", quote(by))
		}
		return inYears(Date, v.n+days)
	}
	micros, ok := nearestInt(by, 6)
	if !ok {
		n := nearest(new(big.Rat).Mul(by.rat(), new(big.Rat).SetInt64(microsPerSecond)))
		if !n.IsInt64() {
			return Value{}, errYears
		}
		micros = n.Int64()
	}
	at, ok := addInt(v.n, micros)
	if !ok {
		return Value{}, errYears
	}
	return inYears(Timestamp, at)
}

// shiftBy adds so many units of seconds.
func shiftBy(v, n Value, seconds int64) (Value, error) {
	if v.kind == Date {
		return shift(v, n)
	}
	by, err := multiply(n, IntOf(seconds))
	if err != nil {
		return Value{}, err
	}
	return shift(v, by)
}

// adding adds months, in the calendar: the day is the last of the month where
// the month has no such day.
func adding(name string, months int64) func(*machine, []Value) (Value, error) {
	return func(_ *machine, a []Value) (Value, error) {
		n, ok := whole(a[1])
		switch {
		case !ok:
			return Value{}, fmt.Errorf("%s wants a whole number, not %s", name, quote(a[1]))
		case n > 12*10_000 || n < -12*10_000:
			return Value{}, errYears
		}
		t := a[0].time()
		first := time.Date(t.Year(), t.Month()+time.Month(n*months), 1, 0, 0, 0, 0, time.UTC)
		last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		day := time.Date(first.Year(), first.Month(), min(t.Day(), last), 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay
		if day < minDay || day > maxDay {
			return Value{}, errYears
		}
		if a[0].kind == Date {
			return DateOf(int32(day)), nil
		}
		return TimestampOf(day*microsPerDay + a[0].n - int64(datetime.DayOf(a[0].n))*microsPerDay), nil
	}
}

// truncate returns the beginning of the unit that a time is in.
func (s *settings) truncate(_ *machine, a []Value) (Value, error) {
	v := a[0]
	if v.kind == Date && slices.Contains(units[5:], s.unit) {
		return Value{}, mismatch("a date has no %s", s.unit)
	}
	t := s.in(v)
	year, month, day := t.Date()
	hour, minute, second := 0, 0, 0
	switch s.unit {
	case "year":
		month, day = time.January, 1
	case "quarter":
		month, day = month-(month-1)%3, 1
	case "month":
		day = 1
	case "week":
		day -= (int(t.Weekday()) + 6) % 7
	case "hour":
		hour = t.Hour()
	case "minute":
		hour, minute = t.Hour(), t.Minute()
	case "second":
		hour, minute, second = t.Clock()
	}
	local := time.Date(year, month, day, hour, minute, second, 0, time.UTC).UnixMicro()
	switch {
	case v.kind == Date:
		return inYears(Date, int64(datetime.DayOf(local)))
	case s.zone == nil:
		return inYears(Timestamp, local)
	case slices.Contains(units[5:], s.unit):
		// Within an hour that comes twice, the same of both.
		_, offset := t.Zone()
		return inYears(Timestamp, local-int64(offset)*microsPerSecond)
	}
	return inYears(Timestamp, datetime.FromLocal(local, s.zone))
}
