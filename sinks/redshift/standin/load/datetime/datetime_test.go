package datetime

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestCalendar compares with package time on random days, and on those around the ends of
// months, years and eras.
func TestCalendar(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	check := func(days int64) {
		t.Helper()
		s, ok := FromDays(days)
		want := time.Unix(days*86400, 0).UTC()
		if !ok || s.Year != want.Year() || s.Month != int(want.Month()) || s.Day != want.Day() || s.Days() != days {
			t.Fatalf("day %d: got %+v %v, back %d, want %v", days, s, ok, s.Days(), want)
		}
	}
	for range 100_000 {
		check(minDay + random.Int64N(maxDay-minDay+1))
	}
	for year := -4713; year < 3000; year++ {
		first := time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
		for _, d := range []int64{first - 2, first - 1, first, first - 60, first - 59} {
			if d >= minDay {
				check(d)
			}
		}
	}
	for _, d := range []int64{minDay - 1, maxDay + 1} {
		if s, ok := FromDays(d); ok {
			t.Errorf("day %d: got %+v", d, s)
		}
	}
	for range 100_000 {
		micros := int64(random.Uint64())
		s, ok := FromMicros(micros)
		want := time.UnixMicro(micros).UTC()
		if ok && (s.Hour != want.Hour() || s.Minute != want.Minute() || s.Second != want.Second() || s.Micros != want.Nanosecond()/1000 || s.Days() != floorDiv(micros, microsPerDay)) {
			t.Fatalf("%d microseconds: got %+v, want %v", micros, s, want)
		}
	}
}

// TestAutoMoves has a time's offset move it over the ends of days and years.
func TestAutoMoves(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2024-01-01 00:30:00+01":       "2023-12-31 23:30:00+00",
		"2023-12-31 23:30:00 EST":      "2024-01-01 04:30:00+00",
		"0001-01-01 00:00:00+01":       "0001-12-31 23:00:00+00 BC",
		"2024-02-29T12:00:00.5-00:30":  "2024-02-29 12:30:00.500000+00",
		"12/17/1997 07:37:16.00 PST":   "1997-12-17 15:37:16+00",
		"January 8, 1999 04:05:06 PM":  "1999-01-08 16:05:06+00",
		"08-Jan-99":                    "1999-01-08 00:00:00+00",
		"1999-01-08 04:05:06.789 AD":   "1999-01-08 04:05:06.789000+00",
		"294276-12-31 23:59:59.999999": "294276-12-31 23:59:59.999999+00",
	} {
		s, ok := Auto(text)
		if ok {
			s, ok = s.UTC()
		}
		if got := string(s.AppendTimestampUTC(nil)); !ok || got != want {
			t.Errorf("%q: got %s %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "today", "2024", "2024-02-30", "1-2", "99/99/9999", "2024-01-01T", "2024-01-01 1", "J", "J99999999999", "Foo-08-95", "1999-01-08 BC BC", "0000-01-01", "00000101", "1/1/0000", "294277-01-01"} {
		if s, ok := Auto(text); ok {
			t.Errorf("%q: got %+v", text, s)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for pattern, bad := range map[string]string{"YYYY-QQ": "QQ", "YYYY-MM-DD HH:MI:SS TZ": "Z", "epoch": "epoch"} {
		if _, err := NewPattern(pattern); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v, want %q in it", pattern, err, bad)
		}
	}
}

// FuzzAuto shows that a text that is recognized is a day that there is, and is read again.
func FuzzAuto(f *testing.F) {
	for _, text := range []string{"2019-02-11T05:09:12.195Z", "J2451187", "Jan-08-95 BC", "19960108 040809", "1996.008", "17 Dec 07:37:16 1997 PST", "12/17/1997 07:37:16.00 PST", "12.17.1997"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := Auto(text)
		if !ok {
			return
		}
		written := string(s.AppendTimestamp(nil))
		again, ok := Auto(written)
		again.HasOffset, again.Offset = s.HasOffset, s.Offset
		if !ok || again != s {
			t.Errorf("%q is %s, which is %+v and not %+v", text, written, again, s)
		}
	})
}
