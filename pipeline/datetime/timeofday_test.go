package datetime

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTimeOfDay(t *testing.T) {
	for text, want := range map[string]string{
		"00:00": "00:00:00", "09:05": "09:05:00", "09:05:07": "09:05:07", "23:59:59.999999": "23:59:59.999999", "12:00:00.500": "12:00:00.5", "12:00:00.0000000": "12:00:00", "12:00:00.000001": "12:00:00.000001",
	} {
		micros, reason := ParseTimeOfDay([]byte(text))
		if got := string(AppendTimeOfDay(nil, micros)); reason != "" || got != want {
			t.Errorf("%s is read as %s, %q; want %s", text, got, reason, want)
		}
	}
	for _, text := range []string{"", "9:05", "09", "09:5", "24:00", "24:00:00", "23:60", "23:59:60", "09:05:", "09:05:07.", "09:05:07.1x", "09:05:07.1234567", "09:05:07Z", "09:05:07+01:00", "-1:00:00", " 09:05", "09:05 PM", "0a:00", "09:05:7", "2024-01-01T09:05:07Z"} {
		if micros, reason := ParseTimeOfDay([]byte(text)); reason == "" {
			t.Errorf("%q is read as %d µs", text, micros)
		}
	}
}

// TestTimeOfDayOrder: texts are what the standard library writes, and sort as their times.
func TestTimeOfDayOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string) (int64, string) {
			micros := rapid.Int64Range(0, MicrosPerDay-1).Draw(rt, name)
			if rapid.Bool().Draw(rt, name+" whole") {
				micros -= micros % microsPerSecond
			}
			text := string(AppendTimeOfDay(nil, micros))
			if want := time.UnixMicro(micros).UTC().Format("15:04:05.999999"); text != want {
				rt.Fatalf("%d µs are %s, want %s", micros, text, want)
			}
			if again, reason := ParseTimeOfDay([]byte(text)); again != micros || reason != "" {
				rt.Fatalf("%s is read as %d, %q", text, again, reason)
			}
			return micros, text
		}
		a, textOfA := draw("a")
		b, textOfB := draw("b")
		if (a < b) != (textOfA < textOfB) {
			rt.Fatalf("%s and %s do not sort as their times", textOfA, textOfB)
		}
	})
}
