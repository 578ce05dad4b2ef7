package timespan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 1: "less than 1 ms", time.Millisecond: "1 ms", 250*time.Millisecond + 400: "250 ms", 999 * time.Millisecond: "999 ms",
		999*time.Millisecond + 600*time.Microsecond: "1 s", time.Second: "1 s", 12_540 * time.Millisecond: "12.5 s",
		59_960 * time.Millisecond: "1 min", time.Minute: "1 min", 65 * time.Second: "1 min 5 s", time.Hour - time.Millisecond: "1 h",
		time.Hour + 5*time.Minute: "1 h 5 min", 24*time.Hour - time.Second: "1 day", 24 * time.Hour: "1 day", 25 * time.Hour: "1 day 1 h",
		72 * time.Hour: "3 days", 8*24*time.Hour + 30*time.Minute: "8 days 1 h", -90 * time.Second: "-1 min 30 s",
		math.MaxInt64: "106751 days 23 h", math.MinInt64: "-106751 days 23 h",
	} {
		if got := Text(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	if got := Seconds(1_250_400 * time.Microsecond); got != 1.25 {
		t.Errorf("%g s", got)
	}
	for ms := range int64(10_000) { // with no more digits than it has
		if got, want := strconv.FormatFloat(Seconds(time.Duration(ms)*time.Millisecond), 'f', -1, 64), strings.TrimRight(fmt.Sprintf("%d.%03d", ms/1000, ms%1000), "0"); got != strings.TrimSuffix(want, ".") {
			t.Fatalf("%d ms are %s s", ms, got)
		}
	}
	if got := OfSeconds(1.5); got != 1500*time.Millisecond {
		t.Errorf("%s", got)
	}
}
