package scalar

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// numbers draws numbers as text: short and long, with exponents that matter.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		text += rapid.StringMatching(`(0{0,3}[0-9]{1,20}|[0-9]{30,45}|[1-9]0{10,40})`).Draw(t, "whole")
		text += rapid.StringMatching(`(|\.[0-9]{1,5}|\.[0-9]{1,3}0{1,40}|\.0{5,30}[0-9]{1,10})`).Draw(t, "fraction")
		text += rapid.StringMatching(`(|[eE][+-]?[0-9]{1,2}|e-?1[0-3][0-9])`).Draw(t, "exponent")
		return text
	})
}

func TestScaledAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numbers().Draw(t, "number")
		digits := rapid.IntRange(1, 38).Draw(t, "digits")
		scale := rapid.IntRange(0, digits).Draw(t, "scale")
		got, reason := Scaled([]byte(text), scale, digits)

		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("bad number %s", text)
		}
		want.Mul(want, new(big.Rat).SetInt(power(scale)))
		switch {
		case !want.IsInt():
			// A number can be both too fine and too large.
			if reason != NotExact && reason != OutOfRange {
				t.Fatalf("%s × 10^%d is no integer: %q", text, scale, reason)
			}
		case new(big.Int).Abs(want.Num()).Cmp(power(digits)) >= 0:
			if reason != OutOfRange {
				t.Fatalf("%s × 10^%d has over %d digits: %q", text, scale, digits, reason)
			}
		case reason != "":
			t.Fatalf("%s × 10^%d: %q", text, scale, reason)
		default:
			hi, lo := got.Twos()
			n := new(big.Int).Lsh(big.NewInt(int64(hi)), 64)
			if n.Add(n, new(big.Int).SetUint64(lo)); n.Cmp(want.Num()) != 0 {
				t.Fatalf("%s × 10^%d: %s", text, scale, n)
			}
		}
	})
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func TestInt64AgainstBigInts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numbers().Draw(t, "number")
		got, reason := ParseInt64([]byte(text))
		want, _ := new(big.Rat).SetString(text)
		fits := want.IsInt() && want.Num().IsInt64()
		if fits != (reason == "") || fits && got != want.Num().Int64() {
			t.Fatalf("%s: %d %q", text, got, reason)
		}
	})
}

func TestTimesAgainstPackageTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := func(name string, width, limit int) string {
			return fmt.Sprintf("%0*d", width, rapid.IntRange(0, limit).Draw(t, name))
		}
		text := digits("year", 4, 9999) + "-" + digits("month", 2, 13) + "-" + digits("day", 2, 32) + "T" +
			digits("hour", 2, 24) + ":" + digits("minute", 2, 60) + ":" + digits("second", 2, 60) +
			rapid.StringMatching(`(|\.[0-9]{1,6}0{0,3}|\.[0-9]{9})`).Draw(t, "fraction") +
			rapid.StringMatching(`(Z|[+-][0-2][0-9]:[0-6][0-9])`).Draw(t, "zone")
		got, reason := ParseTime([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, text)
		// Package time takes offsets of 24 hours and 60 minutes too.
		offset := strings.HasSuffix(text, ":60") || len(text) > 6 && text[len(text)-6:len(text)-3] >= "+24" && text[len(text)-6] == '+' ||
			len(text) > 6 && text[len(text)-6] == '-' && text[len(text)-5:len(text)-3] >= "24"
		year := want.UTC().Year()
		fits := err == nil && !offset && want.Nanosecond()%1000 == 0 && year >= 1 && year <= 9999 && text[:4] != "0000"
		if fits != (reason == "") || fits && got != want.UnixMicro() {
			t.Fatalf("%s: %d %q; package time: %s %v", text, got, reason, want, err)
		}
		if fits {
			if again := string(AppendTime(nil, got)); again != want.UTC().Format("2006-01-02T15:04:05.999999Z07:00") {
				t.Fatalf("%s is written as %s", text, again)
			}
		}
	})
}

// TestEveryDay walks through a whole cycle of the calendar.
func TestEveryDay(t *testing.T) {
	for day := time.Date(1801, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() <= 2201; day = day.AddDate(0, 0, 1) {
		want := int32(day.Unix() / secondsPerDay)
		if got, reason := ParseDate([]byte(day.Format(time.DateOnly))); got != want || reason != "" {
			t.Fatalf("%s: %d %q, want %d", day, got, reason, want)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "-0.50", "1e5", "12345678901234567890.1", "+1", ".5", "5.", "1e", "e", "-", "", "1e+-2", "0x1", "99999999999999999999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, reason := Scaled([]byte(text), 5, 38)
		_, double := ParseDouble([]byte(text))
		if (reason == NotNumber) != (double == NotNumber) {
			t.Errorf("%q: decimal %q, double %q", text, reason, double)
		}
	})
}
