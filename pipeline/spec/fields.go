package spec

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// field is what the tags of a struct's field say.
type field struct {
	name, desc string
	def        *Node // of tag default; nil = none
	defText    string
	required   bool
	secret     bool
	connection bool   // the text is a connection string
	file       bool   // a path of this machine
	change     Change // "" = the program's author forgot it
	added      Change // of one name in a mapping; "" = as change
	enum       []string
	pattern    *regexp.Regexp
	form       string // what the pattern means, for people
	min, max   *float64
	index      []int
	typ        reflect.Type
}

// holds reports whether the field of a struct is such a struct again.
func (f *field) holds(t reflect.Type) bool { return f.typ == reflect.PointerTo(t) }

var structs sync.Map // reflect.Type → []*field

// fieldsOf returns the fields of a struct that a pipeline file can set, in
// order, those of embedded structs among them. Tags that make no sense are a
// mistake of the program: it panics.
func fieldsOf(t reflect.Type) []*field {
	if cached, ok := structs.Load(t); ok {
		return cached.([]*field)
	}
	var fields []*field
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := f.Tag.Lookup("yaml")
		name, _, _ = strings.Cut(name, ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				outer := *inner
				outer.index = append([]int{i}, inner.index...)
				fields = append(fields, &outer)
			}
			continue
		}
		if !ok || name == "" || name == "-" || !f.IsExported() {
			continue
		}
		fields = append(fields, newField(t, f, name, i))
	}
	for i, f := range fields {
		if slices.ContainsFunc(fields[:i], func(g *field) bool { return g.name == f.name }) {
			panic(fmt.Sprintf("spec: %s has two fields %q", t, f.name))
		}
	}
	structs.Store(t, fields)
	return fields
}

func newField(t reflect.Type, f reflect.StructField, name string, i int) *field {
	x := &field{name: name, desc: f.Tag.Get("desc"), index: []int{i}, typ: f.Type, required: f.Tag.Get("required") == "true", secret: f.Tag.Get("secret") == "true", connection: f.Tag.Get("secret") == "connection", file: f.Tag.Get("file") == "true"}
	x.change, x.added = Change(f.Tag.Get("change")), Change(f.Tag.Get("added"))
	for _, c := range []Change{x.change, x.added} {
		if c != "" && !slices.Contains(changes, c) {
			panic(fmt.Sprintf("spec: %s.%s: there is no change %q", t, f.Name, c))
		}
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		x.enum = strings.Split(enum, ",")
	}
	if p := f.Tag.Get("pattern"); p != "" {
		x.pattern = regexp.MustCompile(p)
	}
	if x.form = f.Tag.Get("form"); (x.form == "") != (x.pattern == nil) {
		panic(fmt.Sprintf("spec: %s.%s: a pattern and its form come together", t, f.Name))
	}
	x.min, x.max = bound(t, f, "min"), bound(t, f, "max")
	if text, ok := f.Tag.Lookup("default"); ok {
		root, mistakes := parse("default", []byte(text))
		if len(mistakes) > 0 {
			panic(fmt.Sprintf("spec: %s.%s: default %q: %s", t, f.Name, text, mistakes[0].Message))
		}
		root.key = &Node{kind: Text, text: name}
		x.def, x.defText = root, text
	}
	return x
}

// bound reads tag min or max: a number, in nanoseconds of durations and bytes
// of sizes where it has their unit.
func bound(t reflect.Type, f reflect.StructField, tag string) *float64 {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	switch f.Type {
	case durationType, intervalType:
		var d Duration
		d, err = ParseDuration(text)
		v = float64(d)
	case bytesType:
		var n Bytes
		n, err = ParseBytes(text)
		v = float64(n)
	}
	if err != nil {
		panic(fmt.Sprintf("spec: %s.%s: %s %q: %v", t, f.Name, tag, text, err))
	}
	return &v
}

var (
	nodeType     = reflect.TypeFor[*Node]()
	anyType      = reflect.TypeFor[Any]()
	durationType = reflect.TypeFor[Duration]()
	intervalType = reflect.TypeFor[Interval]()
	bytesType    = reflect.TypeFor[Bytes]()
	decoderType  = reflect.TypeFor[NodeDecoder]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	orderedType  = reflect.TypeFor[orderedMap]()
)

// orderedMap is implemented by every Map.
type orderedMap interface{ ordered() }

func (Map[T]) ordered() {}

// element returns the rules that the elements of a list or mapping inherit.
func (f *field) element() *field {
	return &field{secret: f.secret, connection: f.connection, change: f.change, enum: f.enum, pattern: f.pattern, form: f.form, min: f.min, max: f.max}
}

// way returns the rules of one of the ways of writing a NodeDecoder: its texts are the field's.
func (f *field) way(t reflect.Type) *field {
	if t.Kind() == reflect.String {
		return &field{enum: f.enum}
	}
	return &field{}
}

// fits reports whether a text is one of the enum and matches the pattern.
func (f *field) fits(text string) bool {
	return (f.enum == nil || slices.Contains(f.enum, text)) && (f.pattern == nil || f.pattern.MatchString(text))
}

// wants says, for people, which texts fit.
func (f *field) wants() string {
	switch len(f.enum) {
	case 0:
		return cmp.Or(f.form, "a text")
	case 1:
		return f.enum[0]
	default:
		return "one of " + strings.Join(f.enum, ", ")
	}
}

// fieldNames returns the keys that a struct has in a pipeline file.
func fieldNames(fields []*field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}
