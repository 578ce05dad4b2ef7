package expression

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
)

// part is a part of a date or timestamp.
type part struct {
	name  string
	kinds Kind
	of    func(t time.Time) int
}

var timeParts = []part{
	{"year", temporal, time.Time.Year},
	{"quarter", temporal, func(t time.Time) int { return (int(t.Month()) + 2) / 3 }},
	{"month", temporal, func(t time.Time) int { return int(t.Month()) }},
	{"week", temporal, func(t time.Time) int { _, w := t.ISOWeek(); return w }},
	{"isoYear", temporal, func(t time.Time) int { y, _ := t.ISOWeek(); return y }},
	{"day", temporal, time.Time.Day},
	{"dayOfWeek", temporal, func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }},
	{"dayOfYear", temporal, time.Time.YearDay},
	{"hour", Timestamp, time.Time.Hour},
	{"minute", Timestamp, time.Time.Minute},
	{"second", Timestamp, time.Time.Second},
	{"microsecond", Timestamp, func(t time.Time) int { return t.Nanosecond() / 1000 }},
}

// parts returns the functions that take parts: of a timestamp in a zone, if one
// is given.
func parts() []function {
	var all []function
	for _, p := range timeParts {
		all = append(all, function{name: p.name, params: []param{{kinds: p.kinds}, zoneParam}, build: func(c *compiler, f *function, n ast.Node, args []ast.Node) node {
			first := c.compile(args[0])
			ok := c.fits(f, 0, args[0], first)
			var s settings
			if len(args) == 2 {
				ok = c.setting(f, args[1], &s, 1) && ok
			}
			switch {
			case !ok:
				return c.broken()
			case s.zone != nil && !first.typ.may(Timestamp):
				return c.fail(n.Location(), "%s of a date takes no time zone: a date is the same everywhere", f.name)
			}
			built := function{name: f.name, params: f.params[:1], call: func(_ *machine, a []Value) (Value, error) {
				return IntOf(int64(p.of(s.in(a[0])))), nil
			}}
			return fold(node{typ: NumberType, run: built.run([]node{first})}, first)
		}})
	}
	return all
}

// durationUnits are the units of a duration, in µs.
var durationUnits = []struct {
	name   string
	micros int64
}{{"us", 1}, {"µs", 1}, {"ms", 1000}, {"s", microsPerSecond}, {"m", 60 * microsPerSecond}, {"h", 3600 * microsPerSecond}, {"d", microsPerDay}}

// duration returns the seconds of a text such as 1h30m.
func duration(_ *machine, a []Value) (Value, error) {
	bad := fmt.Errorf("%s is no duration, as 1h30m or 7d: want numbers with d, h, m, s, ms or us", quote(a[0]))
	rest, minus := strings.CutPrefix(a[0].s, "-")
	if rest == "" {
		return Value{}, bad
	}
	sum := IntOf(0)
	for rest != "" {
		end := 0
		for end < len(rest) && (rest[end]-'0' <= 9 || rest[end] == '.') {
			end++
		}
		n, err := NumberOf([]byte(rest[:end]))
		if err != nil {
			return Value{}, bad
		}
		rest = rest[end:]
		unit := int64(0)
		longest := 0
		for _, u := range durationUnits {
			if strings.HasPrefix(rest, u.name) && len(u.name) > longest {
				unit, longest = u.micros, len(u.name)
			}
		}
		if unit == 0 {
			return Value{}, bad
		}
		rest = rest[longest:]
		if n, err = multiply(n, ratio(unit, microsPerSecond)); err == nil {
			sum, err = add(sum, n)
		}
		if err != nil {
			return Value{}, err
		}
	}
	if minus && sum.n != math.MinInt64 {
		return negate(sum)
	}
	return sum, nil
}
