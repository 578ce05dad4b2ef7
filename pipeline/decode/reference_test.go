package decode

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// tree is a document as a naive reader has it: the reference of the tests.
type tree struct {
	kind    Kind
	text    string // of a scalar; a binary's as it is written
	names   []string
	members []*tree // of a map (one for each name), a list, or a set
}

var errStrict = errors.New("not accepted")

// parseTree reads one JSON value strictly.
func parseTree(rec []byte) (*tree, error) {
	d := jsontext.NewDecoder(bytes.NewReader(rec), jsontext.AllowDuplicateNames(true))
	t, err := readTree(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errStrict
	}
	return t, nil
}

func readTree(d *jsontext.Decoder) (*tree, error) {
	switch k := d.PeekKind(); k {
	case '{', '[':
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
		t := &tree{kind: List}
		if k == '{' {
			t.kind = Map
		}
		for d.PeekKind() != '}' && d.PeekKind() != ']' {
			if k == '{' {
				name, err := d.ReadToken()
				if err != nil {
					return nil, err
				}
				t.names = append(t.names, name.String())
			}
			m, err := readTree(d)
			if err != nil {
				return nil, err
			}
			t.members = append(t.members, m)
		}
		_, err := d.ReadToken()
		return t, err
	default:
		v, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		switch v.Kind() {
		case 'n':
			return &tree{kind: Null}, nil
		case 't', 'f':
			return &tree{kind: Bool, text: string(v)}, nil
		case '0':
			return &tree{kind: Number, text: string(v)}, nil
		}
		text, err := jsontext.AppendUnquote(nil, v)
		t := &tree{kind: String, text: string(text)}
		if bytes.ContainsRune(v, '\\') {
			t.names = []string{string(v)} // remembered: N has no escapes
		}
		return t, err
	}
}

// typedTree reads a plain tree as DynamoDB JSON.
func (t *tree) typedTree() (*tree, error) {
	name, v, err := t.chosen()
	if err != nil {
		return nil, err
	}
	as := func(want, kind Kind) (*tree, error) {
		if v.kind != want {
			return nil, errStrict
		}
		return &tree{kind: kind, text: v.text}, nil
	}
	set := func(kind, element Kind) (*tree, error) {
		if v.kind != List {
			return nil, errStrict
		}
		s := &tree{kind: kind}
		for _, m := range v.members {
			e, err := m.scalar(element)
			if err != nil {
				return nil, err
			}
			s.members = append(s.members, e)
		}
		return s, nil
	}
	switch name {
	case "S":
		return v.scalar(String)
	case "B":
		return v.scalar(Binary)
	case "N":
		return v.scalar(Number)
	case "BOOL":
		return as(Bool, Bool)
	case "NULL":
		if v.text != "true" {
			return nil, errStrict
		}
		return as(Bool, Null)
	case "M":
		return v.typedMap()
	case "L":
		if v.kind != List {
			return nil, errStrict
		}
		l := &tree{kind: List}
		for _, m := range v.members {
			e, err := m.typedTree()
			if err != nil {
				return nil, err
			}
			l.members = append(l.members, e)
		}
		return l, nil
	case "SS":
		return set(StringSet, String)
	case "NS":
		return set(NumberSet, Number)
	case "BS":
		return set(BinarySet, Binary)
	}
	return nil, errStrict
}

// chosen returns the one type that a value has: all others must be null, or what
// SDKs print of a type that was not filled.
func (t *tree) chosen() (string, *tree, error) {
	if t.kind != Map {
		return "", nil, errStrict
	}
	types := strings.Fields("S N B BOOL NULL M L SS NS BS")
	flags := map[string]string{"ISLSET": "L", "ISMSET": "M", "ISBOOLSET": "BOOL"}
	said, noBool := "", false
	filled := map[string]*tree{}
	seen := map[string]bool{}
	for i, name := range t.names {
		v := t.members[i]
		upper := strings.ToUpper(name)
		if upper == "NUL" || upper == "NULLVALUE" {
			upper = "NULL"
		}
		switch of := flags[upper]; {
		case slices.Contains(types, upper):
			if seen[upper] {
				return "", nil, errStrict
			}
			seen[upper] = true
			if v.kind != Null {
				filled[upper] = v
			}
		case of != "" && v.kind == Bool && v.text == "true":
			said = of
		case of != "":
			noBool = noBool || of == "BOOL"
		case upper == "TYPE" && v.kind == String:
			said = ""
			if raw := strings.ToUpper(v.raw()); slices.Contains(types, raw) {
				said = raw
			}
			if raw := strings.ToUpper(v.raw()); raw == "NUL" || raw == "NULLVALUE" {
				said = "NULL"
			}
		default:
			return "", nil, errStrict
		}
	}
	var full []string
	for name, v := range filled {
		empty := len(v.members) == 0 && (name == "M" && v.kind == Map || v.kind == List && strings.Contains(" L SS NS BS ", " "+name+" ")) ||
			v.kind == Bool && v.text == "false" && (name == "BOOL" || name == "NULL")
		if !empty && name != said {
			full = append(full, name)
		}
	}
	if filled[said] != nil {
		full = append(full, said)
	}
	switch {
	case len(full) == 1:
		return full[0], filled[full[0]], nil
	case len(full) == 0 && len(filled) == 1 && !(noBool && filled["BOOL"] != nil):
		for name, v := range filled {
			return name, v, nil
		}
	}
	return "", nil, errStrict
}

// raw is a text as it is written, without its quotes.
func (t *tree) raw() string {
	if t.names != nil {
		return strings.Trim(t.names[0], `"`)
	}
	return t.text
}

func (t *tree) scalar(kind Kind) (*tree, error) {
	text := t.text
	switch {
	case kind == Number && t.kind == String:
		if t.names != nil {
			return nil, errStrict
		}
		if rest, plus := strings.CutPrefix(text, "+"); plus {
			if text = rest; strings.HasPrefix(rest, "-") {
				return nil, errStrict
			}
		}
		if v := jsontext.Value(text); v.Kind() != '0' || !v.IsValid() || strings.TrimSpace(text) != text {
			return nil, errStrict
		}
	case kind == Number && t.kind == Number:
	case kind == Binary && t.kind == String:
	case kind != t.kind:
		return nil, errStrict
	}
	return &tree{kind: kind, text: text}, nil
}

// typedMap reads a plain tree as the inside of a DynamoDB map.
func (t *tree) typedMap() (*tree, error) {
	if t.kind != Map {
		return nil, errStrict
	}
	m := &tree{kind: Map, names: t.names}
	for _, v := range t.members {
		e, err := v.typedTree()
		if err != nil {
			return nil, err
		}
		m.members = append(m.members, e)
	}
	return m, nil
}

// depth returns the levels of maps and lists.
func (t *tree) depth() int {
	if t.kind != Map && t.kind != List {
		return 0
	}
	d := 0
	for _, m := range t.members {
		d = max(d, m.depth())
	}
	return d + 1
}

// find returns the value at a path; an error is a name twice on the way.
func (t *tree) find(p Path) (*tree, error) {
	for _, step := range p {
		switch {
		case step.IsIndex:
			at := step.Index
			if at < 0 {
				at += len(t.members)
			}
			if t.kind != List || at < 0 || at >= len(t.members) {
				return nil, nil
			}
			t = t.members[at]
		default:
			if t.kind != Map {
				return nil, nil
			}
			first := slices.Index(t.names, step.Name)
			if first < 0 {
				return nil, nil
			}
			if slices.Contains(t.names[first+1:], step.Name) {
				return nil, errStrict
			}
			t = t.members[first]
		}
	}
	return t, nil
}

// duplicate reports a wanted name that occurs twice in one object.
func (t *tree) duplicate(paths []Path) bool {
	for _, p := range paths {
		if _, err := t.find(p); err != nil {
			return true
		}
	}
	return false
}

// spell writes the tree as JSON in one of its many spellings.
func (t *tree) spell(r *rand.Rand, typed bool) string {
	code, body := t.spellBody(r, typed)
	if !typed {
		return body
	}
	member := someSpace(r) + spellString(r, spellType(r, code)) + someSpace(r) + ":" + someSpace(r) + body + someSpace(r)
	members := append(siblings(r, code), member)
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

func someSpace(r *rand.Rand) string { return []string{"", "", "", " ", "\t\n"}[r.IntN(5)] }

// spellBody returns a type and what stands behind it.
func (t *tree) spellBody(r *rand.Rand, typed bool) (code, body string) {
	space := func() string { return someSpace(r) }
	list := func(sorted bool, element func(*tree) string) string {
		parts := make([]string, len(t.members))
		for i, m := range t.members {
			parts[i] = space() + element(m) + space()
			if t.kind == Map {
				parts[i] = space() + spellString(r, t.names[i]) + space() + ":" + parts[i]
			}
		}
		if !sorted {
			r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		}
		return strings.Join(parts, ",")
	}
	value := func(m *tree) string { return m.spell(r, typed) }
	element := func(m *tree) string {
		switch m.kind {
		case Number:
			return `"` + spellNumber(r, m.text) + `"`
		case Binary:
			return spellString(r, spellBinary(r, m.text))
		}
		return spellString(r, m.text)
	}
	switch t.kind {
	case Null:
		code, body = "NULL", "true"
		if !typed {
			body = "null"
		}
	case Bool:
		code, body = "BOOL", t.text
	case String:
		code, body = "S", spellString(r, t.text)
	case Binary:
		code, body = "B", spellString(r, spellBinary(r, t.text))
	case Number:
		code, body = "N", spellNumber(r, t.text)
		if typed && r.IntN(3) > 0 {
			if r.IntN(3) == 0 && body[0] != '-' {
				body = "+" + body
			}
			body = `"` + body + `"`
		}
	case Map:
		code, body = "M", "{"+list(false, value)+space()+"}"
	case List:
		code, body = "L", "["+list(true, value)+space()+"]"
	default:
		code, body = map[Kind]string{StringSet: "SS", NumberSet: "NS", BinarySet: "BS"}[t.kind], "["+list(false, element)+space()+"]"
	}
	return code, body
}

// spellType spells a type as DynamoDB does, or as one of the SDKs.
func spellType(r *rand.Rand, code string) string {
	switch r.IntN(8) {
	case 0:
		return strings.ToLower(code)
	case 1:
		return strings.ToLower(code[:1]) + code[1:]
	}
	return code
}

// siblings are what SDKs print beside a value of a type.
func siblings(r *rand.Rand, code string) []string {
	if r.IntN(6) > 0 {
		return nil
	}
	all := []string{
		`"S":null`, `"N":null`, `"B":null`, `"BOOL":false,"IsBOOLSet":false`, `"NULL":false`, `"M":{ }`, `"L":[]`, `"SS":[]`, `"NS":null`, `"BS":[ ]`,
	}
	var others []string
	for _, s := range all {
		if !strings.HasPrefix(s, `"`+code+`":`) && (r.IntN(3) > 0 || code == "BOOL") {
			others = append(others, s)
		}
	}
	set := map[string]string{"L": `"IsLSet":true`, "M": `"IsMSet":true`, "BOOL": `"IsBOOLSet":true`}[code]
	if set == "" {
		set = `"type":"` + code + `"`
	}
	return append(others, set)
}

// spellImage is spell for an image: a map without a type.
func (t *tree) spellImage(r *rand.Rand, typed bool) string {
	_, body := t.spellBody(r, typed)
	return body
}

func spellString(r *rand.Rand, text string) string {
	plain := r.IntN(2) == 0
	b := []byte{'"'}
	for _, c := range text {
		switch {
		case !plain && r.IntN(4) == 0 && c < 0x10000, c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		case !plain && c >= 0x10000:
			c -= 0x10000
			b = fmt.Appendf(b, `\u%04X\u%04X`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		default:
			b = append(b, string(c)...)
		}
	}
	return string(append(b, '"'))
}

// spellNumber returns an equal number.
func spellNumber(r *rand.Rand, text string) string {
	if strings.ContainsAny(text, "eE") {
		return text
	}
	switch r.IntN(4) {
	case 0:
		if !strings.Contains(text, ".") {
			text += "."
			text += "0"
		}
		return text + "00"
	case 1:
		return text + "e+00"
	case 2:
		if !strings.Contains(text, ".") && strings.Trim(text, "-0") != "" {
			return text + "00E-2"
		}
	}
	return text
}

func spellBinary(r *rand.Rand, text string) string {
	if raw, err := base64.RawStdEncoding.Strict().DecodeString(text); err == nil && !strings.ContainsAny(text, "\r\n") && r.IntN(2) == 0 {
		return base64.StdEncoding.EncodeToString(raw)
	}
	return text
}
