package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Image is an item as plain values: string, json.Number, bool, nil (NULL), Set,
// []any, map[string]any. A nil Image is no item.
type Image map[string]any

// Set is a set of strings.
type Set []string

// Change is one change of an item, as a record tells it.
type Change struct {
	Key      Image // the attributes of the primary key
	Time     int64 // µs since 1970, as inputs of a table have it in common
	Finer    int64 // what inputs of a finer unit tell beyond it, in µs
	Seq      int64 // sequence number; 0 = none
	New, Old Image
	HasOld   bool // Old is known; nil then means that there was no item
	TTL      bool // time to live has removed the item
}

// text returns a text that is the same for equal values.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// same reports whether two images are equal.
func same(a, b Image) bool { return text(a) == text(b) }

// Item is what is known of an item: its distinct changes, the oldest first.
type Item struct {
	Key     string
	Changes []Change
}

// Items returns the items of some changes, by key. The order of the changes and
// repetitions among them play no part.
func Items(changes []Change) []Item {
	byKey := map[string]map[string]Change{}
	for _, c := range changes {
		key := text(c.Key)
		if byKey[key] == nil {
			byKey[key] = map[string]Change{}
		}
		byKey[key][text(c)] = c
	}
	var items []Item
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		items = append(items, Item{key, sortByVersion(slices.Collect(maps.Values(byKey[key])))})
	}
	return items
}

// sortByVersion sorts the distinct changes of an item by version.
func sortByVersion(changes []Change) []Change {
	byTime := map[int64][]Change{}
	for _, c := range changes {
		byTime[c.Time] = append(byTime[c.Time], c)
	}
	var ordered []Change
	for _, t := range slices.Sorted(maps.Keys(byTime)) {
		ordered = append(ordered, sortTied(byTime[t])...)
	}
	return ordered
}

// sortTied sorts changes of equal time: by sequence number where all have one,
// otherwise by the chain of images, from its end.
func sortTied(changes []Change) []Change {
	if !slices.ContainsFunc(changes, func(c Change) bool { return c.Seq == 0 }) {
		slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Seq, b.Seq) })
		return changes
	}
	for end := len(changes); end > 1; end-- {
		last := endOfChain(changes[:end])
		changes[last], changes[end-1] = changes[end-1], changes[last]
	}
	return changes
}

// endOfChain finds the change whose image no other one starts from. Of several
// with one image any will do. The generator leaves no other ties: what would
// decide them is the hash of the images, which is the engine's own business.
func endOfChain(changes []Change) int {
	var ends []int
	for i, c := range changes {
		follows := func(o Change) bool { return o.HasOld && same(o.Old, c.New) && !same(o.New, c.New) }
		if !slices.ContainsFunc(changes, follows) {
			ends = append(ends, i)
		}
	}
	for _, e := range ends {
		if !same(changes[e].New, changes[ends[0]].New) {
			panic(fmt.Sprintf("nothing but hashes tells which is the newest of %s", text(changes)))
		}
	}
	if len(ends) == 0 {
		panic(fmt.Sprintf("the images go round in a circle: %s", text(changes)))
	}
	return ends[0]
}
