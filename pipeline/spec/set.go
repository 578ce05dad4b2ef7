package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sections are the keys whose names are nodes of the pipeline.
var sections = []string{"sources", "transforms", "sinks"}

// applySet applies one --set key=value to the tree of the file.
func applySet(root *Node, setting string) *Mistake {
	key, text, ok := strings.Cut(setting, "=")
	at := &Node{set: key}
	if !utf8.ValidString(setting) {
		return (&Node{set: strings.ToValidUTF8(key, "?")}).Mistake("the setting holds a byte that is not UTF-8", "write it in UTF-8")
	}
	if !ok || key == "" || slices.Contains(strings.Split(key, "."), "") || strings.Contains(key, "://") {
		return (&Node{set: shownKey(key)}).Mistake("a setting is key=value", "as in --set epoch.max_records=1000 or --set sources.orders.path=data/*.gz")
	}
	value, m := setValue(key, text, root.doc)
	if m != nil {
		return m
	}
	steps := strings.Split(key, ".")
	n := root
	for i, step := range steps {
		last := i == len(steps)-1
		if n.kind == Null {
			n.kind, n.set = Mapping, key
		}
		next := n.child(step)
		switch {
		case n.kind == List && next == nil:
			return at.Mistake(fmt.Sprintf("%s has no item %q", strings.Join(steps[:i], "."), step), fmt.Sprintf("its items are 0 to %d", len(n.items)-1))
		case n.kind != Mapping && n.kind != List:
			return at.Mistake(fmt.Sprintf("%s is not a mapping", strings.Join(steps[:i], ".")), "")
		case next == nil && i == 1 && slices.Contains(sections, steps[0]):
			return at.Mistake(fmt.Sprintf("%s has no %q", steps[0], step), didYouMean(step, n.Keys()))
		case last:
			if i < 2 && slices.Contains(sections, steps[0]) {
				value.hideConnection(true) // it was meant for a key of the node
			}
			n.put(step, value)
		case next == nil:
			next = &Node{kind: Mapping, set: key, doc: root.doc}
			n.put(step, next)
		}
		n = next
	}
	return nil
}

// shownKey is what may be shown of a setting that is none, and may hold a
// connection string: what a key could be, and never nothing.
func shownKey(setting string) string {
	end := strings.IndexFunc(setting, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	})
	if end < 0 && setting != "" {
		return setting
	}
	return setting[:max(end, 0)] + "…"
}

// put replaces or adds a value of a mapping or list.
func (n *Node) put(step string, value *Node) {
	if n.kind == List {
		i, err := strconv.Atoi(step)
		if err != nil {
			return // child has found the item by this index
		}
		value.setKey(n.items[i].key)
		n.items[i] = value
		return
	}
	if e := n.entry(step); e != nil {
		value.setKey(e.key)
		e.value = value
		return
	}
	key := &Node{kind: Text, text: step, source: step, set: value.set, doc: n.doc}
	value.setKey(key)
	n.entries = append(n.entries, entry{key, value})
}

// setValue reads the value of a setting: YAML where it begins as a list, a
// mapping or a quoted text does, else a plain scalar.
func setValue(key, text string, doc *document) (*Node, *Mistake) {
	n := &Node{kind: plainKind(text), text: text, source: text, at: textRange{width: 1}}
	if text == "" {
		n.kind = Text
	}
	if text != "" && strings.ContainsRune("[{\"'", rune(text[0])) {
		root, mistakes := parse("--set "+key, []byte(text))
		if len(mistakes) > 0 {
			return nil, (&Node{set: key}).Mistake(mistakes[0].Message, mistakes[0].Hint)
		}
		n = root
	}
	n.markSet(key, doc)
	return n, nil
}

// markSet says of a tree that it comes from the command line, into a file.
func (n *Node) markSet(key string, doc *document) {
	n.set, n.loose, n.doc = key, !n.quoted, doc
	for _, e := range n.entries {
		e.key.set = key
		e.value.markSet(key, doc)
	}
	for _, item := range n.items {
		item.markSet(key, doc)
	}
}
