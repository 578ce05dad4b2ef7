package pgconn

import (
	"regexp"
	"strings"
)

// shownQuery is how much of another session's query is shown.
const shownQuery = 160

// Values are texts, whose end is looked for on the safe side, and numbers.
var (
	texts        = regexp.MustCompile(`(?si)\be'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$[a-z_0-9]*\$.*`)
	escapedTexts = regexp.MustCompile(`(?si)'(?:[^'\\]|\\.|'')*(?:'|$)|\$[a-z_0-9]*\$.*`)
	digits       = regexp.MustCompile(`\b[0-9][0-9.]*\b`)
	spaces       = regexp.MustCompile(`\s+`)
)

// MaskValues shows a query without the values in it, which may be secrets, and not more than
// its beginning. escapes says that a backslash escapes in every text, as in Redshift.
func MaskValues(query string, escapes bool) string {
	if escapes {
		query = escapedTexts.ReplaceAllString(query, "'…'")
	} else {
		query = texts.ReplaceAllString(query, "'…'")
	}
	query = digits.ReplaceAllString(query, "…")
	query = strings.TrimSpace(spaces.ReplaceAllString(query, " "))
	if r := []rune(query); len(r) > shownQuery {
		query = string(r[:shownQuery]) + "…"
	}
	return query
}
