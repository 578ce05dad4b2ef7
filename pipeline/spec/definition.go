package spec

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Setting is one key of a pipeline file with its value in a canonical form: of
// one meaning there is one text, whatever the order, the quotes, defaults that are
// written out, and comments.
type Setting struct {
	// Path leads from the top of the file to the value: section, node, keys, names.
	Path   []string `json:"path"`
	Change Change   `json:"change"`
	// Added, of names that the user chose, says what one that comes or goes means
	// where no other goes or comes: with one it could be a new name of the same.
	Added Change `json:"added,omitempty"`
	// Name says that the setting is a name in a mapping, without value of its own;
	// its keys have longer paths.
	Name bool   `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	// Hash stands for a value that holds a secret, which Text does not show.
	Hash string `json:"hash,omitempty"`
	File bool   `json:"file,omitempty"` // the text is a path of this machine
}

// Canonical is implemented by a configuration, or by a value of a Map in one, that
// can be written in several ways: it returns a value of the same type in which what
// was left out is written out. name is that of the node, or in the Map.
type Canonical interface{ Canonical(name string) any }

// Settings returns the file's settings but those with the value that they have when
// they are left out, in the order of their paths. Values that hold secrets are not
// among them, but as hashes with the salt. Inputs are the caller's to add. It may be
// called once Err was.
func (f *File) Settings(salt []byte) []Setting {
	c := &canonizer{file: f, salt: salt}
	c.fields(nil, reflect.ValueOf(f).Elem())
	if store := f.DeadLetters.Store; store != nil {
		c.fields([]string{"dead_letters"}, reflect.ValueOf(store).Elem())
	}
	c.settings = slices.DeleteFunc(c.settings, func(s Setting) bool { return s.Path[0] == "tests" })
	for _, section := range []Map[*NodeConfig]{f.Sources, f.Transforms, f.Sinks} {
		for _, e := range section {
			path := []string{e.Value.section, e.Name}
			c.add(Setting{Path: path, Change: Identity, Added: Content, Name: true})
			c.add(Setting{Path: join(path, "type"), Change: Identity, Text: e.Value.Type})
			c.fields(path, reflect.ValueOf(canonical(e.Name, e.Value.Config)).Elem())
		}
	}
	SortSettings(c.settings)
	return c.settings
}

// SortSettings brings settings into the order of their paths.
func SortSettings(s []Setting) {
	slices.SortStableFunc(s, func(a, b Setting) int { return slices.Compare(a.Path, b.Path) })
}

// canonizer collects the settings of a file.
type canonizer struct {
	file     *File
	salt     []byte
	settings []Setting
}

func (c *canonizer) add(s Setting) {
	if shown := c.file.Redact(s.Text); shown != s.Text {
		s.Text, s.Hash = shown, hashOf(s.Text, c.salt)
	}
	if last := len(c.settings) - 1; last >= 0 && c.settings[last].Name && slices.Equal(c.settings[last].Path, s.Path) {
		s.Name, s.Added = true, c.settings[last].Added // a name that has a value, or keys
		c.settings[last] = s
		return
	}
	c.settings = append(c.settings, s)
}

func hashOf(text string, salt []byte) string {
	h := hmac.New(sha256.New, salt)
	_, _ = h.Write([]byte(text)) // it never fails
	return hex.EncodeToString(h.Sum(nil))
}

// fields adds the keys of a struct.
func (c *canonizer) fields(path []string, v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if f.def != nil {
			usual := reflect.New(f.typ).Elem()
			setDefault(usual, f)
			if reflect.DeepEqual(usual.Interface(), value.Interface()) {
				continue
			}
			if value.IsZero() {
				c.add(Setting{Path: join(path, f.name), Change: f.change, Text: flow(value), File: f.file})
				continue
			}
		}
		c.value(join(path, f.name), value, f)
	}
}

// value adds a value, or what it holds.
func (c *canonizer) value(path []string, v reflect.Value, f *field) {
	t := v.Type()
	if v.IsZero() || t.Kind() == reflect.Slice && v.Len() == 0 {
		return
	}
	switch {
	case t.Kind() == reflect.Pointer:
		c.add(Setting{Path: path, Change: f.change, Name: true})
		c.value(path, v.Elem(), f)
	case t.Kind() == reflect.Slice && t.Implements(orderedType):
		c.names(path, v, f)
	case t == anyType || t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(textType):
		c.add(Setting{Path: path, Change: f.change, Text: flow(v), File: f.file})
	case len(fieldsOf(t)) > 0:
		c.fields(path, v)
	default: // it may be written in several ways, of which one is set
		for i := range t.NumField() {
			c.value(path, v.Field(i), f)
		}
	}
}

// names adds the entries of a Map.
func (c *canonizer) names(path []string, v reflect.Value, f *field) {
	for i := range v.Len() {
		name, value := v.Index(i).Field(0).String(), v.Index(i).Field(1)
		at := join(path, name)
		if value.Kind() != reflect.Struct || value.Type() == anyType {
			c.add(Setting{Path: at, Change: f.change, Text: flow(value)})
			continue
		}
		c.add(Setting{Path: at, Change: f.change, Added: f.added, Name: true})
		written := reflect.New(value.Type())
		written.Elem().Set(value)
		c.value(at, reflect.ValueOf(canonical(name, written.Interface())).Elem(), f)
	}
}

// canonical returns the configuration that a pointer leads to with all written out.
func canonical(name string, config any) any {
	c, ok := config.(Canonical)
	if !ok {
		return config
	}
	whole := reflect.New(reflect.TypeOf(config).Elem())
	whole.Elem().Set(reflect.ValueOf(c.Canonical(name)))
	return whole.Interface()
}

func join(path []string, more string) []string { return append(path[:len(path):len(path)], more) }

// flow writes a value as YAML in one line.
func flow(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Any:
		return flowAny(x.Value)
	case Paths:
		if len(x) == 1 {
			return flowText(x[0])
		}
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = flow(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.String:
		return flowText(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// flowAny is flow of a value without a schema.
func flowAny(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return flowText(x)
	case []any:
		items := make([]string, len(x))
		for i := range x {
			items[i] = flowAny(x[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var entries []string
		for name, value := range x {
			entries = append(entries, flowText(name)+": "+flowAny(value))
		}
		slices.Sort(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	default:
		return fmt.Sprint(v)
	}
}

// plainText is a text that YAML has without quotes, between brackets too.
var plainText = regexp.MustCompile(`^[\pL$_./][\pL\pN$_./ -]*$`)

func flowText(s string) string {
	if plainText.MatchString(s) && plainKind(s) == Text && strings.TrimSpace(s) == s {
		return s
	}
	b := &bytes.Buffer{}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSpace(b.String())
}

// Difference is a setting that is not what it was.
type Difference struct {
	Path     []string
	Change   Change
	Was, Is  *Setting // nil = there was none, or is none any longer
	NewNames []string // of a name that is gone: those that came in its mapping
}

// Compare returns how settings differ, whose secrets are hashed with one salt, in the
// order of their paths. Below a name that came or went nothing more is told.
func Compare(was, is []Setting, salt []byte) []Difference {
	var all []Difference
	for len(was)+len(is) > 0 {
		order := 0
		switch {
		case len(was) == 0:
			order = 1
		case len(is) == 0:
			order = -1
		default:
			order = slices.Compare(was[0].Path, is[0].Path)
		}
		var d Difference
		if order <= 0 {
			d.Was, d.Path, d.Change, was = &was[0], was[0].Path, was[0].Change, was[1:]
		}
		if order >= 0 {
			d.Is, d.Path, d.Change, is = &is[0], is[0].Path, is[0].Change, is[1:]
		}
		switch {
		case order == 0 && d.Was.same(d.Is, salt):
			continue
		case order < 0 && d.Was.Name:
			was = below(was, d.Path)
		case order > 0 && d.Is.Name:
			is = below(is, d.Path)
		}
		all = append(all, d)
	}
	for i := range all {
		all[i].judgeName(all)
	}
	return all
}

// below returns the settings behind those below a path.
func below(s []Setting, path []string) []Setting {
	i := 0
	for i < len(s) && len(s[i].Path) > len(path) && slices.Equal(s[i].Path[:len(path)], path) {
		i++
	}
	return s[i:]
}

// same reports whether two settings of one path say the same.
func (s *Setting) same(o *Setting, salt []byte) bool {
	if s.File && o.File {
		a, errA := filepath.Abs(s.Text)
		b, errB := filepath.Abs(o.Text)
		return s.Text == o.Text || errA == nil && errB == nil && a == b
	}
	switch { // a value may have become a secret, or be none any longer
	case s.Hash == "" && o.Hash != "":
		return hashOf(s.Text, salt) == o.Hash
	case s.Hash != "" && o.Hash == "":
		return hashOf(o.Text, salt) == s.Hash
	}
	return s.Name == o.Name && s.Text == o.Text && s.Hash == o.Hash
}

// judgeName says what a name means that came or went: where others of its mapping
// went or came as well, it may be a new name of one of them.
func (d *Difference) judgeName(all []Difference) {
	s := cmp.Or(d.Was, d.Is)
	if !s.Name || (d.Was == nil) == (d.Is == nil) {
		return
	}
	last := len(d.Path) - 1
	renamed := false
	for _, o := range all {
		if len(o.Path) != len(d.Path) || !slices.Equal(o.Path[:last], d.Path[:last]) || (o.Was == nil) == (d.Was == nil) || (o.Is == nil) == (d.Is == nil) {
			continue
		}
		renamed = true
		if d.Is == nil {
			d.NewNames = append(d.NewNames, o.Path[last])
		}
	}
	if !renamed && s.Added != "" {
		d.Change = s.Added
	}
}
