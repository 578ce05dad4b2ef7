package draft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// kind is the type of a value as DynamoDB names it.
type kind string

const (
	text       kind = "S"
	number     kind = "N"
	binaryData kind = "B"
	boolean    kind = "BOOL"
	null       kind = "NULL"
	object     kind = "M"
	list       kind = "L"
	textSet    kind = "SS"
	numberSet  kind = "NS"
	binarySet  kind = "BS"
)

// isSet reports whether a value is a set.
func (k kind) isSet() bool { return k == textSet || k == numberSet || k == binarySet }

// ofElements is the kind of a set's elements.
func (k kind) ofElements() kind {
	return map[kind]kind{textSet: text, numberSet: number, binarySet: binaryData}[k]
}

// value is a value of an item.
type value struct {
	kind     kind
	text     string   // of a scalar
	members  []member // of a map, in the order of the record
	elements []*value // of a list or set
}

// member is an attribute of an item, or a member of a map.
type member struct {
	name  string
	value *value
}

// get returns a member of a map; nil = it has none of this name.
func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	for _, m := range v.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// parse reads a JSON value as it is: texts, numbers, objects, lists.
func parse(data []byte) (*value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parseNext(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return v, nil
}

func parseNext(d *json.Decoder) (*value, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return &value{kind: null}, nil
	case bool:
		return &value{kind: boolean, text: fmt.Sprint(t)}, nil
	case json.Number:
		return &value{kind: number, text: t.String()}, nil
	case string:
		return &value{kind: text, text: t}, nil
	case json.Delim:
		if t == '{' {
			return parseMembers(d)
		}
		return parseElements(d)
	}
	return nil, fmt.Errorf("%v is no JSON", t)
}

func parseMembers(d *json.Decoder) (*value, error) {
	v := &value{kind: object}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		of, err := parseNext(d)
		if err != nil {
			return nil, err
		}
		v.members = append(v.members, member{name.(string), of})
	}
	_, err := d.Token()
	return v, err
}

func parseElements(d *json.Decoder) (*value, error) {
	v := &value{kind: list}
	for d.More() {
		of, err := parseNext(d)
		if err != nil {
			return nil, err
		}
		v.elements = append(v.elements, of)
	}
	_, err := d.Token()
	return v, err
}

// typed reads DynamoDB JSON: an object of attributes, each with its type.
func typed(v *value) (*value, bool) {
	if v == nil || v.kind != object {
		return nil, false
	}
	item := &value{kind: object}
	for _, m := range v.members {
		of, ok := typedValue(m.value)
		if !ok {
			return nil, false
		}
		item.members = append(item.members, member{m.name, of})
	}
	return item, true
}

func typedValue(v *value) (*value, bool) {
	if v.kind != object || len(v.members) != 1 {
		return nil, false
	}
	k, in := kind(v.members[0].name), v.members[0].value
	switch k {
	case text, number, binaryData, boolean:
		return &value{kind: k, text: in.text}, in.kind == text || in.kind == boolean && k == boolean || in.kind == number && k == number
	case null:
		return &value{kind: null}, true
	case object:
		return typed(in)
	case list, textSet, numberSet, binarySet:
		return typedElements(k, in)
	}
	return nil, false
}

func typedElements(k kind, in *value) (*value, bool) {
	v := &value{kind: k}
	for _, e := range in.elements {
		of, ok := &value{kind: k.ofElements(), text: e.text}, e.kind == text || e.kind == number
		if k == list {
			of, ok = typedValue(e)
		}
		if !ok {
			return nil, false
		}
		v.elements = append(v.elements, of)
	}
	return v, in.kind == list
}
