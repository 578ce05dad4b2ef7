package dynamodbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Value is the value of an attribute. Values are never changed once they are made.
type Value struct {
	// Type is S, N, B, BOOL, NULL, M, L, SS, NS or BS.
	Type string
	// Text is that of S, the digits of N, or the bytes of B.
	Text string
	Bool bool
	Map  map[string]Value
	List []Value
	// Set has the members of SS, NS or BS in the order in which they were written.
	Set []string
}

// Item is an item of a table, or the key of one.
type Item map[string]Value

// S, N and B make values of a text, of a number's digits, and of bytes.
func S(text string) Value   { return Value{Type: "S", Text: text} }
func N(digits string) Value { return Value{Type: "N", Text: digits} }
func B(b []byte) Value      { return Value{Type: "B", Text: string(b)} }

// ParseItem reads an item in DynamoDB's JSON, as {"id": {"S": "1"}}.
func ParseItem(text string) (Item, error) {
	var item Item
	err := json.Unmarshal([]byte(text), &item)
	return item, err
}

// Equal reports whether two values are the same. The order of sets does not count.
func (v Value) Equal(o Value) bool {
	if v.Type != o.Type || v.Text != o.Text || v.Bool != o.Bool || len(v.Set) != len(o.Set) {
		return false
	}
	if len(v.Set) > 0 && !slices.Equal(slices.Sorted(slices.Values(v.Set)), slices.Sorted(slices.Values(o.Set))) {
		return false
	}
	return slices.EqualFunc(v.List, o.List, Value.Equal) && maps.EqualFunc(v.Map, o.Map, Value.Equal)
}

// Equal reports whether two items are the same.
func (i Item) Equal(o Item) bool { return maps.EqualFunc(i, o, Value.Equal) }

// UnmarshalJSON reads a value, as {"S": "x"}, by the service's rules: numbers are written as it
// writes them, and sets have no duplicates.
func (v *Value) UnmarshalJSON(b []byte) error {
	var typed map[string]json.RawMessage
	if err := json.Unmarshal(b, &typed); err != nil {
		return err
	}
	for name, raw := range typed {
		if string(raw) == "null" {
			delete(typed, name) // clients write members that are not set so
		}
	}
	if len(typed) == 0 {
		return invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	if len(typed) > 1 {
		return invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for name, raw := range typed {
		v.Type = name
		return v.parse(raw)
	}
	return nil
}

func (v *Value) parse(raw json.RawMessage) (err error) {
	switch v.Type {
	case "S", "N":
		err = json.Unmarshal(raw, &v.Text)
	case "B":
		var data []byte
		err = json.Unmarshal(raw, &data)
		v.Text = string(data)
	case "BOOL", "NULL":
		err = json.Unmarshal(raw, &v.Bool)
	case "M":
		return json.Unmarshal(raw, &v.Map) // whose values are in order by now
	case "L":
		return json.Unmarshal(raw, &v.List)
	case "SS", "NS":
		err = json.Unmarshal(raw, &v.Set)
	case "BS":
		var members [][]byte
		err = json.Unmarshal(raw, &members)
		for _, m := range members {
			v.Set = append(v.Set, string(m))
		}
	}
	if err == nil {
		*v, err = v.normal()
	}
	return err
}

// normal returns a value as the service keeps it, or why it does not.
func (v Value) normal() (_ Value, err error) {
	switch v.Type {
	case "S", "B", "BOOL":
	case "N":
		v.Text, err = normalNumber(v.Text)
	case "NULL":
		if !v.Bool {
			err = invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case "M":
		var m Item
		m, err = Item(v.Map).normal()
		v.Map = m
	case "L":
		v.List = slices.Clone(v.List)
		for i := range v.List {
			if v.List[i], err = v.List[i].normal(); err != nil {
				return v, err
			}
		}
	case "SS", "NS", "BS":
		v.Set, err = v.normalSet()
	default:
		err = invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	return v, err
}

// normal returns an item as the service keeps it, or why it does not.
func (i Item) normal() (Item, error) {
	i = maps.Clone(i)
	for name, v := range i {
		var err error
		if i[name], err = v.normal(); err != nil {
			return nil, err
		}
	}
	return i, nil
}

func (v Value) normalSet() ([]string, error) {
	if len(v.Set) == 0 {
		return nil, invalid("One or more parameter values were invalid: An %s set  may not be empty", map[string]string{"SS": "string", "NS": "number", "BS": "binary"}[v.Type])
	}
	set := slices.Clone(v.Set)
	for i := range set {
		if v.Type == "NS" {
			var err error
			if set[i], err = normalNumber(set[i]); err != nil {
				return nil, err
			}
		}
		if slices.Contains(set[:i], set[i]) {
			return nil, invalid("One or more parameter values were invalid: Input collection [%s] contains duplicates.", strings.Join(set, ", "))
		}
	}
	return set, nil
}

// invalid is a ValidationException.
func invalid(format string, args ...any) error {
	return awsfake.Errorf("ValidationException", format, args...)
}

// MarshalJSON writes a value as the service does.
func (v Value) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

// MarshalJSON writes an item as the service does.
func (i Item) MarshalJSON() ([]byte, error) { return i.append(nil), nil }

// append appends the JSON of an item, in the order of its attributes' names.
func (i Item) append(b []byte) []byte {
	b = append(b, '{')
	for n, name := range slices.Sorted(maps.Keys(i)) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		b = i[name].append(b)
	}
	return append(b, '}')
}

func (v Value) append(b []byte) []byte {
	b = append(append(append(b, '{', '"'), v.Type...), '"', ':')
	switch v.Type {
	case "S", "N":
		b = appendText(b, v.Text)
	case "B":
		b = appendBinary(b, v.Text)
	case "BOOL", "NULL":
		b = strconv.AppendBool(b, v.Bool)
	case "M":
		b = Item(v.Map).append(b)
	case "L":
		b = appendList(b, v.List, func(b []byte, v Value) []byte { return v.append(b) })
	case "BS":
		b = appendList(b, v.Set, appendBinary)
	default:
		b = appendList(b, v.Set, appendText)
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for n, v := range list {
		if n > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

func appendBinary(b []byte, text string) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), []byte(text)), '"')
}

// appendText appends a JSON string. HTML's characters stay as they are, as at the service.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			var out bytes.Buffer
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			if err := e.Encode(text); err != nil {
				panic(err) // of a text
			}
			return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// size is what an item counts for, in bytes, by the rules of the developer guide
// (CapacityUnitCalculations): names and texts as UTF-8, numbers by two digits a byte.
func (i Item) size() int {
	size := 0
	for name, v := range i {
		size += len(name) + v.size()
	}
	return size
}

func (v Value) size() int {
	switch v.Type {
	case "S", "B":
		return len(v.Text)
	case "N":
		return numberSize(v.Text)
	case "BOOL", "NULL":
		return 1
	case "M":
		return 3 + len(v.Map) + Item(v.Map).size()
	case "L":
		size := 3 + len(v.List)
		for _, e := range v.List {
			size += e.size()
		}
		return size
	}
	size := 0
	for _, m := range v.Set {
		if v.Type == "NS" {
			size += numberSize(m)
		} else {
			size += len(m)
		}
	}
	return size
}
