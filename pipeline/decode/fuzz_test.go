package decode

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

var fuzzPaths = paths("a", "b.a", "b", "b[1]", "b[0].a[2]", "a", `"".x`, "abcdefgh", "abcdefghi", "abcdefghj.k", "ü", "s", "n", "b[-1]", "b[-1].a", "b[-2][-1].b", "a[-1][-1]", "b[-1].a[-1]", "b[0][-3]", "n[-1].b")

// scanImage scans rec as an image on its own.
func scanImage(d *Decoder, rec []byte) (slots []Value, hash uint64, err error) {
	s := &d.s
	s.b, s.hashing = rec, false
	clear(d.newImage.slots)
	var has bool
	i := s.space(0)
	if s.peek(i) != '{' {
		return nil, 0, &Error{}
	}
	if s.end(d.image(i, &d.newImage, &hash, &has)) < 0 {
		return nil, 0, s.err()
	}
	return d.newImage.callerSlots(), hash, nil
}

func imageDecoder(want []Path, typed, settled bool) *Decoder {
	d := &Decoder{needIdentity: settled, f: &pipeline.Format{}}
	d.newImage = newImage(NewProjection(want, typed), nil, typed)
	return d
}

func FuzzDecodePlain(f *testing.F) { fuzzImage(f, false) }

func FuzzDecodeTyped(f *testing.F) { fuzzImage(f, true) }

func fuzzImage(f *testing.F, typed bool) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add([]byte(randomMap(r, 4, typed).spellImage(r, typed)))
	}
	f.Fuzz(func(t *testing.T, rec []byte) { checkImage(t, rec, typed) })
}

// checkImage compares a scan of rec with the reference.
func checkImage(t *testing.T, rec []byte, typed bool) {
	plain, hashing := imageDecoder(fuzzPaths, typed, false), imageDecoder(fuzzPaths, typed, true)
	slots, _, err := scanImage(plain, rec)
	_, hash, hashErr := scanImage(hashing, rec)
	want, wantErr := parseTree(rec)
	if wantErr == nil && typed {
		want, wantErr = want.typedMap()
	}
	switch {
	case wantErr != nil:
	case want.kind != Map || want.depth() > nestingMax || want.duplicate(fuzzPaths):
		wantErr = errStrict
	}
	if (err == nil) != (wantErr == nil) || (err == nil) != (hashErr == nil) {
		t.Fatalf("%q: got error %v, hashing %v, want %v", rec, err, hashErr, wantErr)
	}
	if err != nil {
		if e := err.(*Error); e.Offset < 0 || e.Offset > len(rec) {
			t.Fatalf("%q: offset %d", rec, e.Offset)
		}
		return
	}
	for i, p := range fuzzPaths {
		found, _ := want.find(p)
		checkValue(t, rec, p, slots[i], found, typed)
	}
	r := rand.New(rand.NewPCG(uint64(len(rec)), 1))
	other := want.spellImage(r, typed)
	if _, again, err := scanImage(hashing, []byte(other)); err != nil || again != hash {
		t.Fatalf("%q and %q: hash %x, then %x %v", rec, other, hash, again, err)
	}
}

// checkValue compares one slot with the reference.
func checkValue(t *testing.T, rec []byte, p Path, v Value, want *tree, typed bool) {
	t.Helper()
	if want == nil {
		if v.Kind != Missing {
			t.Fatalf("%q: %s is a %s, want none", rec, p, v.Kind)
		}
		return
	}
	if v.Kind != want.kind {
		t.Fatalf("%q: %s is a %s, want %s", rec, p, v.Kind, want.kind)
	}
	switch v.Kind {
	case String, Number, Bool:
		text, err := AppendText(nil, rec, v)
		if err != nil || string(text) != want.text {
			t.Fatalf("%q: %s is %q %v, want %q", rec, p, text, err, want.text)
		}
	case Map, List:
		out, err := AppendJSON(nil, rec, v, typed)
		if err != nil {
			if strings.Contains(err.Error(), "base64") {
				return
			}
			t.Fatalf("%q: %s: %v", rec, p, err)
		}
		compareJSON(t, out, want)
	}
}

func compareJSON(t *testing.T, got []byte, want *tree) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	var a, b any
	for _, side := range []struct {
		text []byte
		to   *any
	}{{got, &a}, {[]byte(want.plainSets().spell(r, false)), &b}} {
		d := json.NewDecoder(bytes.NewReader(side.text))
		d.UseNumber()
		if err := d.Decode(side.to); err != nil {
			t.Fatalf("%q: %v", side.text, err)
		}
	}
	if !hasSet(want) && !duplicates(want) && !reflect.DeepEqual(numbers(a), numbers(b)) {
		t.Fatalf("JSON %q, want %v", got, b)
	}
}

// plainSets returns the tree with sets and binaries as plain JSON has them.
func (t *tree) plainSets() *tree {
	c := *t
	switch t.kind {
	case StringSet, NumberSet, BinarySet:
		c.kind = List
	case Binary:
		c.kind = String
	}
	c.members = nil
	for _, m := range t.members {
		c.members = append(c.members, m.plainSets())
	}
	return &c
}

func hasSet(t *tree) bool {
	for _, m := range t.members {
		if hasSet(m) {
			return true
		}
	}
	return t.kind >= StringSet
}

func duplicates(t *tree) bool {
	seen := map[string]bool{}
	for i, m := range t.members {
		if duplicates(m) || t.kind == Map && seen[t.names[i]] {
			return true
		}
		if t.kind == Map {
			seen[t.names[i]] = true
		}
	}
	return false
}

// numbers makes numbers equal that have one value.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case json.Number:
		return string(decimal.Append(nil, []byte(v)))
	}
	return v
}

// FuzzDecode feeds every format whatever bytes: no panic, and offsets inside
// the record; what is accepted is JSON.
func FuzzDecode(f *testing.F) {
	for _, l := range append(insuranceLines(5), orderLines(5)...) {
		f.Add(l)
	}
	f.Add([]byte(`{"Item":{"PK":{"S":"a"},"SK":{"N":"1"}}}`))
	f.Add([]byte(`{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"PK":{"B":"AA=="}},"NewImage":{"PK":{"B":"AA"}},"OldImage":null}`))
	f.Add([]byte(`{"a":{"b":1},"v":"2024-01-02T03:04:05Z","op":"D"}`))
	f.Add([]byte(`{"data":{"b":1},"before-image":{"b":"1"}}`))
	f.Add([]byte(`null`))
	formats := []*pipeline.Format{
		{Encoding: pipeline.DynamoDBCDC, Table: "t"},
		{Encoding: pipeline.DynamoDBExport},
		{Encoding: pipeline.JSON, Key: []string{"data.b", "a"}, KeyElse: [][]string{{"before-image.b"}, {"before-image.a"}}},
		{Encoding: pipeline.DynamoDBExport, Key: []string{"PK", "SK"}},
		{Encoding: pipeline.JSON, Key: []string{"a.b"}, Version: pipeline.VersionColumn{From: "v", Type: "timestamp"}, Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D"}}},
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		for _, format := range formats {
			var accepted [2]bool
			for i, settled := range []bool{false, true} {
				p := NewProjection(fuzzPaths, format.Encoding != pipeline.JSON)
				d := NewDecoder(format, Options{New: p, Old: p, Identity: settled})
				var r Record
				err := d.Decode(rec, &r)
				accepted[i] = err == nil
				if err != nil {
					// Whether a key is missing, or another one, shows in a record.
					known := settled && format.Encoding == pipeline.DynamoDBExport && strings.Contains(err.Error(), "set `key:`")
					if e, ok := err.(*Error); !ok && !known || ok && (e.Offset < 0 || e.Offset > len(rec)) {
						t.Fatalf("%q: %v", rec, err)
					}
					continue
				}
				if _, err := parseTree(rec); err != nil {
					t.Fatalf("%q: accepted, but %v", rec, err)
				}
				if r.Moved && (!json.Valid(r.WasKey) || string(r.WasKey) == string(r.Key)) {
					t.Fatalf("%q: moved from %q to %q", rec, r.WasKey, r.Key)
				}
				if len(r.New) != len(fuzzPaths) || len(r.Old) != len(fuzzPaths) {
					t.Fatalf("%d and %d slots", len(r.New), len(r.Old))
				}
				if settled && r.Lacks == nil && !json.Valid(r.Key) {
					t.Fatalf("%q: key %q", rec, r.Key)
				}
			}
			if accepted[1] && !accepted[0] {
				t.Fatalf("%q: accepted only when settled", rec)
			}
		}
	})
}
