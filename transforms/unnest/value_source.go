package unnest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// origin says what a value is read from.
type origin uint8

const (
	fromItem origin = iota
	fromElement
	fromOrdinal
	fromKey // of a map's member
	fromEventName
	fromEventID
	fromTable
	fromCreated
	fromArrived
	fromTTL
	fromDeleted // whether the row is of an old image, in the columns of on_delete: flag
	fromDeletedAt
)

var metaOrigins = map[string]origin{
	"event_name": fromEventName, "event_id": fromEventID, "table": fromTable,
	"created_at": fromCreated, "arrived_at": fromArrived, "ttl": fromTTL,
}

// source is where a column or a variable of an expression has its value.
type source struct {
	origin origin
	level  int // of the explode, for elements, their ordinals and keys
	slot   int // into the paths of the table, for items and elements
	// rest says that it is what no column of the table takes of the item.
	rest bool
	// others are where the value is looked for next while it is missing or null.
	others []source
}

// equal reports whether both lead to one value.
func (s *source) equal(o *source) bool {
	return s.origin == o.origin && s.level == o.level && s.slot == o.slot && s.rest == o.rest &&
		slices.EqualFunc(s.others, o.others, func(a, b source) bool { return a.equal(&b) })
}

// scope resolves the names of one table and gathers the paths they lead to.
type scope struct {
	levels []level       // of the explode
	item   []decode.Path // wanted of the item
}

// has reports whether a name is an explode's.
func (s *scope) has(name string) bool {
	_, _, ok := s.find(name)
	return ok
}

// find returns what a name of an explode stands for, and its level.
func (s *scope) find(name string) (o origin, level int, ok bool) {
	for i := range s.levels {
		switch l := &s.levels[i]; {
		case name == "":
		case name == l.alias:
			return fromElement, i, true
		case name == l.ordinal:
			return fromOrdinal, i, true
		case name == l.key:
			return fromKey, i, true
		}
	}
	return fromItem, 0, false
}

const metaName = "$meta"

// Names of the item as a whole, and of what no column of the table takes of it.
const (
	itemName = "$item"
	restName = "$rest"
)

// unknownMeta is an error for a name below $meta that does not exist.
type unknownMeta struct{ name string }

func (e *unknownMeta) Error() string { return fmt.Sprintf("unknown metadata %q", e.name) }

// resolve returns the source that a path leads to.
func (s *scope) resolve(path decode.Path) (source, error) {
	first := path[0].Name
	switch {
	case path[0].IsIndex:
		return source{}, fmt.Errorf("an item is a map: a path starts with a name")
	case first == metaName:
		name := path.String()
		o, ok := metaOrigins[strings.TrimPrefix(name, pattern.MetaPrefix)]
		if !ok || !strings.HasPrefix(name, pattern.MetaPrefix) {
			return source{}, &unknownMeta{name}
		}
		return source{origin: o}, nil
	case first == itemName || first == restName:
		if len(path) > 1 {
			return source{}, fmt.Errorf("%s is a whole: write %s for what is in the item", first, path[1:])
		}
		return source{slot: slotFor(&s.item, decode.Path{}), rest: first == restName}, nil
	}
	o, level, _ := s.find(first)
	switch {
	case o == fromElement:
		return source{origin: o, level: level, slot: slotFor(&s.levels[level].element, path[1:])}, nil
	case o != fromItem && len(path) == 1:
		return source{origin: o, level: level}, nil
	}
	return source{slot: slotFor(&s.item, path)}, nil
}

// resolveAll returns the source that the first of some paths leads to whose value
// is there and not null.
func (s *scope) resolveAll(paths []decode.Path) (source, error) {
	first, err := s.resolve(paths[0])
	if err != nil {
		return source{}, err
	}
	for _, p := range paths[1:] {
		if name := p[0].Name; name == itemName || name == restName || paths[0][0].Name == itemName || paths[0][0].Name == restName {
			return source{}, fmt.Errorf("alternatives are document paths: %s and %s stand alone", itemName, restName)
		}
		other, err := s.resolve(p)
		if err != nil {
			return source{}, err
		}
		first.others = append(first.others, other)
	}
	for _, other := range first.others {
		if !first.isOfItem() || !other.isOfItem() {
			return source{}, fmt.Errorf("alternatives are document paths: what is no part of the item is always there")
		}
	}
	return first, nil
}

// slotFor returns the index of a path in a list, adding it if it is new.
func slotFor(paths *[]decode.Path, path decode.Path) int {
	for i, p := range *paths {
		if slices.Equal(p, path) {
			return i
		}
	}
	*paths = append(*paths, path)
	return len(*paths) - 1
}

// isOfItem reports whether the value is a part of the item.
func (s *source) isOfItem() bool {
	return s.origin == fromItem || s.origin == fromElement || s.origin == fromKey
}

// isWhole reports whether the value is the item, or the rest of it.
func (t *scope) isWhole(s *source) bool {
	return s.origin == fromItem && s.slot < len(t.item) && len(t.item[s.slot]) == 0
}
