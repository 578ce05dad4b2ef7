package decode

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// imagePair says where a plain JSON record has an item as it is after the change, and
// where the same as it was before. A path below the first has its counterpart
// below the second.
type imagePair struct{ after, before Path }

// beforeNames are the members that known envelopes have for an item after and
// before a change: Debezium's and AWS DMS's.
var beforeNames = map[string]string{"after": "before", "data": "before-image"}

// counterpart returns where the value at a path was before the change.
func (m imagePair) counterpart(p Path) (Path, bool) {
	if !isBelow(p, m.after) || isBelow(p, m.before) {
		return nil, false
	}
	return slices.Concat(m.before, p[len(m.after):]), true
}

// isBelow reports whether a path leads into what the other leads to.
func isBelow(p, into Path) bool { return len(p) > len(into) && slices.Equal(p[:len(into)], into) }

// imagesOf finds the images of records by the alternatives of their key: one
// below a before-image is the counterpart of another. Before-images are where
// before says; by default, where a known envelope has them.
func imagesOf(key [][]Path, before []Path) ([]imagePair, error) {
	var all []imagePair
	add := func(m imagePair) {
		if !slices.ContainsFunc(all, func(o imagePair) bool { return slices.Equal(o.after, m.after) && slices.Equal(o.before, m.before) }) {
			all = append(all, m)
		}
	}
	for _, paths := range key {
		for _, p := range paths {
			if b := beforeOf(p, before); b != nil {
				for _, m := range imagePairsAt(paths, p, b, before) {
					add(m)
				}
			} else if m, ok := knownImages(p); ok && len(before) == 0 {
				add(m)
			}
		}
	}
	for _, b := range before {
		if !slices.ContainsFunc(all, func(m imagePair) bool { return slices.Equal(m.before, b) }) {
			return nil, fmt.Errorf("before-image %s of records: no alternative of the key is the same attribute below it: "+
				"give the key with both, as in key: [[id, %s.id]]", b, b)
		}
	}
	return all, nil
}

// beforeOf returns the before-image that a path leads into; nil = none.
func beforeOf(p Path, before []Path) Path {
	for _, b := range before {
		if isBelow(p, b) {
			return b
		}
	}
	if len(before) > 0 {
		return nil
	}
	for i, s := range p[:max(len(p)-1, 0)] {
		for _, name := range beforeNames {
			if !s.IsIndex && s.Name == name {
				return p[:i+1]
			}
		}
	}
	return nil
}

// imagePairsAt returns the images that the alternatives of a key attribute make with
// the one below the before-image b: those beside it, or else all.
func imagePairsAt(paths []Path, p, b Path, before []Path) []imagePair {
	attribute := p[len(b):]
	var all, beside []imagePair
	for _, q := range paths {
		n := len(q) - len(attribute)
		if n < 0 || beforeOf(q, before) != nil || !slices.Equal(q[n:], attribute) {
			continue
		}
		m := imagePair{after: q[:n], before: b}
		if all = append(all, m); n == len(b) && slices.Equal(q[:n-1], b[:n-1]) {
			beside = append(beside, m)
		}
	}
	if len(beside) > 0 {
		return beside
	}
	return all
}

// knownImages returns the images of the envelope that a path leads through.
func knownImages(p Path) (imagePair, bool) {
	for i, s := range p[:max(len(p)-1, 0)] {
		if name, ok := beforeNames[s.Name]; ok && !s.IsIndex {
			return imagePair{after: p[:i+1], before: slices.Concat(p[:i], Path{{Name: name}})}, true
		}
	}
	return imagePair{}, false
}

// parseKey returns the paths of each attribute of a plain JSON format's key, and
// where its records have images.
func parseKey(f *pipeline.Format) (keys [][]Path, all []imagePair, err error) {
	if len(f.Key) > keyAttributesMax {
		return nil, nil, fmt.Errorf("key of records has %d values: at most %d are possible", len(f.Key), keyAttributesMax)
	}
	var w pathCollector
	for i, k := range f.Key {
		var others []string
		if f.KeyElse != nil {
			others = f.KeyElse[i]
		}
		keys = append(keys, w.parse("key", k, others))
	}
	var before []Path
	for _, b := range f.Before {
		before = append(before, w.parse("before-image", b, nil)...)
	}
	if w.err != nil {
		return nil, nil, w.err
	}
	all, err = imagesOf(keys, before)
	return keys, all, err
}

// CheckKey returns what is wrong with the key and the before-images of a plain JSON
// format.
func CheckKey(f *pipeline.Format) error {
	_, _, err := parseKey(f)
	return err
}

func isKey(keys [][]Path, p Path) bool {
	return slices.ContainsFunc(keys, func(paths []Path) bool {
		return slices.ContainsFunc(paths, func(k Path) bool { return slices.Equal(k, p) })
	})
}

// keySlots returns the slots of an attribute of the key after a change and before
// it. Where the record has it only before, that is its key.
func (w *pathCollector) keySlots(paths []Path, all []imagePair) (after, before []int) {
	var olds []Path
	for _, p := range paths {
		if slices.ContainsFunc(all, func(m imagePair) bool { return isBelow(p, m.before) }) {
			olds = append(olds, p)
			continue
		}
		after = append(after, w.slotOf(p))
		for _, m := range all {
			if q, ok := m.counterpart(p); ok && !slices.ContainsFunc(paths, func(o Path) bool { return slices.Equal(o, q) }) {
				olds = append(olds, q)
			}
		}
	}
	before = w.slots(olds)
	return append(after, before...), before
}

// hasBefore reports whether the record has a part of its key in a before-image.
func (d *Decoder) hasBefore() bool {
	for i := range d.json.keys {
		if k := &d.json.keys[i]; len(k.before) > 0 && d.first(k.before).Kind > Null {
			return true
		}
	}
	return false
}

// lastImage makes the old image of a removal: what the record has of the item,
// as it is or in a before-image.
func (d *Decoder) lastImage(r *Record) {
	for _, c := range d.json.before {
		if r.Old[c.old].Kind <= Null {
			r.Old[c.old] = d.newImage.slots[c.slot]
		}
	}
}

// beforeImage makes the old image of a change from its before-image.
func (d *Decoder) beforeImage(r *Record) {
	for _, c := range d.json.before {
		if v := d.newImage.slots[c.slot]; !c.unchangedIfAbsent || v.Kind > Null {
			r.Old[c.old] = v
		}
	}
}

// plainKey fills the item and its key, and those that it had before.
func (d *Decoder) plainKey(r *Record) bool {
	if r.Event == Modify {
		for i := range d.json.keys {
			k := &d.json.keys[i]
			v := Value{}
			if len(k.before) > 0 {
				v = d.first(k.before)
			}
			if v.Kind <= Null {
				v = d.first(k.after)
			}
			d.key.put(k.name, v)
		}
		if !d.identify(r, false) {
			return false
		}
		d.json.was = append(d.json.was[:0], r.Key...)
		r.Was, r.WasKey = r.Item, d.json.was
		d.key.reset()
	}
	for i := range d.json.keys {
		k := &d.json.keys[i]
		v := d.first(k.after)
		if v.Kind == Missing && d.f.KeyElse != nil {
			d.s.fail(0, fmt.Sprintf("key attribute %q is missing%s", k.name, andOthers(d.f.KeyElse[i])))
			return false
		}
		d.key.put(k.name, v)
	}
	if !d.identify(r, false) {
		return false
	}
	r.Moved = r.Event == Modify && r.Was != r.Item
	return true
}

// andOthers names the further paths at which a value is missing as well.
func andOthers(paths []string) string {
	text := ""
	for _, p := range paths {
		text += fmt.Sprintf(", and so is %q", p)
	}
	return text
}
