package draft

import (
	"encoding/json"
	"regexp"
	"slices"
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

// nameEntities names the entities: by what the type attribute says, or by the constants of the key.
func (d *design) nameEntities() {
	d.short = d.words()
	short := map[string]int{}
	for _, e := range d.entities {
		e.name = d.nameOf(e, false)
		short[e.name]++
	}
	for _, e := range d.entities {
		if short[e.name] > 1 {
			e.name = d.nameOf(e, true)
		}
	}
}

// nameOf returns the name of an entity: of the last constant of each key attribute, or of all.
func (d *design) nameOf(e *entity, long bool) string {
	if e.hasType {
		return firstOf(snake(e.typeValue), "item")
	}
	var names []string
	for _, s := range e.shapes {
		of := constantsOf(s)
		if !long && len(of) > 1 {
			of = of[len(of)-1:]
		}
		for _, c := range of {
			if name := firstOf(d.short[c], snake(c)); name != "" && !general[name] && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return firstOf(strings.Join(names, "_"), snake(d.input.name), "item")
}

func firstOf(names ...string) string {
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return ""
}

// constantsOf returns the words of a shape.
func constantsOf(s shape) (constants []string) {
	for _, p := range s.parts {
		if snake(p.constant) != "" {
			constants = append(constants, p.constant)
		}
	}
	return constants
}

// general are constants that name no entity.
var general = map[string]bool{"metadata": true, "meta": true, "info": true, "details": true, "detail": true, "data": true, "root": true, "master": true, "a": true}

// abbreviationMax is the length of constants that are taken for short forms of other words.
const abbreviationMax = 4

// words returns the names of constants that are short forms: of the type of the items whose key
// has this constant alone, else of the words that their attributes begin with.
func (d *design) words() map[string]string {
	words := map[string]string{}
	for _, e := range d.entities {
		var constants []string
		for _, s := range e.shapes {
			constants = append(constants, constantsOf(s)...)
		}
		slices.Sort(constants)
		if constants = slices.Compact(constants); len(constants) == 1 && e.hasType {
			words[constants[0]] = snake(e.typeValue)
		}
	}
	typed := slices.DeleteFunc(slices.Clone(d.entities), func(e *entity) bool { return !e.hasType })
	slices.SortStableFunc(typed, func(a, b *entity) int { return len(a.typeValue) - len(b.typeValue) })
	for _, e := range typed {
		name := snake(e.typeValue)
		for _, s := range e.shapes {
			for _, c := range constantsOf(s) {
				if lower := strings.ToLower(c); words[c] == "" && len(c) <= abbreviationMax && len(name) > len(c) && lower[0] == name[0] && isWithin(lower, name) {
					words[c] = name
				}
			}
		}
	}
	for _, e := range d.entities {
		for _, c := range constantsOf(e.partitionShape()) {
			if name := abbreviated(strings.ToLower(c), namesOf(e.items[:1])); words[c] == "" && len(c) <= abbreviationMax && name != "" {
				words[c] = name
			}
		}
	}
	return words
}

// abbreviated returns the word that one of the names begins with, before Id or Name or in several
// names, and that a text is short for; empty = none.
func abbreviated(short string, names []string) string {
	count := map[string]int{}
	for _, name := range names {
		first, rest, _ := strings.Cut(snake(name), "_")
		if cut, ok := strings.CutSuffix(first, "id"); ok && rest == "" {
			first, rest = cut, "id"
		}
		if len(first) <= len(short) || first[0] != short[0] || !isWithin(short, first) {
			continue
		}
		if count[first]++; rest == "id" || rest == "name" || count[first] > 1 {
			return first
		}
	}
	return ""
}

// isWithin reports whether a word has the letters of a short form, in their order.
func isWithin(short, word string) bool {
	for _, c := range short {
		at := strings.IndexRune(word, c)
		if at < 0 {
			return false
		}
		word = word[at+1:]
	}
	return true
}

// singular returns the name of one of what a name in the plural means.
func singular(name string) string {
	for _, ending := range [][2]string{{"ies", "y"}, {"sses", "ss"}, {"ches", "ch"}, {"shes", "sh"}, {"xes", "x"}} {
		if stem, ok := strings.CutSuffix(name, ending[0]); ok && len(stem) > 1 {
			return stem + ending[1]
		}
	}
	if stem, ok := strings.CutSuffix(name, "s"); ok && len(stem) > 1 && !strings.HasSuffix(stem, "s") {
		return stem
	}
	return name
}
