package decode

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Decoder decodes the records of one format. One goroutine uses it.
type Decoder struct {
	s             scanner
	f             *pipeline.Format
	needIdentity  bool
	needNew       bool // without a new image, an insert or modification is an error
	newImage      image
	oldImage      image
	slot          [1]Value // of a value in the envelope
	key           itemKey
	table         []byte            // the logical table name of the format, or of the record
	logical       string            // as text
	tableNames    map[string]string // of tables, as text
	export        exportKey
	json          plainFormat
	formatError   error // the format contradicts itself
	contradiction error // the format contradicts the record
}

// image is what is wanted of an image.
type image struct {
	p           *Projection
	slots       []Value
	callerCount int // slots for the caller; the others are the Decoder's own
}

func newImage(p *Projection, extra []Path, typed bool) image {
	paths := pathsOf(p)
	all := NewProjection(slices.Concat(paths, extra), typed)
	return image{p: all, slots: make([]Value, all.slots), callerCount: len(paths)}
}

// callerSlots returns the caller's slots.
func (m *image) callerSlots() []Value { return m.slots[:m.callerCount:m.callerCount] }

// NewDecoder returns a decoder. A mistake in the format (a path that can't be
// read) is returned by Decode.
func NewDecoder(f *pipeline.Format, o Options) *Decoder {
	d := &Decoder{f: f, needIdentity: o.Identity, needNew: o.New != nil, table: []byte(f.Table), logical: f.Table}
	switch f.Encoding {
	case pipeline.DynamoDBCDC:
		var expiry []Path
		if f.TTLAttribute != "" {
			expiry = []Path{{{Name: f.TTLAttribute}}}
		}
		d.newImage, d.oldImage = newImage(o.New, nil, true), newImage(o.Old, expiry, true)
	case pipeline.DynamoDBExport:
		var extra []Path
		if o.Identity {
			extra, d.formatError = d.export.init(f.Key, len(pathsOf(o.New)))
		}
		d.newImage, d.oldImage = newImage(o.New, extra, true), newImage(o.Old, nil, true)
	case pipeline.JSON:
		d.formatError = d.initJSON(o)
	default:
		d.formatError = fmt.Errorf("unknown encoding %d of records", f.Encoding)
	}
	return d
}

// Decode decodes one record. Where it arrived is the caller's to put into its
// version. An *Error says what is wrong with the record, and where; r is then not
// to be used. Any other error is a mistake in the format, which may show in a record only.
func (d *Decoder) Decode(rec []byte, r *Record) error {
	if d.formatError != nil {
		return d.formatError
	}
	if len(rec) > math.MaxUint32 {
		return &Error{Offset: math.MaxUint32, Message: "record is longer than 4 GiB"}
	}
	s := &d.s
	s.b, s.hashing, s.starts = rec, false, s.starts[:0]
	clear(d.newImage.slots)
	clear(d.oldImage.slots)
	d.key.reset()
	*r = Record{New: d.newImage.callerSlots(), Old: d.oldImage.callerSlots(), Created: pipeline.NoTime}
	var i int
	switch d.f.Encoding {
	case pipeline.DynamoDBCDC:
		i = d.decodeCDC(r)
	case pipeline.DynamoDBExport:
		i = d.decodeExport(r)
	default:
		i = d.decodeJSON(r)
	}
	if d.contradiction != nil {
		err := d.contradiction
		d.contradiction = nil
		return err
	}
	if i < 0 {
		return explain(d.f.Encoding, rec, s.offset, s.message)
	}
	return nil
}

// end checks that nothing follows the record.
func (s *scanner) end(i int) int {
	if i < 0 {
		return -1
	}
	if i = s.space(i); i < len(s.b) {
		return s.fail(i, "text behind the end of the record")
	}
	return i
}

// image scans an image at i, hashing it if the identity is wanted; null is no image.
func (d *Decoder) image(i int, m *image, h *uint64, has *bool) int {
	s := &d.s
	if s.peek(i) == 'n' {
		return s.literal(i, "null")
	}
	if s.peek(i) != '{' {
		return s.unexpected(i, "an image")
	}
	s.slots, s.hashing = m.slots, d.needIdentity
	end, sum := s.object(i, m.p.root, 0, m.p.typed)
	s.hashing = false
	if end < 0 {
		return -1
	}
	s.put(m.p.root, Value{Kind: Map, Start: uint32(i), End: uint32(end)})
	m.p.finish(m.slots)
	*has = true
	if d.needIdentity {
		*h = imageHash(sum)
	}
	return end
}

// keysAsOld fills the old image of a removal that has none with its keys, which
// are at i and were read before.
func (d *Decoder) keysAsOld(i int, r *Record) {
	s, m := &d.s, &d.oldImage
	r.KeyOnly = true
	if m.callerCount == 0 {
		return
	}
	i = s.space(i)
	s.slots = m.slots
	end, _ := s.object(i, m.p.root, 0, true)
	s.put(m.p.root, Value{Kind: Map, Start: uint32(i), End: uint32(end)})
	m.p.finish(m.slots)
}

// identify fills the item and its key from the attributes gathered in d.key.
func (d *Decoder) identify(r *Record, typed bool) bool {
	table := d.table
	if d.f.Table == "" && r.Table.Kind == String {
		table = r.Table.Raw(d.s.b)
		if r.Table.Escaped {
			d.table, _ = appendUnescaped(d.table[:0], table)
			table = d.table
		}
		if string(table) != d.logical {
			d.logical = d.tableName(table)
		}
	}
	r.Logical = d.logical
	var ok bool
	r.Key, r.Item, ok = d.key.finish(&d.s, table, typed)
	return ok
}

// tableNamesMax bounds the names of tables that a Decoder remembers.
const tableNamesMax = 1000

// tableName returns the name of a table as text: of those that were there before, without
// allocating.
func (d *Decoder) tableName(table []byte) string {
	if name, ok := d.tableNames[string(table)]; ok {
		return name
	}
	if d.tableNames == nil || len(d.tableNames) == tableNamesMax {
		d.tableNames = map[string]string{}
	}
	name := string(table)
	d.tableNames[name] = name
	return name
}

// identifyByKeys is identify of a record that names its key, which has to be the format's.
func (d *Decoder) identifyByKeys(r *Record) bool {
	if !d.identify(r, true) {
		return false
	}
	if len(d.f.Key) > 0 && !d.key.matches(d.f.Key) {
		d.contradiction = fmt.Errorf("`key: [%s]` of the source contradicts the record, whose Keys are %s: set `key:` to the table's key attributes",
			strings.Join(d.f.Key, ", "), bytes.Join(d.key.names[:d.key.n], []byte(", ")))
		return false
	}
	return true
}

// textField reads a field of the envelope that is a string or null; it passes
// -1 on.
func (s *scanner) textField(i int, v *Value) int {
	if i < 0 {
		return -1
	}
	switch s.peek(i) {
	case 'n':
		return s.literal(i, "null")
	case '"':
		end, escaped := s.str(i + 1)
		if end < 0 {
			return -1
		}
		*v = Value{Kind: String, Escaped: escaped, Start: uint32(i + 1), End: uint32(end)}
		return end + 1
	}
	return s.unexpected(i, "a string")
}

// is reports whether a field is the text, which needs no escapes.
func (s *scanner) is(v Value, text string) bool {
	if !v.Escaped {
		return v.Kind == String && string(v.Raw(s.b)) == text
	}
	s.text, _ = appendUnescaped(s.text[:0], v.Raw(s.b))
	return string(s.text) == text
}
