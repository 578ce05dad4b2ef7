package draft

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// snake writes a name as columns and tables are called: orderDate and Order-Date are order_date.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case unicode.IsUpper(r):
			lower := i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]))
			next := i > 0 && unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if lower || next {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	s := strings.Trim(underscores.ReplaceAllString(b.String(), "_"), "_")
	if s != "" && unicode.IsDigit([]rune(s)[0]) {
		s = "n" + s
	}
	return s
}

var (
	underscores = regexp.MustCompile(`_+`)
	// plain is what YAML reads as a text without quotes.
	plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	// words that YAML reads as something else.
	reserved = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

// quote writes a text as YAML, in quotes where it would not be read as it is.
func quote(s string) string {
	if plain.MatchString(s) && !reserved.MatchString(s) {
		return s
	}
	if strings.Contains(s, "${") || strings.Contains(s, "$$") {
		s = strings.ReplaceAll(s, "$", "$$") // variables of the environment begin so
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}
