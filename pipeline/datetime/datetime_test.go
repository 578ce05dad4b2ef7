package datetime

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

// TestFormats: the same instants in every notation, zone and precision.
func TestFormats(t *testing.T) {
	const berlin = "Europe/Berlin"
	for _, c := range []struct{ format, zone, precision, text, time, date string }{
		{"", "", "", "2024-03-01T10:00:00.1234560000000Z", "2024-03-01T10:00:00.123456Z", "2024-03-01"},
		{"", "", "", "2024-03-01T10:00:00.1234567Z", "!" + TooFine, "2024-03-01"},
		{"", "", "truncate", "2024-03-01T10:00:00.123456999999999Z", "2024-03-01T10:00:00.123456Z", ""},
		{"", "", "round", "2024-03-01T10:00:00.1234565Z", "2024-03-01T10:00:00.123457Z", ""},
		{"", "", "round", "2024-03-01T10:00:00.12345649Z", "2024-03-01T10:00:00.123456Z", ""},
		{"", "", "round", "2024-12-31T23:59:59.9999999Z", "2025-01-01T00:00:00Z", ""},
		{"", "", "round", "9999-12-31T23:59:59.9999999Z", "!" + NotYear, ""},
		{"", "", "truncate", "1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z", ""},
		{"", "", "truncate", "2024-03-01T10:00:00.Z", "!" + NotTime, ""},
		{"2006-01-02 15:04:05", "", "truncate", "2024-03-01 10:00:00.123456789", "2024-03-01T10:00:00.123456Z", ""},
		{"2006-01-02 15:04:05", "", "", "2024-03-01 10:00:00.123456789", "!" + TooFine, "2024-03-01"},
		{"2006-01-02T15:04:05.999999999Z07:00", "", "round", "2024-03-01T10:00:00.123456789Z", "2024-03-01T10:00:00.123457Z", ""},

		{"", berlin, "", "2024-03-01T10:00:00", "2024-03-01T09:00:00Z", "2024-03-01"},
		{"", berlin, "", "2024-07-01 00:30:00", "2024-06-30T22:30:00Z", "2024-07-01"},
		{"", berlin, "", "2024-07-01T00:30:00Z", "2024-07-01T00:30:00Z", "2024-07-01"},
		{"", berlin, "", "2024-06-30T23:30:00Z", "2024-06-30T23:30:00Z", "2024-07-01"},
		{"", berlin, "", "2024-06-30T23:30:00-01:00", "2024-07-01T00:30:00Z", "2024-07-01"},
		{"", berlin, "", "2024-03-31T01:59:59", "2024-03-31T00:59:59Z", "2024-03-31"},
		{"", berlin, "", "2024-03-31T02:00:00", "2024-03-31T01:00:00Z", "2024-03-31"},
		{"", berlin, "", "2024-03-31T02:59:59.999999", "2024-03-31T01:59:59.999999Z", "2024-03-31"},
		{"", berlin, "", "2024-03-31T03:00:00", "2024-03-31T01:00:00Z", "2024-03-31"},
		{"", berlin, "", "2024-10-27T01:59:59", "2024-10-26T23:59:59Z", "2024-10-27"},
		{"", berlin, "", "2024-10-27T02:30:00", "2024-10-27T00:30:00Z", "2024-10-27"},
		{"", berlin, "", "2024-10-27T03:00:00", "2024-10-27T02:00:00Z", "2024-10-27"},
		{"", "America/New_York", "", "2024-11-03T01:30:00", "2024-11-03T05:30:00Z", "2024-11-03"},
		{"", "Australia/Lord_Howe", "", "2024-04-07T01:45:00", "2024-04-06T14:45:00Z", "2024-04-07"},
		{"", "Asia/Kolkata", "", "2024-01-01T05:29:59", "2023-12-31T23:59:59Z", "2024-01-01"},
		{"", "Pacific/Apia", "", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z", "2011-12-30"},
		{"02.01.2006 15:04", berlin, "", "31.03.2024 02:30", "2024-03-31T01:30:00Z", "2024-03-31"},
		{"02.01.2006 15:04", berlin, "", "27.10.2024 02:30", "2024-10-27T00:30:00Z", "2024-10-27"},
		{"02.01.2006 15:04 MST", berlin, "", "27.10.2024 02:30 CEST", "2024-10-27T00:30:00Z", "2024-10-27"},
		{"02.01.2006 15:04 MST", berlin, "", "27.10.2024 02:30 CET", "2024-10-27T01:30:00Z", "2024-10-27"},
		{"02.01.2006 15:04 MST", berlin, "", "27.10.2024 02:30 PST", "!is in a zone, PST, that Europe/Berlin does not have", ""},
		{"02.01.2006 15:04 MST", "", "", "27.10.2024 02:30 CET", "!has a zone, CET, whose offset", ""},
		{"02.01.2006 15:04 MST", "", "", "27.10.2024 02:30 UTC", "2024-10-27T02:30:00Z", "2024-10-27"},
		{"02.01.2006 15:04 MST", "", "", "27.10.2024 02:30 GMT", "2024-10-27T02:30:00Z", "2024-10-27"},
		{"2006-01-02T15:04:05Z07:00", berlin, "", "2024-06-30T23:30:00Z", "2024-06-30T23:30:00Z", "2024-07-01"},

		{"unix", "", "", "1.5", "1970-01-01T00:00:01.5Z", "1970-01-01"},
		{"unix_ms", "", "", "1e3", "1970-01-01T00:00:01Z", "1970-01-01"},
		{"unix_us", "", "", "1709251200123456", "2024-03-01T00:00:00.123456Z", "2024-03-01"},
		{"unix_us", "", "", "1.0", "1970-01-01T00:00:00.000001Z", "1970-01-01"},
		{"unix_us", "", "", "1.5", "!" + TooFine, "1970-01-01"},
		{"unix_us", "", "truncate", "-0.5", "1969-12-31T23:59:59.999999Z", ""},
		{"unix_us", "", "round", "-0.5", "1970-01-01T00:00:00Z", ""},
		{"unix_us", "", "round", "-0.50000000000000000001", "1969-12-31T23:59:59.999999Z", ""},
		{"unix_us", "", "round", "-1.25", "1969-12-31T23:59:59.999999Z", ""},
		{"unix_us", "", "round", "1e-30", "1970-01-01T00:00:00Z", ""},
		{"unix_us", "", "truncate", "-1e-30", "1969-12-31T23:59:59.999999Z", ""},
		{"unix", "", "round", "0.9999995", "1970-01-01T00:00:01Z", ""},
		{"unix", "", "round", "0.99999949999999999999", "1970-01-01T00:00:00.999999Z", ""},
		{"unix", "", "truncate", "1e30", "!" + NotYear, ""},
		{"unix", "", "truncate", "123456789012345678901234567890.5", "!" + NotYear, ""},
		{"unix", "", "truncate", "x", "!is not a number", ""},
		{"unix", berlin, "", "1719790200", "", "2024-07-01"},
		{"unix", berlin, "", "253402300799", "", "!" + NotYear},
		{"", berlin, "", "9999-12-31T23:30:00Z", "9999-12-31T23:30:00Z", "!" + NotYear},
		{"", "America/New_York", "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "!" + NotYear},
		{"2006-01-02T15:04:05Z07:00", berlin, "", "9999-12-31T23:30:00Z", "9999-12-31T23:30:00Z", "!" + NotYear},
	} {
		if c.time != "" {
			f, mistakes := NewFormat(c.format, c.zone, c.precision, false)
			if len(mistakes) > 0 {
				t.Fatalf("%+v: %v", c, mistakes[0])
			}
			got := ""
			if micros, reason := f.Time([]byte(c.text)); reason != "" {
				got = "!" + reason
			} else {
				got = string(AppendTime(nil, micros))
			}
			if got != c.time && (c.time[0] != '!' || !strings.HasPrefix(got, c.time)) {
				t.Errorf("%+v: time %s", c, got)
			}
		}
		if c.date != "" {
			f, mistakes := NewFormat(c.format, c.zone, "", true)
			if len(mistakes) > 0 {
				t.Fatalf("%+v: %v", c, mistakes[0])
			}
			days, reason := f.Date([]byte(c.text))
			got := "!" + reason
			if reason == "" {
				got = time.Unix(int64(days)*secondsPerDay, 0).UTC().Format(time.DateOnly)
			}
			if got != c.date {
				t.Errorf("%+v: date %s", c, got)
			}
		}
	}
}

func TestMistakesOfFormats(t *testing.T) {
	for _, c := range []struct {
		format, zone, precision string
		date                    bool
		key                     string
	}{
		{"yyyy-mm-dd", "", "", false, "format"}, {"", "Europe/Berln", "", false, "zone"}, {"", "Local", "", false, "zone"}, {"", "CEST", "", false, "zone"},
		{"unix", "Europe/Berlin", "", false, "zone"}, {"", "", "cut", false, "precision"}, {"", "", "round", true, "precision"},
	} {
		if _, mistakes := NewFormat(c.format, c.zone, c.precision, c.date); len(mistakes) != 1 || mistakes[0].Key != c.key {
			t.Errorf("%+v: %v", c, mistakes)
		}
	}
}

// TestLocalTimes: a local time is that of the earliest instant at which clocks show
// it, found by looking at every minute; one that they do not show is later than
// those before it.
func TestLocalTimes(t *testing.T) {
	for name, day := range map[string]time.Time{
		"Europe/Berlin": time.Date(2024, 3, 31, 0, 0, 0, 0, time.UTC), "America/New_York": time.Date(2024, 11, 3, 0, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2024, 10, 5, 0, 0, 0, 0, time.UTC), "Africa/Casablanca": time.Date(2024, 3, 10, 0, 0, 0, 0, time.UTC),
		"Asia/Pyongyang": time.Date(2018, 5, 4, 0, 0, 0, 0, time.UTC),
	} {
		f, mistakes := NewFormat("", name, "", false)
		if len(mistakes) > 0 {
			t.Fatal(mistakes[0])
		}
		earliest := map[string]int64{}
		for m := -24 * 60; m < 48*60; m++ {
			at := day.Add(time.Duration(m) * time.Minute)
			text := at.In(f.zone).Format("2006-01-02T15:04:05")
			if _, seen := earliest[text]; !seen {
				earliest[text] = at.UnixMicro()
			}
		}
		last := int64(-1 << 63)
		for m := range 24 * 60 {
			text := day.Add(time.Duration(m) * time.Minute).Format("2006-01-02T15:04:05")
			want, shown := earliest[text]
			if got, reason := f.Time([]byte(text)); reason != "" || shown && got != want || !shown && got <= last {
				t.Fatalf("%s in %s: %d %q, want %d %t", text, name, got, reason, want, shown)
			} else if shown {
				last = got
			}
		}
	}
}
