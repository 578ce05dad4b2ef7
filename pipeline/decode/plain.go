package decode

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// plainFormat says where a plain JSON record carries its key, version and
// operation. Slots: the caller's new ones, the caller's old ones, then these.
type plainFormat struct {
	olds      int // the caller's old slots
	keys      []keySlotPair
	names     [][]byte        // of keys
	version   []int           // slots of its paths
	operation []int           // slots of its paths
	before    []counterpart   // of the caller's old slots that have one
	envelope  *Projection     // the paths of key, version and operation
	was       []byte          // the key that an item had before
	time      datetime.Format // of versions
	lastText  []byte          // the version read last, which often comes again
	lastTime  int64
}

// keySlotPair says where an attribute of the key is: the first slot counts that is
// there and not null.
type keySlotPair struct {
	name   []byte // the first path
	after  []int
	before []int // in before-images
}

// counterpart says where the value of an old slot was before the change.
type counterpart struct {
	old, slot int
	// unchangedIfAbsent says that what the before-image does not have has not changed.
	unchangedIfAbsent bool
}

// pathCollector gathers the paths of a plain JSON format.
type pathCollector struct {
	first int // slot of extra[0]
	extra []Path
	err   error
}

// slotOf returns the slot of a path.
func (w *pathCollector) slotOf(p Path) int {
	w.extra = append(w.extra, p)
	return w.first + len(w.extra) - 1
}

// parse reads alternatives.
func (w *pathCollector) parse(what string, first string, others []string) (paths []Path) {
	for _, from := range append([]string{first}, others...) {
		p, err := ParsePath(from)
		if err != nil && w.err == nil {
			w.err = fmt.Errorf("%s of records: %w", what, err)
		}
		paths = append(paths, p)
	}
	return paths
}

// slots returns the slots of alternatives.
func (w *pathCollector) slots(paths []Path) (slots []int) {
	for _, p := range paths {
		slots = append(slots, w.slotOf(p))
	}
	return slots
}

// initJSON compiles the paths of a plain JSON format.
func (d *Decoder) initJSON(o Options) error {
	j := &d.json
	old := pathsOf(o.Old)
	j.olds = len(old)
	w := &pathCollector{first: len(pathsOf(o.New)), extra: slices.Clone(old)}
	keys, all, err := parseKey(d.f)
	if err != nil {
		return err
	}
	for i, paths := range keys {
		k := keySlotPair{name: []byte(d.f.Key[i])}
		k.after, k.before = w.keySlots(paths, all)
		j.keys, j.names = append(j.keys, k), append(j.names, k.name)
	}
	if from := d.f.Version.From; from != "" {
		j.version = w.slots(w.parse("version", from, d.f.Version.Else))
		if err := j.initVersion(&d.f.Version); err != nil {
			return err
		}
	}
	if from := d.f.Operation.From; from != "" {
		j.operation = w.slots(w.parse("operation", from, d.f.Operation.Else))
	}
	if w.err != nil {
		return w.err
	}
	j.envelope = NewProjection(w.extra[len(old):], false)
	for i, p := range old {
		for _, m := range all {
			if q, ok := m.counterpart(p); ok {
				kept := len(m.after) == 0 || isKey(keys, p)
				j.before = append(j.before, counterpart{old: i, slot: w.slotOf(q), unchangedIfAbsent: kept})
				break
			}
		}
	}
	d.newImage = newImage(o.New, w.extra, false)
	return nil
}

// decodeJSON decodes a plain JSON object: the new image, or, where the
// operation says so, what is known of the item that was deleted, which may be its
// key only. What was there before is known as far as there is a before-image; the
// version has no old image.
func (d *Decoder) decodeJSON(r *Record) int {
	s, j := &d.s, &d.json
	i := s.space(0)
	if c := s.peek(i); c != '{' && c != 'n' {
		return s.unexpected(i, "an object")
	}
	start := i
	i = s.end(d.image(i, &d.newImage, &r.Version.New, &r.HasNew))
	if i < 0 {
		return -1
	}
	r.Event = Insert
	r.Old = d.newImage.slots[len(r.New) : len(r.New)+j.olds : len(r.New)+j.olds]
	switch {
	case !r.HasNew:
		s.fail(start, "the record is null: it holds nothing of an item")
		r.Lacks = explain(d.f.Encoding, s.b, s.offset, s.message)
		return i
	case d.deletes():
		r.Event, r.HasNew, r.HasOld = Remove, false, true
		r.KeyNames = j.names
		r.KeyOnly = len(j.keys) > 0 && s.hasOnly(start, j.envelope, j.envelope.root)
		r.Version.New = 0
		clear(r.New)
		d.lastImage(r)
	case d.hasBefore():
		r.Event, r.HasOld = Modify, true
		d.beforeImage(r)
	default:
		clear(r.Old)
	}
	r.Version.ByArrival = true
	if len(j.version) > 0 && !d.plainVersion(r) {
		r.Lacks = explain(d.f.Encoding, s.b, s.offset, s.message)
		return i
	}
	if d.needIdentity && len(j.keys) > 0 && !d.plainKey(r) {
		r.Lacks = explain(d.f.Encoding, s.b, s.offset, s.message)
	}
	return i
}

// first returns the first of the values in the slots that is there and not null,
// or else one that is not.
func (d *Decoder) first(slots []int) Value {
	for _, slot := range slots {
		if v := d.newImage.slots[slot]; v.Kind > Null {
			return v
		}
	}
	return d.newImage.slots[slots[0]]
}

// deletes reports whether the record's operation is a deletion.
func (d *Decoder) deletes() bool {
	if len(d.json.operation) == 0 {
		return false
	}
	s, v := &d.s, d.first(d.json.operation)
	text, err := AppendText(s.text[:0], s.b, v)
	if err != nil {
		return false // neither text nor number: none of the values
	}
	s.text = text
	for _, word := range d.f.Operation.Delete {
		if string(text) == word {
			return true
		}
	}
	return false
}

// hasOnly reports whether an object at i, which was read before, has nothing but
// what the paths of p lead to, from the trie's node n on. A null is nothing.
func (s *scanner) hasOnly(i int, p *Projection, n *node) bool {
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		var child *node
		if n.hasNames() {
			child = n.child(name, firstWord(name))
		}
		wanted := child != nil && int(child.slot) < p.Len()
		switch c := s.peek(i); {
		case wanted, c == 'n':
		case child.hasNames() && c == '{' && s.hasOnly(i, p, child):
		case child.list() != nil && c == '[': // taken whole
		default:
			return false
		}
		i = s.skip(i, 1)
	}
	return true
}

// initVersion prepares reading versions.
func (j *plainFormat) initVersion(v *pipeline.VersionColumn) error {
	switch v.Type {
	case "int64":
		return nil
	case "timestamp", "date":
	default:
		return fmt.Errorf("version of records: unknown type %q: want int64, timestamp or date", v.Type)
	}
	var mistakes []*datetime.FormatError
	j.time, mistakes = datetime.NewFormat(v.Format, v.Zone, v.Precision, v.Type == "date")
	if len(mistakes) > 0 {
		return fmt.Errorf("version of records: %w", mistakes[0])
	}
	return nil
}

// plainVersion fills the version of a record that carries one.
func (d *Decoder) plainVersion(r *Record) bool {
	s, j := &d.s, &d.json
	v, column := d.first(j.version), &d.f.Version
	switch v.Kind {
	case String, Number:
	case Missing, Null:
		s.fail(0, fmt.Sprintf("version %q is missing%s", column.From, andOthers(column.Else)))
		return false
	default:
		s.fail(int(v.Start), fmt.Sprintf("version %q is a %s", column.From, v.Kind))
		return false
	}
	text := v.Raw(s.b)
	if j.lastText == nil || string(text) != string(j.lastText) {
		if v.Escaped {
			s.text, _ = appendUnescaped(s.text[:0], text)
			text = s.text
		}
		t, reason := j.parseVersion(text, column.Type)
		if reason != "" {
			s.fail(int(v.Start), fmt.Sprintf("version %q: %q %s", column.From, text, reason))
			return false
		}
		j.lastText, j.lastTime = append(j.lastText[:0], v.Raw(s.b)...), t
	}
	r.Version.Time = j.lastTime
	if column.Type != "int64" {
		r.Created = j.lastTime
	}
	return true
}

// parseVersion reads a version as a column of its type does: an integer as it is, a
// time or a date in µs.
func (j *plainFormat) parseVersion(text []byte, kind string) (int64, string) {
	switch kind {
	case "int64":
		return decimal.Int64(text)
	case "timestamp":
		return j.time.Time(text)
	}
	days, reason := j.time.Date(text)
	return int64(days) * datetime.MicrosPerDay, reason
}
