package spec

import (
	"fmt"
	"strings"
)

// Count writes a number with what it counts, for people: 1 row, 2 rows, 2 retries. The noun is
// that of one.
func Count[N int | int64 | float64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	stem, isY := strings.CutSuffix(noun, "y")
	if isY && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return fmt.Sprintf("%v %sies", n, stem)
	}
	return fmt.Sprintf("%v %ss", n, noun)
}
