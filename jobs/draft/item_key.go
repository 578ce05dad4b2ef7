package draft

import (
	"fmt"
	"slices"
	"strings"
)

// keyNames returns the names of a key, the partition key first, as far as their names tell.
func keyNames(keys *value) (names []string) {
	for _, m := range keys.members {
		names = append(names, m.name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return sortKeyRank(a) - sortKeyRank(b) })
	return names
}

// sortKeyRank is 1 of what is called like a sort key.
func sortKeyRank(name string) int {
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, "sk") || strings.Contains(lower, "sort") || strings.Contains(lower, "range") {
		return 1
	}
	return 0
}

// sortKey puts the partition key first, where names do not tell: records have the key in any
// order, and of the partition key there are fewer values.
func (in *input) sortKey() {
	if len(in.key) != 2 || sortKeyRank(in.key[0]) != sortKeyRank(in.key[1]) || !in.identifies(in.key) {
		return
	}
	slices.SortStableFunc(in.key, func(a, b string) int { return in.distinct([]string{a}) - in.distinct([]string{b}) })
}

// usualKeys are the names that the key of a table often has.
var usualKeys = [][]string{{"PK", "SK"}, {"pk", "sk"}, {"PK"}, {"pk"}, {"id"}, {"Id"}, {"ID"}}

// Key returns the attributes that identify an item, and whether that is a guess.
func (in *input) Key() (key []string, guess bool) {
	if len(in.key) > 0 {
		return in.key, false
	}
	for _, names := range usualKeys {
		if in.identifies(names) {
			return names, true
		}
	}
	return in.firstKey(), true
}

// firstKey returns an attribute, or a pair of attributes, with another value in each item: one
// that is called as what identifies before others, and none of numbers with a fraction.
func (in *input) firstKey() []string {
	var names []string
	for _, m := range in.items[0].members {
		if in.identifies([]string{m.name}) && !in.measures(m.name) {
			names = append(names, m.name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return identifierRank(a) - identifierRank(b) })
	for _, name := range names {
		if in.distinct([]string{name}) == len(in.items) {
			return []string{name}
		}
	}
	for i, a := range names {
		for _, b := range names[i+1:] {
			if pair := []string{a, b}; in.distinct(pair) == len(in.items) {
				return pair
			}
		}
	}
	return nil
}

// identifierRank is 0 of what is called like an identifier.
func identifierRank(name string) int {
	if identifierName.MatchString(name) {
		return 0
	}
	return 1
}

// measures reports whether an attribute has a number with a fraction.
func (in *input) measures(name string) bool {
	return slices.ContainsFunc(in.items, func(item *value) bool {
		v := item.get(name)
		return isNumber(v.text) && strings.Contains(v.text, ".")
	})
}

// identifies reports whether all items have these attributes, with values that a key may have.
func (in *input) identifies(names []string) bool {
	for _, item := range in.items {
		for _, name := range names {
			if v := item.get(name); v == nil || v.kind != text && v.kind != number {
				return false
			}
		}
	}
	return true
}

func (in *input) distinct(names []string) int {
	seen := map[string]bool{}
	for _, item := range in.items {
		var key strings.Builder
		for _, name := range names {
			fmt.Fprintf(&key, "%q", item.get(name).text)
		}
		seen[key.String()] = true
	}
	return len(seen)
}
