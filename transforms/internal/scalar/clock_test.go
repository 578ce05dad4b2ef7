package scalar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

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
