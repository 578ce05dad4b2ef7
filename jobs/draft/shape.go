package draft

import (
	"regexp"
	"slices"
	"strings"
)

// shape is how the values of a key attribute are made: constant parts, and parts that differ,
// with a separator between them.
type shape struct {
	separator string // empty = there is one part
	parts     []part
}

// part is a part of a key: a constant, or, empty, one that differs.
type part struct {
	constant string
	differs  bool
}

// String returns the shape as a wildcard pattern has it.
func (s shape) String() string {
	texts := make([]string, len(s.parts))
	for i, p := range s.parts {
		texts[i] = strings.NewReplacer(`\`, `\\`, "*", `\*`).Replace(p.constant)
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

// separators are those of the parts of a key, the likeliest first.
var separators = []string{"#", "|", "::", "/", "~", ":", "-", "_"}

var (
	// word is what a constant part looks like.
	word = regexp.MustCompile(`^[$_]?[A-Za-z][A-Za-z _-]*(_[0-9]+)?$`)
	// label is a constant that stands alone, or behind what differs.
	label   = regexp.MustCompile(`^[A-Z][A-Z_-]*[A-Z]$`)
	version = regexp.MustCompile(`^[vV][0-9]$`)
)

const (
	// constantsMax bounds the words that are taken for constants of one attribute: more are data.
	constantsMax = 30
	// loneConstantsMax bounds those without a separator.
	loneConstantsMax = 10
)

// shapes knows how the values of one key attribute are made.
type shapes struct {
	first map[string]int // how many values begin with this part
	last  map[string]int // how many values of three parts and more end with this
	whole map[string]int // how many values are this, without a separator
	// partition says that it is the partition key, whose values without a separator are data even
	// where they occur often.
	partition bool
}

// newShapes looks at all values of an attribute.
func newShapes(values []string, partition bool) *shapes {
	s := &shapes{map[string]int{}, map[string]int{}, map[string]int{}, partition}
	for _, v := range values {
		if separator := separatorOf(v); separator != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(v, separator), separator)
			s.first[first]++
			if strings.Count(v, separator) > 1 {
				s.last[v[strings.LastIndex(v, separator)+len(separator):]]++
			}
		} else {
			s.whole[v]++
		}
	}
	return s
}

// separatorOf returns what is between the parts of a value; empty = it is one part.
func separatorOf(v string) string {
	for _, separator := range separators {
		head, rest, found := strings.Cut(v, separator)
		if !found || rest == "" && separator != "#" {
			continue
		}
		if head == "" && separator == "#" {
			return separator
		}
		if word.MatchString(head) || version.MatchString(head) {
			return separator
		}
		if separator == "#" {
			return separator
		}
	}
	return ""
}

// of returns the shape of a value.
func (s *shapes) of(v string) shape {
	separator := separatorOf(v)
	if separator == "" {
		return shape{parts: []part{s.lone(v)}}
	}
	texts := strings.Split(v, separator)
	if separator == "-" || separator == "_" || separator == ":" {
		texts = strings.SplitN(v, separator, 2)
		if s.first[texts[0]] < 2 {
			return shape{parts: []part{s.lone(v)}}
		}
	}
	out := shape{separator: separator}
	before := false // the part before is a constant
	for i, t := range texts {
		constant := false
		switch {
		case t == "":
			constant = true
		case !before && leads(texts, i):
			constant = s.leading(t) && (i < len(texts)-1 || i > 0 && label.MatchString(t))
			before = constant
		case !before:
			constant = label.MatchString(t) || word.MatchString(t) && (i < len(texts)-1 || s.ends(t))
			before = constant
		default:
			constant = strings.HasPrefix(texts[i-1], "$") && word.MatchString(t) && i < len(texts)-1
			before = constant
		}
		p := part{differs: true}
		if constant {
			p = part{constant: t}
		}
		out.parts = append(out.parts, p)
	}
	return out
}

// leads reports whether all parts before this one are empty.
func leads(texts []string, i int) bool {
	return !slices.ContainsFunc(texts[:i], func(t string) bool { return t != "" })
}

// leading reports whether a first part is a constant.
func (s *shapes) leading(t string) bool {
	return (word.MatchString(t) || version.MatchString(t)) && len(s.first) <= constantsMax
}

// ends reports whether a last part, behind one that differs, is a constant.
func (s *shapes) ends(t string) bool { return len(s.last) <= loneConstantsMax && s.last[t] > 1 }

// lone returns the part of a value without a separator.
func (s *shapes) lone(v string) part {
	words := 0
	for w := range s.whole {
		if word.MatchString(w) || version.MatchString(w) {
			words++
		}
	}
	constant := words <= loneConstantsMax && (label.MatchString(v) || version.MatchString(v) || word.MatchString(v) && (s.whole[v] > 1 && !s.partition || v[0] == '$'))
	if constant {
		return part{constant: v}
	}
	return part{differs: true}
}

// cut returns the parts of a value that differ, by the shape that it has.
func (s shape) cut(v string) (parts []string) {
	texts := []string{v}
	if s.separator != "" {
		texts = strings.SplitN(v, s.separator, len(s.parts))
	}
	for i, p := range s.parts {
		if p.differs && i < len(texts) {
			parts = append(parts, texts[i])
		}
	}
	return parts
}
