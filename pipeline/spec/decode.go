package spec

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills Go values from nodes and collects every mistake on the way.
type decoder struct {
	mistakes []*Mistake
	// beside holds, by types of structs, other structs whose keys stand among theirs.
	beside map[reflect.Type]reflect.Value
}

func (d *decoder) add(n *Node, message, hint string) {
	d.mistakes = append(d.mistakes, n.Mistake(message, hint))
}

// want reports a value of the wrong kind.
func (d *decoder) want(n *Node, what, hint string) {
	d.add(n.owner(), fmt.Sprintf("%s wants %s, not %s", n.title(), what, n.describe()), hint)
}

// invalid reports a scalar that its type refuses. The error of the type shows
// the value, so it is not used where that must stay secret.
func (d *decoder) invalid(n *Node, what string, err error) {
	if n.hidden {
		d.want(n, what, "")
		return
	}
	d.add(n, n.title()+": "+err.Error(), "")
}

// decode fills v from n; f has the rules of the field that v belongs to.
func (d *decoder) decode(n *Node, v reflect.Value, f *field) {
	if n.kind == Unknown {
		return
	}
	if f.secret {
		n.hideAll()
	}
	if f.connection {
		n.hideConnection(true)
	}
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		if n.kind == Null {
			return
		}
		v.Set(reflect.New(t.Elem()))
		d.decode(n, v.Elem(), f)
	case reflect.PointerTo(t).Implements(decoderType):
		d.report(n, v.Addr().Interface().(NodeDecoder).DecodeNode(n))
	case t == anyType:
		v.Set(reflect.ValueOf(Any{Value: d.any(n)}))
	case t == durationType:
		d.duration(n, v, f)
	case t == intervalType:
		d.interval(n, v, f)
	case t == bytesType:
		d.bytes(n, v, f)
	case reflect.PointerTo(t).Implements(textType):
		d.text(n, v)
	case t.Implements(orderedType):
		d.ordered(n, v, f)
	default:
		d.decodeKind(n, v, f)
	}
}

func (d *decoder) decodeKind(n *Node, v reflect.Value, f *field) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, nil)
	case reflect.Slice:
		d.slice(n, v, f)
	case reflect.Map:
		d.mapping(n, v, f)
	case reflect.String:
		d.string(n, v, f)
	case reflect.Bool:
		d.bool(n, v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.int(n, v, f)
	case reflect.Float64:
		d.float(n, v, f)
	default:
		panic(fmt.Sprintf("spec: %s: a pipeline file cannot hold a %s", n.title(), v.Type()))
	}
}

// report adds what a NodeDecoder returned.
func (d *decoder) report(n *Node, err error) {
	for _, e := range leaves(err) {
		d.mistakes = append(d.mistakes, n.locate(e))
	}
}

// structure fills a struct. Keys in extra are known, and read by the caller.
func (d *decoder) structure(n *Node, v reflect.Value, extra []string) {
	fields := fieldsOf(v.Type())
	if at := v.FieldByName("At"); at.IsValid() && at.Type() == nodeType {
		at.Set(reflect.ValueOf(n))
	}
	if n.kind != Mapping && n.kind != Null {
		d.want(n, "a mapping", "")
		setDefaults(v)
		return
	}
	beside, ok := d.beside[v.Type()]
	known := append(fieldNames(fields), extra...)
	if ok {
		known = append(known, fieldNames(fieldsOf(beside.Type()))...)
	}
	meant := d.unknownKeys(n, known)
	d.fields(n, v, fields, meant)
	if ok {
		d.fields(n, beside, fieldsOf(beside.Type()), meant)
	}
}

// fields fills those of a struct. meant holds the keys that unknown ones seem to mean.
func (d *decoder) fields(n *Node, v reflect.Value, fields []*field, meant map[string]bool) {
	for _, f := range fields {
		value := n.Get(f.name)
		target := v.FieldByIndex(f.index)
		if value == nil {
			setDefault(target, f)
		} else {
			d.decode(value, target, f)
		}
		if f.required && !meant[f.name] && (value == nil || value.kind == Null && !value.loose) {
			d.add(n.owner(), fmt.Sprintf("%s has no %s", n.title(), f.name), missingHint(f))
		}
	}
}

// unknownKeys reports the keys that are not known, and returns those that they
// seem to mean: they need not be reported as missing too.
func (d *decoder) unknownKeys(n *Node, known []string) (meant map[string]bool) {
	meant = map[string]bool{}
	for _, e := range n.entries {
		if !slices.Contains(known, e.key.text) {
			d.add(e.key, fmt.Sprintf("unknown key %q", e.key.text), didYouMean(e.key.text, known))
			meant[Suggest(e.key.text, known)] = true
			if secretPart.MatchString(e.key.text) || connectionName.MatchString(e.key.text) {
				e.value.hideAll() // it was meant to be one
			}
		}
	}
	return meant
}

// missingHint says what a key is for, as the end of a sentence.
func missingHint(f *field) string {
	desc, _, _ := strings.Cut(f.desc, ". ")
	desc = strings.TrimSuffix(desc, ".")
	if desc == "" {
		return ""
	}
	return strings.ToLower(desc[:1]) + desc[1:]
}

// setDefault gives a field that the file leaves out its default.
func setDefault(v reflect.Value, f *field) {
	if f.def == nil {
		setDefaults(v)
		return
	}
	d := &decoder{}
	d.decode(f.def, v, f)
	if len(d.mistakes) > 0 {
		panic(fmt.Sprintf("spec: default of %s: %s", f.name, d.mistakes[0].Message))
	}
}

// setDefaults fills the defaults of a struct that the file leaves out.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		setDefault(v.FieldByIndex(f.index), f)
	}
}

func (d *decoder) ordered(n *Node, v reflect.Value, f *field) {
	if n.kind == Null {
		return
	}
	if n.kind != Mapping {
		d.want(n, "a mapping of names", "")
		return
	}
	if len(n.entries) == 0 && f.required {
		d.add(n.owner(), n.title()+" is empty", missingHint(f))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.entries), len(n.entries)))
	for i, e := range n.entries {
		v.Index(i).Field(0).SetString(e.key.text)
		d.decode(e.value, v.Index(i).Field(1), f.element())
	}
}

func (d *decoder) mapping(n *Node, v reflect.Value, f *field) {
	if n.kind == Null {
		return
	}
	if n.kind != Mapping {
		d.want(n, "a mapping", "")
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	for _, e := range n.entries {
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(e.value, value, f.element())
		v.SetMapIndex(reflect.ValueOf(e.key.text).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) slice(n *Node, v reflect.Value, f *field) {
	switch n.kind {
	case List:
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			d.decode(item, v.Index(i), f.element())
		}
		if len(n.items) == 0 && f.required {
			d.add(n.owner(), n.title()+" is empty", missingHint(f))
		}
	case Null:
		v.SetZero()
	case Mapping:
		d.want(n, "a list", "")
	default:
		d.want(n, "a list", "write ["+cut(n.source, 40)+"]")
	}
}

func (d *decoder) string(n *Node, v reflect.Value, f *field) {
	switch {
	case n.kind == List || n.kind == Mapping:
		d.want(n, "a text", "")
	case n.kind == Text || n.loose:
		if d.allowed(n, f) {
			v.SetString(n.text)
		}
	case n.kind != Null && !f.fits(n.shown()): // quotes would not help
		d.want(n, f.wants(), "")
	case n.kind != Null:
		d.want(n, "a text", fmt.Sprintf("quote it: \"%s\"", n.source))
	case slices.Contains(f.enum, "null") && n.at.width > 0:
		d.want(n, "a text", "quote it: \"null\"")
	case f.enum != nil:
		d.want(n, f.wants(), "leave the key out for its default")
	case !f.required: // else it is reported as missing
		d.want(n, "a text", "leave the key out for its default, or write \"\"")
	}
}

// allowed checks a text against the rules of its field.
func (d *decoder) allowed(n *Node, f *field) bool {
	switch {
	case f.enum == nil && f.required && n.text == "":
		d.add(n, n.title()+" is empty", missingHint(f))
	case f.fits(n.text):
		return true
	case len(f.enum) > 1:
		hint := ""
		if s := Suggest(n.shown(), f.enum); s != "" {
			hint = fmt.Sprintf("did you mean %q?", s)
		}
		d.want(n, f.wants(), hint)
	default: // what is wanted is told as a value, and so is what is there
		d.add(n.owner(), fmt.Sprintf("%s wants %s, not %s", n.title(), f.wants(), strings.TrimPrefix(n.describe(), "the text ")), "")
	}
	return false
}

// scalarKind is the kind that a scalar has for a field that is not a text.
func (n *Node) scalarKind() NodeKind {
	if n.loose && n.kind == Text {
		return plainKind(n.text)
	}
	return n.kind
}

func (d *decoder) bool(n *Node, v reflect.Value) {
	if n.scalarKind() != Bool {
		hint := ""
		switch strings.ToLower(n.text) {
		case "yes", "on", "y":
			hint = "write true"
		case "no", "off", "n":
			hint = "write false"
		}
		if n.text != n.source { // it is not written here
			hint = ""
		}
		d.want(n, "true or false", hint)
		return
	}
	v.SetBool(strings.EqualFold(n.text, "true"))
}

func (d *decoder) int(n *Node, v reflect.Value, f *field) {
	if n.scalarKind() != Number || leadingZero(n.text) {
		d.want(n, "a whole number", zeroHint(n))
		return
	}
	i, err := strconv.ParseInt(strings.TrimPrefix(n.text, "+"), 0, v.Type().Bits())
	switch {
	case errors.Is(err, strconv.ErrRange):
		d.want(n, fmt.Sprintf("a number of %d bits", v.Type().Bits()), "")
	case err != nil:
		d.want(n, "a whole number", "")
	case d.inRange(n, v, float64(i), f):
		v.SetInt(i)
	}
}

func (d *decoder) float(n *Node, v reflect.Value, f *field) {
	if n.scalarKind() != Number || leadingZero(n.text) {
		d.want(n, "a number", zeroHint(n))
		return
	}
	x, err := strconv.ParseFloat(string(jsonNumber(n.text)), 64)
	if err != nil {
		d.want(n, "a number", "")
		return
	}
	if d.inRange(n, v, x, f) {
		v.SetFloat(x)
	}
}

// zeroHint tells what to do about a number that begins with 0.
func zeroHint(n *Node) string {
	if n.kind == Number && leadingZero(n.text) {
		return "write it without leading zeros"
	}
	return ""
}

// inRange checks the bounds of a field.
func (d *decoder) inRange(n *Node, v reflect.Value, x float64, f *field) bool {
	show := func(b float64) string {
		switch v.Type() {
		case durationType, intervalType:
			return Duration(b).String()
		case bytesType:
			return Bytes(b).String()
		}
		return strconv.FormatFloat(b, 'f', -1, 64)
	}
	switch {
	case f.min != nil && x < *f.min:
		d.want(n, "at least "+show(*f.min), "")
	case f.max != nil && x > *f.max:
		d.want(n, "at most "+show(*f.max), "")
	default:
		return true
	}
	return false
}

// spanWanted says, for people, what a time span is.
const spanWanted = "a time span with a unit, such as 500ms, 60s or 8d"

func (d *decoder) duration(n *Node, v reflect.Value, f *field) { d.span(n, v, f, spanWanted) }

func (d *decoder) interval(n *Node, v reflect.Value, f *field) {
	if n.scalarKind() == Text && n.text == autoText {
		v.SetInt(int64(Auto))
		return
	}
	const what = autoText + ", or " + spanWanted
	if n.scalarKind() == Text && !strings.ContainsAny(n.text, "0123456789") {
		d.want(n, what, "") // a word, which is not meant as a time span
		return
	}
	d.span(n, v, f, what)
}

// span reads a time span. what says, for people, what the field wants.
func (d *decoder) span(n *Node, v reflect.Value, f *field, what string) {
	if k := n.scalarKind(); k != Text && k != Number {
		d.want(n, what, "")
		return
	}
	x, err := ParseDuration(n.text)
	if err != nil {
		d.invalid(n, what, err)
		return
	}
	if d.inRange(n, v, float64(x), f) {
		v.SetInt(int64(x))
	}
}

func (d *decoder) bytes(n *Node, v reflect.Value, f *field) {
	const what = "a size, such as 4096, 64KiB or 1GB"
	if k := n.scalarKind(); k != Text && k != Number {
		d.want(n, what, "")
		return
	}
	x, err := ParseBytes(n.text)
	if err != nil {
		d.invalid(n, what, err)
		return
	}
	if d.inRange(n, v, float64(x), f) {
		v.SetInt(int64(x))
	}
}

func (d *decoder) text(n *Node, v reflect.Value) {
	if n.kind == List || n.kind == Mapping || n.kind == Null && !n.loose {
		d.want(n, "a text", "")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
		d.invalid(n, "a valid value", err)
	}
}

// any returns a value without a schema.
func (d *decoder) any(n *Node) any {
	switch n.kind {
	case Bool:
		return strings.EqualFold(n.text, "true")
	case Number:
		if !leadingZero(n.text) {
			return jsonNumber(n.text)
		}
		if !n.loose {
			d.add(n, n.title()+": it is not clear whether "+cut(n.source, 40)+" is a number or a text", fmt.Sprintf("quote it: \"%s\"", cut(n.source, 40)))
		}
		return n.text
	case Text:
		return n.text
	case List:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = d.any(item)
		}
		return items
	case Mapping:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.key.text] = d.any(e.value)
		}
		return m
	default:
		return nil
	}
}
