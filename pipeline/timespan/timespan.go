// Package timespan writes time spans for people: 3 days, 1 h 5 min, 250 ms. What
// programs read has seconds, with the unit in the name.
package timespan

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// Text returns a time span in at most two units, rounded to what matters to
// people: 12.5 s, 2 min 3 s, 3 days 4 h. A negative one is that of its amount
// with a minus sign.
func Text(d time.Duration) string {
	switch {
	case d == -d: // 0, or the least there is
		if d == 0 {
			return "0 s"
		}
		return "-" + Text(-(d + 1))
	case d < 0:
		return "-" + Text(-d)
	case d < time.Millisecond:
		return "less than 1 ms"
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d.Round(time.Second/10) < time.Minute:
		return strconv.FormatFloat(d.Round(time.Second/10).Seconds(), 'f', -1, 64) + " s"
	case d.Round(time.Second) < time.Hour:
		return two(d.Round(time.Second), time.Minute, "min", time.Second, "s")
	case d.Round(time.Minute) < day:
		return two(d.Round(time.Minute), time.Hour, "h", time.Minute, "min")
	}
	d = d.Round(time.Hour)
	unit := "days"
	if d/day == 1 {
		unit = "day"
	}
	return two(d, day, unit, time.Hour, "h")
}

// two writes d in two units, the second left out where it is 0.
func two(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Seconds returns a time span for programs, to the millisecond.
func Seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

// OfSeconds is the other way round.
func OfSeconds(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
