package draft

import (
	"fmt"
	"regexp"
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

// usualKeys are the names that the key of a table often has, without regard to case, _ and -.
var usualKeys = [][]string{
	{"pk", "sk"}, {"pkey", "skey"}, {"partitionkey", "sortkey"}, {"hashkey", "rangekey"}, {"hashkey", "sortkey"}, {"partitionkey", "rangekey"}, {"hk", "sk"}, {"hk", "rk"}, {"pk", "rk"}, {"hash", "range"},
	{"pk"}, {"partitionkey"}, {"hashkey"}, {"id"},
}

// Key returns the attributes that identify an item, and whether that is a guess.
func (in *input) Key() (key []string, guess bool) {
	if len(in.key) > 0 {
		return in.key, false
	}
	for _, names := range usualKeys {
		if key := in.called(names); key != nil && in.identifies(key) {
			return key, true
		}
	}
	return in.firstKey(), true
}

// called returns the attributes of the first item that are called so; nil = it lacks one.
func (in *input) called(names []string) (attributes []string) {
	for _, name := range names {
		for _, m := range in.items[0].members {
			if strings.ToLower(withoutJoins.Replace(m.name)) == name {
				attributes = append(attributes, m.name)
				break
			}
		}
	}
	if len(attributes) < len(names) {
		return nil
	}
	return attributes
}

var withoutJoins = strings.NewReplacer("_", "", "-", "")

// firstKey returns an attribute, or a pair of attributes, with another value in each item. What is
// called as what identifies comes first, alone or with what sorts, as a time or a version; a time
// alone last. Numbers with a fraction are none.
func (in *input) firstKey() []string {
	var ids, others, times []string
	for _, m := range in.items[0].members {
		switch name := m.name; {
		case !in.identifies([]string{name}), in.measures(name):
		case identifierName.MatchString(name):
			ids = append(ids, name)
		case timeName.MatchString(name):
			times = append(times, name)
		default:
			others = append(others, name)
		}
	}
	sorts := slices.DeleteFunc(slices.Clone(others), func(name string) bool { return !sortName.MatchString(name) })
	for _, keys := range [][][]string{alone(ids), pairs(ids, sorts), pairs(ids, times), alone(others), pairs(ids, ids), pairs(ids, others), pairs(others, append(slices.Clone(times), others...)), alone(times)} {
		for _, key := range keys {
			if in.distinct(key) == len(in.items) {
				return key
			}
		}
	}
	return nil
}

// sortName is what attributes are called by which the items of one partition are told apart.
var sortName = regexp.MustCompile(`(?i)(version|revision|seq|sequence|sort|range|position|index|line)`)

func alone(names []string) (keys [][]string) {
	for _, name := range names {
		keys = append(keys, []string{name})
	}
	return keys
}

// pairs returns each of the names with each of others that is another one.
func pairs(names, others []string) (keys [][]string) {
	for _, a := range names {
		for _, b := range others {
			if a != b {
				keys = append(keys, []string{a, b})
			}
		}
	}
	return keys
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
