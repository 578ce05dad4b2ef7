package decode

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// plainFormat says where a plain JSON record carries its key, version and
// operation. Slots: the caller's new ones, the caller's old ones, then these.
type plainFormat struct {
	olds      int         // the caller's old slots
	key       int         // slot of keys[0]
	keys      [][]byte    // names of the key's members: the paths
	version   int         // slot; -1 = none
	operation int         // slot; -1 = none
	envelope  *Projection // the paths of key, version and operation
	lastText  []byte      // the version read last, which often comes again
	lastTime  int64
}

// initJSON compiles the paths of a plain JSON format.
func (d *Decoder) initJSON(o Options) error {
	j := &d.json
	old := pathsOf(o.Old)
	j.olds, j.version, j.operation = len(old), -1, -1
	first := len(pathsOf(o.New))
	extra := slices.Clone(old)
	want := func(what, from string) (int, error) {
		p, err := ParsePath(from)
		if err != nil {
			return 0, fmt.Errorf("%s of records: %w", what, err)
		}
		extra = append(extra, p)
		return first + len(extra) - 1, nil
	}
	if len(d.f.Key) > maxKey {
		return fmt.Errorf("key of records has %d values: at most %d are possible", len(d.f.Key), maxKey)
	}
	j.key = first + len(extra)
	for _, k := range d.f.Key {
		if _, err := want("key", k); err != nil {
			return err
		}
		j.keys = append(j.keys, []byte(k))
	}
	var err error
	if from := d.f.Version.From; from != "" {
		if j.version, err = want("version", from); err != nil {
			return err
		}
		switch d.f.Version.Type {
		case "int64", "timestamp", "date":
		default:
			return fmt.Errorf("version of records: unknown type %q: want int64, timestamp or date", d.f.Version.Type)
		}
	}
	if from := d.f.Operation.From; from != "" {
		if j.operation, err = want("operation", from); err != nil {
			return err
		}
	}
	j.envelope = NewProjection(extra[len(old):], false)
	d.news = newImage(o.New, extra, false)
	return nil
}

// decodeJSON decodes a plain JSON object: the new image, or, where the
// operation says so, what is known of the item that was deleted, which may be its
// key only. What was there before is not known, so the version has no old image.
func (d *Decoder) decodeJSON(ordinal int64, r *Record) int {
	s, j := &d.s, &d.json
	i := s.space(0)
	if s.peek(i) != '{' {
		return s.unexpected(i, "an object")
	}
	start := i
	i = s.end(d.image(i, &d.news, &r.Version.New, &r.HasNew))
	if i < 0 {
		return -1
	}
	r.Event = Insert
	r.Old = d.news.slots[len(r.New) : len(r.New)+j.olds : len(r.New)+j.olds]
	if d.deletes() {
		r.Event, r.HasNew, r.HasOld = Remove, false, true
		r.KeyOnly = len(j.keys) > 0 && s.only(start, j.envelope, j.envelope.root)
		r.Version.New = 0
		clear(r.New)
	} else {
		clear(r.Old)
	}
	if j.version < 0 {
		r.Version.Seq = strconv.FormatInt(ordinal, 10)
	} else if !d.plainVersion(r) {
		return -1
	}
	if !d.settled || len(j.keys) == 0 {
		return i
	}
	for k, name := range j.keys {
		d.key.values[k] = d.news.slots[j.key+k]
		d.key.add(name, false)
	}
	if !d.settle(r, false) {
		return -1
	}
	return i
}

// deletes reports whether the record's operation is a deletion.
func (d *Decoder) deletes() bool {
	if d.json.operation < 0 {
		return false
	}
	s, v := &d.s, d.news.slots[d.json.operation]
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

// only reports whether an object at i, which was read before, has nothing but
// what the paths of p lead to, from the trie's node n on. A null is nothing.
func (s *scanner) only(i int, p *Projection, n *node) bool {
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		var child *node
		if n.named() {
			child = n.child(name, firstWord(name))
		}
		wanted := child != nil && int(child.slot) < p.Len()
		switch c := s.peek(i); {
		case wanted, c == 'n':
		case child.named() && c == '{' && s.only(i, p, child):
		case child.list() != nil && c == '[': // taken whole
		default:
			return false
		}
		i = s.skip(i, 1)
	}
	return true
}

// maxVersion bounds versions that are numbers, so that Version.Append can write
// them.
const maxVersion = 1 << 60

// plainVersion fills the version of a record that carries one.
func (d *Decoder) plainVersion(r *Record) bool {
	s, j := &d.s, &d.json
	v, column := d.news.slots[j.version], &d.f.Version
	switch v.Kind {
	case String, Number:
	case Missing, Null:
		s.fail(0, fmt.Sprintf("version %q is missing", column.From))
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
		t, err := parseVersion(text, column)
		if err != nil {
			s.fail(int(v.Start), fmt.Sprintf("version %q: %v", column.From, err))
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

// parseVersion reads a version's text: an integer as it is, a time in µs.
func parseVersion(text []byte, column *pipeline.VersionColumn) (int64, error) {
	power := 0
	switch {
	case column.Type == "int64":
	case column.Format == "unix":
		power = 6
	case column.Format == "unix_ms":
		power = 3
	default:
		return parseTime(text, column)
	}
	n := scanner{b: text}
	if end, _ := n.number(0); end != len(text) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	t, ok := decimal.Cut(text, power)
	if !ok || t < -maxVersion || t > maxVersion {
		return 0, fmt.Errorf("%q is out of range", text)
	}
	if column.Type == "int64" && string(decimal.Append(nil, text)) != strconv.FormatInt(t, 10) {
		return 0, fmt.Errorf("%q is not an integer", text)
	}
	return t, nil
}

func parseTime(text []byte, column *pipeline.VersionColumn) (int64, error) {
	layout := column.Format
	switch {
	case layout == "" && column.Type == "date":
		layout = time.DateOnly
	case layout == "":
		layout = time.RFC3339
	}
	t, err := time.Parse(layout, string(text))
	if err != nil {
		return 0, fmt.Errorf("%q does not have the form %s", text, layout)
	}
	return t.UnixMicro(), nil
}
