package spec

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

type unit[T any] struct {
	name string
	size T
}

// Units of time, the longest first. A day is 24 hours.
var timeUnits = []unit[time.Duration]{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
	{"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
}

var byteUnits = []unit[int64]{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// ParseDuration reads a time span: numbers with units, the units ever smaller,
// as in 500ms, 1.5s, 1h30m, 8d.
func ParseDuration(s string) (Duration, error) {
	rest, sum, last := s, new(big.Rat), -1
	for first := true; rest != "" || first; first = false {
		n, name, tail := cutNumber(rest)
		if n == "" {
			return 0, fmt.Errorf("%q is not a time span: write it as 500ms, 60s, 1h30m or 8d", s)
		}
		if meant := meantTime(n, name, tail); meant != "" {
			return 0, fmt.Errorf("%q is not a unit of time: write %s", strings.TrimSpace(name+tail), meant)
		}
		if name == "" {
			return 0, fmt.Errorf("%q has no unit: write %ss, %sms, %sm, %sh or %sd", s, n, n, n, n, n)
		}
		at := unitIndex(timeUnits, name)
		if at < 0 {
			return 0, fmt.Errorf("%q is not a unit of time: use d, h, m, s, ms, us or ns", name)
		}
		if at <= last {
			return 0, fmt.Errorf("%q is not a time span: its units must become smaller, as in 1h30m", s)
		}
		v, ok := new(big.Rat).SetString(n)
		if !ok {
			return 0, fmt.Errorf("%q is not a number", n)
		}
		sum.Add(sum, v.Mul(v, new(big.Rat).SetInt64(int64(timeUnits[at].size))))
		rest, last = tail, at
	}
	total, err := whole(sum, s)
	return Duration(total), err
}

// timeWords are units of time as people write them, and how many of ours they are.
var timeWords = map[string]struct {
	n    int64
	unit string
}{
	"week": {7, "d"}, "w": {7, "d"}, "day": {1, "d"}, "hour": {1, "h"}, "hr": {1, "h"}, "minute": {1, "m"}, "min": {1, "m"},
	"second": {1, "s"}, "sec": {1, "s"}, "millisecond": {1, "ms"}, "milli": {1, "ms"}, "msec": {1, "ms"}, "microsecond": {1, "us"}, "µs": {1, "us"},
}

// meantTime writes a number and the words behind it as ParseDuration reads them; "" =
// the words are none of timeWords.
func meantTime(number, name, tail string) string {
	word := strings.ToLower(strings.TrimSpace(name + tail))
	known, ok := timeWords[word]
	if !ok {
		known, ok = timeWords[strings.TrimSuffix(word, "s")]
	}
	v, isNumber := new(big.Rat).SetString(number)
	if !ok || !isNumber {
		return ""
	}
	v.Mul(v, new(big.Rat).SetInt64(known.n))
	text := strings.TrimRight(strings.TrimRight(v.FloatString(6), "0"), ".")
	return text + known.unit
}

// ParseBytes reads a size: a number of bytes, or a number with a unit, as in
// 4096, 64KiB, 1.5GB.
func ParseBytes(s string) (Bytes, error) {
	n, name, tail := cutNumber(s)
	if n == "" || tail != "" {
		return 0, fmt.Errorf("%q is not a size: write it as 4096, 64KiB, 128MiB or 1GB", s)
	}
	if name == "" {
		name = "B"
	}
	at := unitIndex(byteUnits, name)
	if at < 0 {
		for _, u := range byteUnits {
			if strings.EqualFold(u.name, name) || strings.EqualFold(u.name, name+"B") {
				return 0, fmt.Errorf("%q is not a unit of size: write %s%s", name, n, u.name)
			}
		}
		return 0, fmt.Errorf("%q is not a unit of size: use B, KiB, MiB, GiB, TiB or kB, MB, GB, TB", name)
	}
	v, ok := new(big.Rat).SetString(n)
	if !ok {
		return 0, fmt.Errorf("%q is not a number", n)
	}
	total, err := whole(v.Mul(v, new(big.Rat).SetInt64(byteUnits[at].size)), s)
	return Bytes(total), err
}

// cutNumber cuts digits with at most one dot, then letters, from s.
func cutNumber(s string) (number, letters, rest string) {
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	i := len(s) - len(strings.TrimLeftFunc(s, digit))
	if i > 0 && i+1 < len(s) && s[i] == '.' && digit(rune(s[i+1])) {
		i = len(s) - len(strings.TrimLeftFunc(s[i+1:], digit))
	}
	letter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	rest = strings.TrimLeftFunc(s[i:], letter)
	if i > 32 { // no such number fits
		return "", "", s
	}
	return s[:i], s[i : len(s)-len(rest)], rest
}

func unitIndex[T any](units []unit[T], name string) int {
	for i, u := range units {
		if u.name == name {
			return i
		}
	}
	return -1
}

func whole(v *big.Rat, s string) (int64, error) {
	if !v.IsInt() {
		return 0, fmt.Errorf("%q is not a whole number of its smallest unit", s)
	}
	if v.Cmp(new(big.Rat).SetInt64(math.MaxInt64)) > 0 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return v.Num().Int64(), nil
}

// String returns the duration as a pipeline file writes it.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	if d < 0 {
		return time.Duration(d).String()
	}
	var b strings.Builder
	for _, u := range timeUnits {
		if n := time.Duration(d) / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= Duration(n * u.size)
		}
	}
	return b.String()
}

// String returns the interval as a pipeline file writes it.
func (i Interval) String() string {
	if i == Auto {
		return autoText
	}
	return Duration(i).String()
}

// String returns the size as a pipeline file writes it.
func (n Bytes) String() string {
	for _, u := range byteUnits {
		if n != 0 && int64(n)%u.size == 0 {
			return fmt.Sprintf("%d%s", int64(n)/u.size, u.name)
		}
	}
	return "0B"
}
