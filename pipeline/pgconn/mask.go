package pgconn

import (
	"regexp"
	"strings"
)

// shownQuery is how much of another session's query is shown.
const shownQuery = 160

// Values are texts, whose end is looked for on the safe side, and numbers. Names in quotes and comments
// may have a quote that begins no text.
var (
	plain        = `|"(?:[^"]|"")*(?:"|$)|--[^\n]*|/\*.*?(?:\*/|$)`
	texts        = regexp.MustCompile(`(?si)\be'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$[a-z_0-9]*\$.*` + plain)
	escapedTexts = regexp.MustCompile(`(?si)'(?:[^'\\]|\\.|'')*(?:'|$)|\$[a-z_0-9]*\$.*` + plain)
	digits       = regexp.MustCompile(`\b[0-9][0-9.]*\b`)
	spaces       = regexp.MustCompile(`\s+`)
)

// MaskValues shows a query without the values in it, which may be secrets, and not more than
// its beginning. escapes says that a backslash escapes in every text, as in Redshift.
func MaskValues(query string, escapes bool) string {
	found := texts
	if escapes {
		found = escapedTexts
	}
	query = found.ReplaceAllStringFunc(query, func(part string) string {
		switch part[0] {
		case '"':
			return part
		case '-', '/':
			return " "
		}
		return "'…'"
	})
	query = digits.ReplaceAllString(query, "…")
	query = strings.TrimSpace(spaces.ReplaceAllString(query, " "))
	if r := []rune(query); len(r) > shownQuery {
		query = string(r[:shownQuery]) + "…"
	}
	return query
}
