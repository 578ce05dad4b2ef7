package spec

import "testing"

// TestCount: the noun follows the number.
func TestCount(t *testing.T) {
	for _, c := range []struct {
		n          int64
		noun, want string
	}{
		{0, "row", "0 rows"}, {1, "row", "1 row"}, {2, "row", "2 rows"}, {-1, "row", "-1 rows"}, {12_345_678, "dead letter", "12345678 dead letters"},
		{1, "retry", "1 retry"}, {2, "retry", "2 retries"}, {2, "key", "2 keys"}, {2, "y", "2 ys"},
	} {
		if got := Count(c.n, c.noun); got != c.want {
			t.Errorf("Count(%d, %q) is %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}
