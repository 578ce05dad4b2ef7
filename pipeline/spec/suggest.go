package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Suggest returns the known name that is most like name: within a few letters,
// or one the beginning of the other; "" if none is.
func Suggest(name string, known []string) string {
	best, least := "", 1+max(1, min(len(name)/3, 4))
	folded := strings.ToLower(name)
	for _, k := range known {
		if d := distance(folded, strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	if best == "" && len(name) > 2 {
		for _, k := range known {
			if strings.HasPrefix(strings.ToLower(k), folded) || len(k) > 2 && strings.HasPrefix(folded, strings.ToLower(k)) {
				return k
			}
		}
	}
	return best
}

// didYouMean returns a hint: the known name most like name, else all of them
// where they are few.
func didYouMean(name string, known []string) string {
	if s := Suggest(name, known); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	if len(known) == 0 || len(known) > 16 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	if len(sorted) == 1 {
		return "only " + sorted[0] + " is known here"
	}
	return "known here are " + strings.Join(sorted, ", ")
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b; limit or more where it is at least that.
func distance(a, b string, limit int) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) >= limit || len(t)-len(s) >= limit {
		return limit
	}
	older, old := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old = old, row
	}
	return old[len(t)]
}
