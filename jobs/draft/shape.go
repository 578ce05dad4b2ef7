package draft

import (
	"regexp"
	"slices"
	"strings"
)

// shape is how the values of a key attribute are made: constant parts, and parts that differ,
// with a separator between them.
type shape struct {
	separator string // empty = there is none: one part, or a constant right before what differs
	parts     []part
}

// part is a part of a key: a constant, or, empty, one that differs.
type part struct {
	constant string
	differs  bool
}

// anything is the shape of values of which nothing is known.
var anything = shape{parts: []part{{differs: true}}}

// literal writes a text as a wildcard pattern that takes it alone.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`)

// String returns the shape as a wildcard pattern has it.
func (s shape) String() string {
	texts := make([]string, len(s.parts))
	for i, p := range s.parts {
		texts[i] = literal.Replace(p.constant)
		if p.differs {
			texts[i] = "*"
		}
	}
	return strings.Join(texts, s.separator)
}

// constant returns the text of a shape without parts that differ.
func (s shape) constant() (string, bool) {
	var texts []string
	for _, p := range s.parts {
		if p.differs {
			return "", false
		}
		texts = append(texts, p.constant)
	}
	return strings.Join(texts, s.separator), true
}

// prefix returns the text before the first part that differs, and how many parts that is.
func (s shape) prefix() (prefix string, parts int) {
	for _, p := range s.parts {
		if p.differs {
			break
		}
		prefix += p.constant + s.separator
		parts++
	}
	return prefix, parts
}

// differing returns the number of parts that differ.
func (s shape) differing() (n int) {
	for _, p := range s.parts {
		if p.differs {
			n++
		}
	}
	return n
}

// matcher returns what a wildcard pattern of the shape takes.
func (s shape) matcher() func(v string) bool {
	quoted := make([]string, len(s.parts))
	for i, p := range s.parts {
		quoted[i] = regexp.QuoteMeta(p.constant)
		if p.differs {
			quoted[i] = "(?s:.*)"
		}
	}
	return regexp.MustCompile("^" + strings.Join(quoted, regexp.QuoteMeta(s.separator)) + "$").MatchString
}

// cut returns the parts of a value that differ, by the shape that it has.
func (s shape) cut(v string) (parts []string) {
	texts := []string{v}
	switch {
	case s.separator != "":
		texts = strings.SplitN(v, s.separator, len(s.parts))
	case len(s.parts) == 2:
		texts = []string{s.parts[0].constant, strings.TrimPrefix(v, s.parts[0].constant)}
	}
	for i, p := range s.parts {
		if p.differs && i < len(texts) {
			parts = append(parts, texts[i])
		}
	}
	return parts
}

// separators are those of the parts of a key, the likeliest first. weakSeparators stand in
// values, too: they count between a word that other values begin with as well and the rest.
var (
	separators     = []string{"#", "|", "::", "/", "~"}
	weakSeparators = []string{":", "-", "_"}
)

var (
	// word is what a constant part looks like.
	word = regexp.MustCompile(`^[$_]?[A-Za-z][A-Za-z _-]*(_[0-9]+)?$`)
	// label is a constant that stands alone, or behind what differs.
	label = regexp.MustCompile(`^[A-Z][A-Z_-]*[A-Z]$`)
	// numbered is a word and what counts or identifies, without anything between.
	numbered = regexp.MustCompile(`^([A-Za-z]+)[0-9]+$`)
)

const (
	// constantsMax bounds the words that are taken for constants at the beginning of an
	// attribute: more are data.
	constantsMax = 30
	// furtherConstantsMax bounds those behind what differs.
	furtherConstantsMax = 12
)

// shapes knows how the values of one key attribute are made.
type shapes struct {
	first map[string]int // how many values begin with this part
	inner map[string]int // how many values have this word between their second part and their last
	last  map[string]int // how many values of three parts and more end with this
	whole map[string]int // how often a value is this, without a separator
	weak  map[string]int // how many values begin with this word, without a separator that counts always
	// partition says that it is the partition key, whose values without a separator are data even
	// where they occur often; labels are, too, where no others have a constant.
	partition bool
	alike     bool // all values are one weak word and the rest
}

// newShapes looks at all values of an attribute.
func newShapes(values []string, partition bool) *shapes {
	s := &shapes{first: map[string]int{}, inner: map[string]int{}, last: map[string]int{}, whole: map[string]int{}, weak: map[string]int{}, partition: partition}
	seen := map[string]bool{}
	for _, v := range values {
		separator := separatorOf(v)
		if separator == "" {
			s.whole[v]++
		}
		if seen[v] {
			continue
		}
		seen[v] = true
		if separator == "" {
			if head, _ := weakHead(v); head != "" {
				s.weak[head]++
			}
			continue
		}
		texts := strings.Split(strings.TrimPrefix(v, separator), separator)
		s.first[texts[0]]++
		if len(texts) < 3 {
			continue
		}
		s.last[texts[len(texts)-1]]++
		for _, t := range texts[1 : len(texts)-1] {
			if word.MatchString(t) {
				s.inner[t]++
			}
		}
	}
	for _, n := range s.weak {
		s.alike = n == len(seen)
	}
	return s
}

// separatorOf returns what is between the parts of a value; empty = it is one part.
func separatorOf(v string) string {
	for _, separator := range separators {
		head, rest, found := strings.Cut(v, separator)
		if found && (separator == "#" || rest != "" && word.MatchString(head)) {
			return separator
		}
	}
	return ""
}

// weakHead returns the word that a value begins with, before a separator that values have too,
// or before digits; empty = it begins with none.
func weakHead(v string) (head, separator string) {
	for _, separator := range weakSeparators {
		if head, rest, found := strings.Cut(v, separator); found && rest != "" && word.MatchString(head) {
			return head, separator
		}
	}
	if m := numbered.FindStringSubmatch(v); m != nil {
		return m[1], ""
	}
	return "", ""
}

// of returns the shape of a value of an item.
func (s *shapes) of(v string, item *value) shape {
	separator := separatorOf(v)
	if separator == "" {
		return s.lone(v)
	}
	texts := strings.Split(v, separator)
	out := shape{separator: separator}
	var before string // the constant right before; empty = what is there differs, or nothing is
	for i, t := range texts {
		p := part{differs: true}
		if s.isConstant(texts, i, before, item) {
			p = part{constant: t}
		}
		before = p.constant
		out.parts = append(out.parts, p)
	}
	return out
}

// isConstant reports whether a part of a value is a constant: constants and what they are about
// take turns.
func (s *shapes) isConstant(texts []string, i int, before string, item *value) bool {
	t, isLast := texts[i], i == len(texts)-1
	switch {
	case t == "":
		return true
	case leads(texts, i):
		return word.MatchString(t) && len(s.first) <= constantsMax && (!isLast || i > 0 && label.MatchString(t))
	case before != "":
		return strings.HasPrefix(before, "$") && word.MatchString(t) && !isLast // ElectroDB: $service#$entity_1
	case isLast:
		return word.MatchString(t) && s.last[t] > 1 && len(s.last) <= furtherConstantsMax && !isValue(item, t)
	}
	return word.MatchString(t) && len(s.inner) <= furtherConstantsMax && !isValue(item, t)
}

// isValue reports whether an attribute of the item has this text.
func isValue(item *value, t string) bool {
	return slices.ContainsFunc(item.members, func(m member) bool { return m.value.kind == text && strings.EqualFold(m.value.text, t) })
}

// leads reports whether all parts before this one are empty.
func leads(texts []string, i int) bool {
	return !slices.ContainsFunc(texts[:i], func(t string) bool { return t != "" })
}

// lone returns the shape of a value without a separator.
func (s *shapes) lone(v string) shape {
	if head, separator := weakHead(v); s.weak[head] > 1 && !s.alike {
		return shape{separator: separator, parts: []part{{constant: head}, {differs: true}}}
	}
	name := label.MatchString(v) && (!s.partition || len(s.first) > 0)
	if name || word.MatchString(v) && (s.whole[v] > 1 && !s.partition || v[0] == '$') {
		return shape{parts: []part{{constant: v}}}
	}
	return anything
}
