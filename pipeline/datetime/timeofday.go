package datetime

// NotTimeOfDay is why a text is not a time of the day.
const NotTimeOfDay = "is not a time of the day, as 15:04:05 or 15:04"

// ParseTimeOfDay reads a time of the day, 15:04, 15:04:05 or 15:04:05.999999, as µs since
// midnight.
func ParseTimeOfDay(b []byte) (micros int64, reason string) {
	if len(b) < len("15:04") || b[2] != ':' {
		return 0, NotTimeOfDay
	}
	hour, minute, second := twoDigits(b, 0), twoDigits(b, 3), 0
	rest := b[len("15:04"):]
	if len(rest) > 0 {
		if len(rest) < len(":05") || rest[0] != ':' {
			return 0, NotTimeOfDay
		}
		second, rest = twoDigits(rest, 1), rest[len(":05"):]
	}
	fraction := int64(0)
	if len(rest) > 0 {
		if rest[0] != '.' {
			return 0, NotTimeOfDay
		}
		if fraction, rest, reason = parseFraction(rest[1:], Exact); reason == TooFine {
			return 0, reason
		}
	}
	if hour < 0 || minute < 0 || second < 0 || reason != "" || len(rest) > 0 {
		return 0, NotTimeOfDay
	}
	if hour > 23 || minute > 59 || second > 59 {
		return 0, "is not a time of a day: want 00:00:00 to 23:59:59.999999"
	}
	return (int64(hour)*3600+int64(minute)*60+int64(second))*microsPerSecond + fraction, ""
}

// AppendTimeOfDay appends a time of the day, which is µs since midnight, in the one way that
// sorts as times do: 15:04:05, with a fraction only if there is one, and no zeros at its end.
func AppendTimeOfDay(b []byte, micros int64) []byte {
	seconds, fraction := micros/microsPerSecond, micros%microsPerSecond
	b = appendTwoDigits(b, seconds/3600)
	b = appendTwoDigits(append(b, ':'), seconds/60%60)
	b = appendTwoDigits(append(b, ':'), seconds%60)
	if fraction == 0 {
		return b
	}
	b = append(b, '.')
	for unit := int64(microsPerSecond / 10); fraction > 0; unit /= 10 {
		b = append(b, '0'+byte(fraction/unit))
		fraction %= unit
	}
	return b
}

func appendTwoDigits(b []byte, n int64) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }
