package jsonscan

import "testing"

// TestMicros: times as they are written by the service and others, and what a float64 would make of them.
func TestMicros(t *testing.T) {
	for number, want := range map[string]int64{
		"0": 0, "1": 1e6, "1.5": 1.5e6, "1.516049873421E9": 1516049873421000, "1.516049873421e+9": 1516049873421000, "1516049873421E-3": 1516049873421000, "1516049873.421": 1516049873421000,
		"1516049873.4211239": 1516049873421123, "15160498730E-1": 1516049873000000, "1e3": 1e9, "0.0000001": 0, "1.7E9": 1700000000000000,
		"1516049873.42100000381469726562500000": 1516049873421000, "0.000000000000000000000000000001E30": 1000000,
	} {
		if got, ok := micros([]byte(number)); got != want || !ok {
			t.Errorf("%s: %d, %v", number, got, ok)
		}
	}
	for _, number := range []string{"-1", "1e31", "1E99999999999999999999", "9e20", "99999999999999999999"} {
		if got, ok := micros([]byte(number)); ok {
			t.Errorf("%s: %d", number, got)
		}
	}
}
