package kinesis

import (
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

// TestPositionText: texts are read as they were written.
func TestPositionText(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 1, 12, 0, 0, 123e6, time.UTC)
	for text, want := range map[string]position{
		"trim_horizon":                  {},
		"at 2024-05-01T12:00:00.123Z":   {kind: atTime, time: at},
		"42/7 2024-05-01T12:00:00.123Z": {kind: behindRecord, sequence: "42", user: 7, time: at},
		"42":                            {kind: behindRecord, sequence: "42", user: wholeRecord},
		"trim_horizon behind 42/0 2024-05-01T12:00:00.123Z": {kind: behindGap, sequence: "42", time: at},
	} {
		got, err := parsePosition(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v, %v, %q", text, got, err, got.String())
		}
	}
	for _, text := range []string{"x", "at", "at noon", "42/", "42/x", "/1", "42 noon", "trim_horizon behind", "42/99999999999999999999"} {
		if got, err := parsePosition(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestPassed: sequence numbers are numbers, whatever their leading zeros; arrivals may be whole
// seconds, or not told.
func TestPassed(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 1, 12, 0, 7, 650_000_000, time.UTC)
	for _, c := range []struct {
		at       position
		sequence string
		arrived  int64
		want     int
	}{
		{position{}, "1", 0, 0},
		{position{kind: atTime, time: at}, "1", at.Add(-time.Second).UnixMicro(), wholeRecord},
		{position{kind: atTime, time: at}, "1", at.Truncate(time.Second).UnixMicro(), 0},
		{position{kind: atTime, time: at}, "1", at.UnixMicro(), 0},
		{position{kind: atTime, time: at}, "1", page.NoArrival, 0},
		{position{kind: behindRecord, sequence: "10", user: wholeRecord}, "9", 0, wholeRecord},
		{position{kind: behindRecord, sequence: "10", user: wholeRecord}, "0010", 0, wholeRecord},
		{position{kind: behindRecord, sequence: "10", user: wholeRecord}, "11", 0, 0},
		{position{kind: behindGap, sequence: "10", user: 3}, "10", 0, 4},
		{position{kind: behindGap, sequence: "10", user: 3}, "0009", 0, wholeRecord},
		{position{kind: behindGap, sequence: "010", user: 3}, "100", 0, 0},
	} {
		if got := c.at.passed(c.sequence, c.arrived); got != c.want {
			t.Errorf("%v at %s, %d: %d, want %d", c.at, c.sequence, c.arrived, got, c.want)
		}
	}
}
