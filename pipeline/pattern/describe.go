package pattern

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// String returns the pattern as a pipeline file has it, in one line of YAML.
func (p *Pattern) String() string { return p.text }

// Fields returns the names of what the pattern looks at, document paths and names of $meta,
// sorted.
func (p *Pattern) Fields() []string {
	names := map[string]bool{}
	p.addFields(names, p.root)
	for i := range p.conditions {
		for _, path := range p.conditions[i].Paths() {
			names[path.String()] = true
		}
		for _, name := range p.conditions[i].Meta() {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (p *Pattern) addFields(names map[string]bool, c *conjunction) {
	for i := range c.fields {
		switch f := &c.fields[i]; {
		case f.below != nil:
			p.addFields(names, f.below)
		case f.meta != metaNone:
			names[f.meta.name()] = true
		default:
			names[p.paths[f.slot].String()] = true
		}
	}
	for _, choice := range c.choices {
		for _, alternative := range choice {
			p.addFields(names, alternative)
		}
	}
}

// name returns the field's name in a pattern.
func (m metaField) name() string {
	for name, field := range metaFields {
		if field == m {
			return MetaPrefix + name
		}
	}
	return strings.TrimSuffix(MetaPrefix, ".")
}

// plainName is a name that YAML takes for a text where it stands without quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_$][\w$./-]*$`)

// notText are words that YAML, of one version or another, takes for something else than text.
var notText = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// flowName writes the name of a field as YAML has it.
func flowName(name string) string {
	if plainName.MatchString(name) && !slices.Contains(notText, strings.ToLower(name)) {
		return name
	}
	return strconv.Quote(name)
}
