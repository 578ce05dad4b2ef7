package unnest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// level is one level of an explode: what has a row, or, if another level stands below it,
// rows of each element.
type level struct {
	alias   string        // of an element
	ordinal string        // "" = no name
	key     string        // of a map's member; "" = alias.key
	from    string        // where the list, set or map is, for messages
	lists   []source      // the same, of which the first counts that is there
	element []decode.Path // wanted of an element
	// keySlots are those of element that begin with the name key, where that is what a
	// map's members have their key by.
	keySlots []int
	outer    bool
	onError  string
}

// memberKeyName is what a member of a map has its key by, below the alias, unless the
// explode gives it another name.
const memberKeyName = "key"

// The choices of ExplodeConfig.OnError besides those of columns; empty means a dead letter.
const onErrorRow = "row"

// explode compiles the levels of the explode, into the scope.
func (c *compiler) explode() {
	at := []string{"explode"}
	for cfg := c.cfg.Explode; cfg != nil; cfg = cfg.Explode {
		c.scope.levels = append(c.scope.levels, c.level(cfg, at))
		at = append(slices.Clone(at), "explode")
	}
}

func (c *compiler) level(cfg *ExplodeConfig, at []string) level {
	below := func(name string) []string { return append(slices.Clone(at), name) }
	l := level{alias: cfg.As, ordinal: cfg.Ordinal, key: cfg.Key, outer: cfg.Outer, onError: cfg.OnError, from: strings.Join(cfg.From, " or ")}
	if l.onError == "" {
		l.onError = onErrorDeadLetter
	}
	if known := []string{onErrorDeadLetter, onErrorNull, onErrorRow, onErrorFail}; !slices.Contains(known, l.onError) {
		c.add(&spec.FieldError{Path: below("on_error"), Name: cfg.OnError, Known: known, Message: fmt.Sprintf("unknown on_error %q", cfg.OnError)})
	}
	if cfg.As == "" {
		c.mistake("an explode needs a name for its elements, as in as: item", below("as")...)
	}
	var names []string
	for _, name := range []struct{ field, value, twice string }{
		{"as", cfg.As, ""}, {"ordinal", cfg.Ordinal, "the ordinal has the name of the element"}, {"key", cfg.Key, "the key has the name of the element or the ordinal"},
	} {
		switch {
		case name.value == "":
			continue
		case strings.ContainsAny(name.value, ".[]\"`") || strings.HasPrefix(name.value, "$"):
			c.mistake(fmt.Sprintf("%q is not a name: it may not begin with $, nor contain dots, brackets or quotes", name.value), below(name.field)...)
		case slices.Contains(names, name.value):
			c.mistake(name.twice, below(name.field)...)
		case c.scope.has(name.value):
			c.mistake(fmt.Sprintf("%q is a name of an explode around this one: columns could not tell them apart", name.value), below(name.field)...)
		}
		names = append(names, name.value)
	}
	for i, path := range c.paths(cfg.From, below("from")...) {
		l.lists = append(l.lists, c.listSource(path, cfg.From[i], cfg.From.At(i, below("from")...)))
	}
	return l
}

// listSource returns where a level has its list: in the item, or, below another level, in an
// element of one around it.
func (c *compiler) listSource(path decode.Path, text string, at []string) source {
	first := path[0].Name
	inner := len(c.scope.levels) > 0
	switch {
	case path[0].IsIndex || strings.HasPrefix(first, "$"):
		c.mistake(fmt.Sprintf("%q is not an attribute of the item", text), at...)
	case inner && !slices.ContainsFunc(c.scope.levels, func(l level) bool { return l.alias == first }):
		c.mistake(fmt.Sprintf("from of an explode in another begins with the name of an element around it, as in %s: %q does not",
			decode.Path{{Name: c.scope.levels[len(c.scope.levels)-1].alias}, {Name: first}}, text), at...)
	case inner:
		s, _ := c.scope.resolve(path) // an alias resolves
		return s
	}
	return source{slot: slotFor(&c.scope.item, path)}
}

// setKeySlots notes, once all columns are compiled, what of elements is a member's key.
func (c *compiler) setKeySlots() {
	for i := range c.scope.levels {
		l := &c.scope.levels[i]
		if l.key != "" {
			continue
		}
		for slot, path := range l.element {
			if len(path) > 0 && path[0].Name == memberKeyName && !path[0].IsIndex {
				l.keySlots = append(l.keySlots, slot)
			}
		}
	}
}

// namedColumns appends the columns of ordinals, and of the keys of members that have a name,
// unless they are among the columns.
func (c *compiler) namedColumns() {
	for i := range c.scope.levels {
		c.ordinalColumn(i)
		c.keyColumn(i)
	}
}

// keyColumn appends the column of a member's key. One of its name may be made of the key, or of
// what stands for it in a row without.
func (c *compiler) keyColumn(level int) {
	name := c.scope.levels[level].key
	if name == "" || slices.ContainsFunc(c.columns, func(have column) bool { return have.name == name }) {
		return
	}
	c.columns = append(c.columns, column{
		name: name, typ: pipeline.Type{Kind: pipeline.String}, source: source{origin: fromKey, level: level}, onError: onErrorDeadLetter, direct: true,
	})
}

func (c *compiler) ordinalColumn(level int) {
	name := c.scope.levels[level].ordinal
	if name == "" {
		return
	}
	for i := range c.columns {
		if c.columns[i].name != name {
			continue
		}
		if !c.columns[i].isOrdinal() || c.columns[i].source.level != level {
			c.mistake(fmt.Sprintf("column %q has the name of the ordinal but not its value", name), "columns", name)
		}
		return
	}
	c.columns = append(c.columns, column{
		name: name, typ: pipeline.Type{Kind: pipeline.Int64}, source: source{origin: fromOrdinal, level: level}, onError: onErrorDeadLetter,
	})
}

// setDistinct finds out whether rows of one item can't have equal keys: where the key tells
// the elements of each level apart.
func (t *table) setDistinct() {
	t.distinct = true
	if len(t.out.Key) == 0 {
		return
	}
	for i := range t.explode {
		tells := func(c column) bool {
			return c.key && c.source.level == i && (c.isOrdinal() || c.isMemberKey())
		}
		t.distinct = t.distinct && slices.ContainsFunc(t.columns, tells)
	}
}

// isMemberKey reports whether the column is the key of a map's member itself.
func (c *column) isMemberKey() bool {
	return c.source.origin == fromKey && c.shape == whole && c.typ.Kind == pipeline.String && len(c.source.others) == 0
}
